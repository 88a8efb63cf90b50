"""What a series usually is at this time of the day and week, learned point by point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    State = dict[str, NDArray[Any]]

BINS: Final = 96  # quarters of an hour of a day, once for weekdays and once for weekends
_RATE: Final = 0.15  # of a bin's newest point against its past
_SLOW: Final = 1.0 / 300  # of a level or an error
_WORTH: Final = 0.9  # a season must have made errors this much smaller than the level's


def empty(n: int) -> State:
    """The state of n series of which nothing is known."""
    return {
        "profile": np.full((n, 2 * BINS), np.nan, dtype=np.float32),
        "unrest": np.zeros((n, BINS), dtype=np.float32),  # mean error of the profile by its bin
        "level": np.full(n, np.nan),
        "level_error": np.zeros(n),
        "season_error": np.zeros(n),
        "known": np.zeros(n),  # points of which the season said something before they came
        "seen": np.zeros(n),
        "scale": np.zeros(n),
        "size": np.zeros(n),  # mean of absolute values
    }


def expected(state: State, at_s: float) -> Floats:
    """What each of n series usually is now: its season where that helped in the past, its level."""
    return np.where(_is_seasonal(state), _seasonal(state, at_s), state["level"])


def deviation(state: State, at_s: float, y: Floats) -> Floats:
    """How far y (n,) is from what is usual, in robust standard deviations, with its sign."""
    return (y - expected(state, at_s)) / spread(state, at_s)


def spread(state: State, at_s: float) -> Floats:
    """Robust standard deviation (n,) around what is usual; at least 0.1 % of the usual size.

    Where a season is believed, the larger of what it is at all times and at this time of the day.
    """
    n = len(state["level"])
    here = state["unrest"][np.arange(n), _bin(at_s, n) % BINS]
    scale = np.where(_is_seasonal(state), np.maximum(state["scale"], here), state["scale"])
    return 1.2533 * scale + 1e-3 * state["size"] + 1e-9


def learn(state: State, at_s: float, y: Floats) -> None:
    """Take in the point y (n,); an outlier moves what is usual no more than five deviations do."""
    ok = np.isfinite(y)
    is_first = ok & ~np.isfinite(state["level"])
    state["level"][is_first] = y[is_first]
    y = np.where(ok, y, state["level"])
    usual, seasonal = expected(state, at_s), _seasonal(state, at_s)
    rate = np.where(ok, np.maximum(1.0 / (state["seen"] + 1.0), _SLOW), 0.0)
    off = np.abs(y - usual)
    bound = np.where(state["seen"] > 20, 5.0 * spread(state, at_s), np.inf)
    state["scale"] += np.nan_to_num(rate * (np.minimum(off, bound) - state["scale"]))
    state["size"] += np.nan_to_num(rate * (np.abs(y) - state["size"]))
    is_known = ok & np.isfinite(seasonal)
    state["known"] += is_known
    known_rate = np.where(is_known, np.maximum(1.0 / np.maximum(state["known"], 1.0), _SLOW), 0.0)
    for error, said in (("level_error", state["level"]), ("season_error", seasonal)):
        missed = np.minimum(np.abs(y - said), 20.0 * bound)
        state[error] += np.nan_to_num(known_rate * (missed - state[error]))
    step = np.clip(y - state["level"], -bound, bound)
    state["level"] += np.nan_to_num(rate * step)
    state["seen"] += ok
    _learn_profile(state, at_s, y, ok, bound)


def _learn_profile(
    state: State, at_s: float, y: Floats, ok: NDArray[np.bool_], bound: Floats
) -> None:
    rows, at = np.flatnonzero(ok), _bin(at_s, len(y))[ok]
    held = state["profile"][rows, at]
    step = np.clip(y[rows] - held, -bound[rows], bound[rows])
    state["profile"][rows, at] = np.where(np.isnan(held), y[rows], held + _RATE * step)
    unrest = state["unrest"][rows, at % BINS]
    off = np.where(np.isnan(held), 0.0, np.abs(step))
    state["unrest"][rows, at % BINS] = unrest + _RATE * (off - unrest)


def _is_seasonal(state: State) -> NDArray[np.bool_]:
    """Whether the profile (n,) was nearer to what came than the level, for a day and more."""
    is_nearer = state["season_error"] < _WORTH * state["level_error"]
    return np.asarray((state["known"] > BINS) & is_nearer)


def _seasonal(state: State, at_s: float) -> Floats:
    """The profile (n,) at a moment; of the other kind of day where this has not been seen."""
    n = len(state["level"])
    rows, at = np.arange(n), _bin(at_s, n)
    here = state["profile"][rows, at].astype(np.float64)
    other = state["profile"][rows, (at + BINS) % (2 * BINS)]
    there = np.where(np.isfinite(here), here, other)
    return np.where(np.isfinite(there) | ~_is_seasonal(state), there, state["level"])


def _bin(at_s: float, n: int) -> NDArray[np.intp]:
    """The bin (n,) of a moment, or of one moment a series."""
    at = np.asarray(at_s, dtype=np.float64)
    quarter = (at % 86400.0) / 86400.0 * BINS
    is_weekend = (at // 86400.0 + 3) % 7 >= 5  # the epoch began on a Thursday
    return np.broadcast_to(quarter.astype(np.intp) + BINS * is_weekend, (n,))
