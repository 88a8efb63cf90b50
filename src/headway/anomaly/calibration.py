"""How rare a strangeness is among a series' own past: tail probabilities in fixed memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS: Final = 96
_LOW, _HIGH = 1e-2, 1e5  # what is below or above is counted in the first or last bin
_WIDTH: Final = np.log(_HIGH / _LOW) / (BINS - 1)
_LEFT: Final = np.log(_LOW) + _WIDTH * (np.arange(BINS) - 1.0)  # left edges, in logs
_TAIL: Final = 0.02  # share of the past beyond which the tail is a fitted power
_SHAPE, _WEIGHT = 3.0, 5.0  # power that is believed before anything was seen beyond, and how firmly
_KEEP: Final = 1.0 - 1.0 / 20_000  # a point counts half after 14,000 points
_EVERY: Final = 16  # points from one fit to the next


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
        above, begins = self.state["above"], self.state["begins"]
        at, part, logs = _place(raw)
        rows = np.arange(len(raw))
        upper = above[rows, at + 1]
        empirical = upper + (above[rows, at] - upper) * (1.0 - part)
        first = self.state["first"]
        fitted = first * np.exp(-self.state["shape"] * np.maximum(logs - begins, 0.0))
        p = np.where(logs > begins, fitted, np.maximum(empirical, first))
        return np.where(np.isfinite(raw), np.clip(p, 1e-15, 1.0), np.nan)

    def learn(self, raw: Floats) -> None:
        """Count the strangenesses raw (n,); NaN is left out."""
        if not self.state:
            self.state = {
                "counts": np.zeros((len(raw), BINS), dtype=np.float32),
                "learned": np.zeros(1, dtype=np.int64),
            }
        counts, learned = self.state["counts"], self.state["learned"]
        rows = np.flatnonzero(np.isfinite(raw))
        counts[rows, _place(raw)[0][rows]] += 1.0
        learned += 1
        if learned[0] < 10 * _EVERY or learned[0] % _EVERY == 0:
            if learned[0] % _EVERY == 0:
                counts *= np.float32(_KEEP**_EVERY)
            self._fit(counts)

    def _fit(self, counts: NDArray[np.float32]) -> None:
        """The share at or above each bin, where the tail begins, its share there and its power."""
        n = len(counts)
        above = np.zeros((n, BINS + 1), dtype=np.float32)
        above[:, :-1] = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
        total = np.maximum(above[:, :1], 1e-9)
        above /= total
        rows = np.arange(n)
        last = np.maximum(np.sum(above > _TAIL, axis=1) - 1, 0)  # the tail begins in this bin
        upper, lower = above[rows, last + 1], above[rows, last]
        part = np.clip((lower - _TAIL) / np.maximum(lower - upper, 1e-9), 0.0, 1.0)
        begins = np.maximum(_LEFT[last] + part * _WIDTH, 0.0)
        at, part, _ = _place(np.exp(begins))
        upper = above[rows, at + 1]
        share = upper + (above[rows, at] - upper) * (1.0 - part)
        over = np.maximum(_LEFT + 0.5 * _WIDTH - begins[:, None], 0.0) * counts
        beyond = np.sum(np.where(over > 0, counts, 0.0), axis=1)
        shape = (beyond + _WEIGHT) / (np.sum(over, axis=1) + _WEIGHT / _SHAPE)
        self.state |= {
            "above": above,
            "begins": begins,
            "first": (share * total[:, 0] + 1.0) / (total[:, 0] + 1.0 / _TAIL),
            "shape": np.clip(shape, 0.5, 12.0),
        }


def _place(raw: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
    """The bin (n,) of each strangeness, where in it in [0, 1), its log; NaN is as the least."""
    logs = np.log(np.clip(np.nan_to_num(raw), _LOW, 1e100))
    place = np.clip((logs - _LEFT[0]) / _WIDTH, 0.0, BINS - 1e-6)
    place = np.where(logs <= _LEFT[1], 0.0, place)
    at = place.astype(np.intp)
    return at, place - at, logs
