"""Quantiles of a log target as an Estimate: in order, below the limit and never negative."""

from __future__ import annotations

from functools import lru_cache
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
    quantiles, value = quantiles_of(logs, levels, x.values, x.names.index(cap) if cap else -1)
    return Estimate(
        value=value,
        levels=levels,
        quantiles=quantiles,
        made_by=repeated(made_by, len(x)),
        refused=repeated(refused, len(x)) if isinstance(refused, str) else refused,
    )


def repeated(text: str, n: int) -> NDArray[np.str_]:
    """A text n times; not to be written into."""
    return _alone(text) if n == 1 else np.full(n, text)


@lru_cache(maxsize=64)
def _alone(text: str) -> NDArray[np.str_]:
    """One text, made once: of a single row's time it would be a tenth."""
    array = np.array([text])
    array.setflags(write=False)
    return array


@njit(cache=True)
def quantiles_of(logs: Floats, levels: Floats, values: Floats, cap: int) -> tuple[Floats, Floats]:
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
