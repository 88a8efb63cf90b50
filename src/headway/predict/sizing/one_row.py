"""What a right-sizer gives one task, as plain numbers: its keys looked up, then one compiled call.

It says the same as `RightSizer.size`, all digits.
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from headway.predict.packed import Packed
from headway.predict.sizing import laws, steps
from headway.predict.sizing.right_sizer import (
    COLUMNS,
    REQUEST,
    USED,
    USER,
    WORKFLOW,
    signature,
    tasks_outlasting,
)
from headway.predict.sizing.sizes import COLD
from headway.predict.sizing.state import grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.predict.sizing.right_sizer import RightSizer
    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_KEYED: Final = USED.index("input_bytes")  # the columns of keys come before it
_INPUT: Final = _KEYED
_TAG: Final = USED.index("tag_1")


def give(sizer: RightSizer, x: Features, believed: float) -> tuple[float, str]:
    """Bytes for the only task of x and who says so; NaN = nothing is known.

    believed: its median peak, by each believer; NaN = refused.
    """
    used = x.values[0, sizer.places_in(x.names)]
    keys, group = _places(sizer, [-1.0 if v != v else v for v in used[:_KEYED].tolist()])
    state = sizer._state
    if sizer._packed is None or sizer._packed[0] is not state:
        sizer._packed = state, Packed((state,))
    request = float(used[REQUEST])
    logs = np.log(np.array((request if request > 0.0 else nan, np.maximum(believed, 1e6))))
    first, law, level = _given(
        sizer._packed[1], keys, group, used, logs, np.log1p(used[_INPUT]), sizer._risk
    )
    return first, signature(law, level)


def _places(sizer: RightSizer, values: list[float]) -> tuple[tuple[int, ...], int]:
    """Numbers of the keys of a task at each level, -1 = none, and of its group.

    What is new is not remembered: it gets the number after the last. values: of the first columns
    of USED, -1 = not known.
    """
    book, groups = sizer._keys, sizer._groups
    new_key, new_group = len(book), len(groups)
    sizer._state = grown(sizer._state, 0, new_key + 1, new_group + 2)
    keys = []
    for level, parts in enumerate(COLUMNS):
        if values[parts[0]] >= 0.0 if parts else values[REQUEST] == -1.0:
            key = (float(level), *[values[part] for part in parts])
            keys.append(book.get(key, new_key))
        else:
            keys.append(-1)
    own = 2.0 * values[WORKFLOW] if values[WORKFLOW] >= 0.0 else 2.0 * values[USER] + 1.0
    return tuple(keys), 1 + groups.get((own,), new_group) if own >= 0.0 else 0


@njit(cache=True)
def _given(
    packed: Packed, places: tuple[int, ...], group: int, used: Floats, logs: Floats,
    log_input: float, risk: float,
) -> tuple[float, int, int]:  # fmt: skip
    """Bytes for a task, the law that says so and its level; used (u,): columns of USED.

    logs (2,): of the request and of what is believed; places (levels,) of the keys; packed: State.
    """
    (state,) = packed.parts
    keys = np.empty((1, len(places)), dtype=np.int64)
    for level in range(len(places)):
        keys[0, level] = places[level]
    facts = np.full((1, state.outcomes.shape[1]), np.nan)
    facts[0, laws.HOURS], facts[0, laws.INPUT], facts[0, laws.REQUEST] = 0.0, log_input, logs[0]
    facts[0, laws.TAG : laws.BELIEVED] = used[_TAG : _TAG + laws.TAGS]
    facts[0, laws.BELIEVED :] = logs[1]
    first, law = np.full((1, 3), np.nan), np.full((1, 2), COLD)
    only = np.zeros(1, dtype=np.int64)
    running = tasks_outlasting(used.reshape(1, -1))
    steps.follow(state, only, only, keys, np.full(1, group), facts, running, risk, first, law)
    return first[0, 0], law[0, 0], law[0, 1]
