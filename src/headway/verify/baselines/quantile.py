"""A quantile of all peaks of a kind so far.

Source: Witt, Wagner, Leser (2019), "Feedback-based resource allocation for batch scheduling of
scientific workflows", the percentile predictor (there at 95 %).
"""

from __future__ import annotations

import math
from bisect import insort
from typing import TYPE_CHECKING

from headway.verify.baselines.seen import follow

if TYPE_CHECKING:
    from headway.verify.baselines.seen import Given, Seen


def quantile(seen: Seen, level: float) -> Given:
    """The quantile at `level`, linear between two peaks."""
    return follow(seen, lambda: _Quantile(level))


class _Quantile:
    def __init__(self, level: float) -> None:
        self._level = level
        self._peaks: list[float] = []

    def give(self, input_bytes: float) -> tuple[float, float]:
        at = self._level * (len(self._peaks) - 1)
        low = int(at)
        high = min(low + 1, len(self._peaks) - 1)
        between = self._peaks[low] + (at - low) * (self._peaks[high] - self._peaks[low])
        return between, math.nan

    def learn(self, y: float, input_bytes: float, runtime_s: float, at_s: float) -> None:
        insort(self._peaks, y)
