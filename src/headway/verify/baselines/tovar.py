"""The first allocation with the least expected waste; if it fails, the largest peak seen.

Source: Tovar et al. (2018; online 2017), "A job sizing strategy for high-throughput scientific
workflows", equation 1: of all peaks a seen, the one with the least a E[t] + a_max E[t; peak > a].
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.verify.baselines.seen import follow

if TYPE_CHECKING:
    from headway.verify.baselines.seen import Given, Seen

_EXACT: Final = 500  # outcomes up to which each changes the allocation; later each 1 % more does
_LEAST_S: Final = 1e-3  # a runtime too short to be measured still counts


def tovar(seen: Seen) -> Given:
    """The least wasteful allocation for the kind of each task."""
    return follow(seen, _LeastWaste)


class _LeastWaste:
    def __init__(self) -> None:
        self._peaks: list[float] = []
        self._times: list[float] = []
        self._first, self._of, self._largest = 0.0, 0, 0.0

    def give(self, input_bytes: float) -> tuple[float, float]:
        n = len(self._peaks)
        if n != self._of and (n <= _EXACT or n > 1.01 * self._of):
            self._first, self._of = self._least(), n
        return self._first, self._largest

    def learn(self, y: float, input_bytes: float, runtime_s: float, at_s: float) -> None:
        self._peaks.append(y)
        self._largest = max(self._largest, y)
        self._times.append(_LEAST_S if math.isnan(runtime_s) else max(runtime_s, _LEAST_S))

    def _least(self) -> float:
        peaks = np.array(self._peaks)
        order = np.argsort(peaks, kind="stable")
        peaks, times = peaks[order], np.array(self._times)[order]
        behind = times.sum() - np.cumsum(times)  # time of the tasks with larger peaks
        last = np.append(peaks[1:] > peaks[:-1], True)  # of equal peaks the last one counts
        cost = np.where(last, peaks * times.sum() + peaks[-1] * behind, np.inf)
        return float(peaks[int(np.argmin(cost))])
