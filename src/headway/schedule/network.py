"""The score of each waiting task: a small network that looks at each alone.

score = w . x + v . relu(B relu(A [x, c] + a) + b), of a task's features x and what is common to all
c; the highest goes first. With v = 0 it is a linear rule on logarithms, so that "smallest area
first" is one setting of w: search and learning start there. Weights are one flat array, which is
all that is saved; no library is needed to serve it.
Source: the kernel network of Zhang et al. (2020), "RLScheduler"; the linear part is our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import bare, compiled
from headway.schedule.observation import (
    COMMON,
    FEATURES,
    View,
    forget_users,
    observe_all,
    observe_task,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FIRST: Final = 16  # units of the first layer
SECOND: Final = 8  # of the second
INPUTS: Final = len(FEATURES) + len(COMMON)
SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "linear": (len(FEATURES),),
    "first": (INPUTS, FIRST),
    "first_bias": (FIRST,),
    "second": (FIRST, SECOND),
    "second_bias": (SECOND,),
    "last": (SECOND,),
}
"""Every weight by name, in the order in which they lie in the flat array."""
SIZE: Final = sum(int(np.prod(shape)) for shape in SHAPES.values())


class Network(NamedTuple):
    """Weights, shaped as SHAPES says."""

    linear: Floats
    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    last: Floats


def network_of(weights: Floats) -> Network:
    """The network of a flat array of weights (SIZE,)."""
    return Network(*split(weights, SHAPES))


def split(numbers: Floats, shapes: Mapping[str, tuple[int, ...]]) -> list[Floats]:
    """The arrays of some shapes that lie behind each other in a flat one."""
    parts, at = [], 0
    for shape in shapes.values():
        size = int(np.prod(shape))
        parts.append(np.ascontiguousarray(numbers[at : at + size].reshape(shape)))
        at += size
    return parts


def flat(parts: Iterable[Floats]) -> Floats:
    """Arrays, those of a network for instance, as one (SIZE,)."""
    return np.concatenate([part.ravel() for part in parts])


def smallest_area_first() -> Floats:
    """Weights (SIZE,) with which the network is a standard rule: the smallest predicted area."""
    weights = np.zeros(SIZE)
    weights[[FEATURES.index("log_runtime"), FEATURES.index("log_procs")]] = -1.0
    return weights


@compiled
def scores(network: Network, x: Floats, common: Floats) -> Floats:
    """The scores (k,) of k waiting tasks with features x (k, FEATURES), common (COMMON,)."""
    scored = np.empty(len(x))
    room = np.empty((3, FIRST))
    shared(network, common, room[0])
    for row in range(len(x)):
        scored[row] = score(network, x[row], room)
    return scored


@bare
def shared(network: Network, common: Floats, room: Floats) -> None:
    """The part of the first layer that is the same for all tasks, into room (FIRST,)."""
    features = len(network.linear)
    for unit in range(FIRST):
        room[unit] = network.first_bias[unit]
    for i in range(len(common)):
        for unit in range(FIRST):
            room[unit] += common[i] * network.first[features + i, unit]


@bare
def score(network: Network, x: Floats, room: Floats) -> float:
    """The score of one task x (FEATURES,); room (3, FIRST), the first row from `shared`."""
    total, is_linear = 0.0, True
    for i in range(len(x)):
        total += network.linear[i] * x[i]
    for unit in range(SECOND):
        is_linear = is_linear and network.last[unit] == 0.0
    if is_linear:  # several times as fast, and the same score
        return total
    for unit in range(FIRST):
        room[1, unit] = room[0, unit]
    for unit in range(SECOND):
        room[2, unit] = network.second_bias[unit]
    for i in range(len(x)):
        for unit in range(FIRST):
            room[1, unit] += x[i] * network.first[i, unit]
    for i in range(FIRST):
        if room[1, i] > 0.0:
            for unit in range(SECOND):
                room[2, unit] += room[1, i] * network.second[i, unit]
    for unit in range(SECOND):
        total += network.last[unit] * max(room[2, unit], 0.0)
    return total


@bare
def best_of(
    network: Network, view: View, is_allowed: NDArray[np.bool_], k: int, m: int, free: int,
    total: int, now_s: float, reserved_s: float, common: Floats, x: Floats, room: Floats,
) -> int:  # fmt: skip
    """The place of the highest score among those of k waiting tasks that are allowed; -1 = none.

    The other arguments are those of `observe_all`; x (FEATURES,) and room (3, FIRST) are written.
    """
    observe_all(view, k, m, free, total, now_s, reserved_s, common)
    shared(network, common, room[0])
    chosen, highest = -1, -np.inf
    for place in range(k):
        if is_allowed[place]:
            observe_task(view, place, k, m, free, total, now_s, reserved_s, common, x)
            scored = score(network, x, room)
            if scored > highest:
                chosen, highest = place, scored
    forget_users(view, k, m)
    return chosen
