"""A rule with EASY backfilling as a Policy: which waiting tasks of a live cluster start now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headway.errors import ConfigError
from headway.records import Decision, Task
from headway.schedule.rules import keys_of, rule_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.protocols import Preferences
    from headway.records import ClusterState

    Floats = NDArray[np.float64]

UNKNOWN_S = 86400.0
"""The runtime of a task of which neither a request nor a prediction is known."""


class EasyPolicy:
    """Orders the queue by a rule on predicted runtimes and backfills what delays nobody.

    Room is reserved by requests, where they are known; a task may jump ahead if its prediction at
    backfill_level ends before the reservation. Memory is allocated at the predicted quantile
    nearest to coverage; a refused prediction keeps the request.
    """

    def __init__(
        self, rule: str = "saf", backfill_level: float = 0.75, coverage: float = 0.95
    ) -> None:
        """Choose a rule by name and the levels in (0, 1) of the quantiles that are used."""
        for name, level in (("backfill_level", backfill_level), ("coverage", coverage)):
            if not 0.0 < level < 1.0:
                raise ConfigError(f"{name} must be in (0, 1), got {level}")
        self._rule = rule_named(rule)
        self._backfill_level, self._coverage = backfill_level, coverage

    def decide(self, state: ClusterState, preferences: Preferences) -> Sequence[Decision]:
        """Starts, in the order in which they should be carried out; preferences are not used."""
        queue = _Queue(state, self._backfill_level, self._coverage)
        waited_s = np.array([state.at_s - task.submitted_s for task in state.queued])
        keys = keys_of(
            self._rule.number,
            np.maximum(queue.median_s, 1.0),
            queue.cpus,
            np.array([task.submitted_s for task in state.queued]),
            waited_s,
        )
        order = list(np.lexsort((-waited_s, keys)))
        started = []
        while order and queue.fits(order[0]):
            started.append(queue.start(order.pop(0)))
        if order:
            started += self._backfill(queue, order)
        return [self._start(state, queue, row) for row in started]

    def _backfill(self, queue: _Queue, order: list[int]) -> list[int]:
        """The tasks behind the first that start now without delaying its reservation."""
        at_s, spare = queue.reservation(order[0])
        rest = order[1:] if self._rule.backfills_by_key else sorted(order[1:])
        started = []
        for row in rest:
            ends_in_time = queue.state.at_s + queue.backfill_s[row] <= at_s
            if queue.fits(row) and (ends_in_time or queue.cpus[row] <= spare):
                spare -= 0 if ends_in_time else queue.cpus[row]
                started.append(queue.start(row))
        return started

    def _start(self, state: ClusterState, queue: _Queue, row: int) -> Decision:
        task = state.queued[row]
        return Decision(
            decision_id="",
            at_s=state.at_s,
            cluster=task.cluster,
            id=task.id,
            attempt=task.attempt,
            action="start",
            memory_bytes=queue.memory_bytes[row],
            made_by=f"easy {self._rule.name}",
        )


class _Queue:
    """The waiting tasks as arrays, and what is left of the cluster while they start."""

    def __init__(self, state: ClusterState, backfill_level: float, coverage: float) -> None:
        self.state = state
        self.asked_s = np.array([_or(task.limit_s, UNKNOWN_S) for task in state.queued])
        self.cpus = np.array([_cpus(task) for task in state.queued], dtype=np.int64)
        self.median_s = self._runtime_s(0.5)
        self.backfill_s = self._runtime_s(backfill_level)
        self.memory_bytes = self._memory_bytes(coverage)
        self._free_cpus, self._free_bytes = state.free_cpus, state.free_memory_bytes
        self._ends = [
            (_or(t.started_s, state.at_s) + _or(t.limit_s, UNKNOWN_S), _cpus(t))
            for t in state.running
        ]

    def fits(self, row: int) -> bool:
        """Whether a task can start with what is free."""
        asked = self.memory_bytes[row]
        has_memory = self._free_bytes is None or asked is None or asked <= self._free_bytes
        return bool(self.cpus[row] <= self._free_cpus) and has_memory

    def start(self, row: int) -> int:
        """Take what a task needs from what is free; the row."""
        self._free_cpus -= self.cpus[row]
        asked = self.memory_bytes[row]
        if self._free_bytes is not None and asked is not None:
            self._free_bytes -= asked
        self._ends.append((self.state.at_s + self.asked_s[row], int(self.cpus[row])))
        return row

    def reservation(self, row: int) -> tuple[float, float]:
        """When a task will have its processors by requests, and how many are spare then."""
        free, at_s = self._free_cpus, self.state.at_s
        for end_s, cpus in sorted(self._ends):
            if free >= self.cpus[row]:
                break
            free += cpus
            at_s = max(end_s, self.state.at_s + 1.0)
        return at_s, free - self.cpus[row]

    def _runtime_s(self, level: float) -> Floats:
        """A predicted quantile at most the request; the request where there is none."""
        predicted = self._predicted("runtime_s", level)
        return np.where(np.isfinite(predicted), np.minimum(predicted, self.asked_s), self.asked_s)

    def _memory_bytes(self, coverage: float) -> list[int | None]:
        predicted = self._predicted("memory_bytes", coverage)
        return [
            int(value) if np.isfinite(value) else task.memory_requested_bytes
            for value, task in zip(predicted, self.state.queued, strict=True)
        ]

    def _predicted(self, target: str, level: float) -> Floats:
        estimate = self.state.estimates.get(target)
        n = len(self.state.queued)
        if estimate is None:
            return np.full(n, np.nan)
        column = int(np.argmin(np.abs(estimate.levels - level)))
        return estimate.quantiles[:n, column]


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _cpus(task: Task) -> int:
    return max(1, int(np.ceil(_or(task.cpus_requested, 1.0))))
