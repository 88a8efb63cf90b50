"""Plain rolling split conformal prediction around the quantiles of any model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headway.verify.baselines.seen import SERVE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]


def split_conformal(
    kinds: Integers, rows: Integers, y: Floats, base: Floats, levels: Floats, window: int = 2_000
) -> Floats:
    """Plain rolling split conformal quantiles (n, q) of the log target around a base's quantiles.

    base (n, q) holds the base's own quantiles at the levels, as served at submission; each level
    is moved by the conformal quantile of its last `window` residuals of the log, in the order in
    which outcomes became known. Source: Romano, Patterson, Candes (2019), conformalised quantile
    regression, with each side calibrated for itself, over a rolling window.
    """
    logs, truth = np.log1p(base), np.log1p(np.maximum(y, 0.0))
    moved = logs.copy()
    ring = np.full((window, len(levels)), np.nan)
    shift, count = np.zeros(len(levels)), 0
    for kind, row in zip(kinds.tolist(), rows.tolist(), strict=True):
        if kind == SERVE:
            moved[row] = logs[row] + shift
        elif np.isfinite(truth[row]) and np.isfinite(logs[row, 0]):
            ring[count % window] = truth[row] - logs[row]
            count += 1
            if count % 20 == 0:  # the shift hardly moves between two outcomes
                own = np.sort(ring[: min(count, window)], axis=0)
                at = np.clip(np.ceil(levels * (len(own) + 1)).astype(int) - 1, 0, len(own) - 1)
                shift = own[at, np.arange(len(levels))]
    return np.sort(np.maximum(np.expm1(moved), 0.0), axis=1)
