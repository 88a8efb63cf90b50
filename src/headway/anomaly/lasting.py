"""Running tasks against how long they were expected to run: who is late, and when one will be."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.anomaly.expected import Band
    from headway.records import Task

Key = tuple[str, str, int]


@dataclass(slots=True)
class Run:
    """A task that runs, and what was expected of it."""

    task: Task
    band: Band | None
    started_s: float
    memory: Band | None = None
    is_told: bool = False  # its lateness was reported


class Running:
    """The tasks that run, ordered by the moment at which each becomes too strange.

    A task's strangeness grows with nothing but time, so that moment is known at its start and no
    task is looked at before it.
    """

    def __init__(self, floor_s: float) -> None:
        self._floor_s, self._threshold = floor_s, math.inf
        self._runs: dict[Key, Run] = {}
        self._due: list[tuple[float, Key]] = []

    def start(self, key: Key, run: Run) -> None:
        """A task runs from now on."""
        self._runs[key] = run
        self._plan(key, run)

    def get(self, key: Key) -> Run | None:
        """A task that runs."""
        return self._runs.get(key)

    def end(self, key: Key) -> Run | None:
        """A task has ended."""
        return self._runs.pop(key, None)

    def set_threshold(self, threshold: float) -> None:
        """From which strangeness on a task is late."""
        self._threshold, self._due = threshold * (1.0 + 1e-6), []  # above it for sure when due
        for key, run in self._runs.items():
            self._plan(key, run)

    def late(self, now_s: float) -> list[tuple[float, Run]]:
        """The tasks that have become late, each once, with the moment at which they did."""
        found = []
        while self._due and self._due[0][0] <= now_s:
            at_s, key = heapq.heappop(self._due)
            run = self._runs.get(key)
            if run is not None and not run.is_told:
                run.is_told = True
                found.append((at_s, run))
        return found

    def _plan(self, key: Key, run: Run) -> None:
        if run.band is None or math.isinf(self._threshold) or run.is_told:
            return
        due_s = run.started_s + run.band.value_at(self._threshold, self._floor_s)
        if math.isfinite(due_s):
            heapq.heappush(self._due, (due_s, key))
