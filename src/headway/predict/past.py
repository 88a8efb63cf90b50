"""What past outcomes of like tasks say of the next one, and which tasks are alike: from features.

A guess is the log of 1 + target: what a statistic of a family of keys was, a share of the request,
the past ratio to the size of the input times this input. A context is a hash of some columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

SLOTS: Final = 1 << 15
"""How many contexts are told apart; two that fall into one slot share their counts."""

_FAMILIES: Final = (
    "name_shape", "user_shape", "user_name", "user_stem", "name", "user", "queue", "all",
)  # fmt: skip
_RUNTIMES: Final = ("last_s", "before_s", "min_s", "p25_s", "median_s", "p75_s", "p90_s", "max_s")
_RUNTIME_LOGS: Final = ("burst_mean_log", "ewma_log", "law_log")
_MEMORIES: Final = (
    "memory_last_bytes", "memory_median_bytes", "memory_p90_bytes", "memory_max_bytes",
)  # fmt: skip
_MEMORY_LOGS: Final = ("memory_mean_log", "memory_law_log")
_SHARES: Final = (0.001, 0.01, 0.05, 0.2, 0.5, 1.0)  # of the request
_AWAY: Final = (-4.0, -2.0, 2.0, 4.0)  # logs from the mean of the nearest history
BEYOND: Final = (0.18, 0.69, 1.79)
"""Logs by which a running task will exceed its time so far: half of them double it (Pareto)."""

_TIMES: Final = (2, 3)  # mean and longest time so far of the tasks that run: columns of `lasting`
_VALUE, _LOG, _RATIO, _NEAR, _LASTED = 0, 1, 2, 3, 4  # what a column holds
_ENOUGH: Final = 4.0  # tasks of a family that are enough to tell how many outlast
_CODE, _COUNT, _SPREAD = 0, 1, 2  # how a column of a context is read

_LASTING: Final = (  # families whose running tasks are looked at, the nearest with enough
    "name_shape",
    "user_shape",
    "user_name",
    "name",
)
_RUNTIME_CHAIN: Final = (
    (),
    (
        ("user_name.ended", _COUNT), ("user_shape.ended", _COUNT),
        ("user_shape.burst_ended", _COUNT), ("user.jump_log", _SPREAD),
    ),
    (("user", _CODE),),
    (("user", _CODE), ("name", _CODE)),
    (("user", _CODE), ("name", _CODE), ("cpus", _CODE), ("limit_s", _CODE)),
)  # fmt: skip
_MEMORY_CHAIN: Final = (
    (),
    (
        ("user_name.memory_ended", _COUNT), ("name_shape.memory_ended", _COUNT),
        ("user_name.memory_std_log", _SPREAD),
    ),
    (("user", _CODE),),
    (("user", _CODE), ("name", _CODE)),
    (("user", _CODE), ("name", _CODE), ("cpus", _CODE), ("memory_requested_bytes", _CODE)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Past:
    """Which columns are guesses and which make contexts, as arrays for the compiled functions."""

    places: Integers  # (k,) columns of the guesses
    kinds: Integers  # (k,) what they hold
    scales: Floats  # (k,)
    cap: int  # column of the limit that no guess exceeds; -1 = none
    size: int  # column of the size of the input
    means: Integers  # columns of the mean log of each family, the nearest first
    chain: Integers  # (c, longest, 2) columns and readings of the contexts, padded with -1
    running: Integers  # (f, 4) columns of ended, running, their mean and their longest time so far
    ways: Integers  # (3,) first guess far from history, first of tasks that last, behind the last

    def __len__(self) -> int:
        return len(self.places)

    def of(self, x: Features, width: int) -> tuple[Floats, Integers, Floats]:
        """Guesses of tasks, NaN = none, the slots (n, c) of their contexts and who outlasts.

        The guesses (n, width) have room for those of others behind the first k.
        """
        guesses, lasting = np.empty((len(x), width)), np.empty((len(x), 4))
        slots = np.empty((len(x), len(self.chain)), dtype=np.int64)
        look(
            x.values, self.places, self.kinds, self.scales, self.cap, self.size, self.means,
            self.chain, self.running,
            guesses, slots, lasting,
        )  # fmt: skip
        return guesses, slots, lasting


def past_of(names: Sequence[str], *, is_memory: bool) -> Past:
    """The guesses that features of these names hold of a runtime or of a peak memory."""
    place = {name: i for i, name in enumerate(names)}
    found: list[tuple[int, int, float]] = []
    for family in _FAMILIES:
        if is_memory:
            found += [(place[f"{family}.{s}"], _VALUE, 1.0) for s in _MEMORIES]
            found += [(place[f"{family}.{s}"], _LOG, 1.0) for s in _MEMORY_LOGS]
            found.append((place[f"{family}.memory_per_input"], _RATIO, 1.0))
        else:
            found += [(place[f"{family}.{s}"], _VALUE, 1.0) for s in _RUNTIMES]
            found += [(place[f"{family}.{s}"], _LOG, 1.0) for s in _RUNTIME_LOGS]
    same = ("memory_last_bytes", "memory_median_bytes") if is_memory else ("last_s", "median_s")
    found += [(place[f"name_input.{s}"], _VALUE, 1.0) for s in same]
    request = place["memory_requested_bytes" if is_memory else "limit_s"]
    found += [(request, _VALUE, share) for share in _SHARES]
    found += [(request, _NEAR, away) for away in _AWAY]
    far = len(found) - len(_AWAY)
    last = len(found)
    if not is_memory:
        found += [(time, _LASTED, beyond) for time in _TIMES for beyond in BEYOND]
    ways = (0, 0, 0) if is_memory else (far, last, len(found))
    mean = "memory_mean_log" if is_memory else "mean_log"
    means = [place[f"{family}.{mean}"] for family in _FAMILIES]
    levels = _MEMORY_CHAIN if is_memory else _RUNTIME_CHAIN
    chain = np.full((len(levels), max(map(len, levels)), 2), -1, dtype=np.int64)
    for i, level in enumerate(levels):
        for j, (name, reading) in enumerate(level):
            chain[i, j] = place[name], reading
    told = ("ended", "running", "mean_elapsed_s", "oldest_s")
    families = () if is_memory else _LASTING
    running = np.array([[place[f"{f}.{s}"] for s in told] for f in families], dtype=np.int64)
    places, kinds, scales = zip(*found, strict=True)
    return Past(
        np.array(places), np.array(kinds), np.array(scales), -1 if is_memory else place["limit_s"],
        place["input_bytes"], np.array(means), chain,
        running.reshape(-1, 4), np.array(ways),
    )  # fmt: skip


@njit(cache=True)
def _mixed(x: np.uint64) -> np.uint64:
    """A well-spread hash of 64 bits. Source: Steele et al. (2014), splitmix64."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True)
def _word(value: float, reading: int) -> int:
    """A column of a context as a whole number; counts and spreads coarsely."""
    if math.isnan(value):
        return -1_000
    if reading == _COUNT:
        return 0 if value < 1 else 1 if value < 2 else 2 if value < 4 else 3 if value < 16 else 4
    if reading == _SPREAD:
        return 0 if value < 0.1 else 1 if value < 0.5 else 2 if value < 2.0 else 3
    return int(np.int64(value * 1000.0))


@njit(cache=True)
def _look_at_running(v: Floats, running: Integers, lasting: Floats) -> None:
    """Write how many have ended and run, and for how long, of the nearest family with enough."""
    lasting[:] = 0.0
    for columns in running:
        if v[columns[1]] > 0.0 and not lasting[0] + lasting[1] >= _ENOUGH:
            for j in range(4):
                lasting[j] = v[columns[j]]


@njit(cache=True)
def look(
    values: Floats, places: Integers, kinds: Integers, scales: Floats, cap: int, size: int,
    means: Integers, chain: Integers, running: Integers, guesses: Floats, slots: Integers,
    lasting: Floats,
) -> None:  # fmt: skip
    """Write the guesses (n, k) and contexts (n, c) of rows of features (n, d).

    lasting (n, 4): how many of the family have ended and run, and how long these have run so far
    in the mean and at most; running 0 = none does.
    """
    for i in range(len(values)):
        v = values[i]
        most = math.inf
        if cap >= 0 and not math.isnan(v[cap]):
            most = math.log1p(v[cap])
        near = math.nan
        for place in means:
            if math.isnan(near):
                near = v[place]
        _look_at_running(v, running, lasting[i])
        for k in range(len(places)):
            guess = lasting[i, places[k]] if kinds[k] == _LASTED else v[places[k]]
            if kinds[k] == _LASTED:
                guess = math.log1p(guess) + scales[k] if lasting[i, 1] > 0.0 else math.nan
            elif kinds[k] == _NEAR:
                guess = max(near + scales[k], 0.0)
            elif kinds[k] == _RATIO:
                guess = math.log1p(guess * v[size])
            elif kinds[k] != _LOG:
                guess = math.log1p(max(guess * scales[k], 0.0))
            guesses[i, k] = min(guess, most) if not math.isnan(guess) else math.nan
        for c in range(len(chain)):
            h = _mixed(np.uint64(c + 1))
            for j in range(chain.shape[1]):
                if chain[c, j, 0] >= 0:
                    word = _word(v[chain[c, j, 0]], chain[c, j, 1])
                    h = _mixed(h ^ np.uint64(word + 2_000))
            slots[i, c] = np.int64(h % np.uint64(SLOTS))
