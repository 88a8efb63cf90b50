"""How much better than a critic expected things went after each choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DISCOUNT: Final = 0.99  # of what waiting costs, each decision
TRACE: Final = 0.95  # lambda


def advantages(rewards: Floats, is_over: NDArray[np.bool_], expected: Floats) -> Floats:
    """Generalised advantages (t, n) of rewards (t, n), with expected worths (t + 1, n).

    Source: Schulman et al. (2016), "High-dimensional continuous control using generalized advantage
    estimation", equation 16.
    """
    found, running = np.empty_like(rewards), np.zeros(rewards.shape[1])
    for step in range(len(rewards) - 1, -1, -1):
        goes_on = ~is_over[step]
        missed = rewards[step] + DISCOUNT * goes_on * expected[step + 1] - expected[step]
        running = missed + DISCOUNT * TRACE * goes_on * running
        found[step] = running
    return found
