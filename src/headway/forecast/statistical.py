"""Forecasts of each series by itself: Theta, MSTL, exponential smoothing, ARIMA, Prophet."""

from __future__ import annotations

import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError
from headway.forecast.answer import LEVELS, answer, error_quantiles, refusals
from headway.forecast.past import Past, read, write
from headway.forecast.prophet import prophet
from headway.forecast.seasons import averaged, closed, seen, smoothed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.records import Estimate

    Floats = NDArray[np.float64]

LEAST: Final = 8  # observed points below which these methods say nothing
_STEPS: Final = 1000  # of the latest past that are fitted, more if seasons are long
_MOST_STEPS: Final = 4100  # and never more: this bounds the time of a series
_PERIODS: Final = 6  # of the longest season that are looked at
_ETS_STEPS: Final = 504
_LONG_SEASON: Final = 24  # steps; a longer one is taken out before exponential smoothing
_SHORT_SEASON: Final = (
    12  # a longer one is taken out before ARIMA: its order takes too long to find
)
_LIBRARY: Final = {"prophet": ("prophet", "prophet")}  # name -> library, extra; else statsforecast
_ORIGINS: Final = 500  # past errors that intervals are made of
_RATES: Final = (0.9, 0.5, 0.25, 0.12, 0.06, 0.03, 0.015)  # of smoothing, to choose from
_FARTHEST_LOG: Final = 700.0  # whose exponential is still a number


class Statistical:
    """Each series by one method of its own, with intervals from its own past errors.

    Only the latest 1,000 points, or six of the longest season, are looked at (at most 4,100), which
    bounds the time of a series. Series of fewer than 8 observed points are refused.
    """

    def __init__(
        self,
        name: str,
        seasons: Sequence[int] = (24,),
        *,
        step_s: float = 3600.0,
        seed: int = 0,
        workers: int = 1,
    ) -> None:
        """name: one of METHODS; seasons: periods in steps; workers: processes that share series."""
        if name not in METHODS:
            raise ConfigError(f"a method must be one of {', '.join(METHODS)}, got {name!r}")
        library, extra = _LIBRARY.get(name, ("statsforecast", "forecast"))
        if find_spec(library) is None:
            raise ConfigError(f"{name} needs {library}: pip install 'headway[{extra}]'")
        self.name = name
        self._settings: dict[str, Any] = {"seasons": list(seasons), "step_s": step_s, "seed": seed}
        self._workers = workers
        self._past = Past(step_s)

    def learn(self, at_s: Floats, y: Floats) -> None:
        """Add the points y (n_steps, n_series) that follow; NaN = not observed."""
        self._past.append(at_s, y)

    def forecast(self, horizon: int) -> Estimate:
        """The next steps: value (horizon, n_series), quantiles (horizon, n_series, q)."""
        self._past.ahead_s(horizon)
        y = self._past.y
        quantiles = np.full((horizon, y.shape[1], len(LEVELS)), np.nan)
        refused = refusals(y, LEAST)
        asked = np.flatnonzero(refused == "")
        one = partial(_one, self.name, self._settings["seasons"], horizon)
        for i, (found, reason) in zip(asked, self._each(one, y[:, asked].T), strict=True):
            quantiles[:, i], refused[i] = found, reason
        return answer(y, quantiles, made_by=self.name, refused=refused)

    def save(self, folder: Path) -> None:
        """Keep it in a folder."""
        write(folder, self.name, self._settings, self._past)

    @classmethod
    def load(cls, folder: Path) -> Statistical:
        """A Statistical as it was saved."""
        name, settings, past = read(folder)
        statistical = cls(name, **settings)
        statistical._past = past
        return statistical

    def _each(self, one: Callable[[Floats], Any], series: Floats) -> list[Any]:
        """What `one` answers to every series, shared among processes if asked to."""
        if self._workers == 1 or len(series) < 2 * self._workers:
            return [one(y) for y in series]
        with ProcessPoolExecutor(self._workers, get_context("spawn")) as pool:
            return list(pool.map(one, series, chunksize=-(-len(series) // (4 * self._workers))))


def _one(name: str, seasons: Sequence[int], horizon: int, y: Floats) -> tuple[Floats, str]:
    """Quantiles (horizon, q) of one series y (n_steps,), or NaN and why not."""
    steps = min(max(_STEPS, _PERIODS * max(seasons, default=1)), _MOST_STEPS)
    x = closed(y[-steps:], min(seasons, default=1))
    late = len(y) - 1 - int(np.flatnonzero(np.isfinite(y))[-1])  # steps since the last point
    if len(x) < LEAST:
        return np.full((horizon, len(LEVELS)), np.nan), f"{len(x)} of its latest {steps} points"
    if np.ptp(x) == 0:
        return np.full((horizon, len(LEVELS)), x[-1]), ""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return METHODS[name](x, horizon + late, seasons)[late:], ""
    except Exception as error:  # the library raises plain Exceptions; one series must not end all
        return np.full((horizon, len(LEVELS)), np.nan), f"{name} failed: {error}"


def _theta(x: Floats, horizon: int, seasons: Sequence[int]) -> Floats:
    """Dynamic optimised Theta on what the mean seasons leave.

    Source: Fiorucci et al. (2016), "Models for optimising the theta method".
    """
    from statsforecast.theta import auto_theta, forecast_theta

    rest, ahead, wider = averaged(x, seasons, horizon)
    fitted = auto_theta(rest[-_STEPS:], 1, model="DOTM")
    middle = forecast_theta(fitted, horizon)["mean"]
    level = _level(rest, float(fitted["par"]["alpha"]))
    return (middle + ahead)[:, None] + wider * _spread(rest, level, horizon)


def _mstl(x: Floats, horizon: int, seasons: Sequence[int]) -> Floats:
    """What slowly changing seasons leave, by a level of its own for each step ahead.

    In logarithms where the series was always above 0, so that its seasons grow with it.
    """
    if x.min() > 0:
        found = _levelled(np.log(x), horizon, seasons)
        return np.exp(np.clip(found, -_FARTHEST_LOG, _FARTHEST_LOG))
    return _levelled(x, horizon, seasons)


def _levelled(x: Floats, horizon: int, seasons: Sequence[int]) -> Floats:
    """Quantiles (horizon, q) of seasons and, for each step, the level that was nearest by then.

    Source: simple exponential smoothing as in Hyndman et al. (2008), at several rates; choosing the
    rate by past errors at the step ahead is ours: errors of one step alone choose a level that
    follows every jump, which is then carried through all steps.
    """
    rest, ahead, wider = smoothed(x, seasons, horizon)
    levels = np.stack([_level(rest, rate) for rate in _RATES])
    found = np.full((horizon, len(LEVELS)), np.nan)
    for h in range(1, horizon + 1):
        if len(rest) - h < 2:
            found[h - 1] = found[h - 2]
            continue
        errors = (rest[h:] - levels[:, :-h])[:, -_ORIGINS:]
        best = int(np.abs(errors).mean(axis=1).argmin())
        found[h - 1] = levels[best, -1] + wider * error_quantiles(errors[best][:, None])[0]
    return ahead[:, None] + found


def _ets(x: Floats, horizon: int, seasons: Sequence[int]) -> Floats:
    """Exponential smoothing with additive errors and its own season, chosen by AICc.

    Source: Hyndman, Koehler, Ord, Snyder (2008), "Forecasting with exponential smoothing".
    """
    from statsforecast.ets import ets_f, forecast_ets

    own = [m for m in seen(seasons, len(x)) if m <= _LONG_SEASON and len(x) >= 3 * m][:1]
    rest, ahead, wider = (x, np.zeros(horizon), 1.0) if own else smoothed(x, seasons, horizon)
    season = own[0] if own else 1
    fitted = ets_f(rest[-_ETS_STEPS:], season, model="AZA" if own else "AZN")
    middle = forecast_ets(fitted, horizon)["mean"]
    reach = _ets_reach(fitted["par"][:4], season, horizon) * np.sqrt(fitted["sigma2"])
    return _scaled(middle + ahead, wider * reach, fitted["residuals"])


def _ets_reach(par: Floats, season: int, horizon: int) -> Floats:
    """The standard deviation ahead (horizon,) of additive exponential smoothing, in steps of one.

    par: alpha, beta, gamma, phi; NaN = not part of the model.
    Source: Hyndman et al. (2008), table 6.2, class 1.
    """
    alpha, beta, gamma = np.nan_to_num(par[:3])
    phi = par[3] if np.isfinite(par[3]) else 1.0
    j = np.arange(1, horizon)
    moved = alpha + beta * np.cumsum(phi**j) + gamma * (j % season == 0) * (season > 1)
    return np.sqrt(1.0 + np.concatenate([[0.0], np.cumsum(moved**2)]))


def _arima(x: Floats, horizon: int, seasons: Sequence[int]) -> Floats:
    """ARIMA of the order with the least AICc, long seasons taken out by MSTL first.

    Source: Hyndman, Khandakar (2008), "Automatic time series forecasting".
    """
    from statsforecast.arima import auto_arima_f, forecast_arima

    own = [m for m in seen(seasons, len(x)) if m <= _SHORT_SEASON][:1]
    long = [m for m in seasons if m not in own]
    rest, ahead, wider = smoothed(x, long, horizon)
    fitted = auto_arima_f(
        rest[-_STEPS:], period=own[0] if own else 1, max_p=3, max_q=3, approximation=True
    )
    found = forecast_arima(fitted, horizon, [95])
    reach = (found["upper"]["95%"].to_numpy() - found["mean"]) / 1.96
    return _scaled(found["mean"] + ahead, wider * reach, fitted["residuals"])


def _scaled(middle: Floats, reach: Floats, residuals: Floats) -> Floats:
    """Quantiles (horizon, q) around the middle: errors like the past, as far apart as reach says.

    reach (horizon,): the model's standard deviation ahead; residuals (n,): its errors in the past.
    """
    apart = np.asarray(residuals, dtype=np.float64)[-_ORIGINS:]
    spread = error_quantiles(apart[:, None])[0] / max(float(np.std(apart)), 1e-300)
    return np.asarray(middle)[:, None] + np.asarray(reach)[:, None] * spread


def _level(x: Floats, alpha: float) -> Floats:
    """Exponentially smoothed x (n,), from the mean of its first ten points."""
    from scipy.signal import lfilter

    first = float(np.mean(x[:10]))
    smooth, _ = lfilter([alpha], [1.0, alpha - 1.0], x, zi=[(1.0 - alpha) * first])
    return np.asarray(smooth, dtype=np.float64)


def _spread(x: Floats, level: Floats, horizon: int) -> Floats:
    """Quantiles (horizon, q) of how far x (n,) went from its level (n,) in so many steps."""
    found = np.full((horizon, len(LEVELS)), np.nan)
    for h in range(1, horizon + 1):
        if len(x) - h >= 2:
            errors = x[h:] - level[:-h]
            found[h - 1] = error_quantiles(errors[-_ORIGINS:, None])[0]
        else:
            found[h - 1] = found[h - 2]
    return found


METHODS: Final[dict[str, Callable[[Floats, int, Sequence[int]], Floats]]] = {
    "theta": _theta,
    "mstl": _mstl,
    "ets": _ets,
    "arima": _arima,
    "prophet": prophet,
}
