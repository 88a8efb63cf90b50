"""A history lived through again from an empty engine: what would have been predicted, and when.

Each task is described at its submission (or start) by what had happened until then, predicted by
what had ended until then, and learned from when it ends. An end at exactly the moment of a
submission is known at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.errors import ConfigError
from headway.features import History
from headway.predict import Conformal, predictor_for
from headway.predict.conformal import LEARN, SERVE
from headway.records import Estimate
from headway.verify.failure import failures
from headway.verify.sizey_protocol import one_by_one

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from headway.predict import Risk
    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

TARGETS: Final = ("runtime_s", "memory_bytes", "failure")
PROTOCOLS: Final = ("causal", "causal-at-start", "sizey")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay gives: one row of `estimate` for each task, in the order of the table."""

    target: str
    protocol: str
    estimate: Estimate
    outcome: Floats  # (n,), NaN = never known
    is_judged: NDArray[np.bool_]  # (n,), False = only history in this protocol
    kinds: Integers  # SERVE or LEARN, with `rows` the events in the order of time
    rows: Integers
    features: Features
    predictor: Conformal | Risk
    history: History
    refused: str  # why nothing at all could be predicted; '' = something was


def replay(
    tasks: pl.DataFrame,
    target: str = "runtime_s",
    *,
    protocol: str = "causal",
    seed: int = 0,
    described: Replayed | None = None,
    extras: Sequence[str] = (),
    orders: bool = False,
    progress: Callable[[float], None] | None = None,
    pauses_s: Sequence[float] = (),
    paused: Callable[[int, Conformal, Features, int], None] | None = None,
    history: History | None = None,
) -> Replayed:
    """Predict every task of a table, learning as tasks end; progress is told the share done.

    described: a replay of another target of the same tasks by the same protocol and seed, whose
    features are taken over instead of being made again. extras: more members, see predictor_for.
    pauses_s: rising moments; `paused` is told the number of each, the predictor as of what ended
    before it, the features of all tasks and how many outcomes were learned. history: of tasks
    before those of the table, which goes on with them; None = there were none.

    protocol: 'causal' predicts at submission, 'causal-at-start' when the task starts. 'sizey'
    looks at what a task read while it ran as its input size and learns with no delay (see
    headway.verify.sizey_protocol); the order of its table counts, which is that of the file.
    """
    if target not in TARGETS:
        raise ConfigError(f"target must be one of {', '.join(TARGETS)}, got {target!r}")
    if protocol not in PROTOCOLS:
        raise ConfigError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
    is_judged = np.ones(tasks.height, dtype=bool)
    if protocol == "sizey":
        tasks, is_judged = one_by_one(tasks, seed)
    outcome = _outcome(tasks, target)
    if described is None:
        history = history or History()
        at = "start" if protocol == "causal-at-start" else "submission"
        features = history.replay(tasks, at)
    else:
        history, features = described.history, described.features
    is_failure = target == "failure"  # its predictor is told of every end
    known = np.zeros(len(outcome)) if is_failure else outcome
    kinds, rows, at_s = _order(features.at_s, tasks, known)
    predictor = predictor_for(target, features.names, seed=seed, extras=extras, orders=orders)
    censored = tasks.select(pl.col("state") == "out_of_memory").to_series().to_numpy().copy()
    if target != "memory_bytes":
        censored[:] = False  # the time that an attempt takes up is known however it ends
    refused = "" if np.isfinite(outcome).any() else _nothing(target)
    if refused:
        estimate = _refusal(len(outcome), predictor.levels, refused)
    else:
        stops: tuple[Any, ...] = ()
        if paused is not None and isinstance(predictor, Conformal):
            places = np.searchsorted(at_s, pauses_s)
            learned = np.concatenate([[0], np.cumsum(kinds == LEARN)])[places]
            stops = (places.tolist(), partial(_tell, paused, predictor, features, learned))
        estimate = predictor.follow(features, kinds, rows, outcome, censored, progress, *stops)
    return Replayed(
        target, protocol, estimate, outcome, is_judged, kinds, rows, features, predictor, history,
        refused,
    )  # fmt: skip


def _tell(
    paused: Callable[[int, Conformal, Features, int], None],
    predictor: Conformal,
    features: Features,
    learned: Integers,
    pause: int,
) -> None:
    """Hand what is known at a pause to whom it may concern."""
    paused(pause, predictor, features, int(learned[pause]))


def _refusal(n: int, levels: Floats, reason: str) -> Estimate:
    """No answer for n tasks."""
    return Estimate(
        value=np.full(n, np.nan),
        levels=levels,
        quantiles=np.full((n, len(levels)), np.nan),
        made_by=np.full(n, ""),
        refused=np.full(n, reason),
    )


def _nothing(target: str) -> str:
    """The sentence for a history that does not know the target of any task."""
    whats = {"runtime_s": "the runtime", "memory_bytes": "the peak memory", "failure": "the end"}
    return f"{whats[target]} of no task is known, so it can be neither learned nor judged"


def _outcome(tasks: pl.DataFrame, target: str) -> Floats:
    """The target of each task (n,), NaN where it never became known."""
    if target == "failure":
        return failures(tasks)
    known = pl.col("ended_s") - pl.col("started_s")
    if target == "memory_bytes":
        known = pl.when(pl.col("ended_s").is_not_null()).then(pl.col("memory_peak_bytes")) + 0.0
    value = tasks.select(known.cast(pl.Float64).fill_null(np.nan)).to_series().to_numpy()
    return np.where(value >= 0, value, np.nan)


def _order(
    served_s: Floats, tasks: pl.DataFrame, outcome: Floats
) -> tuple[Integers, Integers, Floats]:
    """Kinds (SERVE, LEARN), rows and moments of predictions and known ends, in order of time.

    At one moment ends come before predictions, but for a task that starts and ends in it.
    """
    ended = tasks["ended_s"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    ended = np.maximum(ended, served_s)
    learned = np.flatnonzero(np.isfinite(outcome) & np.isfinite(ended))
    rows = np.concatenate([np.arange(len(served_s)), learned])
    kinds = np.concatenate([np.full(len(served_s), SERVE), np.full(len(learned), LEARN)])
    at_s = np.concatenate([served_s, ended[learned]])
    arrives = at_s == served_s[rows]
    order = np.lexsort(
        (np.where(arrives, kinds, rows), np.where(arrives, rows, kinds), arrives, at_s)
    )
    return kinds[order], rows[order], at_s[order]
