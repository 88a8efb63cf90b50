"""Which waiting task starts next, and with how much memory, on one machine.

A task's memory is what was given, else what is foretold at the coverage asked for, else a fair
share. The order is first come, or the smallest of submission + 20 expected runtimes: shortest first
among those that came together, and no task stays behind later ones for longer than that. A task
that does not fit is passed by others a bounded number of times, then free memory is kept for it.
Source: own rule; the rank is earliest deadline first (Liu, Layland 1973) with deadlines in
proportion to length. Measured by the demo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.records import Estimate, Task

PATIENCE = 20.0
"""A task waits at most this many of its expected runtimes before later shorter ones stay behind."""
PASSES_PER_WORKER = 8
"""How often others may pass a task that does not fit before free memory is kept for it."""
FAIR_SHARE = "admission-1/fair share"


class Beliefs(Protocol):
    """What is known of tasks by name."""

    changes: int  # grows whenever the age of some name does

    def age(self, name: str | None) -> int:
        """Grows when what is believed of a name has changed by enough to ask again."""
        ...

    def estimate(self, tasks: Sequence[Task]) -> tuple[Estimate, Estimate]:
        """Runtime in seconds and peak memory in bytes."""
        ...


@dataclass(slots=True, eq=False)
class Waiting:
    """A task that waits, and what is meant for it."""

    task: Task
    number: int  # order of arrival
    given_bytes: int | None = None
    least_bytes: int = 0  # an attempt with less did not fit
    memory_bytes: int = 0  # allocation
    made_by: str = "given"  # who said that allocation
    rank: float = 0.0  # smaller starts first
    passes: int = 0  # how often others that came behind were started instead
    age: int = -1  # of the beliefs when it was sized last


class Admission:
    """The queue of one machine: total_bytes to share, workers tasks at once.

    order: "shortest" or "first" (first come, first served, nobody passes).
    coverage: the share of tasks whose foretold memory is to suffice.
    """

    def __init__(
        self, total_bytes: int, workers: int, beliefs: Beliefs, order: str, coverage: float
    ) -> None:
        self.total_bytes, self.workers = total_bytes, workers
        self._beliefs, self._order, self._coverage = beliefs, order, coverage
        self._queue: list[Waiting] = []  # sorted by (rank, number), but for the new ones
        self._new: list[Waiting] = []
        self._changes = 0

    def __len__(self) -> int:
        return len(self._queue) + len(self._new)

    def add(self, waiting: Waiting) -> None:
        """Queue a task."""
        self._new.append(waiting)

    def clear(self) -> list[Waiting]:
        """Give up all that waits."""
        left, self._queue, self._new = self._queue + self._new, [], []
        return left

    def take(self, free_bytes: int) -> Waiting | None:
        """The task to start now, taken from the queue; None if none fits or may pass."""
        self._put_in_order()
        passed: list[Waiting] = []
        for position, waiting in enumerate(self._queue):
            if waiting.memory_bytes <= free_bytes:
                for other in passed:
                    other.passes += 1
                return self._queue.pop(position)
            if self._order == "first" or waiting.passes >= PASSES_PER_WORKER * self.workers:
                return None
            passed.append(waiting)
        return None

    def _put_in_order(self) -> None:
        """Size and rank by what is believed now."""
        stale = self._new
        if self._changes != self._beliefs.changes:
            self._changes = self._beliefs.changes
            stale = stale + [w for w in self._queue if w.age != self._beliefs.age(w.task.name)]
        if not stale:
            return
        runtime, memory = self._beliefs.estimate([waiting.task for waiting in stale])
        for row, waiting in enumerate(stale):
            waiting.age = self._beliefs.age(waiting.task.name)
            waiting.memory_bytes, waiting.made_by = self._allocation(waiting, memory, row)
            waiting.rank = float(waiting.number)
            if self._order == "shortest":
                expected_s = float(np.nan_to_num(runtime.value[row]))
                waiting.rank = waiting.task.submitted_s + PATIENCE * expected_s
        self._queue += self._new
        self._new = []
        self._queue.sort(key=lambda waiting: (waiting.rank, waiting.number))

    def _allocation(self, waiting: Waiting, memory: Estimate, row: int) -> tuple[int, str]:
        """How much memory, and who says so; never less than what did not suffice."""
        if waiting.given_bytes is not None:
            wanted, made_by = float(waiting.given_bytes), "given"
        elif waiting.age > 0 and not memory.refused[row]:
            wanted = float(np.interp(self._coverage, memory.levels, memory.quantiles[row]))
            made_by = str(memory.made_by[row])
        else:
            wanted, made_by = self.total_bytes / self.workers, FAIR_SHARE
        return int(min(max(wanted, waiting.least_bytes, 1.0), self.total_bytes)), made_by
