"""A history's own settings of training: read, searched, judged and written to a file."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.errors import ConfigError
from headway.features import History
from headway.history import tasks_of
from headway.predict.columns import columns_for
from headway.train.tune import Told, tune

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from headway.observe.trace import Trace

TARGETS: Final = {"runtime": "runtime_s", "memory": "memory_bytes"}


def tune_histories(
    traces: Sequence[Trace],
    *,
    target: str,
    member: str,
    minutes: float,
    resume: bool,
    out: Path,
    seed: int,
    progress: Callable[[str, float], None],
) -> dict[str, Any]:
    """The document of `headway tune`: the settings found and what they bring; written to `out`.

    Beside `out` stands its journal (suffix .journal), from which a later call can go on.
    """
    if target not in TARGETS:
        raise ConfigError(f"target must be one of {', '.join(TARGETS)}, got {target!r}")
    if not minutes > 0.0:
        raise ConfigError(f"minutes must be more than 0, got {minutes:g}")
    if not out.parent.is_dir():
        raise ConfigError(f"the folder of {out} must be there already; make it first")
    tasks, _ = tasks_of(traces, progress)
    document = {"target": target} | tune(
        told(tasks, TARGETS[target]),
        member,
        out.with_suffix(".journal"),
        seconds=60.0 * minutes,
        resume=resume,
        seed=seed,
        progress=partial(progress, f"Searching settings for {target}"),
    )
    out.write_text(json.dumps(document, indent=2) + "\n")
    return document


def told(tasks: pl.DataFrame, target: str) -> Told:
    """A table of tasks, in the order of submission, with features as of each submission."""
    tasks = tasks.sort("submitted_s", maintain_order=True)
    x = History().replay(tasks)
    ended_s = tasks["ended_s"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    is_memory = target == "memory_bytes"
    known = pl.col("memory_peak_bytes") if is_memory else pl.col("ended_s") - pl.col("started_s")
    y = tasks.select(known.cast(pl.Float64).fill_null(np.nan)).to_series().to_numpy()
    killed = tasks.select(pl.col("state") == "out_of_memory").to_series().to_numpy()
    return Told(
        x=x,
        y=np.where(np.isfinite(ended_s) & (y >= 0.0), y, np.nan),
        ended_s=ended_s,
        censored=killed & is_memory,
        columns=columns_for(target, x.names),
    )
