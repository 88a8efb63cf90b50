"""What was expected of a task: the band of its runtime or memory, from predictions or its kind."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headway.records import Prediction, Task

KEPT: Final = 32
"""Outcomes of a kind that are remembered."""
ENOUGH: Final = 5
"""Outcomes of a kind below which nothing is expected of it."""
LEAST_SPREAD: Final = 0.5
"""Natural logarithm between the middle and the upper end of a band, at least."""

Kind = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """The middle and the ends of what is expected of one number, and who says so."""

    low: float
    middle: float
    high: float
    made_by: str

    def strangeness(self, value: float, floor: float) -> float:
        """How far a value lies above the middle, in distances to the upper end, of logarithms.

        1 = at the upper end. `floor` is added to both: what is small beside it is no matter.
        """
        away = math.log(value + floor) - math.log(self.middle + floor)
        return away / self._spread(floor)

    def value_at(self, strangeness: float, floor: float) -> float:
        """The value that is so strange; infinity where no number is large enough."""
        exponent = math.log(self.middle + floor) + strangeness * self._spread(floor)
        return math.inf if exponent > 700.0 else math.exp(exponent) - floor

    def _spread(self, floor: float) -> float:
        upper = math.log(self.high + floor) - math.log(self.middle + floor)
        return max(upper, LEAST_SPREAD)


def kind_of(task: Task) -> Kind:
    """What recurs: user, workflow and name; without a name the shape of the request."""
    owner = (task.cluster, task.user, task.workflow)
    if task.name is not None:
        return (*owner, task.name)
    return (*owner, task.cpus_requested, task.limit_s, task.memory_requested_bytes)


def owner_of(task: Task) -> tuple[str, str]:
    """Whose task it is, and what that is called: a workflow, a user, a queue or the cluster."""
    if task.workflow is not None:
        return "workflow", task.workflow
    if task.user is not None:
        return "user", task.user
    return ("cluster", task.cluster) if task.queue is None else ("queue", task.queue)


def band_of(prediction: Prediction) -> Band | None:
    """The band that a prediction gives; None where it was refused."""
    if prediction.refused or prediction.value is None or not prediction.quantiles:
        return None
    near = min(range(len(prediction.levels)), key=lambda i: abs(prediction.levels[i] - 0.5))
    low, middle = max(prediction.quantiles[0], 0.0), max(prediction.quantiles[near], 0.0)
    return Band(low, middle, max(prediction.quantiles[-1], middle), prediction.made_by)


class Recent:
    """What the latest tasks of a kind took, where no prediction was logged."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._came: dict[Kind, deque[float]] = {}

    def band(self, kind: Kind) -> Band | None:
        """Smallest, median and largest of the latest outcomes; None = too few are known."""
        came = self._came.get(kind)
        if came is None or len(came) < ENOUGH:
            return None
        ordered = sorted(came)
        return Band(ordered[0], ordered[len(ordered) // 2], ordered[-1], f"recent {len(came)}")

    def learn(self, kind: Kind, value: float) -> None:
        """One more outcome of a kind."""
        self._came.setdefault(kind, deque(maxlen=KEPT)).append(value)
