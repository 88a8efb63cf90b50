"""Quantiles of a log target as an Estimate: in order, below the limit and never negative."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headway.records import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]


def answer(
    x: Features, logs: Floats, levels: Floats, *, made_by: str, refused: str = "", cap: str = ""
) -> Estimate:
    """What is believed of tasks x from the logs (n, q) of 1 + target; its value is the middle.

    refused: the reason where nothing is believed (logs is then NaN throughout); cap: the column of
    the limit that no answer exceeds by more than 1 % and a minute.
    """
    logs = np.sort(logs, axis=1)
    if cap:
        most = np.log1p(x.column(cap) * 1.01 + 60.0)[:, None]
        logs = np.where(np.isnan(logs), logs, np.fmin(logs, most))
    quantiles = np.maximum(np.expm1(logs), 0.0)
    return Estimate(
        value=quantiles[:, int(np.argmin(np.abs(levels - 0.5)))].copy(),
        levels=levels,
        quantiles=quantiles,
        made_by=np.full(len(x), made_by),
        refused=np.full(len(x), refused),
    )
