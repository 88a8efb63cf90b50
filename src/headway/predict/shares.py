"""How often tasks like this one failed, from all tasks down to its own kind, each level shrunk."""

from __future__ import annotations

import io
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Keys = list[tuple[float, ...]]

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

MEMORIES: Final = ((1.0, 4.0), (0.97, 2.0), (0.75, 1.0))
"""What each newer outcome leaves of the older ones' weight, and how many outcomes the coarser
level's share is worth as a prior."""

WIDTH: Final = 2 * len(LEVELS) * len(MEMORIES)
"""Numbers told of a task: log odds of each level and memory, then the weight behind each."""

_PARTS: Final = ("user", "queue", "name", "cpus", "limit_s", "memory_requested_bytes")
_PRIOR: Final = 0.1  # share of failures believed before anything ended
_KEPT: Final = 256  # outcomes of a key that can be looked back on
_STATE: Final = 1 + 2 * len(MEMORIES)  # clock, then weight and failures of each memory
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
        self._states: list[dict[tuple[float, ...], list[tuple[float, ...]]]] = [{} for _ in LEVELS]
        self.clock = 0  # tasks that have ended, whatever their outcome

    def keys(self, x: Features) -> list[Keys]:
        """For each level the key of each row; unknown parts are a value of their own."""
        values = x.values[:, [x.names.index(part) for part in _PARTS]]
        rows = np.where(np.isnan(values), -1.0, values).tolist()
        return [
            [tuple([row[i] for i in places]) for row in rows]
            for places in ([_PARTS.index(part) for part in parts] for parts in LEVELS.values())
        ]

    def describe(self, keys: list[Keys], row: int, clock: float = np.inf) -> list[float]:
        """Shrunken shares and weights (WIDTH,) of a row as of a clock; default: as of now."""
        shares: list[float] = []
        weights: list[float] = []
        coarser = [_PRIOR] * len(MEMORIES)
        for level, of_level in enumerate(keys):
            states = self._states[level].get(of_level[row])
            at = None
            if states is not None:
                place = len(states) if clock >= states[-1][0] else _place(states, clock)
                at = states[place - 1] if place else None
            for i, (_, k) in enumerate(MEMORIES):
                weight, failures = (0.0, 0.0) if at is None else at[1 + 2 * i : 3 + 2 * i]
                coarser[i] = (failures + k * coarser[i]) / (weight + k)
                weights.append(weight)
            shares += coarser
        return shares + weights

    def count(self, keys: list[Keys], row: int, y: float) -> None:
        """Take in the outcome of a row; NaN = it ended, but neither failed nor succeeded."""
        self.clock += 1
        if np.isnan(y):
            return
        for level, of_level in enumerate(keys):
            states = self._states[level].setdefault(of_level[row], [])
            last = states[-1] if states else (0.0,) * _STATE
            state = [float(self.clock)]
            for i, (kept, _) in enumerate(MEMORIES):
                state += [kept * last[1 + 2 * i] + 1.0, kept * last[2 + 2 * i] + y]
            states.append(tuple(state))
            if len(states) > 2 * _KEPT:
                del states[:-_KEPT]

    def save(self) -> dict[str, bytes]:
        """All counts as plain arrays, by file name."""
        arrays: dict[str, Floats] = {"clock": np.array(float(self.clock))}
        for level, (name, parts) in enumerate(LEVELS.items()):
            book = self._states[level]
            arrays[f"{name}.keys"] = np.array(list(book)).reshape(len(book), len(parts))
            arrays[f"{name}.length"] = np.array([len(states) for states in book.values()])
            flat = [state for states in book.values() for state in states]
            arrays[f"{name}.states"] = np.array(flat).reshape(len(flat), _STATE)
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
        return {"shares.npz": stream.getvalue()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Shares:
        """Shares as they were saved."""
        own, arrays = cls(), np.load(io.BytesIO(files["shares.npz"]))
        own.clock = int(arrays["clock"])
        for level, name in enumerate(LEVELS):
            lengths = arrays[f"{name}.length"].astype(int)
            keys = [tuple(key) for key in arrays[f"{name}.keys"].tolist()]
            keys = keys if LEVELS[name] else [()] * len(lengths)
            states = [tuple(state) for state in arrays[f"{name}.states"].tolist()]
            ends = np.cumsum(lengths).tolist()
            begins = [0, *ends[:-1]]
            cut = [states[a:b] for a, b in zip(begins, ends, strict=False)]
            own._states[level] = dict(zip(keys, cut, strict=True))
        return own


def finest(described: Floats) -> Floats:
    """The shares (n, memories) of the finest level from what `describe` told (n, WIDTH)."""
    return described[:, _FINEST]


def _place(states: list[tuple[float, ...]], clock: float) -> int:
    """How many of the states were there at a clock."""
    return bisect_right(states, clock, key=lambda state: state[0])
