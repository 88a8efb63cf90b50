"""The right-sizer: memory for each task from what its kind, its user and its cluster have used.

For each kind of task it keeps the latest outcomes and holds simple laws and the predictors'
beliefs against each other by what it costs to be safe with them (`laws`, `margin`). A kind with
little history borrows from coarser kinds, one without any from how much of their requests other
kinds use (`cold`). What is missed moves the margins (adaptive conformal). Sources: Rzadca et al.
(2020), Autopilot, for choosing among many by own past cost; Gibbs, Candes (2021) for the
correction; the parts name theirs.
"""

from __future__ import annotations

import io
import json
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from headway.errors import ConfigError
from headway.predict.sizing import laws, steps
from headway.predict.sizing.explain import Explanation, explain
from headway.predict.sizing.sizes import COLD, Sizes
from headway.predict.sizing.state import State, empty, grown
from headway.protocols import Features

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from headway.predict.packed import Packed

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

VERSION: Final = "sizing-2"
_LEVELS: Final = {
    "kind": ("name", "user", "cpus", "limit_s", "memory_requested_bytes"),
    "stem": ("stem", "user", "memory_requested_bytes"),
    "name": ("name",),
    "shape": ("user", "cpus", "limit_s", "memory_requested_bytes"),
    "user": ("user",),
    "any": (),
}
"""Keys by which tasks are alike, from fine to coarse; without its first part a task has none."""

_OUTLAST: Final = ("running", "oldest_s", "youngest_s", "median_s")
USED: Final = (
    "name", "stem", "user", "workflow", "cpus", "limit_s", "memory_requested_bytes", "input_bytes",
    *(f"tag_{k + 1}" for k in range(laws.TAGS)),
    *(f"name_shape.{what}" for what in _OUTLAST), *(f"user_shape.{what}" for what in _OUTLAST),
)  # fmt: skip
"""The columns that are looked at."""
COLUMNS: Final = tuple(tuple(USED.index(part) for part in level) for level in _LEVELS.values())
_NAME, USER, WORKFLOW = USED.index("name"), USED.index("user"), USED.index("workflow")
REQUEST: Final = USED.index("memory_requested_bytes")
_OF_NAME, _OF_USER = USED.index("name_shape.running"), USED.index("user_shape.running")

_MOST_OUTCOMES: Final = 500_000
_CAUTION: Final = 0.2  # share of the risk that is kept in reserve


class RightSizer:
    """Bytes for each task such that a share `coverage` of first allocations is enough."""

    def __init__(self, coverage: float = 0.95, believers: int = 1) -> None:
        """believers: predictors whose belief of the peak is held against the own laws."""
        if not 0.5 <= coverage < 1.0:
            raise ConfigError(f"coverage must be in [0.5, 1), got {coverage}")
        self.coverage, self._believers = coverage, believers
        self._risk = (1.0 - coverage) * (1.0 - _CAUTION)
        self._state = empty(laws.BELIEVED + believers, len(_LEVELS), 1.0 - coverage)
        self._keys: dict[tuple[float, ...], int] = {}
        self._groups: dict[tuple[float, ...], int] = {}
        self._names: tuple[str, ...] = ()  # of the features that the places are of
        self._columns = np.zeros(0, dtype=np.int64)
        self._packed: tuple[State, Packed] | None = None  # by one_row, of this state

    def __getstate__(self) -> dict[str, Any]:
        """All but what holds the arrays of this very object."""
        return self.__dict__ | {"_packed": None}

    def size(self, x: Features, believed: Floats) -> Sizes:
        """Sizes of n tasks as of now; believed (n, believers): median peaks, NaN = refused."""
        x, n = self._narrowed(x), len(x)
        unknown = np.full(n, np.nan)
        keys, groups = self._known_places(x)
        facts = self._facts(x, believed, unknown, unknown)
        sized, law = np.full((n, 3), np.nan), np.full((n, 2), COLD)
        kinds, rows = np.zeros(n, np.int64), np.arange(n)
        steps.follow(
            self._state, kinds, rows, keys, groups, facts, tasks_outlasting(x.values), self._risk,
            sized, law,
        )  # fmt: skip
        return Sizes(sized[:, 0], np.nan_to_num(sized[:, 1]), law[:, 0], law[:, 1], _signed(law))

    def learn(
        self,
        x: Features,
        believed: Floats,
        peak: Floats,
        runtime_s: Floats,
        given: Sizes | None = None,
    ) -> None:
        """Outcomes in order of time: peak (n,) in bytes, runtime_s (n,), and what was given."""
        n = len(x)
        self.follow(x, believed, np.ones(n, np.int64), np.arange(n), peak, runtime_s, given)

    def follow(
        self,
        x: Features,
        believed: Floats,
        kinds: Integers,
        rows: Integers,
        peak: Floats,
        runtime_s: Floats,
        given: Sizes | None = None,
        pauses: Sequence[int] = (),
        paused: Callable[[int], None] | None = None,
    ) -> Sizes:
        """Size (kind 0) and learn (1) rows of x in the order of the events.

        peak and runtime_s (n,) are looked at when their event comes; given: what tasks were given
        that were sized in an earlier call. A peak of NaN is not learned from. pauses: rising
        places of events; `paused` is told the number of each before its event happens.
        """
        x = self._narrowed(x)
        keys, groups = self._places(x)
        facts = self._facts(x, believed, peak, runtime_s)
        capacity = min(
            int(self._state.counts[0]) + int(np.sum(kinds != steps.SERVE)), _MOST_OUTCOMES
        )
        if capacity > len(self._state.outcomes):
            self._state = grown(self._state, capacity, 0, 0)
        sized, law = np.full((len(x), 3), np.nan), np.full((len(x), 2), COLD)
        if given is not None:
            sized[:, 0], law[:, 0] = given.first, given.law
        outlasting, begin = tasks_outlasting(x.values), 0
        for number, end in enumerate([*pauses, len(kinds)]):
            steps.follow(
                self._state, kinds[begin:end], rows[begin:end], keys, groups, facts, outlasting,
                self._risk, sized, law,
            )  # fmt: skip
            begin = end
            if paused is not None and number < len(pauses):
                paused(number)
        return Sizes(sized[:, 0], np.nan_to_num(sized[:, 1]), law[:, 0], law[:, 1], _signed(law))

    def explain(self, x: Features, believed: Floats) -> Explanation:
        """Why the first of these tasks is given what `size` gives it now."""
        sizes, x = self.size(x, believed), self._narrowed(x)
        keys, _ = self._places(x)
        nothing = np.full(len(x), np.nan)
        row = self._facts(x, believed, nothing, nothing)[0]
        level = int(sizes.level[0])
        name = list(_LEVELS)[level]
        key = int(keys[0, level]) if level >= 0 else -1
        given, law = float(sizes.first[0]), int(sizes.law[0])
        return explain(self._state, key, level, name, law, given, row)

    def save(self) -> dict[str, bytes]:
        """Everything it is, as bytes by file name."""
        stream = io.BytesIO()
        np.savez_compressed(stream, **self._state._asdict())
        words = {
            "coverage": self.coverage, "believers": self._believers, "version": VERSION,
            "keys": [list(key) for key in self._keys],
            "groups": [list(key) for key in self._groups],
        }  # fmt: skip
        return {"sizing.json": json.dumps(words).encode(), "sizing.npz": stream.getvalue()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> RightSizer:
        """As it was saved."""
        words = json.loads(files["sizing.json"])
        if words["version"] != VERSION:
            message = f"a sizer's version must be {VERSION!r}, got {words['version']!r}: learn anew"
            raise ConfigError(message)
        sizer = cls(words["coverage"], words["believers"])
        arrays = np.load(io.BytesIO(files["sizing.npz"]))
        sizer._state = State(**{name: arrays[name] for name in State._fields})
        sizer._keys = {tuple(key): i for i, key in enumerate(words["keys"])}
        sizer._groups = {tuple(key): i for i, key in enumerate(words["groups"])}
        return sizer

    def _narrowed(self, x: Features) -> Features:
        """The columns that are looked at, in the order of USED."""
        return Features(USED, x.values[:, self.places_in(x.names)], (), x.at_s, x.version)

    def places_in(self, names: tuple[str, ...]) -> Integers:
        """Where the columns that are looked at are among names."""
        if self._names is not names:
            self._columns, self._names = np.array([names.index(name) for name in USED]), names
        return self._columns

    def _places(self, x: Features) -> tuple[Integers, Integers]:
        """Numbers of the keys (n, levels) and of the group (n,) of each task; new ones are made."""
        keys = np.full((len(x), len(_LEVELS)), -1)
        for level, parts in enumerate(_LEVELS.values()):
            values = np.column_stack([np.full(len(x), level), *(x.column(p) for p in parts)])
            has_key = values[:, 1] >= 0 if parts else np.isnan(x.column("memory_requested_bytes"))
            keys[has_key, level] = _numbered(values[has_key], self._keys)
        workflow, user = x.column("workflow"), x.column("user")
        own = np.where(workflow >= 0, 2 * workflow, np.where(user >= 0, 2 * user + 1, -1.0))
        groups = np.zeros(len(x), dtype=np.int64)
        groups[own >= 0] = 1 + _numbered(own[own >= 0, None], self._groups)
        self._state = grown(self._state, 0, len(self._keys), 1 + len(self._groups))
        return keys, groups

    def _known_places(self, x: Features) -> tuple[Integers, Integers]:
        """As `_places`, but what is new is not remembered: it gets the number after the last."""
        new_key, new_group = len(self._keys), len(self._groups)
        self._state = grown(self._state, 0, new_key + 1, new_group + 2)
        keys, groups = np.full((len(x), len(_LEVELS)), -1), np.zeros(len(x), dtype=np.int64)
        for i, values in enumerate(np.where(np.isnan(x.values), -1.0, x.values).tolist()):
            for level, parts in enumerate(COLUMNS):
                if values[parts[0]] >= 0.0 if parts else values[REQUEST] == -1.0:
                    key = (float(level), *[values[part] for part in parts])
                    keys[i, level] = self._keys.get(key, new_key)
            own = 2 * values[WORKFLOW] if values[WORKFLOW] >= 0 else 2 * values[USER] + 1
            if own >= 0:
                groups[i] = 1 + self._groups.get((own,), new_group)
        return keys, groups

    def _facts(self, x: Features, believed: Floats, peak: Floats, runtime_s: Floats) -> Floats:
        """What laws look at, (n, f)."""
        facts = np.full((len(x), laws.BELIEVED + self._believers), np.nan)
        facts[:, laws.PEAK] = np.log(np.maximum(peak, 1e6))
        facts[:, laws.HOURS] = np.nan_to_num(runtime_s) / 3600.0
        facts[:, laws.INPUT] = np.log1p(x.column("input_bytes"))
        request = x.column("memory_requested_bytes")
        facts[:, laws.REQUEST] = np.log(np.where(request > 0, request, np.nan))
        for k in range(laws.TAGS):
            facts[:, laws.TAG + k] = x.column(f"tag_{k + 1}")
        facts[:, laws.BELIEVED :] = np.log(np.maximum(believed, 1e6))
        return facts


def _numbered(values: Floats, book: dict[tuple[float, ...], int]) -> Integers:
    """The number of each row of values (n, d) in a book; new rows get the next numbers."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    rows, first, place = np.unique(
        np.nan_to_num(values, nan=-1.0), axis=0, return_index=True, return_inverse=True
    )
    numbers = np.empty(len(rows), dtype=np.int64)
    for i in np.argsort(first):
        numbers[i] = book.setdefault(tuple(rows[i].tolist()), len(book))
    return numbers[place.reshape(-1)]


@njit(cache=True)
def tasks_outlasting(values: Floats) -> Floats:
    """About how many tasks of the kind run longer by now than half of those that ended, (n,).

    The running ones are taken to have started at even distances. values (n, d): columns of USED.
    """
    out = np.zeros(len(values))
    for i in range(len(values)):
        at = _OF_NAME if values[i, _NAME] >= 0.0 else _OF_USER
        running, oldest, youngest, median = values[i, at : at + 4]
        if not math.isnan(running + oldest + youngest + median):
            share = (oldest - median) / max(oldest - youngest, 1e-9)
            out[i] = running * min(max(share, 0.0), 1.0)
    return out


def _signed(chosen: Integers) -> NDArray[np.str_]:
    """Which law of which key each row (law, level) names."""
    return np.array([signature(law, level) for law, level in chosen.tolist()], dtype="<U48")


@lru_cache(maxsize=256)
def signature(law: int, level: int) -> str:
    """The name of a law and of the key that it is of; level -1: of no key."""
    if law == COLD:
        return f"{VERSION} share of request, unseen"
    name = laws.NAMES[min(law, laws.FIRST_BELIEVED)]
    if law >= laws.FIRST_BELIEVED:
        name = f"{name} {law - laws.FIRST_BELIEVED + 1}"
    return f"{VERSION} {name}, {list(_LEVELS)[level] if level >= 0 else 'unseen'}"
