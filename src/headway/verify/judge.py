"""A replay as rows: Headway and the plain methods side by side, by workflow and in all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.predict.sizing import RightSizer, bytes_in_vain
from headway.verify.score import (
    COVERAGES,
    GB_HOUR,
    bucket_scores,
    point_scores,
    scores,
    wastage_gbh,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.predict.sizing import Sizes
    from headway.verify.answers import Answers
    from headway.verify.baselines import Given
    from headway.verify.replay import Replayed

    Floats = NDArray[np.float64]

LEAST_OF_KIND: Final = 50  # judged tasks of a kind before its own coverage counts
_EMPTY: dict[str, Any] = {
    "first_attempt_coverage": None, "wastage_gbh": None, "wastage_gbh_plain_retry": None,
    "interval_coverage": dict.fromkeys(COVERAGES), "mae_s": None, "min_max_accuracy": None,
    "bucket_exact": None, "bucket_within_one": None, "kinds_judged": 0, "worst_kind": None,
    "worst_kind_coverage": None, "us_per_prediction": None, "why_not": "",
}  # fmt: skip


def sized(
    replayed: Replayed, tasks: pl.DataFrame, coverage: float = 0.95
) -> tuple[RightSizer, Sizes]:
    """The right-sizer after a replay, and what it gave each task (n,) at its prediction.

    coverage: the share of first allocations that must be enough.
    """
    runtime_s = _column(tasks, "ended_s") - _column(tasks, "started_s")
    sizer = RightSizer(coverage)
    sizes = sizer.follow(
        replayed.features, replayed.estimate.value[:, None], replayed.kinds, replayed.rows,
        replayed.outcome, runtime_s,
    )  # fmt: skip
    return sizer, sizes


def rows(
    replayed: Replayed, tasks: pl.DataFrame, said: Answers, counted: NDArray[np.bool_] | None = None
) -> list[dict[str, Any]]:
    """What `headway replay` prints: one row a workflow and method, the last workflow is 'all'.

    `mae_s` is in seconds for runtimes and in bytes for memory. Only tasks are compared for which
    every method that says anything at all had an answer; counted (n,) limits them further. A
    method with a retry of its own is judged by it; `wastage_gbh_plain_retry` is what its first
    allocations waste with the protocol's.
    """
    judged = replayed.is_judged & np.isfinite(replayed.outcome)
    for given in said.given.values():
        if np.isfinite(given.first[judged]).any():
            judged &= np.isfinite(given.first)
    if counted is not None:
        judged &= counted
    names = tasks["workflow"].fill_null("").to_numpy()
    groups = [(name, names == name) for name in sorted(set(names)) if name]
    result = []
    for workflow, mask in [*groups, ("all", np.ones(tasks.height, dtype=bool))]:
        for method, given in said.given.items():
            row = {"workflow": workflow, "method": method, "target": replayed.target} | _EMPTY
            row |= {"us_per_prediction": said.us[method], "why_not": given.why_not}
            row |= _judged(replayed, tasks, said, given, judged & mask)
            if method == "headway":
                row |= _own(replayed, judged & mask)
            result.append(row)
    return result


def _own(replayed: Replayed, mask: NDArray[np.bool_]) -> dict[str, Any]:
    """What only an estimate with quantiles can be asked; the errors are those of its value."""
    exact = scores(replayed.outcome, replayed.estimate, mask)
    named = ("interval_coverage", "mae_s", "min_max_accuracy")
    own = {name: exact[name] for name in named}
    return own | bucket_scores(replayed.outcome[mask], replayed.estimate.value[mask])


def _judged(
    replayed: Replayed, tasks: pl.DataFrame, said: Answers, given: Given, mask: NDArray[np.bool_]
) -> dict[str, Any]:
    """The scores of one method on some tasks."""
    y, first = replayed.outcome[mask], given.first[mask]
    found: dict[str, Any] = point_scores(y, first) | bucket_scores(y, first)
    del found["median_error_s"]
    if replayed.target == "memory_bytes" and found["tasks"]:
        retry = said.seen.retry
        if given.then is not None and replayed.protocol == "sizey":
            retry = given.then
        runtime_s = said.seen.runtime_s[mask]
        wasted = wastage_gbh(first, y, retry[mask], runtime_s)
        found["wastage_gbh_plain_retry"] = found["wastage_gbh"] = float(np.nansum(wasted))
        if given.largest is not None:
            own = bytes_in_vain(first, given.largest[mask], said.seen.request[mask], y)
            found["wastage_gbh"] = float(np.nansum(own * runtime_s)) / GB_HOUR
        found["first_attempt_coverage"] = float(np.mean(first >= y))
        found |= _worst_kind(tasks, said.seen.kind[mask], np.flatnonzero(mask), first >= y)
    return found


def _worst_kind(
    tasks: pl.DataFrame, kind: NDArray[np.int64], at: NDArray[np.intp], enough: NDArray[np.bool_]
) -> dict[str, Any]:
    """The kind with at least 50 judged tasks of which the smallest share had enough."""
    code, count = np.unique(kind, return_counts=True)
    often = code[count >= LEAST_OF_KIND]
    if not len(often):
        return {"kinds_judged": 0}
    share = [float(np.mean(enough[kind == one])) for one in often]
    worst = int(np.argmin(share))
    row = int(at[np.flatnonzero(kind == often[worst])[0]])
    name = tasks["name"][row] or tasks["user"][row]
    return {
        "kinds_judged": len(often), "worst_kind": name, "worst_kind_coverage": share[worst],
    }  # fmt: skip


def _column(tasks: pl.DataFrame, name: str) -> Floats:
    """A column as numbers (n,), NaN = not known."""
    return tasks[name].cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
