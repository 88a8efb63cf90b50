"""A history lived through again from an empty engine: what would have been predicted, and when.

Each task is described at its submission by what had happened until then, predicted by what had
ended until then, and learned from when it ends. An end at exactly the moment of a submission is
known at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from headway.errors import ConfigError
from headway.features import NAMES, History
from headway.predict.boosted import Boosted
from headway.predict.conformal import LEARN, SERVE, Conformal
from headway.predict.first import First
from headway.predict.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headway.protocols import Features
    from headway.records import Estimate

    Floats = NDArray[np.float64]

TARGETS: Final = ("runtime_s", "memory_bytes")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay gives: one row of `estimate` for each task, in the order of the table."""

    target: str
    estimate: Estimate
    outcome: Floats  # (n,), NaN = never known
    features: Features
    predictor: Conformal
    history: History


def replay(
    tasks: pl.DataFrame,
    target: str = "runtime_s",
    *,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Replayed:
    """Predict every task of a table at its submission, learning as tasks end."""
    if target not in TARGETS:
        raise ConfigError(f"target must be one of {', '.join(TARGETS)}, got {target!r}")
    history = History()
    features = history.replay(tasks)
    outcome = _outcome(tasks, target)
    predictor = predictor_for(target, seed=seed)
    kinds, rows = _order(tasks, outcome)
    estimate = predictor.follow(
        features, kinds, rows, outcome, np.zeros(len(outcome), dtype=bool), progress
    )
    return Replayed(target, estimate, outcome, features, predictor, history)


def predictor_for(target: str, *, seed: int = 0) -> Conformal:
    """A new predictor of a target, as replay and serving use it."""
    statistics = [name for name in NAMES if "." in name]
    if target == "runtime_s":
        statistics = [name for name in statistics if ".memory_" not in name]
    statics = [name for name in NAMES if "." not in name]
    return Conformal(First([Boosted([*statics, *statistics], seed=seed), Recent()]))


def _outcome(tasks: pl.DataFrame, target: str) -> Floats:
    """The target of each task (n,), NaN where it never became known."""
    if target == "memory_bytes":
        known = pl.when(pl.col("ended_s").is_not_null()).then(pl.col("memory_peak_bytes"))
    else:
        known = pl.col("ended_s") - pl.col("started_s")
    value = tasks.select(known.cast(pl.Float64).fill_null(np.nan)).to_series().to_numpy()
    return np.where(value >= 0, value, np.nan)


def _order(tasks: pl.DataFrame, outcome: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Kinds (SERVE, LEARN) and rows of all submissions and known ends, in order of time."""
    submitted = tasks["submitted_s"].to_numpy()
    ended = np.maximum(tasks["ended_s"].cast(pl.Float64).fill_null(np.nan).to_numpy(), submitted)
    learned = np.flatnonzero(np.isfinite(outcome) & np.isfinite(ended))
    rows = np.concatenate([np.arange(len(submitted)), learned])
    kinds = np.concatenate([np.full(len(submitted), SERVE), np.full(len(learned), LEARN)])
    at_s = np.concatenate([submitted, ended[learned]])
    arrives = at_s == submitted[rows]
    order = np.lexsort(
        (np.where(arrives, kinds, rows), np.where(arrives, rows, kinds), arrives, at_s)
    )
    return kinds[order], rows[order]
