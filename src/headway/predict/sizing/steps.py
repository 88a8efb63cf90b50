"""One event after the other: what a task is given, and what its outcome changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from headway.predict.sizing.cold import share_of_request, step_of
from headway.predict.sizing.laws import ASKED, HOURS, PEAK, REQUEST, centre, fit, is_told_by_window
from headway.predict.sizing.sizes import COLD, LEAST_BYTES
from headway.predict.sizing.state import (
    ASKED_FOR,
    BORROWED,
    COLD_LEARNED,
    LEARNED,
    PRICE,
    RISK,
    STAKE,
    UNSEEN,
    USUAL,
    State,
    window_of,
)  # fmt: skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

SERVE: Final = 0

# serving
_ROUNDING: Final = 1e-12  # many peaks are just the request, which comes back from its log
_ENOUGH: Final = 8  # outcomes of a key after which coarser keys are not asked
_COARSER: Final = 1.1  # by how much waste is raised for each coarser key
_ABOVE_REQUEST: Final = (
    1.1  # times the largest share so far, where tasks use more than they ask for
)
_OUTLASTED: Final = 0.75  # share of tasks that outlast those that ended: these say little
_OUTLASTED_COUNT: Final = 20  # outcomes after which they say enough

_SWITCH: Final = 0.25  # by how much requests must have cost less than borrowed laws

# learning
_FADING: Final = 0.998  # weight of a cost after the next one
_NEW: Final = 2  # outcomes of a kind that coarser keys learn from: they serve new kinds
_OFTEN: Final = 8  # a law is fitted anew when an eighth more has come,
_RARELY: Final = 16  # at the latest after so many
_SPREADS: Final = (0.01, 0.3)
_STEP: Final = 0.4  # of the correction of a kind, in spreads
_SETTLING: Final = 64.0  # outcomes of a kind after which its correction moves half as far
_PRICE_STEP: Final = 0.07
_MOST_PRICE: Final = 12.0
_STAKES: Final = 1000.0  # tasks whose mean stake counts
_FIRST: Final = 8  # outcomes of a kind that say how wide kinds are
_USUAL_SPREADS: Final = (0.05, 0.6)
_USUAL_STEP: Final = 0.02
_UNSEEN_STEP: Final = 0.005
_UNSEEN_RISKS: Final = (0.02, 0.1, 0.4)  # least, most, most where unseen kinds are rare
_UNSEEN_BUDGET: Final = 0.4  # share of all permitted failures that unseen kinds may use up


@njit(cache=True)
def follow(
    state: State, kinds: Integers, rows: Integers, keys: Integers, groups: Integers,
    facts: Floats, outlasting: Floats, risk: float, given: Floats, laws: Integers,
) -> None:  # fmt: skip
    """Size and learn tasks in the order of the events.

    keys (n, levels): from fine to coarse, -1 = none; groups (n,); facts (n, f), see laws, of
    which peak and hours are looked at when the end comes; outlasting (n,): tasks of the kind that
    run already longer than most that ended; risk: the share of all tasks that may get too little.
    given (n, 3) gets bytes, the largest peak of the kind and
    what a coarser key's law said, laws (n, 2) the law and its level.
    """
    for event in range(len(kinds)):
        i = rows[event]
        if kinds[event] == SERVE:
            _serve(state, keys[i], groups[i], facts[i], outlasting[i], given[i], laws[i])
        elif not math.isnan(facts[i, PEAK]):
            kind = _remember(state, keys[i], facts[i])
            if kind >= 0:
                _count_share(state, kind, groups[i], facts[i])
                _correct(state, kind, facts[i], risk, given[i, 0], given[i, 2], laws[i, 0])


@njit(cache=True)
def _serve(
    state: State, keys: Integers, group: int, row: Floats, outlasting: float, given: Floats,
    law: Integers,
) -> None:  # fmt: skip
    """What one task is given; nothing is changed but the outputs."""
    kind = _kind_of(keys)
    size, largest, most = _by_history(state, keys, kind, row, law)
    request = math.exp(row[REQUEST]) * (1.0 + _ROUNDING)
    if not math.isnan(request):
        n = state.ended[kind] if kind >= 0 else 0
        is_outlasted = 0 < n < _OUTLASTED_COUNT and outlasting > _OUTLASTED * (outlasting + n)
        if math.isnan(size) or is_outlasted:
            share = share_of_request(state.shares[group], state.shares[0], state.aim[UNSEEN])
            if not request * share < size:
                size, law[0], law[1] = request * share, COLD, -1
        if law[1] >= 0 and keys[law[1]] != kind:
            given[2] = size
            if state.tried[ASKED_FOR] < _SWITCH * state.tried[BORROWED]:
                size, law[0], law[1] = request, ASKED, -1
        exceeds = most > 1.0 + 2.0 * _ROUNDING
        roomy = _ABOVE_REQUEST * min(largest, most * request) if exceeds else request
        size = min(size, max(request, roomy))
    given[0] = size if math.isnan(size) else max(size, LEAST_BYTES)
    given[1] = largest


@njit(cache=True)
def _kind_of(keys: Integers) -> int:
    """The finest key of a task; -1 = it has none."""
    for key in keys:
        if key >= 0:
            return int(key)
    return -1


@njit(cache=True)
def _by_history(
    state: State, keys: Integers, kind: int, row: Floats, law: Integers
) -> tuple[float, float, float]:
    """Bytes by the law of the key that is expected to waste least, the largest peak of that key
    and the largest share of a request that its own kind used; NaN, 0, 0: nothing has ended yet.
    """
    best, dearer, size, largest, most = np.inf, 1.0, np.nan, 0.0, 0.0
    law[0], law[1] = COLD, -1
    for level in range(len(keys)):
        key = keys[level]
        if key < 0:
            continue
        n = state.ended[key]
        if n > 0:
            found = state.law[key]
            window = window_of(state, key, level, is_told_by_window(found))
            middle = centre(found, window, row)
            if dearer * found[4] < best and not math.isnan(middle):
                best = dearer * found[4]
                extra = state.correction[kind] * state.spread[key]
                size = math.exp(min(middle + found[3] + extra, 60.0))
                largest, most = state.largest[key], state.share[key] if key == kind else 0.0
                law[0], law[1] = int(found[0]), level
            if n >= _ENOUGH:
                break
        dearer *= _COARSER
    return size, largest, most


@njit(cache=True)
def _remember(state: State, keys: Integers, row: Floats) -> int:
    """Keep an outcome under all its keys and fit their laws anew where due; its finest key."""
    number = state.counts[LEARNED]
    place = number % len(state.outcomes)
    kind = _kind_of(keys)
    if kind >= 0:
        _widen(state, kind, row[PEAK])
    state.outcomes[place] = row
    share = math.exp(row[PEAK] - row[REQUEST])
    for level in range(len(keys)):
        key = keys[level]
        state.before[place, level] = -1
        if key < 0 or (key != kind and state.ended[kind] > _NEW):
            continue
        state.before[place, level] = state.latest[key]
        state.latest[key] = number
        state.ended[key] += 1
        state.largest[key] = max(state.largest[key], math.exp(row[PEAK]))
        if key != kind and share > state.share[key]:
            state.share[key] = share
    state.counts[LEARNED] += 1
    stake = row[PEAK] + math.log(max(row[HOURS], 1e-4))
    state.aim[STAKE] += (stake - state.aim[STAKE]) / min(number + 1.0, _STAKES)
    for level in range(len(keys)):
        if keys[level] == kind or (keys[level] >= 0 and state.ended[kind] <= _NEW):
            _fit_if_due(state, keys[level], level)
    return kind


@njit(cache=True)
def _widen(state: State, kind: int, peak: float) -> None:
    """Let the first outcomes of a kind say how far apart those of one kind usually are."""
    if 0 < state.ended[kind] <= _FIRST:
        last = state.outcomes[state.latest[kind] % len(state.outcomes), PEAK]
        square = min((peak - last) ** 2 / 2.0, 1.0)
        low, high = _USUAL_SPREADS
        spread = math.sqrt(state.aim[USUAL] ** 2 + _USUAL_STEP * (square - state.aim[USUAL] ** 2))
        state.aim[USUAL] = min(max(spread, low), high)


@njit(cache=True)
def _fit_if_due(state: State, key: int, level: int) -> None:
    """Fit the law of a key anew if enough came since the last time."""
    n, fitted = state.ended[key], state.fitted[key]
    if n < fitted + max(1, min(fitted // _OFTEN, _RARELY)):
        return
    window = window_of(state, key, level, True)
    price = math.exp(state.aim[PRICE] + state.aim[STAKE])
    fit(window, state.aim[RISK], state.aim[USUAL], price, state.law[key])
    peaks = np.sort(window[:, PEAK])
    upper = (peaks[(9 * len(peaks)) // 10] - peaks[len(peaks) // 2]) / 1.28
    state.spread[key] = min(max(upper, _SPREADS[0]), _SPREADS[1])
    state.fitted[key] = n


@njit(cache=True)
def _count_share(state: State, kind: int, group: int, row: Floats) -> None:
    """Count a kind by the largest share of its request that it has used."""
    share, before = math.exp(row[PEAK] - row[REQUEST]), state.share[kind]
    if not share > before:
        return
    for counts in (state.shares[0], state.shares[group]):
        if before > 0.0:
            counts[step_of(before)] -= 1.0
        counts[step_of(share)] += 1.0
        if group == 0:
            break
    state.share[kind] = share


@njit(cache=True)
def _compare(state: State, row: Floats, borrowed: float) -> None:
    """Keep what a new kind's tasks would have cost by coarser keys' laws and by their requests."""
    if math.isnan(borrowed):
        return
    peak, price = math.exp(row[PEAK]), math.exp(state.aim[PRICE] + state.aim[STAKE])
    hours = max(row[HOURS], 1e-4)
    for which, size in (
        (BORROWED, borrowed),
        (ASKED_FOR, math.exp(row[REQUEST]) * (1.0 + _ROUNDING)),
    ):
        cost = (size - peak) * hours if size >= peak else (size + 0.5 * peak) * hours + price
        state.tried[which] = _FADING * state.tried[which] + cost


@njit(cache=True)
def _correct(
    state: State, kind: int, row: Floats, risk: float, given: float, borrowed: float, law: int
) -> None:
    """Move the price of a failure and the margin of a kind by whether a task got too little."""
    if math.isnan(given):
        return
    _compare(state, row, borrowed)
    missed = (1.0 if given < math.exp(row[PEAK]) else 0.0) - risk
    price = state.aim[PRICE] + _PRICE_STEP * missed
    state.aim[PRICE] = min(max(price, -_MOST_PRICE), _MOST_PRICE)
    if law != COLD:
        step = _STEP * _SETTLING / (_SETTLING + state.ended[kind])
        state.correction[kind] = max(state.correction[kind] + step * missed, 0.0)
        return
    state.counts[COLD_LEARNED] += 1
    low, high, most = _UNSEEN_RISKS
    budget = _UNSEEN_BUDGET * risk * state.counts[LEARNED] / state.counts[COLD_LEARNED]
    unseen = state.aim[UNSEEN] - _UNSEEN_STEP * missed
    state.aim[UNSEEN] = min(max(unseen, low), min(max(high, budget), most))
