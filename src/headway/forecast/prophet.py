"""Trend with breaks and Fourier seasons of one series, by Prophet."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.forecast.answer import LEVELS
from headway.forecast.seasons import seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ORDERS: Final = (6, 4, 3)  # Fourier terms of the 1st, 2nd, ... season
_SAMPLES: Final = 300
_DRAWN: Final = (
    168  # steps that are always drawn: what is said of a step must not depend on later ones
)
_STEP: Final = (
    "h"  # the time between points as Prophet sees it; seasons are in steps, so any will do
)


def prophet(x: Floats, horizon: int, seasons: Sequence[int]) -> Floats:
    """Quantiles (horizon, q) at LEVELS of what follows x (n,).

    Source: Taylor, Letham (2018), "Forecasting at scale"; seasons as named, none guessed.
    """
    import pandas as pd

    n, steps = len(x), max(horizon, _DRAWN)
    times = pd.date_range("2000-01-01", periods=n + steps, freq=_STEP)
    with _quiet(), _seeded(0):
        from prophet import Prophet

        model = Prophet(
            daily_seasonality=False, weekly_seasonality=False, yearly_seasonality=False,
            uncertainty_samples=_SAMPLES, n_changepoints=min(25, n // 4),
        )  # fmt: skip
        for m, order in zip(seen(seasons, n), _ORDERS, strict=False):
            model.add_seasonality(f"s{m}", period=m / 24.0, fourier_order=min(order, m // 2))
        model.fit(pd.DataFrame({"ds": times[:n], "y": x}))
        samples = model.predictive_samples(pd.DataFrame({"ds": times[n:]}))["yhat"]
    return np.quantile(np.asarray(samples[:horizon], dtype=np.float64), LEVELS, axis=1).T


@contextmanager
def _quiet() -> Iterator[None]:
    """Prophet and its sampler say nothing below an error while this holds."""
    loggers = [logging.getLogger(name) for name in ("prophet", "cmdstanpy", "prophet.plot")]
    before = [(logger.level, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, (level, is_disabled) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.disabled = is_disabled


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Prophet draws from numpy's global generator: it is set here and put back after."""
    before: Any = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)
