"""A task as a row of numbers: the codes of its words, what it asks for and what became of it."""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from hashlib import blake2b
from math import nan
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.records import STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from headway.records import Task

KEYS: Final = ("user", "group", "project", "workflow", "name", "stem", "queue", "container")
TAGS: Final = ("tag_1", "tag_2", "tag_3")  # the first one, two and three words of the tag
WORDS: Final = KEYS + TAGS
"""The columns that are codes of words."""
NUMBERS: Final = (
    "attempt", "parents", "cpus_requested", "cpus_allocated", "nodes", "gpus", "limit_s",
    "memory_requested_bytes", "input_bytes", "submitted_s",
    "started_s", "ended_s", "memory_peak_bytes", "state",
)  # fmt: skip
WIDTH: Final = len(WORDS) + len(NUMBERS)
"""Numbers in a row: the codes of the keys, the numbers, the codes of the tags."""
STATE_CODES: Final = {state: float(i) for i, state in enumerate(STATES)}

_ROW: Final = struct.Struct(f"{WIDTH}d")
_DIGITS: Final = str.maketrans("", "", "0123456789")
_BETWEEN: Final = re.compile(r"[\W_]+")
_before_stem, _after_stem = attrgetter(*KEYS[:5]), attrgetter(*KEYS[6:])
_amounts = attrgetter(*NUMBERS[2:-1])


class Book(dict[str, int]):
    """Numbers of words; one that it does not hold has the number that the next one would get."""

    def __missing__(self, word: str) -> int:
        return len(self)


class Held(Book):
    """A book in which a new word has a number made of its letters, whatever came before.

    So what is said of one user's tasks never depends on words that others brought.
    """

    def __missing__(self, word: str) -> int:
        return len(self) + 1 + _number_of(word)


@lru_cache(maxsize=4096)
def _number_of(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(errors="surrogatepass"), digest_size=4).digest())


def rows_of(tasks: Sequence[Task], books: Iterable[Book]) -> NDArray[np.float64]:
    """Rows (n, WIDTH) of tasks by the books of words, in the order of WORDS."""
    rows = np.empty((len(tasks), WIDTH))
    books, buffer, at = tuple(books), rows.data, 0
    for task in tasks:
        codes = [
            -1.0 if word is None else book[word]
            for word, book in zip(words_of(task), books, strict=True)
        ]
        amounts = [nan if amount is None else amount for amount in _amounts(task)]
        _ROW.pack_into(
            buffer, at, *codes[: len(KEYS)], task.attempt, len(task.parents), *amounts,
            STATE_CODES[task.state], *codes[len(KEYS) :],
        )  # fmt: skip
        at += _ROW.size
    return rows


def words_of(task: Task) -> tuple[Any, ...]:
    """What a task is called, in the order of WORDS; None where it says nothing."""
    name, tag = task.name, task.tag
    stem = None if name is None else _stem_of(name)
    tags = (None, None, None) if tag is None else _beginnings(tag)
    return (*_before_stem(task), stem, *_after_stem(task), *tags)


@lru_cache(maxsize=4096)
def _stem_of(name: str) -> str:
    """A name without digits."""
    return name.translate(_DIGITS)


@lru_cache(maxsize=4096)
def _beginnings(tag: str) -> tuple[str | None, ...]:
    """The first one, two and three words of a tag; None where it has fewer.

    >>> _beginnings("FOXA1_VCaP")
    ('FOXA1', 'FOXA1 VCaP', None)
    """
    words = [word for word in _BETWEEN.split(tag) if word]
    return tuple(" ".join(words[: n + 1]) if len(words) > n else None for n in range(len(TAGS)))
