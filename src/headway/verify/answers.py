"""What Headway and every method it is held against say of each task of a replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from headway.verify import baselines
from headway.verify.baselines import Given, Seen
from headway.verify.judge import sized

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from headway.verify.replay import Replayed

    Floats = NDArray[np.float64]


_STEM: Final = pl.col("name").str.replace_all("[0-9]", "")
_KIND: Final = (pl.col("user"), pl.when(_STEM != "").then(_STEM).otherwise("name"))
"""What makes tasks of one kind: the user and the name without digits (if anything is left)."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of each method by its name, Headway's first, and what they are judged by.

    `seen` holds kinds, outcomes and runtimes of the n tasks; us: microseconds per task that a
    method took, None = not measured.
    """

    seen: Seen
    given: dict[str, Given]
    us: dict[str, float | None]


def answers(
    replayed: Replayed,
    tasks: pl.DataFrame,
    *,
    coverage: float = 0.95,
    names: Sequence[str] = (),
    headway_us: float | None = None,
    clock: Callable[[], float] | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Answers:
    """The answers of Headway and of the named methods (none named: of all that fit the target).

    tasks: the table that was replayed; clock: seconds, to say what each method takes.
    """
    is_memory = replayed.target == "memory_bytes"
    methods = baselines.MEMORY if is_memory else baselines.RUNTIME
    chosen = [name for name in methods if not names or name in names]
    seen = seen_of(replayed, tasks)
    own = Given(replayed.estimate.value)
    if is_memory:
        _, sizes = sized(replayed, tasks, coverage)
        own = Given(sizes.first, largest=sizes.largest)
    given, us = {"headway": own}, {"headway": headway_us}
    for i, name in enumerate(chosen):
        if progress is not None:
            progress(f"Beside it: {name}", i / len(chosen))
        began = 0.0 if clock is None else clock()
        given[name] = methods[name](seen)
        took_s = None if clock is None else clock() - began
        us[name] = None if took_s is None else 1e6 * took_s / max(tasks.height, 1)
        if progress is not None:
            progress(f"Beside it: {name}", 1.0)
    return Answers(seen, given, us)


def seen_of(replayed: Replayed, tasks: pl.DataFrame) -> Seen:
    """The replay as the methods see it; in Sizey's protocol a failed attempt is doubled."""
    is_memory = replayed.target == "memory_bytes"
    request = _column(tasks, "memory_requested_bytes" if is_memory else "limit_s")
    ended_s = _column(tasks, "ended_s")
    return Seen(
        kinds=replayed.kinds,
        rows=replayed.rows,
        kind=_codes(tasks, *_KIND),
        user=_codes(tasks, pl.col("user")),
        input_bytes=replayed.features.column("input_bytes").copy(),
        y=replayed.outcome,
        request=request,
        retry=np.full(len(request), np.nan) if replayed.protocol == "sizey" else request,
        runtime_s=ended_s - _column(tasks, "started_s"),
        ended_s=ended_s,
        is_judged=replayed.is_judged,
        x=replayed.features,
    )


def _codes(tasks: pl.DataFrame, *parts: pl.Expr) -> NDArray[np.int64]:
    """A number (n,) for each combination of the parts; not known is a part like any other."""
    of = pl.struct(part.alias(str(i)) for i, part in enumerate(parts))
    return tasks.select(of.rank("dense").cast(pl.Int64)).to_series().to_numpy().copy()


def _column(tasks: pl.DataFrame, name: str) -> Floats:
    """A column as numbers (n,), NaN = not known."""
    return tasks[name].cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
