"""What a series usually is at this time of the day and week, learned point by point.

The functions below take the arrays of one series: s (COLUMNS,), profile (2 BINS,), unrest (BINS,).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Row = NDArray[np.float64]
    Small = NDArray[np.float32]
    State = dict[str, NDArray[Any]]

BINS: Final = 96  # quarters of an hour of a day, once for weekdays and once for weekends
LEVEL, LEVEL_ERROR, SEASON_ERROR, KNOWN, SEEN, SCALE, SIZE = range(7)
COLUMNS: Final = 7
_RATE: Final = 0.15  # of a bin's newest point against its past
_SLOW: Final = 1.0 / 300  # of a level or an error
_WORTH: Final = 0.9  # a season must have made errors this much smaller than the level's


def empty(n: int) -> State:
    """The arrays of n series of which nothing is known."""
    return {
        "season": np.zeros((n, COLUMNS)),
        "profile": np.full((n, 2 * BINS), np.nan, dtype=np.float32),
        "unrest": np.zeros((n, BINS), dtype=np.float32),  # mean error of the profile by its bin
    }


@njit(cache=True)
def is_seasonal(s: Row) -> bool:
    """Whether the profile was nearer to what came than the level, for a day and more."""
    return s[KNOWN] > BINS and s[SEASON_ERROR] < _WORTH * s[LEVEL_ERROR]


@njit(cache=True)
def place(at_s: float) -> int:
    """The bin of a moment."""
    is_weekend = (at_s // 86400.0 + 3) % 7 >= 5  # the epoch began on a Thursday
    quarter = int((at_s % 86400.0) / 86400.0 * BINS)
    return quarter + BINS if is_weekend else quarter


@njit(cache=True)
def at_this_time(profile: Small, at_s: float) -> float:
    """The profile at a moment; of the other kind of day where this has not been seen; or NaN."""
    at = place(at_s)
    here = profile[at]
    return float(profile[(at + BINS) % (2 * BINS)] if math.isnan(here) else here)


@njit(cache=True)
def expected(s: Row, profile: Small, at_s: float) -> float:
    """What the series usually is now: its season where that helped in the past, else its level."""
    if is_seasonal(s):
        here = at_this_time(profile, at_s)
        if not math.isnan(here):
            return here
    return float(s[LEVEL])


@njit(cache=True)
def spread(s: Row, unrest: Small, at_s: float) -> float:
    """Robust standard deviation around what is usual; at least 0.1 % of the usual size.

    Where a season is believed, the larger of what it is at all times and at this time of the day.
    """
    scale = s[SCALE]
    if is_seasonal(s):
        scale = max(scale, unrest[place(at_s) % BINS])
    return 1.2533 * scale + 1e-3 * s[SIZE] + 1e-9


@njit(cache=True)
def learn(s: Row, profile: Small, unrest: Small, at_s: float, y: float) -> None:
    """Take in a point; an outlier moves what is usual no more than five deviations do."""
    if s[SEEN] == 0:
        s[LEVEL] = y
    usual, seasonal = expected(s, profile, at_s), at_this_time(profile, at_s)
    rate = max(1.0 / (s[SEEN] + 1.0), _SLOW)
    bound = 5.0 * spread(s, unrest, at_s) if s[SEEN] > 20 else np.inf
    s[SCALE] += rate * (min(abs(y - usual), bound) - s[SCALE])
    s[SIZE] += rate * (abs(y) - s[SIZE])
    if not math.isnan(seasonal):
        s[KNOWN] += 1
        known_rate = max(1.0 / s[KNOWN], _SLOW)
        s[LEVEL_ERROR] += known_rate * (min(abs(y - s[LEVEL]), 20.0 * bound) - s[LEVEL_ERROR])
        s[SEASON_ERROR] += known_rate * (min(abs(y - seasonal), 20.0 * bound) - s[SEASON_ERROR])
    s[LEVEL] += rate * min(max(y - s[LEVEL], -bound), bound)
    s[SEEN] += 1
    at = place(at_s)
    if math.isnan(profile[at]):
        profile[at] = y
        return
    step = min(max(y - profile[at], -bound), bound)
    profile[at] += _RATE * step
    unrest[at % BINS] += _RATE * (abs(step) - unrest[at % BINS])
