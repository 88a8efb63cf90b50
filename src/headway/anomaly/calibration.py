"""How rare a strangeness is among a series' own past: tail probabilities in fixed memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS: Final = 96
_LOW, _HIGH = 1e-2, 1e5  # what is below or above is counted in the first or last bin
_WIDTH: Final = math.log(_HIGH / _LOW) / (BINS - 1)
_FIRST: Final = math.log(_LOW) - _WIDTH  # left edge of the first bin, in logs
_TAIL: Final = 0.02  # share of the past beyond which the tail is a fitted power
_SHAPE, _WEIGHT = 3.0, 5.0  # power that is believed before anything was seen beyond, and how firmly
_EVERY: Final = 16  # points from one fit to the next
_KEEP: Final = (1.0 - 1.0 / 20_000) ** _EVERY  # a point counts half after 14,000 points
TOTAL, BEGINS, SHARE, SHAPE, LEARNED = range(5)


class Calibration:
    """Counts of past strangenesses of n series, from which a new one gets its tail probability.

    Strangenesses are at least 0 and in units of what is usual: below 1 nothing is rare. Beyond the
    largest 2 % of the past the tail is a power law, so two extremes never look alike.
    Source: Hill (1975), "A simple general approach to inference about the tail of a distribution",
    with a prior of five exceedances; the histogram on a logarithmic grid is our own.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.state: dict[str, NDArray[Any]] = {}

    def tail(self, raw: Floats) -> Floats:
        """The share (n,) of the past that was at least as strange, in (0, 1]; NaN where raw is."""
        if not self.state:
            return np.full(len(raw), np.nan)
        return _tails(raw, self.state["counts"], self.state["fit"])

    def learn(self, raw: Floats) -> None:
        """Count the strangenesses raw (n,); NaN is left out."""
        if not self.state:
            counts = np.zeros((len(raw), BINS), dtype=np.float32)
            self.state = {"counts": counts, "fit": np.zeros((len(raw), 5))}
        _count(raw, self.state["counts"], self.state["fit"])


@njit(cache=True)
def _tails(raw: Floats, counts: NDArray[np.float32], fit: Floats) -> Floats:
    p = np.full(len(raw), np.nan)
    for i in range(len(raw)):
        if not math.isnan(raw[i]):
            p[i] = min(max(_tail(raw[i], counts[i], fit[i]), 1e-15), 1.0)
    return p


@njit(cache=True)
def _tail(raw: float, counts: NDArray[np.float32], fit: Floats) -> float:
    """The share of one series' past at or above a strangeness."""
    if fit[LEARNED] == 0:
        return 1.0
    log = math.log(max(raw, _LOW))
    if log > fit[BEGINS]:
        return float(fit[SHARE] * math.exp(-fit[SHAPE] * (log - fit[BEGINS])))
    return max(_above(log, counts) / fit[TOTAL], fit[SHARE])


@njit(cache=True)
def _above(log: float, counts: NDArray[np.float32]) -> float:
    """How many of the past are at or above a strangeness, given as its log."""
    place = _place(log)
    at = int(place)
    return float(counts[at] * (1.0 - (place - at)) + counts[at + 1 :].sum())


@njit(cache=True)
def _place(log: float) -> float:
    """The bin of a strangeness, with the part of it that is below."""
    if log <= _FIRST + _WIDTH:
        return 0.0
    return min((log - _FIRST) / _WIDTH, BINS - 1e-6)


@njit(cache=True)
def _count(raw: Floats, counts: NDArray[np.float32], fit: Floats) -> None:
    for i in range(len(raw)):
        if math.isnan(raw[i]):
            continue
        counts[i, int(_place(math.log(max(raw[i], _LOW))))] += 1.0
        fit[i, LEARNED] += 1
        if fit[i, LEARNED] % _EVERY == 0:
            counts[i] *= _KEEP
        if fit[i, LEARNED] % _EVERY == 0 or fit[i, LEARNED] < 10 * _EVERY:
            _fit(counts[i], fit[i])


@njit(cache=True)
def _fit(counts: NDArray[np.float32], fit: Floats) -> None:
    """Where the tail begins, what share of the past is beyond and how fast that falls."""
    total = float(counts.sum())
    above, at = 0.0, BINS - 1
    while at > 0 and above + counts[at] <= _TAIL * total:
        above += counts[at]
        at -= 1
    part = min(max((above + counts[at] - _TAIL * total) / max(counts[at], 1e-9), 0.0), 1.0)
    begins = max(_FIRST + _WIDTH * (at + part), 0.0)
    beyond, excess = 0.0, 0.0
    for j in range(BINS):
        over = _FIRST + _WIDTH * (j + 0.5) - begins
        if over > 0:
            beyond += counts[j]
            excess += over * counts[j]
    fit[TOTAL], fit[BEGINS] = max(total, 1e-9), begins
    fit[SHARE] = (_above(begins, counts) + 1.0) / (total + 1.0 / _TAIL)
    fit[SHAPE] = min(max((beyond + _WEIGHT) / (excess + _WEIGHT / _SHAPE), 0.5), 12.0)
