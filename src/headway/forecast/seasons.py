"""Seasons taken out of one series: what repeats, and what is left to be forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_PERIODS: Final = 2  # of a season that must have been seen
_WINDOWS: Final = (11, 15, 19, 23)  # periods that a point of the 1st, 2nd, ... season looks at


def closed(y: Floats, season: int) -> Floats:
    """One series (n,) from its first to its last observed point, its gaps closed, (m,).

    A gap of a season or more repeats the season before it, a shorter one is a line.
    """
    at = np.flatnonzero(np.isfinite(y))
    if not len(at):
        return np.empty(0)
    x = y[at[0] : at[-1] + 1].copy()
    gaps = np.diff(at)
    for begin, length in zip(at[:-1] - at[0] + 1, gaps - 1, strict=True):
        if length >= season > 1 and begin >= season:
            for i in range(begin, begin + length):
                x[i] = x[i - season]
    left = np.flatnonzero(~np.isfinite(x))
    known = np.flatnonzero(np.isfinite(x))
    x[left] = np.interp(left, known, x[known])
    return x


def seen(seasons: Sequence[int], n: int) -> list[int]:
    """The seasons of which n points hold at least two periods, the shortest first."""
    return sorted({m for m in seasons if m > 1 and n >= _PERIODS * m + 1})


def averaged(x: Floats, seasons: Sequence[int], horizon: int) -> tuple[Floats, Floats, float]:
    """What is left of x (n,) without its seasons, the seasons to come (horizon,), how much wider
    errors are than what is left says.

    Each season is the mean of its phases over all periods, each period less its own mean, drawn
    towards nothing as far as chance alone would make it differ; the shortest is taken out first.
    Source: classical additive decomposition; shrinkage by James, Stein (1961), positive part.
    """
    rest, ahead, wider, n = x.copy(), np.zeros(horizon), 1.0, len(x)
    for m in seen(seasons, n):
        periods = rest[n % m :].reshape(-1, m)
        apart = periods - periods.mean(axis=1, keepdims=True)
        pattern = apart.mean(axis=0)
        share = _beyond_chance(pattern, apart - pattern, len(apart))
        pattern *= share
        rest -= pattern[(np.arange(n) - n) % m]
        ahead += np.resize(pattern, horizon)
        wider *= _wider(share, len(apart))
    return rest, ahead, wider


def smoothed(x: Floats, seasons: Sequence[int], horizon: int) -> tuple[Floats, Floats, float]:
    """As `averaged`, but each season may change slowly.

    It is smoothed over the same phase of near periods, twice in turn if there are several seasons.
    Source: Bandara, Hyndman, Bergmeir (2021), "MSTL", and STL by Cleveland et al. (1990), as in
    statsmodels; the shrinkage is ours.
    """
    from statsmodels.tsa.seasonal import STL

    periods = seen(seasons, len(x))
    parts, shares = {m: np.zeros(len(x)) for m in periods}, dict.fromkeys(periods, 0.0)
    rest, wider = x.copy(), 1.0
    looks = {m: window for m, window in zip(periods, _WINDOWS, strict=False)}
    for _ in range(min(len(periods), 2)):
        for m in periods:
            rest += parts[m]
            jump = max(1, m // 8)
            stl = STL(rest, period=m, seasonal=looks[m], seasonal_deg=0, trend_jump=jump,
                      low_pass_jump=jump).fit()  # fmt: skip
            part = np.asarray(stl.seasonal)
            shares[m] = _beyond_chance(part, np.asarray(stl.resid), _counted(len(x), m, looks[m]))
            parts[m] = part * shares[m]
            rest -= parts[m]
    ahead = np.zeros(horizon)
    for m in periods:
        ahead += np.resize(parts[m][-m:], horizon)
        wider *= _wider(shares[m], _counted(len(x), m, looks[m]))
    return rest, ahead, wider


def _counted(n: int, m: int, window: int) -> float:
    """How many periods a smoothed point of a season of m steps is as good as the mean of."""
    return max(min(n / m, 0.7 * window), 1.5)


def _beyond_chance(pattern: Floats, left: Floats, count: float) -> float:
    """The share in [0, 1] of a pattern from `count` periods that what is left does not explain."""
    chance = float(np.mean(left**2)) / max(count - 1.0, 0.5)
    return max(0.0, 1.0 - chance / max(float(np.mean(pattern**2)), 1e-300))


def _wider(share: float, count: float) -> float:
    """How much larger new errors are than those that a pattern was fitted to."""
    return float(np.sqrt((1.0 + share / count) / (1.0 - 0.9 * share / count)))
