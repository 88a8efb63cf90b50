"""What training a scheduler gave: weights, what they cost, and how they became better."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from headway.schedule.network import SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Weights (SIZE,) chosen on validation windows, and the way to them.

    curve: (decisions so far, validation) pairs; validation is the geometric mean over windows of
    the mean bounded slowdown over that of the rule it started from: below 1 is better. What was
    trained for preferences has a row of weights for each objective, and a validation of its own
    (see train.preferences). Where a controller moves weights, its numbers stand beside them (see
    schedule.controller).
    """

    weights: NDArray[np.float64]
    decisions: int
    curve: list[tuple[int, float]]
    objectives: tuple[str, ...] = ()
    matrix: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, SIZE)))
    controller: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @property
    def validation(self) -> float:
        """The best of the curve."""
        return min((value for _, value in self.curve), default=float("nan"))
