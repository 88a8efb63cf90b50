"""Outcomes counted by key, with what the counts were earlier: the compiled part of `shares`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numba import njit

from headway.predict.calibration import LEARN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Hashes = NDArray[np.uint64]

MEMORIES: Final = ((1.0, 4.0), (0.97, 2.0), (0.75, 1.0))
"""What each newer outcome leaves of the older ones' weight, and how many outcomes the coarser
level's share is worth as a prior."""

STATE: Final = 1 + 2 * len(MEMORIES)
"""Numbers kept after each outcome of a key: the clock, then weight and failures of each memory."""

_PRIOR: Final = 0.1  # share of failures believed before anything ended
_KEPT: Final = 256  # outcomes of a key that can be looked back on
_MOST, _FIRST, _GROWTH = 2 * _KEPT, 4, 4  # room of a key for states
_BEGIN, _LENGTH, _ROOM = 0, 1, 2
_KEYS, _STATES, _CLOCK = 0, 1, 2


class Book(NamedTuple):
    """The states of all keys.

    hashes (c,): keys by open addressing, c a power of two, 0 = free; places (c, 3): where the
    states of each begin, how many there are and fit; states (s, STATE); used (3,): keys, rows of
    states, and tasks that have ended.
    """

    hashes: Hashes
    places: Integers
    states: Floats
    used: Integers


def empty(keys: int = 64, states: int = 8192, clock: int = 0) -> Book:
    """Nothing counted yet, with room for half as many keys."""
    return Book(
        np.zeros(keys, dtype=np.uint64),
        np.zeros((keys, 3), dtype=np.int64),
        np.zeros((states, STATE)),
        np.array([0, 0, clock]),
    )


def grown(book: Book, levels: int) -> Book:
    """The same counts with more room of the kind that was short."""
    if not _is_full(book, levels):
        more = np.zeros_like(book.states)
        return book._replace(states=np.concatenate([book.states, more]))
    wide = empty(2 * len(book.hashes), 0)
    for at in np.flatnonzero(book.hashes).tolist():
        place = _find(book.hashes[at], wide)
        wide.hashes[place], wide.places[place] = book.hashes[at], book.places[at]
    return wide._replace(states=book.states, used=book.used)


@njit(cache=True)
def _mixed(x: np.uint64) -> np.uint64:
    """A well-spread hash of 64 bits. Source: Steele et al. (2014), splitmix64."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True, nogil=True)
def hashed(values: Floats, rows: Integers, columns: Integers, out: Hashes) -> None:
    """Write the keys (e, levels) of rows (e,) of values (n, d).

    columns (levels, longest): the parts of a level's key, -1 = no more.

    Parts that are not known are a value of their own. Two keys are one with a chance of 2^-64.
    """
    part = np.empty(1)
    for i in range(len(rows)):
        for level in range(len(columns)):
            h = _mixed(np.uint64(level + 1))
            for column in columns[level]:
                if column >= 0:
                    part[0] = values[rows[i], column]
                    if math.isnan(part[0]):
                        part[0] = -1.0
                    part[0] += 0.0  # -0 is 0
                    h = _mixed(h ^ part.view(np.uint64)[0])
            out[i, level] = max(h, np.uint64(1))


@njit(cache=True, nogil=True)
def _find(key: np.uint64, book: Book) -> int:
    """Where a key is, or would be."""
    most = np.uint64(len(book.hashes) - 1)
    at = key & most
    while book.hashes[at] != 0 and book.hashes[at] != key:
        at = (at + np.uint64(1)) & most
    return int(at)


@njit(cache=True, nogil=True)
def _is_full(book: Book, levels: int) -> bool:
    """Whether the keys of one more task might come too close together."""
    return book.used[_KEYS] + levels > len(book.hashes) // 2


@njit(cache=True, nogil=True)
def _describe(keys: Hashes, clock: float, book: Book, out: Floats) -> None:
    """Write shrunken shares, then weights, of each level and memory as of a clock into out."""
    m = len(MEMORIES)
    half = len(keys) * m
    for level in range(len(keys)):
        at = _find(keys[level], book)
        begin, n = book.places[at, _BEGIN], book.places[at, _LENGTH]
        low, high = 0, n
        if n > 0 and clock >= book.states[begin + n - 1, 0]:
            low = n
        while low < high:  # the last state that is not later
            middle = (low + high) // 2
            if clock < book.states[begin + middle, 0]:
                high = middle
            else:
                low = middle + 1
        for i in range(m):
            weight = failures = 0.0
            if low > 0:
                weight = book.states[begin + low - 1, 1 + 2 * i]
                failures = book.states[begin + low - 1, 2 + 2 * i]
            coarser = out[(level - 1) * m + i] if level > 0 else _PRIOR
            worth = MEMORIES[i][1]
            out[level * m + i] = (failures + worth * coarser) / (weight + worth)
            out[half + level * m + i] = weight


@njit(cache=True, nogil=True)
def _count(keys: Hashes, y: float, book: Book) -> None:
    """Take in an outcome; there is room for it."""
    book.used[_CLOCK] += 1
    if math.isnan(y):
        return
    for level in range(len(keys)):
        at = _find(keys[level], book)
        if book.hashes[at] == 0:
            book.hashes[at] = keys[level]
            book.used[_KEYS] += 1
        row = _row_for_next(at, book)
        book.states[row, 0] = book.used[_CLOCK]
        for i in range(len(MEMORIES)):
            weight = failures = 0.0
            if book.places[at, _LENGTH] > 1:
                weight, failures = book.states[row - 1, 1 + 2 * i], book.states[row - 1, 2 + 2 * i]
            book.states[row, 1 + 2 * i] = MEMORIES[i][0] * weight + 1.0
            book.states[row, 2 + 2 * i] = MEMORIES[i][0] * failures + y


@njit(cache=True, nogil=True)
def _row_for_next(at: int, book: Book) -> int:
    """The row of one more state of a key: behind its last, all moved where there is more room."""
    begin, n, room = book.places[at]
    if n == _MOST:  # the oldest are forgotten
        book.states[begin : begin + _KEPT - 1] = book.states[begin + n - _KEPT + 1 : begin + n]
        n = _KEPT - 1
    elif n == room:
        room = min(max(_FIRST, room * _GROWTH), _MOST)
        wide = book.used[_STATES]
        book.states[wide : wide + n] = book.states[begin : begin + n]
        begin = wide
        book.used[_STATES] += room
    book.places[at] = np.array([begin, n + 1, room])
    return begin + n


@njit(cache=True, nogil=True)
def follow(
    kinds: Integers, clocks: Floats, y: Floats, keys: Hashes, book: Book, begin: int,
    found: Floats,
) -> int:  # fmt: skip
    """Describe each event's task as of its clock into found (e, ..); count what is learned.

    keys (e, levels), y (e,) NaN = it ended, but neither failed nor succeeded. Begins at an event;
    gives the first that there is no room for, or how many there are.
    """
    for event in range(begin, len(kinds)):
        if kinds[event] == LEARN:
            short = book.used[_STATES] + keys.shape[1] * _MOST > len(book.states)
            if short or _is_full(book, keys.shape[1]):
                return event
        _describe(keys[event], clocks[event], book, found[event])
        if kinds[event] == LEARN:
            _count(keys[event], y[event], book)
    return len(kinds)


def states_of(book: Book) -> tuple[Hashes, Integers, Floats]:
    """The keys (k,), how many states each has (k,), and these, joined."""
    used = np.flatnonzero(book.hashes)
    begins, lengths = book.places[used, _BEGIN], book.places[used, _LENGTH]
    ends = np.cumsum(lengths)
    at = np.arange(int(lengths.sum())) + np.repeat(begins - ends + lengths, lengths)
    return book.hashes[used], lengths, book.states[at]


def book_of(keys: Hashes, lengths: Integers, states: Floats, clock: int) -> Book:
    """What `states_of` gave, to be counted on."""
    size = 1 << int(4 * len(keys) + 64).bit_length()
    book = empty(size, max(8192, 2 * len(states)), clock)
    ends = np.cumsum(lengths)
    for key, n, end in zip(keys, lengths.tolist(), ends.tolist(), strict=True):
        at = _find(key, book)
        book.hashes[at], book.places[at] = key, (end - n, n, n)
    book.states[: len(states)] = states
    book.used[_KEYS], book.used[_STATES] = len(keys), len(states)
    return book
