"""How often tasks like this one failed, from all tasks down to its own kind, each level shrunk."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.predict.counts import MEMORIES as MEMORIES
from headway.predict.counts import book_of, empty, follow, grown, hashed, states_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

LEVELS: Final[dict[str, tuple[str, ...]]] = {
    "all": (),
    "queue": ("queue",),
    "user": ("user",),
    "shape": ("user", "queue", "cpus", "limit_s", "memory_requested_bytes"),
    "name": ("name",),
    "user_name": ("user", "name"),
    "name_shape": ("user", "name", "cpus", "limit_s", "memory_requested_bytes"),
}
"""The hierarchy, coarse to fine, and what makes the key of each level."""

WIDTH: Final = 2 * len(LEVELS) * len(MEMORIES)
"""Numbers told of a task: the share of each level and memory, then the weight behind each."""

_LONGEST: Final = max(map(len, LEVELS.values()))
_FINEST: Final = slice((len(LEVELS) - 1) * len(MEMORIES), len(LEVELS) * len(MEMORIES))


class Shares:
    """Failures counted for each key of each level, now and as they stood at an earlier moment.

    A level's share is (failures + k * share of the next coarser level) / (outcomes + k): the mean
    of a Beta posterior whose prior is the coarser level. Source: Gelman et al. (2013), Bayesian
    Data Analysis, section 5.3, one level at a time with a fixed k; forgetting as in West, Harrison
    (1997), section 2.3 (discounting).
    """

    def __init__(self) -> None:
        """Nothing counted yet."""
        self._book = empty()
        self._names: tuple[str, ...] = ()  # of the features that the columns are of
        self._columns = np.zeros((0, 0), dtype=np.int64)

    @property
    def clock(self) -> int:
        """How many tasks have ended, whatever their outcome."""
        return int(self._book.used[-1])

    def follow(
        self, x: Features, kinds: Integers, rows: Integers, clocks: Floats, y: Floats
    ) -> Floats:
        """Shares and weights (events, WIDTH) as of the clocks, inf = now; LEARN counts its y then.

        kinds, rows of x, clocks and y (events,) in order of time; y NaN = neither failed nor
        succeeded.
        """
        found = np.empty((len(kinds), WIDTH))
        keys = np.empty((len(kinds), len(LEVELS)), dtype=np.uint64)
        hashed(x.values, rows, self._columns_in(x.names), keys)
        done = 0
        while done < len(kinds):
            done = follow(kinds, clocks, y, keys, self._book, done, found)
            if done < len(kinds):
                self._book = grown(self._book, len(LEVELS))
        return found

    def save(self) -> dict[str, bytes]:
        """All counts as plain arrays, by file name."""
        keys, lengths, states = states_of(self._book)
        stream = io.BytesIO()
        np.savez_compressed(stream, keys=keys, lengths=lengths, states=states, clock=self.clock)
        return {"shares.npz": stream.getvalue()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Shares:
        """Shares as they were saved."""
        own, arrays = cls(), np.load(io.BytesIO(files["shares.npz"]))
        own._book = book_of(
            arrays["keys"], arrays["lengths"], arrays["states"], int(arrays["clock"])
        )
        return own

    def _columns_in(self, names: tuple[str, ...]) -> Integers:
        """Where the parts of each level's key are among names (levels, longest), -1 = none."""
        if self._names is not names:
            places = [[names.index(part) for part in parts] for parts in LEVELS.values()]
            self._columns = np.array([p + [-1] * (_LONGEST - len(p)) for p in places])
            self._names = names
        return self._columns


def finest(described: Floats) -> Floats:
    """The shares (n, memories) of the finest level from what `follow` told (n, WIDTH)."""
    return described[:, _FINEST]
