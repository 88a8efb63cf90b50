"""Subsequences: a recent past unlike every one before, or off their main directions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from headway.anomaly import lags, season
from headway.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_RATE: Final = 1.0 / 300  # of the mean distance


class NearestPasts:
    """How far the recent past is from the nearest of those kept, in usual distances.

    A past is described by means and ranges over spans that double (64 points in all); every `every`
    points one is kept, the oldest of `kept` goes. Conformal by the calibration that follows.
    Source: Burnaev, Ishimtsev (2016), "Conformalized density- and distance-based anomaly detection
    in time-series data"; the description of a past is our own.
    """

    def __init__(self, kept: int = 256, every: int = 8, nearest: int = 3) -> None:
        """kept: pasts a series; every: points from one to the next; nearest: how many are meant."""
        if not 1 <= nearest <= 16 or kept < 2 * nearest or every < 1:
            raise ConfigError(
                f"nearest must be in 1 to 16, kept at least twice as many and every at least 1, got"
                f" {nearest}, {kept} and {every}"
            )
        self.settings: dict[str, Any] = {"kept": kept, "every": every, "nearest": nearest}
        self.kept, self.every, self.nearest = kept, every, nearest
        self.state: dict[str, NDArray[Any]] = {}

    def measure(self, at_s: Floats, y: Floats) -> Floats:
        """The strangeness (n,) of the point that follows."""
        if not self.state:
            return np.full(len(y), np.nan)
        parts = _arrays(self.state, "ring", "came", "season", "bank", "own")
        return _nearest(y, *(*parts, self.nearest))

    def learn(self, at_s: Floats, y: Floats) -> None:
        """The next point y (n,)."""
        if not self.state:
            bank = np.zeros((len(y), self.kept, lags.FEATURES), dtype=np.float32)
            self.state = lags.empty(len(y)) | {"bank": bank, "own": np.zeros((len(y), 2))}
        parts = _arrays(self.state, "ring", "came", "season", "bank", "own", "profile", "unrest")
        _keep(at_s, y, *(*parts, self.nearest, self.every))


class Directions:
    """How far the recent past is from the main directions of those before, in usual distances.

    Directions are those that carry `share` of the variance of the descriptions of a past, found
    anew every `every` points. Source: Shyu et al. (2003), "A novel anomaly detection scheme based
    on principal component classifier", on subsequences.
    """

    def __init__(self, share: float = 0.9, every: int = 100) -> None:
        """share: of variance that the main directions carry; every: points between two fits."""
        if not 0.0 < share < 1.0 or every < 1:
            raise ConfigError(
                f"share must be in (0, 1) and every at least 1, got {share} and {every}"
            )
        self.settings: dict[str, Any] = {"share": share, "every": every}
        self.share, self.every = share, every
        self.state: dict[str, NDArray[Any]] = {}

    def measure(self, at_s: Floats, y: Floats) -> Floats:
        """The strangeness (n,) of the point that follows."""
        if not self.state or not self.state["fitted"][0]:
            return np.full(len(y), np.nan)
        x = _described(y, *_arrays(self.state, "ring", "came", "season"))
        return self._off(x) / (self.state["usual"] + 0.05)

    def _off(self, x: Floats) -> Floats:
        """The distance (n,) of rows x (n, d) from the main directions."""
        x = x - self.state["mean"]
        along = np.einsum("nkd,nd->nk", self.state["main"], x)
        squares = np.einsum("nd,nd->n", x, x) - np.einsum("nk,nk->n", along, along)
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)))

    def learn(self, at_s: Floats, y: Floats) -> None:
        """The next point y (n,)."""
        n, d = len(y), lags.FEATURES
        if not self.state:
            self.state = lags.empty(n) | {
                "mean": np.zeros((n, d)), "square": np.zeros((n, d, d)), "rows": np.zeros(n),
                "main": np.zeros((n, d, d)), "usual": np.zeros(n),
                "fitted": np.zeros(2, dtype=np.int64),
            }  # fmt: skip
        s = self.state
        x = _described(y, *_arrays(s, "ring", "came", "season"))
        known = np.isfinite(x[:, 0])
        x = np.where(known[:, None], x, s["mean"])
        s["rows"] += known
        rate = np.where(known, np.maximum(1.0 / 2000, 1.0 / np.maximum(s["rows"], 1.0)), 0.0)
        if s["fitted"][0]:
            off = self._off(x)
            usual = s["usual"]
            slow = np.where(known, np.maximum(_RATE, rate), 0.0)
            s["usual"] = usual + slow * (np.minimum(off, 5.0 * usual + 1.0) - usual)
        off = x - s["mean"]
        s["mean"] += rate[:, None] * off
        s["square"] += rate[:, None, None] * (off[:, :, None] * off[:, None, :] - s["square"])
        s["fitted"][1] += 1
        if s["fitted"][1] >= 2 * lags.HELD and s["fitted"][1] % self.every == 0:
            self._fit()
        _remember(at_s, y, *_arrays(s, "ring", "came", "season", "profile", "unrest"))

    def _fit(self) -> None:
        """Find the main directions of each series anew."""
        variances, directions = np.linalg.eigh(self.state["square"])  # rising
        variances, directions = variances[:, ::-1], np.swapaxes(directions, 1, 2)[:, ::-1]
        before = np.cumsum(variances, axis=1) - variances
        total = np.maximum(variances.sum(axis=1, keepdims=True), 1e-12)
        is_main = (before < self.share * total) & (variances > 1e-9)
        self.state["main"] = directions * is_main[:, :, None]
        self.state["fitted"][0] = 1


@njit(cache=True)
def _described(y: Floats, ring: Floats, came: Any, s: Floats) -> Floats:
    """The description (n, d) of the past with a point; NaN where too little is known."""
    x = np.full((len(y), lags.FEATURES), np.nan)
    for i in range(len(y)):
        if not math.isnan(y[i]) and not lags.describe(y[i], ring[i], came[i], s[i], x[i]):
            x[i] = np.nan
    return x


@njit(cache=True)
def _remember(
    at_s: Floats, y: Floats, ring: Floats, came: Any, s: Floats, profile: Any, unrest: Any
) -> None:
    for i in range(len(y)):
        if not math.isnan(y[i]):
            lags.remember(y[i], ring, came, i)
            season.learn(s[i], profile[i], unrest[i], at_s[i], y[i])


def _arrays(state: dict[str, NDArray[Any]], *names: str) -> tuple[Any, ...]:
    return tuple(state[name] for name in names)


@njit(cache=True)
def _distance(x: Floats, bank: Any, kept: int, nearest: int) -> float:
    """The mean distance of x (d,) to the nearest of the first kept rows of bank."""
    best = np.full(nearest, np.inf)
    for row in range(kept):
        d = 0.0
        for k in range(len(x)):
            off = x[k] - bank[row, k]
            d += off * off
            if d >= best[nearest - 1]:
                break
        at = nearest - 1
        if d < best[at]:
            while at > 0 and best[at - 1] > d:
                best[at] = best[at - 1]
                at -= 1
            best[at] = d
    total = 0.0
    for d in best:
        total += math.sqrt(d)
    return total / nearest


@njit(cache=True)
def _nearest(
    y: Floats, ring: Floats, came: Any, s: Floats, bank: Any, own: Floats, nearest: int
) -> Floats:
    raw, x = np.full(len(y), np.nan), np.empty(lags.FEATURES)
    for i in range(len(y)):
        kept = min(int(own[i, 0]), bank.shape[1])
        if math.isnan(y[i]) or kept < 2 * nearest:
            continue
        if lags.describe(y[i], ring[i], came[i], s[i], x):
            raw[i] = _distance(x, bank[i], kept, nearest) / (own[i, 1] + 0.05)
    return raw


@njit(cache=True)
def _keep(
    at_s: Floats, y: Floats, ring: Floats, came: Any, s: Floats, bank: Any, own: Floats,
    profile: Any, unrest: Any, nearest: int, every: int,
) -> None:  # fmt: skip
    x = np.empty(lags.FEATURES)
    for i in range(len(y)):
        if math.isnan(y[i]):
            continue
        if lags.describe(y[i], ring[i], came[i], s[i], x):
            kept = int(own[i, 0])
            if kept >= 2 * nearest:
                d = _distance(x, bank[i], min(kept, bank.shape[1]), nearest)
                rate = max(_RATE, 1.0 / (came[i] - lags.HELD + 1.0))
                own[i, 1] += rate * (min(d, 5.0 * own[i, 1] + 1.0) - own[i, 1])
            if came[i] % every == 0:
                bank[i, kept % bank.shape[1]] = x
                own[i, 0] += 1
        lags.remember(y[i], ring, came, i)
        season.learn(s[i], profile[i], unrest[i], at_s[i], y[i])
