"""How far above a law a task's memory is set: far enough to be safe, near enough to be cheap."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_USUAL_COUNT: Final = 0.1  # outcomes that the usual spread is worth
_LEAST_SPREAD: Final = 2e-4
_NOISE: Final = 0.0025  # of the log peak: measured peaks of one task differ by about this
_BEYOND: Final = 14  # margins tried beyond the largest error so far


@njit(cache=True)
def margin(
    errors: Floats, weights: Floats, risk: float, usual: float, price: float
) -> tuple[float, float]:
    """The margin of the log peak that is expected to cost least, and what it costs.

    errors (n,): by how much the log peaks exceeded the law when it did not know them; weights
    (n,): what the law said each would take, memory times time. risk: the share of tasks that may
    get too little at most; usual: the spread of the log peak within a kind of which nothing is
    known; price: what a failure is taken to cost beside its waste, in the unit of the weights. The
    second number is the expected cost as a share of what the tasks use.

    A task that fails wastes all that it reserved and is given about as much more. The chance that
    the next error is the largest so far is 1 / (n + 1); how far it goes beyond follows a Pareto
    law whose scale is the spread of the upper half. Source: Vovk et al. (2005) for the rank
    (n + 1)(1 - risk); Tovar et al. (2018), equation 2, for the waste; their sum is ours.
    """
    n = len(errors)
    order = np.argsort(errors)
    s, w = errors[order], weights[order]
    spread = _spread_of(s, usual)
    rank = (n + 1) * (1.0 - risk)
    if rank <= n:
        i = max(int(rank) - 1, 0)
        least = s[i] + (rank - int(rank)) * (s[min(i + 1, n - 1)] - s[i])
    else:
        least = s[n - 1] + spread * math.log(1.0 / ((n + 1) * risk))
    total = w.sum()
    best, lowest = least, np.inf
    below, used, place = 0.0, 0.0, 0  # of the errors up to the margin: weight, weight times peak
    for c in range(-1, n + _BEYOND):  # ascending: the least, errors above it, margins beyond all
        if c == -1:
            tried = least
        elif c < n:
            tried = s[c]
        else:
            tried = s[n - 1] + spread * 0.02 * math.exp(0.55 * (c - n))
        if tried < least:
            continue
        while place < n and s[place] <= tried:
            below += w[place]
            used += w[place] * math.exp(s[place])
            place += 1
        tail = _tail(n, (tried - s[n - 1]) / spread)
        cost = math.exp(tried) * (below + (2.0 + tail) * (total - below) + tail * below) - used
        cost += price * (n - place + n * tail)
        if cost < lowest:
            best, lowest = tried, cost
    return best + _NOISE, lowest / np.sum(w * np.exp(s))


@njit(cache=True)
def cost_of_request(errors: Floats, weights: Floats, price: float) -> float:
    """What giving just the request costs, as `margin` says it of margins.

    errors (n,): logs of the shares of the request that were used; weights (n,): request times time.
    """
    n, cost, used = len(errors), 0.0, 0.0
    tail = _tail(n, 0.0)
    for j in range(n):
        cost += weights[j] * (1.0 + tail)
        if errors[j] > 1e-9:
            cost += weights[j] + price
        else:
            cost -= weights[j] * math.exp(errors[j])
        used += weights[j] * math.exp(errors[j])
    return (cost + n * tail * price) / used


@njit(cache=True)
def _tail(n: int, beyond: float) -> float:
    """The chance that the next error exceeds all n by more than so many spreads."""
    return (1.0 + max(beyond, 0.0) / 2.0) ** -2.0 / (n + 1.0)


@njit(cache=True)
def _spread_of(errors: Floats, usual: float) -> float:
    """How wide the upper half of sorted errors is, drawn towards what is usual."""
    n = len(errors)
    middle, squares = errors[n // 2], _USUAL_COUNT * usual**2
    for error in errors:
        squares += 2.0 * max(error - middle, 0.0) ** 2
    return max(math.sqrt(squares / (n - 1 + _USUAL_COUNT)), _LEAST_SPREAD)
