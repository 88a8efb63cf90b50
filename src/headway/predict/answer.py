"""Quantiles of a log target as an Estimate: in order, below the limit and never negative."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from headway.records import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]


def answer(
    x: Features,
    logs: Floats,
    levels: Floats,
    *,
    made_by: str,
    refused: str | NDArray[np.str_] = "",
    cap: str = "",
) -> Estimate:
    """What is believed of tasks x from the logs (n, q) of 1 + target; its value is the middle.

    refused: the reason (of all or of each) where nothing is believed and logs are NaN; cap: the
    column of the limit that no answer exceeds by more than 1 % and a minute.
    """
    quantiles, value = _quantiles(logs, levels, x.values, x.names.index(cap) if cap else -1)
    return Estimate(
        value=value,
        levels=levels,
        quantiles=quantiles,
        made_by=np.full(len(x), made_by),
        refused=np.full(len(x), refused),
    )


@njit(cache=True)
def _quantiles(logs: Floats, levels: Floats, values: Floats, cap: int) -> tuple[Floats, Floats]:
    """Logs (n, q) of rows of features as quantiles, in order and below column `cap` (-1 = none).

    With them the one in the middle, (n,).
    """
    middle = np.argmin(np.abs(levels - 0.5))
    quantiles, value = np.empty(logs.shape), np.empty(len(logs))
    for i in range(len(logs)):
        quantiles[i] = np.sort(logs[i])
        most = np.inf
        if cap >= 0 and not np.isnan(values[i, cap]):
            most = np.log1p(values[i, cap] * 1.01 + 60.0)
        for k in range(logs.shape[1]):
            if not np.isnan(quantiles[i, k]):
                quantiles[i, k] = max(np.expm1(min(most, quantiles[i, k])), 0.0)
        value[i] = quantiles[i, middle]
    return quantiles, value
