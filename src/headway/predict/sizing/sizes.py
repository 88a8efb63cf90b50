"""What tasks are given: first, and again each time that it was not enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COLD: Final = -1
"""The law of a task of which nothing was known but its request."""

LEAST_BYTES: Final = 1e6
"""No task is given less than this."""

_ABOVE_LARGEST: Final = 1.2  # the second attempt, times the largest peak of the kind so far
_NEAR_LARGEST: Final = 1.15
_GROWTH: Final = 2.0  # every later attempt


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes for n tasks and why: first (n,), NaN = nothing is known and nothing was asked for.

    largest (n,) is the largest peak of its kind that was known, 0 = none; law (n,) the number of
    the law, COLD = no task like it had ended; level (n,) the number of the key it is of, -1 = of
    none; made_by (n,) names both.
    """

    first: Floats
    largest: Floats
    law: NDArray[np.int64]
    level: NDArray[np.int64]
    made_by: NDArray[np.str_]


@njit(cache=True)
def next_bytes(failed: float, largest: float, request: float) -> float:
    """Bytes for the next attempt of a task that ran out of memory with `failed` bytes.

    The double, but no more than somewhat above the largest peak of its kind, nor than the request
    (NaN = none was made) until that has failed too. Doubling reserves in vain at most twice the
    peak, whatever the peak is; going straight to the largest or the request, which may be thirty
    times too large, does not. Source: doubling as in Bader et al. (2024), Sizey, section III-E.

    >>> next_bytes(1e9, 1.5e9, 64e9)
    1800000000.0
    >>> next_bytes(2.4e9, 2e9, 4e9)
    4000000000.0
    """
    more = _GROWTH * failed
    if failed == request:
        more = _ABOVE_LARGEST * failed
    elif failed <= _NEAR_LARGEST * largest:
        more = min(more, _ABOVE_LARGEST * max(largest, failed))
    return request if failed < request <= more else max(more, LEAST_BYTES)


@njit(cache=True)
def bytes_in_vain(first: Floats, largest: Floats, request: Floats, peak: Floats) -> Floats:
    """What the attempts of each task (n,) reserve beyond its peak, retried by `next_bytes`."""
    wasted = np.empty(len(peak))
    for i in range(len(peak)):
        tried, failed = first[i], 0.0
        while tried < peak[i]:
            failed += tried
            tried = next_bytes(tried, largest[i], request[i])
        wasted[i] = failed + tried - peak[i]
    return wasted
