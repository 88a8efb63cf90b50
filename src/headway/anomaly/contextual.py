"""Context: a value that has not been seen after values like the last ones, or not at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from headway.anomaly import season

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVELS: Final = 9  # of a value: by its deviation, finer near what is usual
_PRIOR: Final = 2.0  # points that are believed before a context was seen
_KEEP: Final = 0.9998  # of a context's counts, at each visit


class Context:
    """How surprising a value is after the last two: minus the log of its share there, averaged.

    Values are told apart by nine levels of their deviation from the series' long level. A context
    that has hardly been seen falls back on the share after the last value alone, and that on the
    share at any time.
    Source: Smirnov (2016), Contextual Anomaly Detector, for contexts of discrete values; the back
    off is that of Witten, Bell (1991).
    """

    def __init__(self, memory: int = 1) -> None:
        """memory: points over which surprise is averaged."""
        self.settings: dict[str, Any] = {"memory": memory}
        self.memory = memory
        self.state: dict[str, NDArray[Any]] = {}

    def measure(self, at_s: Floats, y: Floats) -> Floats:
        """The strangeness (n,) of the point that follows."""
        if not self.state:
            return np.full(len(y), np.nan)
        names = ("season", "own", "after_two", "after_one", "ever")
        return _surprises(y, *self._arguments(names))

    def learn(self, at_s: Floats, y: Floats) -> None:
        """The next point y (n,)."""
        if not self.state:
            n = len(y)
            self.state = season.empty(n) | {
                "own": np.zeros((n, 3)),
                "after_two": np.zeros((n, LEVELS * LEVELS, LEVELS), dtype=np.float32),
                "after_one": np.zeros((n, LEVELS, LEVELS), dtype=np.float32),
                "ever": np.zeros((n, LEVELS), dtype=np.float32),
            }
        names = ("season", "own", "after_two", "after_one", "ever", "profile", "unrest")
        _count(at_s, y, *self._arguments(names))

    def _arguments(self, names: tuple[str, ...]) -> tuple[Any, ...]:
        return (*(self.state[k] for k in names), self.memory)


@njit(cache=True)
def _level(y: float, s: Floats) -> int:
    """Which of LEVELS a value is in."""
    z = (y - s[season.LEVEL]) / (1.2533 * s[season.SCALE] + 1e-3 * s[season.SIZE] + 1e-9)
    for k, edge in enumerate((-8.0, -3.0, -1.5, -0.5, 0.5, 1.5, 3.0, 8.0)):
        if z < edge:
            return k
    return LEVELS - 1


@njit(cache=True)
def _surprise(now: int, own: Floats, after_two: Any, after_one: Any, ever: Any) -> float:
    """Minus the log of the share of a level after the last two."""
    one, two = int(own[0]), int(own[0]) * LEVELS + int(own[1])
    share = (ever[now] + 0.1) / (ever.sum() + 0.1 * LEVELS)
    share = (after_one[one, now] + _PRIOR * share) / (after_one[one].sum() + _PRIOR)
    share = (after_two[two, now] + _PRIOR * share) / (after_two[two].sum() + _PRIOR)
    return -math.log(share)


@njit(cache=True)
def _surprises(
    y: Floats, s: Floats, own: Floats, after_two: Any, after_one: Any, ever: Any, memory: int
) -> Floats:
    raw = np.full(len(y), np.nan)
    for i in range(len(y)):
        if not math.isnan(y[i]) and s[i, season.SEEN] > 20:
            now = _level(y[i], s[i])
            came = _surprise(now, own[i], after_two[i], after_one[i], ever[i])
            raw[i] = own[i, 2] + (came - own[i, 2]) / memory
    return raw


@njit(cache=True)
def _count(
    at_s: Floats, y: Floats, s: Floats, own: Floats, after_two: Any, after_one: Any, ever: Any,
    profile: Any, unrest: Any, memory: int,
) -> None:  # fmt: skip
    for i in range(len(y)):
        if math.isnan(y[i]):
            continue
        if s[i, season.SEEN] > 20:
            now = _level(y[i], s[i])
            came = _surprise(now, own[i], after_two[i], after_one[i], ever[i])
            own[i, 2] += (came - own[i, 2]) / memory
            one, two = int(own[i, 0]), int(own[i, 0]) * LEVELS + int(own[i, 1])
            for counts in (after_two[i, two], after_one[i, one], ever[i]):
                counts *= _KEEP
                counts[now] += 1.0
            own[i, 1], own[i, 0] = own[i, 0], now
        season.learn(s[i], profile[i], unrest[i], at_s[i], y[i])
