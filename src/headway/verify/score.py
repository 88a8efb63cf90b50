"""How good predictions were: scores of an Estimate against what came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.stats import min_max_accuracy, pinball_loss, winkler_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.records import Estimate

    Floats = NDArray[np.float64]

COVERAGES: Final = {"50": (0.25, 0.75), "80": (0.1, 0.9), "90": (0.05, 0.95),
                    "95": (0.025, 0.975), "99": (0.005, 0.995)}  # fmt: skip
"""Promised central coverage in per cent -> the levels of its interval."""

MONTH_S: Final = 30.0 * 86400.0
_GRID: Final = 256
GB_HOUR: Final = 1e9 * 3600.0
_DOUBLINGS: Final = 60


def scores(y: Floats, estimate: Estimate, rows: NDArray[np.bool_] | None = None) -> dict[str, Any]:
    """Coverage of the promised intervals and errors over the tasks that were answered and ended.

    y (n,), NaN = never known; rows (n,) limits the tasks. `winkler` and `pinball` are in the
    target's unit, `winkler_log` is of log(1 + target). Nothing to judge: tasks is 0, scores None.
    """
    judged = np.isfinite(y) & np.isfinite(estimate.value)
    if rows is not None:
        judged &= rows
    refused = int(np.sum((estimate.refused != "") & (judged if rows is None else rows)))
    result: dict[str, Any] = {"tasks": int(judged.sum()), "refused": refused}
    if not judged.any():
        empty = dict.fromkeys(COVERAGES)
        names = ("mae_s", "median_error_s", "min_max_accuracy")
        nothing = {"interval_coverage": empty, "winkler": empty, "winkler_log": empty}
        return result | nothing | {"pinball": {}} | dict.fromkeys(names)
    y, q = y[judged], estimate.quantiles[judged]
    column = {round(float(level), 6): i for i, level in enumerate(estimate.levels)}
    covered, winkler, winkler_log = {}, {}, {}
    for name, (low_level, high_level) in COVERAGES.items():
        low, high = q[:, column[low_level]], q[:, column[high_level]]
        covered[name] = float(np.mean((y >= low) & (y <= high)))
        share = float(name) / 100.0
        winkler[name] = float(np.mean(winkler_score(y, low, high, share)))
        logs = np.log1p(y), np.log1p(low), np.log1p(high)
        winkler_log[name] = float(np.mean(winkler_score(*logs, share)))
    losses = pinball_loss(y, q, estimate.levels)
    error = np.abs(y - estimate.value[judged])
    return result | {
        "interval_coverage": covered,
        "winkler": winkler,
        "winkler_log": winkler_log,
        "pinball": {f"{k:g}": float(v) for k, v in zip(column, losses, strict=True)},
        "mae_s": float(error.mean()),
        "median_error_s": float(np.median(error)),
        "min_max_accuracy": float(min_max_accuracy(y, estimate.value[judged]).mean()),
    }


def point_scores(y: Floats, value: Floats) -> dict[str, Any]:
    """The same errors for a single number (n,) such as the user's request; NaN is not judged."""
    judged = np.isfinite(y) & np.isfinite(value)
    if not judged.any():
        return {"tasks": 0, "mae_s": None, "median_error_s": None, "min_max_accuracy": None}
    error = np.abs(y - value)[judged]
    return {
        "tasks": int(judged.sum()),
        "mae_s": float(error.mean()),
        "median_error_s": float(np.median(error)),
        "min_max_accuracy": float(min_max_accuracy(y[judged], value[judged]).mean()),
    }


def bucket_scores(y: Floats, value: Floats) -> dict[str, Any]:
    """Shares of single numbers (n,) in the outcome's power-of-two bucket, and at most one beside.

    A bucket goes from one power of two (not included) to the next; at most 1 is the first one.
    """
    judged = np.isfinite(y) & np.isfinite(value)
    if not judged.any():
        return {"bucket_exact": None, "bucket_within_one": None}
    came, said = (np.ceil(np.log2(np.maximum(part[judged], 1.0))) for part in (y, value))
    apart = np.abs(came - said)
    return {
        "bucket_exact": float(np.mean(apart == 0)),
        "bucket_within_one": float(np.mean(apart <= 1)),
    }


def by_month(y: Floats, estimate: Estimate, at_s: Floats) -> list[dict[str, Any]]:
    """`scores` of each month of 30 days from the first submission."""
    if not len(at_s):
        return []
    month = ((at_s - at_s.min()) // MONTH_S).astype(np.int64)
    return [{"month": int(m)} | scores(y, estimate, month == m) for m in np.unique(month)]


def calibration(y: Floats, estimate: Estimate) -> list[dict[str, float]]:
    """For each level the share of outcomes promised at or below its quantile and what came."""
    judged = np.isfinite(y) & np.isfinite(estimate.value)
    if not judged.any():
        return []
    came = np.mean(y[judged][:, None] <= estimate.quantiles[judged], axis=0)
    return [
        {"promised": float(p), "came": float(c)} for p, c in zip(estimate.levels, came, strict=True)
    ]


def wastage_gbh(allocated: Floats, peak: Floats, request: Floats, runtime_s: Floats) -> Floats:
    """GB hours (GB = 1e9 bytes) that each task reserved in vain, (n,).

    What a sufficient attempt reserves beyond its peak, plus all that failed attempts reserved. A
    failed attempt takes the whole runtime; the next one gets the request if that is larger, else
    the double of what failed, until it suffices.
    Source: Bader et al. (2024), Sizey, section "metrics", with the retry at the request.
    """
    wasted, tried = np.zeros(len(peak)), allocated.astype(np.float64).copy()
    for _ in range(_DOUBLINGS):
        fails = tried < peak
        if not fails.any():
            break
        wasted[fails] += tried[fails]
        more = np.maximum(2.0 * tried, 1e6)
        tried = np.where(fails, np.where(request > tried, request, more), tried)
    return (wasted + tried - peak) * runtime_s / GB_HOUR


def expectations(estimate: Estimate, least: float = 10.0) -> tuple[Floats, Floats]:
    """Means of the target and of 1 / max(target, least), each (n,), as the quantiles say.

    Between two levels the log of the target is linear in the level; beyond the outermost levels
    the distribution stops. A refused row is NaN.
    """
    u = (np.arange(_GRID) + 0.5) / _GRID
    levels = estimate.levels
    right = np.clip(np.searchsorted(levels, u), 1, len(levels) - 1)
    share = np.clip((u - levels[right - 1]) / (levels[right] - levels[right - 1]), 0.0, 1.0)
    mean, inverse = np.empty(len(estimate.value)), np.empty(len(estimate.value))
    for begin in range(0, len(mean), 4096):
        rows = slice(begin, begin + 4096)
        logs = np.log1p(estimate.quantiles[rows])
        y = np.expm1(logs[:, right - 1] * (1.0 - share) + logs[:, right] * share)
        mean[rows] = y.mean(axis=1)
        inverse[rows] = (1.0 / np.maximum(y, least)).mean(axis=1)
    return mean, inverse
