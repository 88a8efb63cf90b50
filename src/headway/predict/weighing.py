"""Experts weighed by what came of their word: the compiled part of `risk`.

Source: Vovk (1990), weights by past likelihood; Herbster, Warmuth (1998), fixed share; the small
learning rate is ours: outcomes cling together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from headway.predict.calibration import SERVE
from headway.predict.reliability import LEAST, Reliability, beta, corrected, reliability_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

PAST: Final = 5_000
"""Served scores that are looked back on."""

RENEWED: Final = 100
"""Outcomes between two looks."""

_LEARNING: Final = 0.2  # how much of an outcome's likelihood goes into the experts' weights
_SHARED: Final = 0.01  # weight given back to all experts after each outcome
_LEARNED, _HELD = 0, 1


@njit(cache=True, nogil=True)
def weigh(
    kinds: Integers, y: Floats, opinions: Floats, weights: Floats, trust: Floats, past: Floats,
    counts: Integers, known: Reliability, said: Floats,
) -> Reliability:  # fmt: skip
    """Serve and learn the experts' opinions (events, e) in the order of the events.

    y (events,), NaN = teaches nothing. weights (e,), trust (2,) of the mixture and its correction,
    past (PAST + RENEWED, 2) the mixture's scores and what came, counts (2,) outcomes learned and
    held in past are moved on. Written at a SERVE: said (events, 3), the probability and the
    parameters of its Beta posterior. Gives what is known of the reliability afterwards.
    """
    both = np.empty(2)
    for event in range(len(kinds)):
        is_asked = kinds[event] == SERVE
        if np.isnan(y[event]) if not is_asked else counts[_LEARNED] == 0:
            continue
        score = 0.0
        for i in range(len(weights)):
            score += opinions[event, i] * weights[i]
        both[0], both[1] = score, corrected(score, known)
        if is_asked:
            p = both[0] * trust[0] + both[1] * trust[1]
            said[event, 0] = p
            said[event, 1], said[event, 2] = beta(score, p, known)
            continue
        _reweigh(trust, both, y[event])
        _reweigh(weights, opinions[event], y[event])
        past[counts[_HELD], 0], past[counts[_HELD], 1] = score, y[event]
        counts[_LEARNED] += 1
        counts[_HELD] += 1
        if counts[_LEARNED] % RENEWED == 0:
            known = look_back(past, counts)
    return known


@njit(cache=True, nogil=True)
def look_back(past: Floats, counts: Integers) -> Reliability:
    """What the scores up to the last look that was due say; the oldest are forgotten."""
    since = counts[_LEARNED] % RENEWED
    too_many = max(counts[_HELD] - since - PAST, 0)
    counts[_HELD] -= too_many
    past[: counts[_HELD]] = past[too_many : too_many + counts[_HELD]].copy()
    seen = max(counts[_HELD] - since, 0)
    return reliability_of(past[:seen, 0].copy(), past[:seen, 1].copy())


@njit(cache=True, nogil=True)
def _reweigh(weights: Floats, said: Floats, y: float) -> None:
    """Move weights by each one's likelihood of an outcome, then share a little among all."""
    total = 0.0
    for i in range(len(weights)):
        likely = said[i] if y > 0.5 else 1.0 - said[i]
        weights[i] *= max(likely, LEAST) ** _LEARNING
        total += weights[i]
    for i in range(len(weights)):
        weights[i] = (1.0 - _SHARED) * weights[i] / total + _SHARED / len(weights)
