"""The waiting tasks of a live cluster as arrays, and what is left of it while they start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.records import Decision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.records import ClusterState, Task

    Floats = NDArray[np.float64]

UNKNOWN_S: Final = 86400.0
"""The runtime of a task of which neither a request nor a prediction is known."""


class Waiting:
    """What waits, in the order of the state, with room reserved by requests."""

    def __init__(self, state: ClusterState, backfill_level: float, coverage: float) -> None:
        """Levels in (0, 1): of the runtime that backfilling trusts, of the memory allocated."""
        self.state = state
        self.asked_s = np.array([_or(task.limit_s, UNKNOWN_S) for task in state.queued])
        self.cpus = np.array([_cpus(task) for task in state.queued], dtype=np.int64)
        self.median_s = self._runtime_s(0.5)
        self.upper_s = self._runtime_s(backfill_level)
        self.backfill_s = self.upper_s
        self.memory_bytes = self._memory_bytes(coverage)
        self.free_cpus, self._free_bytes = state.free_cpus, state.free_memory_bytes
        self.ends = [
            (_or(t.started_s, state.at_s) + _or(t.limit_s, UNKNOWN_S), _cpus(t), t.user or "")
            for t in state.running
        ]

    def fits(self, row: int) -> bool:
        """Whether a task can start with what is free."""
        asked = self.memory_bytes[row]
        has_memory = self._free_bytes is None or asked is None or asked <= self._free_bytes
        return bool(self.cpus[row] <= self.free_cpus) and has_memory

    def start(self, row: int) -> int:
        """Take what a task needs from what is free; the row."""
        self.free_cpus -= self.cpus[row]
        asked = self.memory_bytes[row]
        if self._free_bytes is not None and asked is not None:
            self._free_bytes -= asked
        task = self.state.queued[row]
        end_s = self.state.at_s + float(self.asked_s[row])
        self.ends.append((end_s, int(self.cpus[row]), task.user or ""))
        return row

    def reservation(self, row: int) -> tuple[float, float]:
        """When a task will have its processors by requests, and how many are spare then."""
        free, at_s = self.free_cpus, self.state.at_s
        for end_s, cpus, _ in sorted(self.ends):
            if free >= self.cpus[row]:
                break
            free += cpus
            at_s = max(end_s, self.state.at_s + 1.0)
        return at_s, free - self.cpus[row]

    def trust(self, safety: float) -> None:
        """Let tasks go before a reservation by their median and so many of its log spreads."""
        median_s = np.maximum(self.median_s, 1.0)
        spread = np.log(np.maximum(self.upper_s, 1.0) / median_s)
        self.backfill_s = np.minimum(median_s * np.exp(safety * spread), self.asked_s)

    def overdue(self) -> float:
        """Processors of running tasks that have outlived the median of their prediction."""
        running, at_s = self.state.running, self.state.at_s
        ran_s = np.array([at_s - _or(task.started_s, at_s) for task in running])
        cpus = np.array([_cpus(task) for task in running])
        return float(cpus[ran_s > self._running_s()].sum())

    def arrived(self, since_s: float) -> tuple[int, float]:
        """Tasks that wait or run and came after a moment, and their predicted processor-seconds."""
        tasks = [*self.state.queued, *self.state.running]
        is_new = np.array([task.submitted_s > since_s for task in tasks], np.bool_)
        cpus = np.array([_cpus(task) for task in tasks])
        runtime_s = np.concatenate([self.median_s, self._running_s()])
        return int(is_new.sum()), float((cpus * runtime_s)[is_new].sum())

    def ends_by(self, row: int, at_s: float) -> bool:
        """Whether a task that starts now is believed to end by a moment."""
        return bool(self.state.at_s + self.backfill_s[row] <= at_s)

    def may_go_before(self, row: int, at_s: float, spare: float) -> bool:
        """Whether a task fits and does not delay a reservation at at_s that leaves some spare."""
        return self.fits(row) and (self.ends_by(row, at_s) or bool(self.cpus[row] <= spare))

    def decision(self, row: int, made_by: str) -> Decision:
        """The start of a task with the memory that it is given."""
        task = self.state.queued[row]
        return Decision(
            decision_id="",
            at_s=self.state.at_s,
            cluster=task.cluster,
            id=task.id,
            attempt=task.attempt,
            action="start",
            memory_bytes=self.memory_bytes[row],
            made_by=made_by,
        )

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

    def _running_s(self) -> Floats:
        """The median of each running task; the request where nothing was predicted."""
        asked_s = np.array([_or(task.limit_s, UNKNOWN_S) for task in self.state.running])
        predicted = self._of_all("runtime_s", 0.5)[len(self.state.queued) :]
        return np.where(np.isfinite(predicted), np.minimum(predicted, asked_s), asked_s)

    def _predicted(self, target: str, level: float) -> Floats:
        return self._of_all(target, level)[: len(self.state.queued)]

    def _of_all(self, target: str, level: float) -> Floats:
        """A predicted quantile of what waits, then of what runs; NaN = not predicted."""
        estimate = self.state.estimates.get(target)
        if estimate is None:
            return np.full(len(self.state.queued) + len(self.state.running), np.nan)
        return estimate.quantiles[:, int(np.argmin(np.abs(estimate.levels - level)))]


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _cpus(task: Task) -> int:
    return max(1, int(np.ceil(_or(task.cpus_requested, 1.0))))
