"""Forecast bands: a point that the cheapest good forecast of the next step did not expect."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from headway.anomaly import season
from headway.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FAST: Final = 0.3  # weight of the newest point in the fast level and in the season's offset
_RATE: Final = 1.0 / 200  # of errors
_TAIL: Final = 0.005  # share of errors beyond each side of the band
_ERRORS: Final = 0  # columns 0 to 3: mean errors of the last value, the fast mean, usual, shifted
LAST, FAST, OFFSET, MEAN, BELOW, ABOVE = range(4, 10)


class Bands:
    """Errors of a one-step forecast, in its usual errors, averaged over the last points.

    The forecast is whichever was nearest of late: the last value, a fast moving mean, what is usual
    at this time of the day and week, or that shifted by how far off it is now. `memory` points are
    averaged (1 = the newest alone), as a run of small surprises says more than one large.
    Source: Ahmad, Lavin, Purdy, Agha (2017), "Unsupervised real-time anomaly detection for
    streaming data", for the mean of recent errors against their long past; the rest is our own.
    """

    def __init__(self, memory: int = 1) -> None:
        """memory: points over which errors are averaged."""
        if not 1 <= memory <= 1000:
            raise ConfigError(f"memory must be in 1 to 1000, got {memory}")
        self.settings: dict[str, Any] = {"memory": memory}
        self.memory = memory
        self.state: dict[str, NDArray[Any]] = {}

    def measure(self, at_s: Floats, y: Floats) -> Floats:
        """The strangeness (n,) of the point that follows."""
        if not self.state:
            return np.full(len(y), np.nan)
        return _measure(at_s, y, *self._arguments())

    def band(self, at_s: Floats) -> tuple[Floats, Floats]:
        """Between what (n,) 99 % of points came, as far as the past says."""
        low, high = _band(at_s, *self._arguments())
        return low, high

    def learn(self, at_s: Floats, y: Floats) -> None:
        """The next point y (n,)."""
        if not self.state:
            own = np.zeros((len(y), 10))
            own[:, BELOW], own[:, ABOVE] = -3.0, 3.0
            self.state = season.empty(len(y)) | {"own": own}
        _learn(at_s, y, *self._arguments())

    def _arguments(self) -> tuple[Any, ...]:
        arrays = (self.state[k] for k in ("season", "profile", "unrest", "own"))
        return (*arrays, self.memory)


@njit(cache=True)
def _forecast(s: Floats, profile: Any, own: Floats, at_s: float) -> tuple[float, float]:
    """The forecast and its usual error, as a standard deviation."""
    usual = season.expected(s, profile, at_s)
    ways = (own[LAST], own[FAST], usual, usual + own[OFFSET])
    best = 0
    for way in range(1, 4):
        if own[way] < own[best]:
            best = way
    return ways[best], 1.2533 * own[best] + 1e-3 * s[season.SIZE] + 1e-9


@njit(cache=True)
def _averaged(z: float, own: Floats, memory: int) -> float:
    """The mean of the last errors with the newest."""
    if memory == 1:
        return z
    return float(own[MEAN] + (min(z, 20.0) - own[MEAN]) / memory)


@njit(cache=True)
def _measure(
    at_s: Floats, y: Floats, s: Floats, profile: Any, unrest: Any, own: Floats, memory: int
) -> Floats:
    raw = np.full(len(y), np.nan)
    for i in range(len(y)):
        if not math.isnan(y[i]):
            said, spread = _forecast(s[i], profile[i], own[i], at_s[i])
            raw[i] = _averaged(abs(y[i] - said) / spread, own[i], memory)
    return raw


@njit(cache=True)
def _band(
    at_s: Floats, s: Floats, profile: Any, unrest: Any, own: Floats, memory: int
) -> tuple[Floats, Floats]:
    low, high = np.empty(len(s)), np.empty(len(s))
    for i in range(len(s)):
        said, spread = _forecast(s[i], profile[i], own[i], at_s[i])
        low[i], high[i] = said + own[i, BELOW] * spread, said + own[i, ABOVE] * spread
    return low, high


@njit(cache=True)
def _learn(
    at_s: Floats, y: Floats, s: Floats, profile: Any, unrest: Any, own: Floats, memory: int
) -> None:
    for i in range(len(y)):
        if not math.isnan(y[i]):
            _learn_own(at_s[i], y[i], s[i], profile[i], own[i], memory)
            season.learn(s[i], profile[i], unrest[i], at_s[i], y[i])


@njit(cache=True)
def _learn_own(at_s: float, y: float, s: Floats, profile: Any, own: Floats, memory: int) -> None:
    """Take a point in: the edges of the band, the errors of each way, what each way will say."""
    if s[season.SEEN] == 0:
        own[LAST] = own[FAST] = y
    said, spread = _forecast(s, profile, own, at_s)
    z = (y - said) / spread
    own[MEAN] = _averaged(abs(z), own, memory)
    for side, sign in ((ABOVE, 1.0), (BELOW, -1.0)):
        edge = sign * own[side]
        moved = (1.0 - _TAIL) if sign * z > edge else -_TAIL
        own[side] = sign * (edge + 0.05 * max(edge, 0.1) * moved)
    usual = season.expected(s, profile, at_s) if s[season.SEEN] > 0 else y
    ways = (own[LAST], own[FAST], usual, usual + own[OFFSET])
    rate = max(_RATE, 1.0 / (s[season.SEEN] + 1.0))
    for way in range(4):
        bound = 10.0 * own[way] + 1e-3 * s[season.SIZE] + 1e-9 if s[season.SEEN] > 20 else np.inf
        own[way] += rate * (min(abs(y - ways[way]), bound) - own[way])
    own[LAST] = y
    own[FAST] += _FAST * (y - own[FAST])
    own[OFFSET] += _FAST * (y - usual - own[OFFSET])
