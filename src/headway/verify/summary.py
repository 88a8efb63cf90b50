"""A replay in the figures of the report: coverage, errors and waste, in all and month by month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.predict.sizing import bytes_in_vain
from headway.verify.answers import answers
from headway.verify.baselines import CHEAP
from headway.verify.judge import rows
from headway.verify.score import (
    GB_HOUR,
    MONTH_S,
    by_month,
    calibration,
    point_scores,
    scores,
    wastage_gbh,
)

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from headway.verify.baselines import Given
    from headway.verify.replay import Replayed

    Floats = NDArray[np.float64]


def prediction_summary(
    replayed: Replayed, tasks: pl.DataFrame, coverage: float, price_gb_hour: float
) -> dict[str, Any]:
    """What the report says of a replay; only `why` where nothing could be judged."""
    y, estimate = replayed.outcome, replayed.estimate
    if replayed.refused:
        return {"why": replayed.refused}
    all_scores = scores(y, estimate)
    if not all_scores["tasks"]:
        return {"why": "no task ended early enough to predict another one"}
    n_known = int(np.isfinite(y).sum())
    common: dict[str, Any] = {
        "tasks": all_scores["tasks"],
        "refused_share": 1.0 - all_scores["tasks"] / max(n_known, 1),
        "calibration": calibration(y, estimate),
    } | {f"coverage_{name}": share for name, share in all_scores["interval_coverage"].items()}
    if replayed.target == "runtime_s":
        return common | _runtime(replayed, tasks, all_scores)
    return common | _memory(replayed, tasks, coverage, price_gb_hour)


def _runtime(replayed: Replayed, tasks: pl.DataFrame, all_scores: dict[str, Any]) -> dict[str, Any]:
    """Errors of runtimes beside the request and the last two runs, on the same tasks."""
    y, at_s = replayed.outcome, tasks["submitted_s"].to_numpy()
    limit_s = tasks["limit_s"].cast(float).fill_null(np.nan).to_numpy()
    recent_s = answers(replayed, tasks, names=["last two"]).given["last two"].first
    values = {"headway": replayed.estimate.value, "request": limit_s, "last two": recent_s}
    answered = np.isfinite(y)
    for value in values.values():
        if np.isfinite(value).any():
            answered &= np.isfinite(value)
    methods = [
        {"method": name} | point_scores(y[answered], value[answered])
        for name, value in values.items()
        if np.isfinite(value[answered]).any()
    ]
    asked, recent = (_monthly_error(y, v, at_s, answered) for v in (limit_s, recent_s))
    months = []
    for month in by_month(y, replayed.estimate, at_s):
        if not month["tasks"]:
            continue
        number = month["month"]
        months.append(
            {
                "month": number + 1,
                "tasks": month["tasks"],
                "coverage_95": month["interval_coverage"]["95"],
                "mae_s": month["mae_s"],
                "request_mae_s": asked.get(number),
                "last_two_mae_s": recent.get(number),
            }
        )
    named = ("mae_s", "median_error_s", "min_max_accuracy")
    return {name: all_scores[name] for name in named} | {"methods": methods, "months": months}


def _memory(
    replayed: Replayed, tasks: pl.DataFrame, coverage: float, price_gb_hour: float
) -> dict[str, Any]:
    """Allocations of memory beside the plain methods, and what the request wasted by month."""
    said = answers(replayed, tasks, coverage=coverage, names=CHEAP)
    compared = [r for r in rows(replayed, tasks, said) if r["workflow"] == "all"]
    methods = [
        {name: r[name] for name in ("method", "first_attempt_coverage", "wastage_gbh", "tasks")}
        for r in compared
        if r["wastage_gbh"] is not None
    ]
    by_method = {m["method"]: m["wastage_gbh"] for m in methods}
    own, asked = by_method.get("headway"), by_method.get("request")
    saved = None if own is None or asked is None else asked - own
    coverage_own = next((m["first_attempt_coverage"] for m in methods), None)
    return {
        "coverage_asked": coverage,
        "first_attempt_coverage": coverage_own,
        "wastage_gbh": own,
        "saved_gbh_against_request": saved,
        "saved_cost": None if saved is None else saved * price_gb_hour,
        "methods": methods,
        "months": _memory_months(replayed, tasks, said.given["headway"]),
    }


def _memory_months(replayed: Replayed, tasks: pl.DataFrame, own: Given) -> list[dict[str, Any]]:
    """Coverage and waste of first allocations by month, and what the request wasted."""
    y, at_s = replayed.outcome, tasks["submitted_s"].to_numpy()
    given = own.first
    largest = np.zeros(len(given)) if own.largest is None else own.largest
    request = tasks["memory_requested_bytes"].cast(float).fill_null(np.nan).to_numpy()
    runtime_s = (tasks["ended_s"] - tasks["started_s"]).cast(float).fill_null(np.nan).to_numpy()
    judged = np.isfinite(y) & np.isfinite(given) & np.isfinite(runtime_s)
    number = ((at_s - at_s.min()) // MONTH_S).astype(np.int64)
    months = []
    for month in np.unique(number[judged]):
        mine = judged & (number == month)
        parts = (y[mine], request[mine], runtime_s[mine])
        asked = np.isfinite(parts[1])
        wasted = bytes_in_vain(given[mine], largest[mine], parts[1], parts[0]) * parts[2]
        by_request = wastage_gbh(parts[1][asked], parts[0][asked], parts[1][asked], parts[2][asked])
        months.append(
            {
                "month": int(month) + 1,
                "tasks": int(mine.sum()),
                "first_attempt_coverage": float(np.mean(given[mine] >= y[mine])),
                "wastage_gbh": float(wasted.sum()) / GB_HOUR,
                "request_wastage_gbh": float(by_request.sum()) if asked.any() else None,
            }
        )
    return months


def _monthly_error(
    y: Floats, value: Floats, at_s: Floats, judged: NDArray[np.bool_]
) -> dict[int, float]:
    """Mean absolute error of a single number by month (from 0), where there is any."""
    ok = judged & np.isfinite(value)
    month = ((at_s - at_s.min()) // MONTH_S).astype(np.int64)
    return {
        int(m): float(np.abs(y - value)[ok & (month == m)].mean()) for m in np.unique(month[ok])
    }


def taught_on(tasks: pl.DataFrame) -> dict[str, float]:
    """What a training on a table knows: how many outcomes, and the last end."""
    ended = tasks["ended_s"].drop_nulls()
    newest_s = float(ended.max()) if len(ended) else 0.0  # type: ignore[arg-type]
    return {"outcomes": float(len(ended)), "newest_s": newest_s}
