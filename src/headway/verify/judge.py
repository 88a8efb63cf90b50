"""A replay as rows: Headway and the plain methods side by side, by workflow and in all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headway.predict.sizing import RightSizer
from headway.verify.baselines import last_two, memory_allocations
from headway.verify.score import COVERAGES, point_scores, scores, wastage_gbh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.verify.replay import Replayed

    Floats = NDArray[np.float64]

_EMPTY: dict[str, Any] = {
    "first_attempt_coverage": None, "wastage_gbh": None,
    "interval_coverage": dict.fromkeys(COVERAGES), "mae_s": None, "min_max_accuracy": None,
    "us_per_prediction": None,
}  # fmt: skip


def allocations(replayed: Replayed, tasks: pl.DataFrame, coverage: float = 0.95) -> Floats:
    """Bytes that Headway gives each task (n,) at its prediction, so that this share has enough.

    NaN: the task has neither a request nor a history nor a prediction.
    """
    runtime_s = _column(tasks, "ended_s") - _column(tasks, "started_s")
    sizes = RightSizer(coverage).follow(
        replayed.features, replayed.estimate.value[:, None], replayed.kinds, replayed.rows,
        replayed.outcome, runtime_s,
    )  # fmt: skip
    return sizes.first


def rows(
    replayed: Replayed,
    tasks: pl.DataFrame,
    *,
    coverage: float = 0.95,
    us_per_prediction: float | None = None,
) -> list[dict[str, Any]]:
    """What `headway replay` prints: one row a workflow and method, the last workflow is 'all'.

    `mae_s` is in seconds for runtimes and in bytes for memory. Only tasks are compared for which
    every method that says anything at all had an answer.
    """
    methods = _methods(replayed, tasks, coverage)
    judged = replayed.is_judged & np.isfinite(replayed.outcome)
    for value in methods.values():
        if np.isfinite(value[judged]).any():
            judged &= np.isfinite(value)
    names = tasks["workflow"].fill_null("").to_numpy()
    groups = [(name, names == name) for name in sorted(set(names)) if name]
    result = []
    for workflow, mask in [*groups, ("all", np.ones(tasks.height, dtype=bool))]:
        for method, value in methods.items():
            row = {"workflow": workflow, "method": method, "target": replayed.target} | _EMPTY
            row |= _judged(replayed, tasks, value, judged & mask)
            if method == "headway":
                exact = scores(replayed.outcome, replayed.estimate, judged & mask)
                row["interval_coverage"] = exact["interval_coverage"]
                row["mae_s"], row["min_max_accuracy"] = exact["mae_s"], exact["min_max_accuracy"]
                row["us_per_prediction"] = us_per_prediction
            result.append(row)
    return result


def _methods(replayed: Replayed, tasks: pl.DataFrame, coverage: float) -> dict[str, Floats]:
    """The answer (n,) of each method, Headway's first."""
    if replayed.target == "runtime_s":
        return {
            "headway": replayed.estimate.value,
            "request": _column(tasks, "limit_s"),
            "last two": last_two(
                replayed.kinds, replayed.rows, kinds_of(tasks, "user", "name"), replayed.outcome
            ),
        }
    request = _column(tasks, "memory_requested_bytes")
    types = kinds_of(tasks, "name", "user")
    plain = memory_allocations(replayed.kinds, replayed.rows, types, replayed.outcome, request)
    return {"headway": allocations(replayed, tasks, coverage)} | plain


def _judged(
    replayed: Replayed, tasks: pl.DataFrame, value: Floats, mask: NDArray[np.bool_]
) -> dict[str, Any]:
    """The scores of one method on some tasks."""
    y = replayed.outcome[mask]
    found: dict[str, Any] = point_scores(y, value[mask])
    del found["median_error_s"]
    if replayed.target == "memory_bytes" and found["tasks"]:
        runtime = (tasks["ended_s"] - tasks["started_s"]).cast(pl.Float64).fill_null(np.nan)
        request = _column(tasks, "memory_requested_bytes")[mask]
        if replayed.protocol == "sizey":
            request[:] = np.nan  # as published, a failed attempt is tried again with the double
        wasted = wastage_gbh(value[mask], y, request, runtime.to_numpy()[mask])
        found["wastage_gbh"] = float(np.nansum(wasted))
        found["first_attempt_coverage"] = float(np.mean(value[mask] >= y))
    return found


def kinds_of(tasks: pl.DataFrame, *columns: str) -> list[object]:
    """The kind of each task: the first of the columns that is known of any task."""
    for column in columns:
        if tasks[column].null_count() < tasks.height:
            return tasks[column].to_list()
    return [None] * tasks.height


def _column(tasks: pl.DataFrame, name: str) -> Floats:
    """A column as numbers (n,), NaN = not known."""
    return tasks[name].cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
