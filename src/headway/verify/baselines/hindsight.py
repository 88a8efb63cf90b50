"""The best that one number for each kind of task could have done, had all peaks been known.

A bound, not a method: nobody can deploy it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.verify.baselines.seen import Given
from headway.verify.score import wastage_gbh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.verify.baselines.seen import Seen

    Floats = NDArray[np.float64]

_MOST: Final = 200


def best_constant(seen: Seen) -> Given:
    """For each kind the peak (of a judged task) which, given to all of its tasks, wastes least."""
    given = np.full(len(seen.y), np.nan)
    known = np.flatnonzero(seen.is_judged & np.isfinite(seen.y))
    order = known[np.argsort(seen.kind[known], kind="stable")]
    edges = np.flatnonzero(np.diff(seen.kind[order])) + 1
    for rows in np.split(order, edges):
        if len(rows):
            given[rows] = _best(seen.y[rows], seen.retry[rows], seen.runtime_s[rows])
    return Given(given)


def _best(peak: Floats, retry: Floats, runtime_s: Floats) -> float:
    """Of at most 200 of the peaks, evenly ranked, the one that wastes least as a constant."""
    candidates = np.unique(np.quantile(peak, np.linspace(0.0, 1.0, _MOST), method="higher"))
    cost = [
        np.nansum(wastage_gbh(np.full(len(peak), c), peak, retry, runtime_s)) for c in candidates
    ]
    return float(candidates[int(np.argmin(cost))])
