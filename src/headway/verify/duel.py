"""Does a challenger serve the newest tasks better than who serves now? Judged as both would serve.

Each answers from what it knew when it was trained and learns nothing meanwhile. Losses are compared
task by task; neighbours in time are alike, so the interval is over blocks of consecutive tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.predict.sizing import bytes_in_vain
from headway.protocols import Features
from headway.records import Task, task_fields
from headway.verify.score import GB_HOUR

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from headway.features import History
    from headway.predict import Conformal, Risk
    from headway.predict.sizing import RightSizer

    Floats = NDArray[np.float64]

BLOCKS: Final = 20
T_95: Final = 1.729  # 95 % point of Student's t with BLOCKS - 1 degrees of freedom
SPARE: Final = 0.02  # of coverage that a challenger may lack


@dataclass(frozen=True, slots=True)
class Side:
    """The models of one training; None = there is none."""

    history: History
    runtime: Conformal | Risk | None = None
    memory: Conformal | Risk | None = None
    sizer: RightSizer | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What a side says of n tasks: quantiles of runtimes (n, q), bytes first and largest (n,)."""

    levels: Floats
    quantiles: Floats
    first: Floats
    largest: Floats


def described(history: History, tasks: pl.DataFrame) -> Features:
    """Each task as a history that learns nothing more tells of it at its submission."""
    rows = [history.look(task, task.submitted_s) for task in tasks_in(tasks)]
    values = np.concatenate([x.values for x in rows])
    at_s = np.concatenate([x.at_s for x in rows])
    return Features(rows[0].names, values, rows[0].keys, at_s, rows[0].version)


def tasks_in(tasks: pl.DataFrame) -> list[Task]:
    """The tasks of a table."""
    rows = tasks.select(task_fields()).iter_rows(named=True)
    return [Task(**row | {"parents": tuple(row["parents"] or ())}) for row in rows]


def answered(side: Side, tasks: pl.DataFrame) -> Answered:
    """What a side would have answered, without any outcome of these tasks."""
    x, n = described(side.history, tasks), tasks.height
    levels, quantiles = np.zeros(1), np.full((n, 1), np.nan)
    first, largest = np.full(n, np.nan), np.zeros(n)
    if side.runtime is not None:
        said = side.runtime.predict(x)
        levels, quantiles = said.levels, said.quantiles
    if side.memory is not None and side.sizer is not None:
        sizes = side.sizer.size(x, side.memory.predict(x).value[:, None])
        first, largest = sizes.first, sizes.largest
    asked = tasks["memory_requested_bytes"].cast(float).fill_null(np.nan).to_numpy()
    return Answered(levels, quantiles, np.where(np.isnan(first), asked, first), largest)


def drift_of(side: Side, tasks: pl.DataFrame) -> float | None:
    """By how much more than a tenth of runtimes lie outside the promised 90 %; None = no answer."""
    if side.runtime is None or tasks.is_empty():
        return None
    said = answered(side, tasks)
    y = (tasks["ended_s"] - tasks["started_s"]).fill_null(np.nan).to_numpy()
    low, high = (int(np.argmin(np.abs(said.levels - level))) for level in (0.05, 0.95))
    known = np.isfinite(y) & np.isfinite(said.quantiles[:, low])
    if not known.any():
        return None
    inside = (y >= said.quantiles[:, low]) & (y <= said.quantiles[:, high])
    return max(0.0, 0.9 - float(inside[known].mean()))


def duel(champion: Side, challenger: Side, tasks: pl.DataFrame, coverage: float) -> dict[str, Any]:
    """Who is better on tasks that ended, in order of submission: `wins`, `why` and the figures.

    `runtime`: pinball loss of log runtimes over all served quantiles; `memory`: GB-hours in vain
    with Headway's retries, and the share of first attempts that were enough. A challenger wins if
    one of them is better for sure (90 % interval over blocks) and none is worse.
    """
    sides = [answered(side, tasks) for side in (champion, challenger)]
    run_s = (tasks["ended_s"] - tasks["started_s"]).fill_null(np.nan).to_numpy()
    peak, asked = (
        tasks[name].cast(float).fill_null(np.nan).to_numpy()
        for name in ("memory_peak_bytes", "memory_requested_bytes")
    )
    found = {}
    if all(np.isfinite(side.quantiles).any() for side in sides):
        found["runtime"] = _compared([_pinball(run_s, side) for side in sides])
    given = np.isfinite(peak + run_s + sides[0].first + sides[1].first)
    if challenger.sizer is not None and given.any():
        wasted = [_wasted(side, asked, peak, run_s) for side in sides]
        found["memory"] = _compared([np.where(given, each, np.nan) for each in wasted])
        covers = [float(np.mean(side.first[given] >= peak[given])) for side in sides]
        found["memory"] |= {"champion_coverage": covers[0], "challenger_coverage": covers[1]}
        if covers[1] < min(covers[0], coverage) - SPARE:
            found["memory"]["is_better"], found["memory"]["is_worse"] = False, True
    better = [name for name, row in found.items() if row["is_better"]]
    worse = [name for name, row in found.items() if row["is_worse"]]
    return {"wins": bool(better) and not worse, "why": _why(found, better, worse), **found}


def _pinball(run_s: Floats, side: Answered) -> Floats:
    """The loss of each task (n,), NaN = not known."""
    y, q = np.log1p(run_s), np.log1p(side.quantiles)
    over = y[:, None] - q
    each: Floats = np.maximum(side.levels * over, (side.levels - 1.0) * over).mean(axis=1)
    return each


def _wasted(side: Answered, asked: Floats, peak: Floats, run_s: Floats) -> Floats:
    """GB-hours in vain of each task (n,)."""
    known = np.isfinite(side.first + peak)
    wasted = np.full(len(peak), np.nan)
    rows = (side.first[known], side.largest[known], asked[known], peak[known])
    wasted[known] = bytes_in_vain(*rows) * run_s[known] / GB_HOUR
    return wasted


def _compared(losses: list[Floats]) -> dict[str, Any]:
    """Means of both, the share that the challenger is better by, and whether that is sure."""
    known = np.isfinite(losses[0] + losses[1])
    mine, other = losses[1][known], losses[0][known]
    gain = other - mine
    blocks = np.array([block.mean() for block in np.array_split(gain, BLOCKS) if len(block)])
    mean, error = float(blocks.mean()), float(blocks.std(ddof=1) / np.sqrt(len(blocks)))
    low, high = mean - T_95 * error, mean + T_95 * error
    unit = max(float(other.mean()), 1e-12)
    return {
        "tasks": int(known.sum()), "champion": float(other.mean()),
        "challenger": float(mine.mean()), "gain": mean / unit, "gain_low": low / unit,
        "gain_high": high / unit, "is_better": low > 0.0, "is_worse": high < 0.0,
    }  # fmt: skip


def _why(found: dict[str, Any], better: list[str], worse: list[str]) -> str:
    """The verdict in words."""
    if not found:
        return "neither runtimes nor memory of these tasks can be judged"
    said = [_by(name, found[name]) for name in (worse or better)]
    if worse:
        return f"the challenger is worse: {', '.join(said)}"
    if not better:
        return "no difference is sure"
    return f"the challenger is better: {', '.join(said)}"


def _by(name: str, row: dict[str, Any]) -> str:
    """By how much one target differs, or that too few first attempts would be enough."""
    if row["is_worse"] and row["gain_high"] >= 0.0:
        covers = f"{row['challenger_coverage']:.1%} of first attempts would be enough"
        return f"{name}, {covers}, now {row['champion_coverage']:.1%}"
    return f"{name} by {abs(row['gain']):.1%}"
