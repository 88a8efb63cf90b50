"""Is one schedule better than another on time that neither was chosen on, and for whom is it worse?

Two schedules of the same tasks are compared task by task; what is uncertain is which weeks were
seen, so intervals resample whole weeks: tasks of one busy week are alike. A candidate is offered
only if its whole interval is on the better side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.stats import bounded_slowdown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]

WEEK_S: Final = 7 * 86400.0
RESAMPLES: Final = 10_000
LEAST_WEEKS: Final = 4


def prove(
    workload: Workload,
    candidate_s: Floats,
    incumbent_s: Floats,
    first_come_s: Floats,
    judged: NDArray[np.bool_],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """What a candidate's starts (n,) are worth against an incumbent's, over the judged tasks.

    Mean bounded slowdowns of both; difference (below 0 is better for the candidate) with a 95 %
    interval over weeks (None, None for fewer than LEAST_WEEKS with tasks); worst_week, the largest
    difference of a week's mean; share of weeks in which it was no worse; starved_s, how much later
    than under first come + EASY the most delayed task starts; is_proved.
    """
    mine, other = (
        bounded_slowdown(start_s - workload.submit_s, workload.runtime_s)[judged]
        for start_s in (candidate_s, incumbent_s)
    )
    submit_s = workload.submit_s[judged]
    weeks = ((submit_s - submit_s[0]) // WEEK_S).astype(np.int64)
    counts: Floats = np.bincount(weeks).astype(np.float64)
    sums: Floats = np.bincount(weeks, weights=mine - other)[counts > 0].astype(np.float64)
    counts = counts[counts > 0]
    low, high = _interval(sums, counts, seed)
    return {
        "tasks": int(judged.sum()),
        "candidate": float(mine.mean()),
        "incumbent": float(other.mean()),
        "difference": float((mine - other).mean()),
        "difference_low_95": low,
        "difference_high_95": high,
        "weeks": len(sums),
        "worst_week": float((sums / counts).max()),
        "weeks_no_worse": float(np.mean(sums <= 0.0)),
        "starved_s": float((candidate_s - first_come_s)[judged].max()),
        "is_proved": high is not None and high < 0.0,
    }


def _interval(sums: Floats, counts: Floats, seed: int) -> tuple[float | None, float | None]:
    """2.5 % and 97.5 % points of the mean over resamples of weeks."""
    if len(sums) < LEAST_WEEKS:
        return None, None
    picks = np.random.default_rng(seed).integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
