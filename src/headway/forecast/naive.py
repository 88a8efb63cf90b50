"""The simplest forecasts: what was last, and what was a season ago."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError
from headway.forecast.answer import LEVELS, answer, error_quantiles, refusals
from headway.forecast.past import Past, read, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.records import Estimate

    Floats = NDArray[np.float64]

_ORIGINS: Final = 400  # past errors of a horizon that are looked at
_RECENT: Final = 2000  # steps back from where they are taken


class Naive:
    """The last observed value, as far from the truth as it was in the past at each horizon."""

    name = "naive"

    def __init__(
        self, seasons: Sequence[int] = (), *, step_s: float = 3600.0, seed: int = 0
    ) -> None:
        """Seasons and seed are accepted, as by every member, and change nothing."""
        self._settings: dict[str, Any] = {"seasons": list(seasons), "step_s": step_s, "seed": seed}
        self._past = Past(step_s)

    def learn(self, at_s: Floats, y: Floats) -> None:
        """Add the points y (n_steps, n_series) that follow; NaN = not observed."""
        self._past.append(at_s, y)

    def forecast(self, horizon: int) -> Estimate:
        """The next steps: value (horizon, n_series), quantiles (horizon, n_series, q)."""
        self._past.ahead_s(horizon)
        y = self._past.y
        value, quantiles = _last(y, horizon)
        return answer(y, quantiles, made_by=self.name, refused=refusals(y), value=value)

    def save(self, folder: Path) -> None:
        """Keep it in a folder."""
        write(folder, self.name, self._settings, self._past)

    @classmethod
    def load(cls, folder: Path) -> Naive:
        """A Naive as it was saved."""
        _, settings, past = read(folder)
        naive = cls(**settings)
        naive._past = past
        return naive


class SeasonalNaive:
    """What was observed a season ago, as far from the truth as it was in the past.

    Of several seasons, each series takes the one whose past errors were smallest. Where a moment
    of the last season was not observed, the season before it is taken. A series shorter than two
    seasons is answered by the last value, and signed so.
    """

    name = "seasonal_naive"

    def __init__(
        self, seasons: Sequence[int] = (24,), *, step_s: float = 3600.0, seed: int = 0
    ) -> None:
        """seasons: periods in steps; seed is accepted, as by every member, and changes nothing."""
        if any(season < 1 for season in seasons):
            raise ConfigError(f"seasons must be at least 1 step each, got {tuple(seasons)}")
        self._settings: dict[str, Any] = {"seasons": list(seasons), "step_s": step_s, "seed": seed}
        self._past = Past(step_s)

    def learn(self, at_s: Floats, y: Floats) -> None:
        """Add the points y (n_steps, n_series) that follow; NaN = not observed."""
        self._past.append(at_s, y)

    def forecast(self, horizon: int) -> Estimate:
        """The next steps: value (horizon, n_series), quantiles (horizon, n_series, q)."""
        self._past.ahead_s(horizon)
        y = self._past.y
        made_by = np.full(y.shape[1], Naive.name, dtype="U40")
        value, quantiles = _last(y, horizon)
        least = np.full(y.shape[1], np.inf)
        for season in self._settings["seasons"]:
            error = _seasonal_error(y, season)
            at = np.flatnonzero(error < least)
            if len(at):
                value[:, at], quantiles[:, at] = _seasonal(y[:, at], season, horizon)
                least[at], made_by[at] = error[at], self.name
        return answer(y, quantiles, made_by=made_by, refused=refusals(y), value=value)

    def save(self, folder: Path) -> None:
        """Keep it in a folder."""
        write(folder, self.name, self._settings, self._past)

    @classmethod
    def load(cls, folder: Path) -> SeasonalNaive:
        """A SeasonalNaive as it was saved."""
        _, settings, past = read(folder)
        naive = cls(**settings)
        naive._past = past
        return naive


def _last(y: Floats, horizon: int) -> tuple[Floats, Floats]:
    """The last observed value of y (n_steps, n_series) and quantiles around it.

    (horizon, n_series) and (horizon, n_series, q); NaN where nothing was observed or no error of
    the past is known.
    """
    quantiles = np.full((horizon, y.shape[1], len(LEVELS)), np.nan)
    if not len(y):
        return quantiles[:, :, 0], quantiles
    held = filled(y)
    spread = np.full((y.shape[1], len(LEVELS)), np.nan)
    for h in range(1, min(horizon, len(y) - 1) + 1):
        first = max(len(y) - h - _RECENT, 0)
        origins = np.unique(np.linspace(first, len(y) - h - 1, _ORIGINS).astype(np.intp))
        found = error_quantiles(y[origins + h] - held[origins])
        spread = np.where(np.isnan(found), spread, found)
        quantiles[h - 1 :] = held[-1][:, None] + spread
    return np.repeat(held[-1:], horizon, axis=0), quantiles


def _seasonal(y: Floats, season: int, horizon: int) -> tuple[Floats, Floats]:
    """What y (n_steps, n_series) was a season ago and quantiles around it, as `_last`."""
    value, quantiles = np.empty((horizon, y.shape[1])), np.empty((horizon, y.shape[1], len(LEVELS)))
    middle = _held_by_phase(y, season)
    spread = np.full((y.shape[1], len(LEVELS)), np.nan)
    for ahead in range(0, horizon, season):
        lag, part = ahead + season, slice(ahead, ahead + season)
        recent = y[-(_RECENT + lag) :]
        found = error_quantiles(recent[lag:] - recent[:-lag])
        spread = np.where(np.isnan(found), spread, found)
        value[part] = middle[: horizon - ahead]
        quantiles[part] = value[part, :, None] + spread
    return value, quantiles


def filled(y: Floats) -> Floats:
    """Points (n_steps, n_series), each gap closed by what was last observed; NaN before that."""
    at = np.where(np.isfinite(y), np.arange(len(y))[:, None], -1)
    at = np.maximum.accumulate(at, axis=0)
    return np.where(at < 0, np.nan, np.take_along_axis(y, np.maximum(at, 0), axis=0))


def _held_by_phase(y: Floats, season: int) -> Floats:
    """The last observed value of each step of the coming season, (season, n_series)."""
    lead = -len(y) % season
    laid = np.concatenate([np.full((lead, y.shape[1]), np.nan), y])
    by_phase = filled(laid.reshape(-1, season * y.shape[1]))[-1].reshape(season, y.shape[1])
    return np.where(np.isfinite(by_phase), by_phase, filled(y)[-1])


def _seasonal_error(y: Floats, season: int) -> Floats:
    """Mean absolute error (n_series,) of y by the season before; inf = two are not there."""
    if len(y) < 2 * season:
        return np.full(y.shape[1], np.inf)
    errors = np.abs(y[season:] - y[:-season])
    known = np.isfinite(errors).sum(axis=0)
    return np.where(known > 0, np.nansum(errors, axis=0) / np.maximum(known, 1), np.inf)
