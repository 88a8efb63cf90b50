"""A simulated cluster: tasks of a history arrive, wait until a decision starts them, and end."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import TYPE_CHECKING

from headway.errors import ClusterError, ConfigError
from headway.protocols import Batch
from headway.records import ClusterState, Event, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.records import Decision

_Key = tuple[str, int]


class SimulatedCluster:
    """Replays tasks whose runtimes are known on total_cpus equal processors, as a Cluster.

    Time stands still until `advance` moves it. What a task will turn out to be (its end, its peak
    memory, its state) shows in its "ended" event only. A task takes the larger of what it was
    allocated and requested, at least one processor; a "size" decision may change that while it
    waits. Tasks end as they did: no limit kills them here.
    """

    def __init__(self, name: str, tasks: Sequence[Task], total_cpus: float) -> None:
        for task in tasks:
            if task.started_s is None or task.ended_s is None or task.ended_s < task.started_s:
                raise ConfigError(f"task {task.id} must have a start and an end to be replayed")
            if _cpus(task) > total_cpus:
                raise ConfigError(f"task {task.id} takes {_cpus(task)} of {total_cpus} processors")
        self.name, self.total_cpus, self.free_cpus = name, total_cpus, total_cpus
        self._coming = sorted(tasks, key=lambda task: task.submitted_s)
        self.now_s = self._coming[0].submitted_s if tasks else 0.0
        self._arrived = 0
        self._truth: dict[_Key, Task] = {}
        self._queued: dict[_Key, Task] = {}
        self._running: dict[_Key, Task] = {}
        self._ends: list[tuple[float, int, _Key]] = []  # heap by end, then by start
        self._events: list[Event] = []
        self.advance(self.now_s)

    def events(self, after: str) -> Batch:
        """What happened after a cursor."""
        if after and not (after.isdecimal() and int(after) <= len(self._events)):
            raise ConfigError(f"cursor {after!r} is not of this cluster; begin with ''")
        return Batch(tuple(self._events[int(after or 0) :]), str(len(self._events)))

    def state(self) -> ClusterState:
        """What waits, in order of arrival, what runs and what is free now."""
        return ClusterState(
            cluster=self.name,
            at_s=self.now_s,
            queued=tuple(self._queued.values()),
            running=tuple(self._running.values()),
            total_cpus=self.total_cpus,
            free_cpus=self.free_cpus,
        )

    def apply(self, decision: Decision) -> None:
        """Start or size a task that waits; ClusterError if it does not wait or does not fit."""
        key = (decision.id, decision.attempt)
        task = self._queued.get(key)
        if decision.cluster != self.name or task is None:
            raise ClusterError(f"task {decision.id} does not wait on {self.name}")
        if decision.refused or decision.action == "hold":
            return
        if decision.action not in ("start", "size"):
            raise ClusterError(f"action must be start, size or hold, got {decision.action}")
        task = replace(
            task,
            cpus_requested=decision.cpus or task.cpus_requested,
            memory_requested_bytes=decision.memory_bytes or task.memory_requested_bytes,
            limit_s=decision.limit_s or task.limit_s,
        )
        if decision.action == "size":
            self._queued[key] = task
            return
        cpus = _cpus(task)
        if cpus > self.free_cpus:
            raise ClusterError(f"task {task.id} takes {cpus} processors, {self.free_cpus} are free")
        self._start(key, replace(task, cpus_allocated=cpus))

    def next_event_s(self) -> float | None:
        """When the next task arrives or ends; None = nothing will, unless something is started."""
        times = [task.submitted_s for task in self._coming[self._arrived : self._arrived + 1]]
        times += [end_s for end_s, _, _ in self._ends[:1]]
        return min(times, default=None)

    def advance(self, to_s: float) -> None:
        """Let everything happen up to to_s; of one moment arrivals first. Time never goes back."""
        if to_s < self.now_s:
            raise ConfigError(f"to_s must be at least {self.now_s}, got {to_s}")
        while (at_s := self.next_event_s()) is not None and at_s <= to_s:
            self.now_s = at_s
            if self._is_arrival(at_s):
                self._arrive()
            else:
                self._end()
        self.now_s = to_s

    def _is_arrival(self, at_s: float) -> bool:
        return self._arrived < len(self._coming) and self._coming[self._arrived].submitted_s <= at_s

    def _arrive(self) -> None:
        truth = self._coming[self._arrived]
        key = (truth.id, truth.attempt)
        self._arrived += 1
        self._truth[key] = truth
        self._queued[key] = replace(
            truth, cluster=self.name, state="pending", started_s=None, ended_s=None, node=None,
            cpus_allocated=None, cpus_requested=_cpus(truth), memory_peak_bytes=None, cpu_s=None,
            exit_code=None,
        )  # fmt: skip
        self._happen("submitted", self._queued[key])

    def _start(self, key: _Key, task: Task) -> None:
        truth = self._truth[key]
        assert truth.started_s is not None  # checked at the door
        assert truth.ended_s is not None
        del self._queued[key]
        self._running[key] = replace(task, state="running", started_s=self.now_s)
        self.free_cpus -= _cpus(self._running[key])
        end_s = self.now_s + truth.ended_s - truth.started_s
        heapq.heappush(self._ends, (end_s, len(self._events), key))
        self._happen("started", self._running[key])

    def _end(self) -> None:
        _, _, key = heapq.heappop(self._ends)
        task, truth = self._running.pop(key), self._truth.pop(key)
        self.free_cpus += _cpus(task)
        ended = replace(
            task, ended_s=self.now_s, state=truth.state, exit_code=truth.exit_code,
            memory_peak_bytes=truth.memory_peak_bytes, cpu_s=truth.cpu_s,
        )  # fmt: skip
        self._happen("ended", ended)

    def _happen(self, kind: str, task: Task) -> None:
        self._events.append(Event(kind=kind, at_s=self.now_s, task=task))


def _cpus(task: Task) -> float:
    """How many processors a task takes."""
    if task.cpus_allocated is not None and task.state == "running":
        return task.cpus_allocated
    return max(task.cpus_allocated or 0.0, task.cpus_requested or 0.0, 1.0)
