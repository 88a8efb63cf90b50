"""The recent past of a series in a few numbers: means and ranges over spans that double."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from headway.anomaly import season

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SPANS: Final = 7  # 1, 1, 2, 4, 8, 16 and 32 points: the newest, the one before it, two before, ...
HELD: Final = 1 << (SPANS - 1)  # points that are held, 64
FEATURES: Final = 2 * SPANS - 1
COUNT: Final = 0  # column of `lagged` that says how many points came


def empty(n: int) -> dict[str, NDArray[Any]]:
    """The arrays of n series: what is usual of them, and their last points in a ring."""
    return season.empty(n) | {"ring": np.zeros((n, HELD)), "came": np.zeros(n, dtype=np.int64)}


@njit(cache=True)
def describe(y: float, ring: Floats, came: int, s: Floats, out: Floats) -> bool:
    """Write the features of a point that follows into out (FEATURES,); whether enough is known.

    The mean of each span and, of spans above one point, its range, both as deviations from the
    level in robust standard deviations, drawn together by a root where they are large; last, the
    deviation from the mean of all spans before.
    """
    if came < HELD:
        return False
    scale = 1.2533 * s[season.SCALE] + 1e-3 * s[season.SIZE] + 1e-9
    at, k, everything = came, 0, 0.0
    for span in range(SPANS):
        points = 1 if span == 0 else 1 << (span - 1)
        total, low, high = 0.0, np.inf, -np.inf
        for j in range(points):
            value = y if span == 0 else ring[(at - 1 - j) % HELD]
            total += value
            low, high = min(low, value), max(high, value)
        if span > 0:
            at -= points
            everything += total
        out[k] = drawn((total / points - s[season.LEVEL]) / scale)
        k += 1
        if span > 1:
            out[k] = drawn((high - low) / scale)
            k += 1
    out[k] = drawn((y - everything / (HELD - 1)) / scale)
    return True


@njit(cache=True)
def drawn(z: float) -> float:
    """A deviation, the part of it beyond 3 as its root: far is far, but not everything."""
    size = abs(z)
    if size > 3.0:
        size = 3.0 + math.sqrt(size - 3.0) if size < 1e6 else 1003.0
    return size if z > 0 else -size


@njit(cache=True)
def remember(y: float, ring: Floats, came: Any, i: int) -> None:
    """Put a point of series i into its ring."""
    ring[i, came[i] % HELD] = y
    came[i] += 1
