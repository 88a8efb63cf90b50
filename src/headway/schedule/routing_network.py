"""The policy that all clusters share: where a task goes, and how soon its turn comes there.

    where    the cluster at which a task was submitted scores every destination that it fits,
             score = w . x + v . relu(A [x, c] + a), of its features x and what is common c; the
             highest is taken, the home cluster of equals
    when     the cluster that receives it scores LANES in the same way, plus what a lane adds times
             lean . [x, c]; the lane adds so much to the logarithm of the product in its key

    order     that key is e^(ln P + t . [c, 1] + lane) + A + patience x submission: P and A are the
              product and what is added in the local rule (schedule.rules)
    offers    a task that waits goes where it would start at once, if the sum of `schedule.offers`
              is above zero

With v = 0, no lean, no tilt and no offers it is a static routing and a rule: keep local, least load
and shortest expected wait are settings of w. Training starts at one of them, with every offer made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import bare
from headway.schedule.offers import OFFERED
from headway.schedule.routing import COMMON, FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

LANES: Final = (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0)
"""What a lane adds to the natural logarithm of a task's key."""
MIDDLE: Final = LANES.index(0.0)
BROAD: Final = 0.5  # how much a lane scores less at the start, times what it adds, squared
UNITS: Final = 16
INPUTS: Final = len(FEATURES) + len(COMMON)
SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "linear": (len(FEATURES),),
    "first": (INPUTS, UNITS),
    "first_bias": (UNITS,),
    "last": (UNITS,),
    "lane_first": (INPUTS, UNITS),
    "lane_bias": (UNITS,),
    "lane_last": (UNITS, len(LANES)),
    "lean": (INPUTS,),
    "lane": (len(LANES),),
    "tilt": (len(COMMON) + 1,),
    "patience": (1,),
    "gate": (len(OFFERED),),
}
"""Every weight by name, in the order in which they lie in the flat array."""
SIZE: Final = sum(int(np.prod(shape)) for shape in SHAPES.values())
ROUTINGS: Final = {
    "keep local": {"is_home": 1.0},
    "least load": {"log_load": -1.0},
    "shortest expected wait": {"log_wait": -1.0},
    "shortest expected wait, requests": {"log_wait_asked": -1.0},
    "starts at once, else local": {"starts": 1.0, "is_home": 0.5},
}
"""Static routings: the weights of the features that decide."""


class Router(NamedTuple):
    """Weights, shaped as SHAPES says."""

    linear: Floats
    first: Floats
    first_bias: Floats
    last: Floats
    lane_first: Floats
    lane_bias: Floats
    lane_last: Floats
    lean: Floats
    lane: Floats
    tilt: Floats
    patience: Floats
    gate: Floats


def router_of(weights: Floats) -> Router:
    """The policy of a flat array of weights (SIZE,)."""
    parts, at = [], 0
    for shape in SHAPES.values():
        size = int(np.prod(shape))
        parts.append(np.ascontiguousarray(weights[at : at + size].reshape(shape)))
        at += size
    return Router(*parts)


def flat(router: Router) -> Floats:
    """The weights of a policy as one array (SIZE,)."""
    return np.concatenate([part.ravel() for part in router])


def static_routing(name: str, offers: bool = False) -> Floats:
    """Weights (SIZE,) of a static routing of ROUTINGS; all tasks in the middle lane.

    offers: whether every task that waits goes to where it would start at once.
    """
    router = router_of(np.zeros(SIZE))
    for feature, weight in ROUTINGS[name].items():
        router.linear[FEATURES.index(feature)] = weight
    router.lane[:] = -BROAD * np.array(LANES) ** 2
    router.gate[0] = float(offers) - 0.5
    return flat(router)


@bare
def tilt_of(router: Router, common: Floats) -> float:
    """What is added to the logarithm of the product of a rule, by what the task is."""
    total = router.tilt[len(common)]
    for i in range(len(common)):
        total += router.tilt[i] * common[i]
    return total


@bare
def route_scores(
    router: Router, x: Floats, common: Floats, is_allowed: Bools, units: Floats, scores: Floats
) -> None:
    """Scores (c,) of destinations x (c, FEATURES), -inf where not allowed; units: room (UNITS,)."""
    for c in range(len(x)):
        if not is_allowed[c]:
            scores[c] = -np.inf
            continue
        _hidden(router.first, router.first_bias, x[c], common, units)
        total = 0.0
        for i in range(len(router.linear)):
            total += router.linear[i] * x[c, i]
        for unit in range(UNITS):
            total += router.last[unit] * units[unit]
        scores[c] = total


@bare
def lane_scores(router: Router, x: Floats, common: Floats, units: Floats, scores: Floats) -> None:
    """Scores (LANES,) of a task with features x (FEATURES,) of where it is queued."""
    _hidden(router.lane_first, router.lane_bias, x, common, units)
    lean = 0.0
    for i in range(len(x)):
        lean += router.lean[i] * x[i]
    for i in range(len(common)):
        lean += router.lean[len(x) + i] * common[i]
    for lane in range(len(scores)):
        scores[lane] = router.lane[lane] + LANES[lane] * lean
        for unit in range(UNITS):
            scores[lane] += units[unit] * router.lane_last[unit, lane]


@bare
def _hidden(first: Floats, bias: Floats, x: Floats, common: Floats, units: Floats) -> None:
    n = len(x)
    for unit in range(UNITS):
        units[unit] = bias[unit]
    for i in range(n):
        for unit in range(UNITS):
            units[unit] += x[i] * first[i, unit]
    for i in range(len(common)):
        for unit in range(UNITS):
            units[unit] += common[i] * first[n + i, unit]
    for unit in range(UNITS):
        units[unit] = max(units[unit], 0.0)
