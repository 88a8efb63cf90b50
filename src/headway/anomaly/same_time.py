"""What came at the same time of the last days, and how far the newest point is from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.anomaly import lagged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    State = dict[str, NDArray[Any]]

DAYS: Final = 7
BINS: Final = 288  # five minutes each
_DAY_S: Final = 86_400.0
_SLOW: Final = 1.0 / 1000  # rate of the width


class SameTime:
    """The distance of a point from the median of the same time on the last seven days, by series.

    What comes now and then at that time is usual, and a day that was strange is outvoted. The first
    day says nothing. Source: the median of past seasons is the plainest seasonal forecast there is;
    units are our own.
    """

    def __init__(self) -> None:
        """Begin with no day seen."""
        self.settings: dict[str, Any] = {}
        self.state: State = {}

    def measure(self, at_s: Floats | float, y: Floats) -> Floats:
        """The strangeness (n,) of the point that follows; NaN where no day is known."""
        if not self.state:
            return np.full(len(y), np.nan)
        off = deviation(self.state, at_s, y)
        return lagged.strangeness(self.state, off, _least(self.state))

    def learn(self, at_s: Floats | float, y: Floats) -> None:
        """The next point y (n,)."""
        if not self.state:
            self.state = empty(len(y))
        learn(self.state, at_s, y)


def empty(n: int) -> State:
    """The state of n series of which no day is known."""
    return {
        "days": np.full((DAYS, BINS, n), np.nan, dtype=np.float32),
        "base": np.full(n, np.nan),  # days are kept as differences to it
        "width": np.zeros(n),  # mean difference to it
        "seen": np.zeros(n),
        "error": np.zeros(n),
        "errors": np.zeros(n),
    }


def deviation(state: State, at_s: Floats | float, y: Floats) -> Floats:
    """How far y (n,) is from the median of this time of past days, in its unit."""
    at = np.arange(len(y))
    past = np.sort(state["days"][:, _time(at_s, y), at], axis=0)  # NaN comes last
    known = np.isfinite(past).sum(axis=0)
    last = np.maximum(known - 1, 0)
    middle = 0.5 * (past[last // 2, at] + past[(last + 1) // 2, at])
    return np.asarray(y - state["base"] - middle, dtype=np.float64)


def learn(state: State, at_s: Floats | float, y: Floats) -> None:
    """Take in the point y (n,); it takes the place of the one seven days ago."""
    lagged.learn_error(state, deviation(state, at_s, y), _least(state))
    is_first = np.isfinite(y) & np.isnan(state["base"])
    state["base"][is_first] = y[is_first]
    off = np.clip(y - state["base"], -1e30, 1e30)
    day = (np.asarray(at_s) // _DAY_S).astype(np.intp) % DAYS
    state["days"][day, _time(at_s, y), np.arange(len(y))] = off
    ok = np.isfinite(y)
    state["seen"] += ok
    rate = np.where(ok, np.maximum(1.0 / np.maximum(state["seen"], 1.0), _SLOW), 0.0)
    bound = np.where(state["seen"] > 20, 5.0 * state["width"] + 1e-9, np.inf)
    size = np.minimum(np.nan_to_num(np.abs(off)), bound)
    state["width"] += rate * (size - state["width"])


def _time(at_s: Floats | float, y: Floats) -> NDArray[np.intp]:
    """The time of day (n,) of the clock of each series, in bins."""
    bins = (np.asarray(at_s) % _DAY_S / _DAY_S * BINS).astype(np.intp)
    return np.broadcast_to(bins, y.shape)


def _least(state: State) -> Floats:
    """The part of a unit (n,) below which nothing is strange."""
    base = np.abs(np.nan_to_num(state["base"]))
    return np.asarray(lagged.LEAST * state["width"] + 1e-3 * base + 1e-9, dtype=np.float64)
