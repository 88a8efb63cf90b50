"""How good probabilities of failure were: hits, calibration and the plain methods beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.verify.failure_methods import plain_methods
from headway.verify.score import MONTH_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headway.verify.replay import Replayed

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

FAILURES: Final = ("failed", "timeout", "out_of_memory")
"""The states that are failures; 'completed' is none, all others say neither."""

_NOT_ASKED: Final = dict.fromkeys(
    ("first_attempt_coverage", "wastage_gbh", "interval_coverage", "mae_s", "min_max_accuracy",
     "us_per_prediction")
)  # fmt: skip
_BINS: Final = 10
_BAND: Final = 0.99
_LEAST: Final = 1e-4  # no method is fined as if it had been more certain than this
_PAST, _RENEWED = 2_000, 50  # outcomes a threshold is chosen on, and after how many anew
_SERVE: Final = 0


def failures(tasks: pl.DataFrame) -> Floats:
    """1 = failed or timed out, 0 = completed, NaN = cancelled, not ended or not known (n,)."""
    state, has_ended = pl.col("state"), pl.col("ended_s").is_not_null()
    told = (
        pl.when(has_ended & state.is_in(FAILURES))
        .then(1.0)
        .when(has_ended & (state == "completed"))
        .then(0.0)
    )
    return tasks.select(told.fill_null(np.nan)).to_series().to_numpy().copy()


def failure_rows(
    replayed: Replayed,
    tasks: pl.DataFrame,
    *,
    months: bool = False,
    us_per_prediction: float | None = None,
    plain: Mapping[str, Floats] | None = None,
) -> list[dict[str, Any]]:
    """What `headway replay --target failure` prints: a row for each workflow, then 'all', a method.

    All methods are judged on the same tasks: those that Headway gave a probability and whose
    outcome is known. months: rows of 'all' for each month of 30 days come first; plain: what
    `plain_methods` says, if it was asked already.
    """
    y, estimate = replayed.outcome, replayed.estimate
    known = plain_methods(replayed, tasks) if plain is None else plain
    methods = {"headway": estimate.value, **known}
    judged = replayed.is_judged & np.isfinite(y) & np.isfinite(estimate.value)
    called = {
        name: called_failures(replayed.kinds, replayed.rows, p, y) for name, p in methods.items()
    }
    found = []
    for labels, mask in _groups(tasks, months=months):
        for name, p in methods.items():
            mine = judged & mask
            row = labels | {"method": name, "target": "failure"} | _NOT_ASKED
            row |= failure_scores(y[mine], p[mine], called[name][mine])
            if name == "headway":
                row["us_per_prediction"] = us_per_prediction
                row["reliability"] = reliability(y[mine], p[mine], _ninety(replayed, mine))
            found.append(row)
    return found


def failure_scores(y: Floats, p: Floats, called: Booleans) -> dict[str, Any]:
    """Scores of probabilities p (n,) for outcomes y (n,); None where there is nothing to judge.

    `accuracy` calls a failure what is likelier than not; `precision`, `recall` and `f1` are of
    called (n,), the failures called by a threshold that was chosen earlier.
    """
    names = ("accuracy", "precision", "recall", "f1", "brier", "log_loss", "auc", "reliability")
    found: dict[str, Any] = {"tasks": len(y), "failed_share": None} | dict.fromkeys(names)
    if not len(y):
        return found
    held = np.clip(p, _LEAST, 1.0 - _LEAST)
    hits = float((y * called).sum())
    found |= {
        "failed_share": float(y.mean()),
        "accuracy": float(np.mean((p > 0.5) == (y > 0.5))),
        "precision": hits / called.sum() if called.any() else None,
        "recall": hits / y.sum() if y.any() else None,
        "f1": 2.0 * hits / (called.sum() + y.sum()) if y.any() else None,
        "brier": float(np.mean((p - y) ** 2)),
        "log_loss": float(-np.mean(y * np.log(held) + (1.0 - y) * np.log(1.0 - held))),
        "auc": _auc(y, p),
        "reliability": reliability(y, p),
    }
    return found


def reliability(
    y: Floats, p: Floats, interval: tuple[Floats, Floats] | None = None
) -> list[dict[str, Any]]:
    """Ten bins of probability: what was foretold, what came, and the 99 % binomial band.

    `band` is what the failed share would lie in if each task failed independently with its p; the
    band takes all p of a bin as their mean. interval: bounds (n,) that were given with p; their
    means are told too.
    """
    from scipy.stats import binom

    bins = np.minimum((p * _BINS).astype(int), _BINS - 1)
    found = []
    for number in np.unique(bins):
        mine = bins == number
        n, mean = int(mine.sum()), float(p[mine].mean())
        band = [float(binom.ppf(side, n, mean)) / n for side in (0.5 - _BAND / 2, 0.5 + _BAND / 2)]
        share = float(y[mine].mean())
        row: dict[str, Any] = {
            "low": number / _BINS, "high": (number + 1) / _BINS, "tasks": n, "foretold": mean,
            "failed_share": share, "band": band, "is_inside": band[0] <= share <= band[1],
        }  # fmt: skip
        if interval is not None:
            row["interval_90"] = [float(bound[mine].mean()) for bound in interval]
        found.append(row)
    return found


def called_failures(kinds: Integers, rows: Integers, p: Floats, y: Floats) -> Booleans:
    """Which tasks (n,) are called failures at their prediction.

    The threshold is the one with the best F1 on the latest 2,000 outcomes known by then, looked
    for after every 50; 0.5 before the first.
    """
    called, threshold = np.zeros(len(y), dtype=bool), 0.5
    past_p, past_y = np.zeros(_PAST), np.zeros(_PAST)
    n = 0
    for kind, row in zip(kinds.tolist(), rows.tolist(), strict=True):
        if kind == _SERVE:
            called[row] = p[row] >= threshold
        elif np.isfinite(y[row]) and np.isfinite(p[row]):
            past_p[n % _PAST], past_y[n % _PAST] = p[row], y[row]
            n += 1
            if n % _RENEWED == 0:
                threshold = best_threshold(past_p[:n], past_y[:n], threshold)
    return called


def best_threshold(p: Floats, y: Floats, otherwise: float) -> float:
    """The probability at or above which calling a failure gives the best F1; no failure: as was."""
    if not y.any():
        return otherwise
    order = np.argsort(-p, kind="stable")
    ordered, hits = p[order], np.cumsum(y[order])
    f1 = 2.0 * hits / (np.arange(1, len(y) + 1) + y.sum())
    f1[:-1][ordered[:-1] == ordered[1:]] = -1.0  # equal probabilities are called alike
    best = int(np.argmax(f1))
    return float(np.mean(ordered[best : best + 2]))  # halfway to the next that is not called


def _auc(y: Floats, p: Floats) -> float | None:
    """The chance that a failure was given more than a success, ties halved.

    Source: Mann, Whitney (1947); Hanley, McNeil (1982).
    """
    from scipy.stats import rankdata

    failed = float(y.sum())
    if failed in (0.0, float(len(y))):
        return None
    ranks = float(rankdata(p)[y > 0.5].sum())
    return (ranks - failed * (failed + 1.0) / 2.0) / (failed * (len(y) - failed))


def _groups(tasks: pl.DataFrame, *, months: bool) -> list[tuple[dict[str, Any], Booleans]]:
    """Labels of rows and their tasks (n,): months if asked for, each workflow, all."""
    everything = np.ones(tasks.height, dtype=bool)
    found: list[tuple[dict[str, Any], Booleans]] = []
    if months:
        at_s = tasks["submitted_s"].to_numpy()
        month = ((at_s - at_s.min(initial=np.inf)) // MONTH_S).astype(np.int64) + 1
        found = [({"month": int(m), "workflow": "all"}, month == m) for m in np.unique(month)]
    names = tasks["workflow"].fill_null("").to_numpy()
    found += [({"workflow": name}, names == name) for name in sorted(set(names)) if name]
    return [*found, ({"workflow": "all"}, everything)]


def _ninety(replayed: Replayed, mask: Booleans) -> tuple[Floats, Floats]:
    """The bounds of the 90 % interval of some tasks."""
    levels, quantiles = replayed.estimate.levels, replayed.estimate.quantiles
    low, high = (int(np.argmin(np.abs(levels - side))) for side in (0.05, 0.95))
    return quantiles[mask, low], quantiles[mask, high]
