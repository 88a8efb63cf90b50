"""What was known about a task at its moment of submission: fixed, named, versioned columns.

Replay and serving go through the same compiled functions: `replay` hands them all events of a
history, `submit`, `look`, `start` and `end` hand them one. Events of one moment are taken in this
order: first starts and ends of tasks that were submitted earlier, then the submissions of that
moment in their order, each followed by its own start and end if those fall on it too. So an end at
exactly t is known at t.
"""

from __future__ import annotations

import io
import itertools
import json
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from headway.features.looking import look
from headway.features.rows import (
    KEYS,
    NUMBERS,
    STATE_CODES,
    TAGS,
    WIDTH,
    WORDS,
    Book,
    Held,
    rows_of,
    words_of,
)
from headway.features.running import (
    END,
    LOOK,
    SLOT_WIDTH,
    START,
    STATISTICS,
    SUBMIT,
    advance,
    prepare,
    rehash,
    ticket_width,
)  # fmt: skip
from headway.protocols import Features
from headway.tables import frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from headway.records import Task

VERSION: Final = "3"
"""The definition of the columns; a model is only asked with the version it was taught."""

_STATICS: Final = (
    *KEYS, "attempt", "parents", "cpus", "nodes", "gpus", "limit_s", "memory_requested_bytes",
    "input_bytes", "hour", "weekday", "area", "memory_per_cpu", *TAGS,
)  # fmt: skip
_PARTS: Final = ("one", *KEYS, "cpus", "limit", "memory", "input")
_FAMILIES: Final = {
    "all": ("one",),
    "user": ("user",),
    "queue": ("queue",),
    "name": ("name",),
    "stem": ("stem",),
    "user_name": ("name", "user"),
    "user_stem": ("stem", "user"),
    "user_shape": ("user", "cpus", "limit", "memory"),
    "name_shape": ("name", "user", "cpus", "limit", "memory"),
    "name_input": ("input", "name"),
}
"""Keys whose history is kept; a task whose first part is null has none of that family."""

NAMES: Final = _STATICS + tuple(f"{f}.{statistic}" for f in _FAMILIES for statistic in STATISTICS)
"""The columns, in their order."""

_TIMES: Final = len(KEYS) + NUMBERS.index("submitted_s")


def _family_columns() -> NDArray[np.int64]:
    """Parts (families, longest) of each family, padded with -1."""
    longest = max(len(parts) for parts in _FAMILIES.values())
    rows = [[_PARTS.index(p) for p in parts] for parts in _FAMILIES.values()]
    return np.array([row + [-1] * (longest - len(row)) for row in rows], dtype=np.int64)


_ONE: Final = _PARTS.index("one")


def _own_families() -> NDArray[np.int64]:
    """As `_family_columns`, but those that a user has no part in begin with `one`."""
    columns = _family_columns()
    for row, parts in zip(columns, _FAMILIES.values(), strict=True):
        if "user" not in parts:
            row[0] = _ONE
    return columns


_OWN_FAMILIES: Final = _own_families()


class History:
    """All that past events say, and the features of a task as of any moment they have reached."""

    def __init__(self) -> None:
        """Start empty."""
        self._books: dict[str, Book] = {key: Book() for key in WORDS}
        self._families = _family_columns()
        self._slots = np.zeros((0, SLOT_WIDTH))
        self._table = np.zeros((0, 2), dtype=np.uint64)
        self._tickets = np.zeros((0, ticket_width(len(_FAMILIES))))
        self._counters = np.array([0, -1], dtype=np.int64)  # slots used, first free ticket
        self._open: dict[tuple[str, str, int], int] = {}  # ticket of each task that has not ended
        self._make_room()
        self._one = (np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros(1))
        self._ticket = np.full(1, -1, dtype=np.int64)

    def hold(self) -> None:
        """Learn by `learn_own` alone from now on; no new word is remembered, see `rows.Held`."""
        self._books = {key: Held(book) for key, book in self._books.items()}

    def submit(self, task: Task) -> Features:
        """The features (1 row) of a task at its submission, which is counted from now on."""
        return self._happen(SUBMIT, task, task.submitted_s)

    def look(self, task: Task, at_s: float) -> Features:
        """The features (1 row) of a task at a moment; nothing is counted nor remembered."""
        return self.look_at((task,), at_s)

    def look_at(self, tasks: Sequence[Task], at_s: float) -> Features:
        """The features (n rows) of tasks at a moment, each as if it were the only one."""
        n = len(tasks)
        values = np.empty((n, len(NAMES)))
        look(
            rows_of(tasks, self._books.values()), float(at_s), self._families, self._slots,
            self._tickets, self._table, self._counters, values, len(_STATICS),
        )  # fmt: skip
        return Features(NAMES, values, WORDS, np.full(n, at_s), VERSION)

    def start(self, task: Task) -> None:
        """Count a task as running since task.started_s."""
        if task.started_s is not None:
            self._happen(START, task, task.started_s)

    def end(self, task: Task) -> None:
        """Count a task's outcome as known since task.ended_s."""
        if task.ended_s is not None:
            self._happen(END, task, task.ended_s)

    def learn_own(self, task: Task) -> None:
        """Count a whole task that has ended for its own user alone, after `hold`.

        What is told of all tasks, of a queue, or of a name whoever used it, stays as it is. A task
        without a user counts for those without one.
        """
        if task.ended_s is None:
            return
        begun = task.ended_s if task.started_s is None else task.started_s
        moments = np.array([task.submitted_s, begun, task.ended_s])
        events = np.array([SUBMIT, START, END]), np.zeros(3, dtype=np.int64), moments
        self._ticket[0] = -1
        self._advance(events, rows_of((task,), self._books.values()), self._ticket, is_own=True)

    def replay(self, tasks: pl.DataFrame, at: str = "submission") -> Features:
        """The features (n rows, in the table's order) of a history, each as of its own moment.

        at = 'submission' or 'start': the moment at which each task is described. All events of
        the table happen, so that serving can go on from its end.
        """
        raw = self._encoded(tasks)
        events = _events(raw, looks=at == "start")
        row_tickets = np.full(len(raw), -1, dtype=np.int64)
        values = self._advance(events, raw, row_tickets)
        self._leave_open(tasks, row_tickets)
        moments = raw[:, _TIMES].copy()
        if at == "start":
            moments = np.fmax(moments, raw[:, _TIMES + 1])
        return Features(NAMES, values, WORDS, moments, VERSION)

    def walk(self, frames: Iterable[pl.DataFrame]) -> Iterator[tuple[Features, pl.DataFrame]]:
        """The features of a history too large to hold, task by task as they end.

        frames: the parts of a table in order of submission, cut anywhere. Gives tasks in order of
        their ends: features as of their submissions and their rows, the same as of `replay`. Only
        tasks that have not ended are held.
        """
        pool, held = frame("task"), np.empty((0, len(NAMES)))
        raw, tickets, before_s = np.empty((0, WIDTH)), np.empty(0, np.int64), -np.inf
        for part in itertools.chain(frames, [frame("task")]):
            pool = pl.concat([pool, part]) if part.height else pool
            raw = np.concatenate([raw, self._encoded(part)])
            tickets = np.concatenate([tickets, np.full(part.height, -1)])
            now_s = float(part["submitted_s"][-1]) if part.height else np.inf
            kinds, rows, at_s = _events(raw, looks=False)
            due = (at_s <= now_s) & ((rows >= len(held)) | (at_s > before_s))
            events = kinds[due], rows[due], at_s[due]
            values = self._advance(events, raw, tickets)
            values[: len(held)] = held
            ended = events[1][events[0] == END]
            moments = raw[ended, _TIMES].copy()
            yield Features(NAMES, values[ended], WORDS, moments, VERSION), pool[ended]
            is_held = np.isfinite(raw[:, _TIMES + 2]) | (raw[:, _TIMES + 1] > now_s)
            self._leave_open(pool.filter(~is_held), tickets[~is_held])  # as far as is known
            is_held[ended] = False
            raw, tickets, held = raw[is_held], tickets[is_held], values[is_held]
            pool, before_s = pool.filter(is_held), now_s

    def _leave_open(self, tasks: pl.DataFrame, tickets: NDArray[np.int64]) -> None:
        """Remember the tickets (n,) of tasks that have not ended; -1 = it has."""
        is_open = tickets >= 0
        keys = tasks.filter(is_open).select("cluster", "id", "attempt").rows()
        self._open |= dict(zip(keys, tickets[is_open].tolist(), strict=True))

    def save(self) -> dict[str, bytes]:
        """The whole state as bytes by file name."""
        stream = io.BytesIO()
        used = int(self._counters[0])
        np.savez_compressed(
            stream,
            slots=self._slots[:used],
            table=self._table,
            tickets=self._tickets,
            counters=self._counters,
        )
        words = {
            "version": VERSION,
            "codes": {key: list(book) for key, book in self._books.items()},
            "open": [[*key, ticket] for key, ticket in self._open.items()],
        }
        return {"history.npz": stream.getvalue(), "history.json": json.dumps(words).encode()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> History:
        """A History as it was saved."""
        history = cls()
        words = json.loads(files["history.json"])
        arrays = np.load(io.BytesIO(files["history.npz"]))
        for key, book in history._books.items():
            book.update({word: i for i, word in enumerate(words["codes"][key])})
        history._open = {(c, i, int(a)): int(t) for c, i, a, t in words["open"]}
        history._table, history._tickets = arrays["table"], arrays["tickets"]
        history._counters = arrays["counters"]
        history._slots = np.zeros((len(history._table) // 2, arrays["slots"].shape[1]))
        history._slots[: len(arrays["slots"])] = arrays["slots"]
        return history

    def _happen(self, kind: int, task: Task, at_s: float) -> Features:
        """Apply one event of one task."""
        key = (task.cluster, task.id, task.attempt)
        ticket = self._open.get(key, -1)
        if ticket < 0 and kind in (START, END):
            self.submit(task)
            ticket = self._open[key]
        for word, book in zip(words_of(task), self._books.values(), strict=True):
            if word is not None:
                book.setdefault(word, len(book))
        raw = rows_of((task,), self._books.values())
        kinds, rows, moments = self._one
        kinds[0], moments[0], self._ticket[0] = kind, at_s, ticket
        values = self._advance((kinds, rows, moments), raw, self._ticket)
        if kind == SUBMIT:
            self._open[key] = int(self._ticket[0])
        elif kind == END:
            del self._open[key]
        return Features(NAMES, values, WORDS, moments.copy(), VERSION)

    def _advance(
        self,
        events: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
        raw: NDArray[np.float64],
        row_tickets: NDArray[np.int64],
        *,
        is_own: bool = False,
    ) -> NDArray[np.float64]:
        """Apply events (kinds, rows, moments) of the tasks raw (n, r); features (n, d).

        is_own: only to keys that a user has part in.
        """
        values = np.empty((len(raw), len(NAMES)))
        parts, outcomes = prepare(raw, values, len(_STATICS))
        families = self._families
        if is_own:
            parts[:, _ONE] = -1  # so a key that begins with it is none
            families = _OWN_FAMILIES
        done, (kinds, rows, at_s) = 0, events
        while True:
            done = advance(
                done, kinds, rows, at_s, parts, outcomes, families, row_tickets,
                self._slots, self._tickets, self._table, self._counters, values, len(_STATICS),
            )  # fmt: skip
            if done == len(kinds):
                return values
            self._make_room()

    def _make_room(self) -> None:
        """Double what is full: the slots with their table, or the tickets."""
        used = int(self._counters[0])
        if used + len(_FAMILIES) > len(self._slots):
            size = max(256, 2 * len(self._slots))
            slots = np.zeros((size, SLOT_WIDTH))
            slots[:used] = self._slots[:used]
            table = np.zeros((2 * size, 2), dtype=np.uint64)
            rehash(self._table, table)
            self._slots, self._table = slots, table
        if self._counters[1] < 0:
            old = len(self._tickets)
            size = max(256, 2 * old)
            tickets = np.full((size, self._tickets.shape[1]), -1.0)
            tickets[:old] = self._tickets
            tickets[old:, 0] = np.arange(old + 1, size + 1)
            tickets[-1, 0] = -1.0
            self._tickets, self._counters[1] = tickets, old

    def _encoded(self, tasks: pl.DataFrame) -> NDArray[np.float64]:
        """A table as numbers (n, keys + numbers); new words of a key get the next codes."""
        stem = pl.col("name").str.replace_all("[0-9]", "")
        tasks = tasks.with_columns(
            stem=stem,
            parents=pl.col("parents").list.len().fill_null(0),
            state=pl.col("state").replace_strict(STATE_CODES, return_dtype=pl.Float64),
        )
        split = pl.col("tag").str.replace_all(r"[\W_]+", " ").str.strip_chars(" ").str.split(" ")
        tasks = tasks.with_columns(words=split.list.eval(pl.element().filter(pl.element() != "")))
        tasks = tasks.with_columns(
            pl.when(pl.col("words").list.len() > i)
            .then(pl.col("words").list.head(i + 1).list.join(" "))
            .alias(tag)
            for i, tag in enumerate(TAGS)
        )
        raw = np.empty((tasks.height, WIDTH))
        places = [*range(len(KEYS)), *range(WIDTH - len(TAGS), WIDTH)]
        for i, key in zip(places, WORDS, strict=True):
            book, words = self._books[key], tasks[key]
            mine = words.unique(maintain_order=True).drop_nulls().to_list()
            codes = {word: book.setdefault(word, len(book)) for word in mine}  # not all of a book
            raw[:, i] = words.replace_strict(codes, default=-1, return_dtype=pl.Float64).to_numpy()
        for i, name in enumerate(NUMBERS):
            raw[:, len(KEYS) + i] = tasks[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return raw


def _events(
    raw: NDArray[np.float64], *, looks: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Kinds, rows and moments of all events of encoded tasks, in the order they happen."""
    submitted, started, ended = raw[:, _TIMES], raw[:, _TIMES + 1], raw[:, _TIMES + 2]
    begun = np.maximum(started, submitted)
    moments = {SUBMIT: submitted, START: begun, END: np.fmax(np.maximum(ended, submitted), begun)}
    moments[END][np.isnan(ended)] = np.nan
    if looks:
        moments[LOOK] = begun
    rows = [np.flatnonzero(np.isfinite(at)) for at in moments.values()]
    row = np.concatenate(rows)
    kind = np.concatenate([np.full(len(r), k) for k, r in zip(moments, rows, strict=True)])
    at_s = np.concatenate([at[r] for at, r in zip(moments.values(), rows, strict=True)])
    arrives = at_s == submitted[row]  # events of the moment of submission come last, task by task
    order = np.lexsort((np.where(arrives, kind, row), np.where(arrives, row, kind), arrives, at_s))
    return kind[order], row[order], at_s[order]
