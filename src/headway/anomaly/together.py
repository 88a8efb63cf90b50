"""Which series are strange at the same times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Together:
    """How much the rarities of pairs of series move together, for up to 500 series; else not.

    Memory is n squared; correlations forget with a half-life of 1,400 points.
    """

    _SERIES: Final = 500
    _RATE: Final = 1.0 / 2000
    _LEAST: Final = 100  # points before anything is said

    def __init__(self, n: int) -> None:
        """Begin with nothing known."""
        self.is_kept = 1 < n <= self._SERIES
        self._points = 0
        self._mean = np.zeros(n)
        self._moments = np.zeros((n, n)) if self.is_kept else np.zeros((0, 0))

    def learn(self, rare: Floats) -> None:
        """Take in the rarities (n,) of a point."""
        if self.is_kept:
            self._points += 1
            rate = max(self._RATE, 1.0 / self._points)
            before = np.minimum(rare, 4.0) - self._mean
            self._mean += rate * before
            off = before * (1.0 - rate)
            self._moments += rate * (np.outer(before, off) - self._moments)

    def correlation(self, i: int, j: int) -> float:
        """Of series i and j, in [-1, 1]; 0 where nothing is known."""
        if self._points < self._LEAST:
            return 0.0
        size = np.sqrt(self._moments[i, i] * self._moments[j, j])
        return float(self._moments[i, j] / size) if size > 0 else 0.0
