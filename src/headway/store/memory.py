"""A log in memory, forgotten with the process: the twin of the tables on disk."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import polars as pl

from headway.protocols import Appended
from headway.records import KEYS, TIMES
from headway.store.states import known_kind, whole, window
from headway.tables import frame

if TYPE_CHECKING:
    from collections.abc import Iterable


class MemoryStore:
    """A Store for tests and short runs.

    >>> store = MemoryStore()
    >>> reading = frame("sample", [{"cluster": "c", "metric": "cpu_share", "at_s": 1.0}])
    >>> store.append("sample", [reading, reading])
    Appended(stored=1, duplicate=1)
    """

    def __init__(self) -> None:
        self._states: dict[str, pl.DataFrame] = {}  # every distinct state, in order of arrival

    def append(self, kind: str, batches: Iterable[pl.DataFrame]) -> Appended:
        """Add records of one kind, all or none; what is there already adds nothing."""
        before = self._states.get(known_kind(kind), frame(kind))
        came = [whole(kind, batch) for batch in batches]
        after = pl.concat([before, *came]).unique(maintain_order=True, keep="first")
        self._states[kind] = after
        stored = after.height - before.height
        return Appended(stored, sum(batch.height for batch in came) - stored)

    def read(self, kind: str, start_s: float = -inf, end_s: float = inf) -> pl.DataFrame:
        """The latest state of each record with start_s <= time < end_s, in order of time."""
        states = self._states.get(known_kind(kind), frame(kind))
        latest = states.unique(subset=KEYS[kind], maintain_order=True, keep="last")
        return latest.filter(*window(kind, start_s, end_s)).sort(TIMES[kind], maintain_order=True)
