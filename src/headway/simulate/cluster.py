"""A simulated cluster: tasks of a history arrive, wait until a decision starts them, and end."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import TYPE_CHECKING

from headway.errors import ClusterError, ConfigError
from headway.protocols import Batch
from headway.records import ClusterState, Event, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headway.records import Decision

_Key = tuple[str, int]


class SimulatedCluster:
    """Replays tasks whose runtimes are known on total_cpus equal processors, as a Cluster.

    Time stands still until `advance` moves it. What a task will turn out to be (its end, its peak
    memory, its state) shows in its "ended" event only. A task takes the larger of what it was
    allocated and requested, at least one processor; a "size" decision may change that while it
    waits. Tasks end as they did: no limit kills them here. `again` says what the next attempt of a
    requeued task will turn out to be; without it the same as before.
    """

    def __init__(
        self,
        name: str,
        tasks: Sequence[Task],
        total_cpus: float,
        again: Callable[[Task], Task] | None = None,
    ) -> None:
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
        self._again = again
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
        """Carry a decision out; ClusterError if it was not.

        start and size a task that waits, hold and release it (it waits for a start anyway), cancel
        or requeue one that waits or runs; drain takes `cpus` processors (default 1) out of service
        as soon as they are free, resume gives them back.
        """
        key = (decision.id, decision.attempt)
        if decision.cluster != self.name:
            raise ClusterError(f"{decision.cluster} is not {self.name}")
        if decision.action in ("drain", "resume"):
            cpus = (decision.cpus or 1.0) * (-1.0 if decision.action == "drain" else 1.0)
            self.free_cpus += cpus
            self.total_cpus += cpus
        elif decision.action in ("cancel", "requeue"):
            self._stop(key, decision)
        elif key not in self._queued:
            raise ClusterError(f"task {decision.id} does not wait on {self.name}")
        elif decision.action in ("start", "size"):
            if not decision.refused:
                self._give(key, decision)
        elif decision.action not in ("hold", "release"):
            raise ClusterError(f"{self.name} cannot {decision.action} anything")

    def _give(self, key: _Key, decision: Decision) -> None:
        """Change what a task that waits asks for, and start it if that was decided."""
        task = self._queued[key]
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

    def _stop(self, key: _Key, decision: Decision) -> None:
        """End a task that waits or runs, as cancelled; requeued, its next attempt waits."""
        task = self._queued.pop(key, None) or self._running.pop(key, None)
        if task is None:
            raise ClusterError(f"task {decision.id} is not on {self.name}")
        if task.state == "running":
            self.free_cpus += _cpus(task)
            self._ends = [end for end in self._ends if end[2] != key]
            heapq.heapify(self._ends)
        self._happen("ended", replace(task, state="cancelled", ended_s=self.now_s))
        truth = self._truth.pop(key)
        if decision.action == "requeue":
            again = truth if self._again is None else self._again(truth)
            memory = decision.memory_bytes or truth.memory_requested_bytes
            self._queue(replace(
                again, attempt=key[1] + 1, submitted_s=self.now_s, memory_requested_bytes=memory,
            ))  # fmt: skip

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
        self._arrived += 1
        self._queue(self._coming[self._arrived - 1])

    def _queue(self, truth: Task) -> None:
        """A task comes, and shows only what is known of it before it runs."""
        key = (truth.id, truth.attempt)
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
