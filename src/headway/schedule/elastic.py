"""How many nodes an elastic cluster should have: four levers, and a network that moves them.

The levers are those of an autoscaler by thresholds: with constants it is one; with a network they
follow the state of the cluster. Weights are one flat array; no library is needed to serve them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.schedule.compiled import bare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VERSION: Final = "elastic-1"
FEATURES: Final = (
    "busy", "idle", "booting", "log_busy", "log_idle",
    "log_waiting", "log_demand", "log_work", "log_mean_expected", "log_head_nodes",
    "log_head_waited", "log_missing", "log_free_soon", "log_free_in_hour", "log_overdue",
    "log_tasks_hour", "log_tasks_half_day", "log_nodes_hour", "log_nodes_half_day",
    "log_longest_idle", "day_sin", "day_cos", "week_sin", "week_cos",
)  # fmt: skip
"""What is seen at each decision; nodes are shares of the most there may be, logarithms are of
1 + a count or seconds, over 5 or 10."""
LEVERS: Final = ("log_share", "log_horizon_s", "log_timeout_s", "headroom")
"""share of the queued demand that is answered; horizon_s within which queued work should be done (a
task that takes less asks for part of its nodes); timeout_s after which an idle node may go;
headroom, the share of busy and demanded nodes that is kept besides."""
SCALE: Final = np.array([0.3, 1.0, 1.5, 0.03])
"""By how much an output of 1 of the network moves each lever."""
HIDDEN: Final = 24
SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "levers": (len(LEVERS),),
    "first": (len(FEATURES), HIDDEN),
    "first_bias": (HIDDEN,),
    "second": (HIDDEN, HIDDEN),
    "second_bias": (HIDDEN,),
    "last": (HIDDEN, len(LEVERS)),
    "last_bias": (len(LEVERS),),
}
"""Every weight by name, in the order in which they lie in the flat array."""
SIZE: Final = sum(int(np.prod(shape)) for shape in SHAPES.values())


class Controller(NamedTuple):
    """Weights, shaped as SHAPES says: levers + SCALE * network(x)."""

    levers: Floats
    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    last: Floats
    last_bias: Floats


def controller_of(weights: Floats) -> Controller:
    """The controller of a flat array of weights (SIZE,)."""
    if weights.shape != (SIZE,):
        raise ConfigError(f"weights must be {SIZE} numbers, got {weights.shape}")
    parts, at = [], 0
    for shape in SHAPES.values():
        size = int(np.prod(shape))
        parts.append(np.ascontiguousarray(weights[at : at + size].reshape(shape)))
        at += size
    return Controller(*parts)


def thresholds(
    timeout_s: float, *, share: float = 1.0, horizon_s: float = 1.0, headroom: float = 0.0
) -> Floats:
    """Weights (SIZE,) of an autoscaler with constant levers; see LEVERS.

    With the defaults every waiting task is answered with all its nodes, as the cluster autoscaler
    of Kubernetes and power saving of Slurm do, and a node that was idle for timeout_s goes.
    """
    if not (timeout_s >= 0.0 and 0.0 < share <= 1.0 and horizon_s > 0.0 and headroom >= 0.0):
        raise ConfigError(
            "timeout_s, headroom must be >= 0, share in (0, 1], horizon_s > 0, got "
            f"{timeout_s}, {headroom}, {share}, {horizon_s}"
        )
    weights = np.zeros(SIZE)
    weights[: len(LEVERS)] = np.log(share), np.log(horizon_s), np.log1p(timeout_s), headroom
    return weights


@bare
def pull(controller: Controller, x: Floats, room: Floats, levers: Floats) -> None:
    """The levers (4,) for what is seen, x (FEATURES,); room (2, HIDDEN) is written."""
    for unit in range(HIDDEN):
        total = controller.first_bias[unit]
        for i in range(len(x)):
            total += x[i] * controller.first[i, unit]
        room[0, unit] = np.tanh(total)
    for unit in range(HIDDEN):
        total = controller.second_bias[unit]
        for i in range(HIDDEN):
            total += room[0, i] * controller.second[i, unit]
        room[1, unit] = np.tanh(total)
    for lever in range(len(levers)):
        total = controller.last_bias[lever]
        for i in range(HIDDEN):
            total += room[1, i] * controller.last[i, lever]
        levers[lever] = controller.levers[lever] + SCALE[lever] * total
