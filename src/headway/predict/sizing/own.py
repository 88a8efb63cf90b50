"""What outcomes teach a right-sizer of their own user alone, while it serves.

Kept are the outcomes of the kind, of its stem and of its user, and the margin of the kind. What
tasks of several users have in common stays as it was trained: laws of a name whoever used it,
prices, usual spreads, shares of kinds that were never seen. So no user moves another one's sizes;
the next training joins what all have taught.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from headway.predict.sizing.laws import PEAK, REQUEST
from headway.predict.sizing.right_sizer import _LEVELS
from headway.predict.sizing.sizes import COLD
from headway.predict.sizing.state import LEARNED, State, grown
from headway.predict.sizing.steps import _SETTLING, _STEP, _fit_if_due, _kind_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.predict.sizing.right_sizer import RightSizer
    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_SHARED: Final = np.array([
    level for level, parts in enumerate(_LEVELS.values()) if "user" not in parts
])  # fmt: skip


def learn_own(
    sizer: RightSizer, x: Features, believed: Floats, peak: Floats, runtime_s: Floats,
    given: Floats, is_cold: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Outcomes in order of time: peak (n,) in bytes (NaN teaches nothing), runtime_s (n,).

    believed (n, believers): as in `size`; given (n,): bytes that each had, NaN = not by us;
    is_cold (n,): those were a share of the request.
    """
    x = sizer._narrowed(x)
    keys, _ = sizer._places(x)
    keys[:, _SHARED] = -1
    facts = sizer._facts(x, believed, peak, runtime_s)
    sizer._state = roomy(sizer._state, len(x))
    _follow(sizer._state, keys, facts, sizer._risk, given, np.where(is_cold, COLD, 0))


def roomy(state: State, more: int) -> State:
    """The same with room for so many more outcomes, none of which takes another one's place."""
    learned, capacity = int(state.counts[LEARNED]), len(state.outcomes)
    if learned + more <= capacity:
        return state
    if learned <= capacity:
        return grown(state, learned + more, 0, 0)
    numbers = np.arange(learned - capacity, learned)  # of the outcomes in the ring
    size = 2 * (learned + more)
    outcomes = np.zeros((size, state.outcomes.shape[1]))
    before = np.full((size, state.before.shape[1]), -1)
    outcomes[numbers] = state.outcomes[numbers % capacity]
    known = state.before[numbers % capacity]
    before[numbers] = np.where(known < learned - capacity, -1, known)
    latest = np.where(state.latest < learned - capacity, -1, state.latest)
    return state._replace(outcomes=outcomes, before=before, latest=latest)


@njit(cache=True)
def _follow(
    state: State, keys: Integers, facts: Floats, risk: float, given: Floats, laws: Integers
) -> None:
    """Keep outcomes under their keys, fit laws where due, move the margins of kinds."""
    for i in range(len(keys)):
        kind, row = _kind_of(keys[i]), facts[i]
        if kind < 0 or math.isnan(row[PEAK]):
            continue
        number = state.counts[LEARNED]
        place = number % len(state.outcomes)
        state.outcomes[place] = row
        for level in range(len(keys[i])):
            key = keys[i, level]
            state.before[place, level] = -1
            if key < 0:
                continue
            state.before[place, level] = state.latest[key]
            state.latest[key] = number
            state.ended[key] += 1
            state.largest[key] = max(state.largest[key], math.exp(row[PEAK]))
            share = math.exp(row[PEAK] - row[REQUEST])
            if share > state.share[key]:
                state.share[key] = share
        state.counts[LEARNED] += 1
        for level in range(len(keys[i])):
            if keys[i, level] >= 0:
                _fit_if_due(state, keys[i, level], level)
        if not math.isnan(given[i]) and laws[i] != COLD:
            missed = (1.0 if given[i] < math.exp(row[PEAK]) else 0.0) - risk
            step = _STEP * _SETTLING / (_SETTLING + state.ended[kind])
            state.correction[kind] = max(state.correction[kind] + step * missed, 0.0)
