"""A priority that can be read, and a controller that moves its weights as the load moves.

The priority of a waiting task is a weighted sum of what PRIORITY names; the highest goes next.
Beside the weights stands the safety: by how many of its log spreads a task is believed to outlast
its predicted runtime where it may jump the queue (0 = the median, 1 = the quantile that learned
policies trust, more = up to what was requested). A small network sets all of them from the state of
the cluster, and they stay as they are for CONTROL_S.

    STATE     at the moment of control
    free log_queue log_work log_rest mean_runtime log_machine mean_area   as in `observation`
    mix_runtime       standard deviation of ln runtime in the queue
    mix_procs         the same of ln processors
    wide              share of the waiting tasks that do not fit now
    log_oldest        ln (1 + seconds that the oldest has waited) / 10
    overdue           share of the processors whose task has outlived its prediction
    log_arrived       ln (1 + tasks that arrived since the last control) / 5
    log_offered       ln (1 + their predicted work / what the machine could do in that time)
    bias              mean ln (runtime / predicted) of tasks that ended, later ones weighing more
    error             mean of its absolute value
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import bare, compiled
from headway.schedule.network import SIZE as NETWORK
from headway.schedule.network import split
from headway.schedule.observation import COMMON, FEATURES, View, observe_all, observe_task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VERSION: Final = "1"
CONTROL_S: Final = 4 * 3600.0
PRIORITY: Final = {
    "log_runtime": 1.0, "log_spread": 0.1, "log_request": 0.5, "log_procs": 1.0, "share": 1.0,
    "log_wait": 0.5, "slowdown": 0.3, "fits": 0.3, "log_until": 0.5, "user_running": 0.3,
    "user_waiting": 0.3,
}  # fmt: skip
"""What is weighed, and how far a weight is moved by one unit of the network's answer."""
ACTIONS: Final = (*PRIORITY, "safety")
REACH: Final = np.array([*PRIORITY.values(), 3.0])
STATE: Final = (
    "free", "log_queue", "log_work", "log_rest", "mean_runtime", "log_machine", "mean_area",
    "mix_runtime", "mix_procs", "wide", "log_oldest", "overdue", "log_arrived", "log_offered",
    "bias", "error",
)  # fmt: skip
HIDDEN: Final = 16
SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "centre": (len(ACTIONS),),
    "mean": (len(STATE),),
    "deviation": (len(STATE),),
    "first": (len(STATE), HIDDEN),
    "first_bias": (HIDDEN,),
    "last": (HIDDEN, len(ACTIONS)),
}
"""Every number of a controller by name, in the order in which they lie in the flat array."""
SIZE: Final = sum(int(np.prod(shape)) for shape in SHAPES.values())
FARTHEST: Final = 5.0  # deviations from its mean that a part of the state counts
_PLACES: Final = np.array([FEATURES.index(name) for name in PRIORITY])
_KNOWN: Final = np.array([0, 1, 2, 3, 5, 6, 7])  # of COMMON, all but is_backfill


class Controller(NamedTuple):
    """Numbers, shaped as SHAPES says: actions = centre + REACH tanh(s first + first_bias) last of
    the state s in deviations from its mean.
    """

    centre: Floats
    mean: Floats
    deviation: Floats
    first: Floats
    first_bias: Floats
    last: Floats


def controller_of(numbers: Floats) -> Controller:
    """The controller of a flat array (SIZE,)."""
    return Controller(*split(numbers, SHAPES))


def constant(actions: Floats) -> Floats:
    """The flat array (SIZE,) of a controller that always answers the same actions (ACTIONS,)."""
    numbers = np.zeros(SIZE)
    numbers[: len(ACTIONS)] = actions
    deviation = len(ACTIONS) + len(STATE)
    numbers[deviation : deviation + len(STATE)] = 1.0
    return numbers


def smallest_area() -> Floats:
    """Actions (ACTIONS,) that are a standard rule: the smallest predicted area first."""
    actions = np.zeros(len(ACTIONS))
    actions[[ACTIONS.index(name) for name in ("log_runtime", "log_procs")]] = -1.0
    actions[ACTIONS.index("safety")] = 1.0
    return actions


def order_of(actions: Floats) -> Floats:
    """Weights (network.SIZE,) of the scoring network that orders as actions (ACTIONS,) do."""
    weights = np.zeros(NETWORK)
    weights[_PLACES] = actions[: len(PRIORITY)]
    return weights


@bare
def act(controller: Controller, state: Floats, hidden: Floats, actions: Floats) -> None:
    """Write the actions (ACTIONS,) for a state (STATE,); hidden (HIDDEN,) is written too."""
    for unit in range(HIDDEN):
        hidden[unit] = controller.first_bias[unit]
    for i in range(len(state)):
        far = (state[i] - controller.mean[i]) / controller.deviation[i]
        far = min(max(far, -FARTHEST), FARTHEST)
        for unit in range(HIDDEN):
            hidden[unit] += far * controller.first[i, unit]
    for unit in range(HIDDEN):
        hidden[unit] = math.tanh(hidden[unit])
    for i in range(len(actions)):
        moved = 0.0
        for unit in range(HIDDEN):
            moved += hidden[unit] * controller.last[unit, i]
        actions[i] = controller.centre[i] + REACH[i] * moved


@bare
def first_by(
    actions: Floats, view: View, is_allowed: NDArray[np.bool_], k: int, m: int, free: int,
    total: int, now_s: float, reserved_s: float, common: Floats, x: Floats,
) -> int:  # fmt: skip
    """The place of the highest priority among the k waiting tasks that are allowed; -1 = none.

    After `observe_all`, whose arguments the others are; x (FEATURES,) is written.
    """
    chosen, highest = -1, -np.inf
    for place in range(k):
        if is_allowed[place]:
            observe_task(view, place, k, m, free, total, now_s, reserved_s, common, x)
            priority = 0.0
            for i in range(len(_PLACES)):
                priority += actions[i] * x[_PLACES[i]]
            if priority > highest:
                chosen, highest = place, priority
    return chosen


@bare
def observe_load(
    view: View, k: int, m: int, free: int, total: int, now_s: float, overdue: float,
    recent: tuple[float, float, float, float], common: Floats, state: Floats,
) -> None:  # fmt: skip
    """Write STATE; the view has k waiting and m running tasks, its users are to be forgotten.

    overdue: processors whose task has outlived its prediction; recent: the last four of STATE.
    """
    observe_all(view, k, m, free, total, now_s, -1.0, common)
    for i in range(len(_KNOWN)):
        state[i] = common[_KNOWN[i]]
    runtime, procs, wide, oldest_s = 0.0, 0.0, 0, 0.0
    mean_runtime, mean_procs = 10.0 * common[5], 10.0 * (common[7] - common[5])
    for i in range(k):
        runtime += (view.log_runtime[i] - mean_runtime) ** 2
        procs += (view.log_procs[i] - mean_procs) ** 2
        wide += view.procs[i] > free
        oldest_s = max(oldest_s, now_s - view.submit_s[i])
    state[7] = math.sqrt(runtime / max(k, 1))
    state[8] = math.sqrt(procs / max(k, 1))
    state[9] = wide / max(k, 1)
    state[10] = math.log1p(oldest_s) / 10.0
    state[11] = overdue / total
    for i in range(len(recent)):
        state[12 + i] = recent[i]


@compiled
def actions_of(
    controller: Controller, view: View, k: int, m: int, free: int, total: int, now_s: float,
    overdue: float, recent: tuple[float, float, float, float],
) -> Floats:  # fmt: skip
    """The actions (ACTIONS,) for one moment; arguments as for `observe_load`."""
    common, state, hidden = np.empty(len(COMMON)), np.empty(len(STATE)), np.empty(HIDDEN)
    actions = np.empty(len(ACTIONS))
    observe_load(view, k, m, free, total, now_s, overdue, recent, common, state)
    act(controller, state, hidden, actions)
    return actions
