"""How good predictions were: scores of an Estimate against what came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.records import Estimate

    Floats = NDArray[np.float64]

COVERAGES: Final = {"50": (0.25, 0.75), "80": (0.1, 0.9), "90": (0.05, 0.95),
                    "95": (0.025, 0.975), "99": (0.005, 0.995)}  # fmt: skip
"""Promised central coverage in per cent -> the levels of its interval."""

_GRID: Final = 256


def expectations(estimate: Estimate, least: float = 10.0) -> tuple[Floats, Floats]:
    """Means of the target and of 1 / max(target, least), each (n,), as the quantiles say.

    Between two levels the log of the target is linear in the level; beyond the outermost levels
    the distribution stops. A refused row is NaN.
    """
    u = (np.arange(_GRID) + 0.5) / _GRID
    levels = estimate.levels
    right = np.clip(np.searchsorted(levels, u), 1, len(levels) - 1)
    share = np.clip((u - levels[right - 1]) / (levels[right] - levels[right - 1]), 0.0, 1.0)
    mean, inverse = np.empty(len(estimate.value)), np.empty(len(estimate.value))
    for begin in range(0, len(mean), 4096):
        rows = slice(begin, begin + 4096)
        logs = np.log1p(estimate.quantiles[rows])
        y = np.expm1(logs[:, right - 1] * (1.0 - share) + logs[:, right] * share)
        mean[rows] = y.mean(axis=1)
        inverse[rows] = (1.0 / np.maximum(y, least)).mean(axis=1)
    return mean, inverse
