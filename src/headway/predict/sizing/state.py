"""All that a right-sizer remembers, as arrays: the latest outcomes, linked by kind of task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numba import njit

from headway.predict.sizing.cold import STEPS, UNSEEN_RISK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

USUAL_SPREAD: Final = 0.15
"""Of the log peak within a kind, until kinds have been seen."""

_PRICE: Final = 3.5  # log of a failure's price in usual stakes, before any has come

WINDOW: Final = 128
"""How many of the latest outcomes of a kind its law is fitted on."""


RISK, USUAL, UNSEEN, PRICE, STAKE = range(5)
"""Places in `aim`: the share of one kind's tasks that may get too little, the usual spread of the
log peak within a kind, the share of unseen kinds that may get too little, the log of what a failure
is taken to cost in stakes, and the mean log of what a task takes, in byte hours.
"""


BORROWED, ASKED_FOR = range(2)
"""Places in `tried`."""

LEARNED, COLD_LEARNED = range(2)
"""Places in `counts`."""


class State(NamedTuple):
    """Outcomes (capacity, f) in a ring, with the one before of the same key at each level, and
    for each key: its latest outcome, how many came, its law, when that was fitted, and so on.
    """

    outcomes: Floats
    before: Integers  # (capacity, levels): number of the outcome before; -1 = none
    latest: Integers  # (keys,): number of the latest outcome; -1 = none
    ended: Integers  # (keys,): outcomes in all
    law: Floats  # (keys, 5), see laws.fit
    fitted: Integers  # (keys,): outcomes that its law was fitted after
    spread: Floats  # (keys,) of the log peak
    largest: Floats  # (keys,) peak in bytes
    share: Floats  # (keys,) largest of its request; 0 = none yet
    correction: Floats  # (keys,) margin added for failures beyond those promised, in spreads
    shares: Floats  # (groups, STEPS): kinds of task by the share; the first row is of all
    counts: Integers  # (2,): outcomes in all, and of tasks that were sized without history
    tried: Floats  # (2,): what tasks of new kinds cost by BORROWED laws and as ASKED_FOR
    aim: Floats  # (5,), see RISK and the others


def empty(fields: int, levels: int, risk: float) -> State:
    """Nothing remembered."""
    return State(
        outcomes=np.zeros((256, fields)), before=np.full((256, levels), -1),
        latest=np.zeros(0, dtype=np.int64), ended=np.zeros(0, dtype=np.int64),
        law=np.zeros((0, 5)), fitted=np.zeros(0, dtype=np.int64), spread=np.zeros(0),
        largest=np.zeros(0), share=np.zeros(0), correction=np.zeros(0),
        shares=np.zeros((1, STEPS)), counts=np.zeros(2, dtype=np.int64), tried=np.zeros(2),
        aim=np.array([risk, USUAL_SPREAD, UNSEEN_RISK, _PRICE, 0.0]),
    )  # fmt: skip


def grown(state: State, outcomes: int, keys: int, groups: int) -> State:
    """The same with room for so many outcomes, keys and groups."""

    def longer(array: NDArray[Any], size: int, fill: float = 0.0) -> NDArray[Any]:
        if size <= len(array):
            return array
        new = np.full((max(size, 2 * len(array)), *array.shape[1:]), fill, dtype=array.dtype)
        new[: len(array)] = array
        return new

    room = (len(state.outcomes), len(state.latest), len(state.shares))
    if outcomes <= room[0] and keys <= room[1] and groups <= room[2]:
        return state
    by_key = ("ended", "law", "fitted", "spread", "largest", "share", "correction")
    return state._replace(
        outcomes=longer(state.outcomes, outcomes),
        before=longer(state.before, outcomes, -1),
        latest=longer(state.latest, keys, -1),
        shares=longer(state.shares, groups),
        **{name: longer(getattr(state, name), keys) for name in by_key},
    )


@njit(cache=True)
def window_of(state: State, key: int, level: int, is_wanted: bool) -> Floats:
    """The latest outcomes (n, f) of a key, newest first; none where they are not wanted."""
    n = min(state.ended[key], WINDOW) if is_wanted else 0
    capacity = len(state.outcomes)
    rows = np.empty((n, state.outcomes.shape[1]))
    at = state.latest[key]
    for j in range(n):
        if at < 0 or at < state.counts[LEARNED] - capacity:  # overwritten since
            return rows[:j]
        rows[j] = state.outcomes[at % capacity]
        at = state.before[at % capacity, level]
    return rows
