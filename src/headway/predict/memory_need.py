"""How likely a task fails for want of memory, from which limits were enough and which were not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_POWERS: Final = (0.0, 0.5, 1.0)  # of the input's size
_STEPS: Final = 80
_BELOW: Final = 5.0  # doublings below the least limit at which a need may lie
_ABOVE: Final = 1.0
_SOFTNESS: Final = 0.1  # doublings of memory around the need in which either may happen
_STRAY: Final = 0.01  # runs that fail, or do not, for another reason


def chance_of_too_little(
    memory: Floats, size: Floats, failed: Floats, memory_new: Floats, size_new: float
) -> Floats:
    """The probability (m,) that limits of log2 bytes memory_new do not suffice an input.

    memory, size, failed (n,): log2 bytes of the limits, log2 sizes and 1.0 = failed of past runs.
    The need is a power of the size, unknown in power and level; a Bayesian average over a grid (own
    composition).
    """
    limits = np.concatenate([memory, memory_new])
    levels = np.linspace(limits.min() - _BELOW, limits.max() + _ABOVE, _STEPS)
    power, level = (grid.ravel() for grid in np.meshgrid(_POWERS, levels))

    def fails(limit: Floats, log_size: Floats) -> Floats:
        """Chance (n, grid) of failing, the level being the need at the size asked about."""
        need = level[None, :] + power[None, :] * (log_size[:, None] - size_new)
        z = np.clip((limit[:, None] - need) / _SOFTNESS, -50.0, 50.0)
        return _STRAY + (1.0 - 2.0 * _STRAY) / (1.0 + np.exp(z))

    chance = fails(memory, size)
    likely = np.log(np.where(failed[:, None] > 0.5, chance, 1.0 - chance)).sum(axis=0)
    weight = np.exp(likely - likely.max())
    weight /= weight.sum()
    asked = np.full(len(memory_new), size_new)
    return fails(memory_new, asked) @ weight
