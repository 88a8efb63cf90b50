"""A pool of processes on this machine as a Cluster: one task is one call of a Python function.

A task holds one worker and its allocation of memory from start to end. A pool that is not held
starts tasks first come, first served, by their requests; a held one waits for decisions. A worker
that dies takes only its own task with it.
"""

from __future__ import annotations

import atexit
import pickle
import threading
import time
import weakref
from collections import OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass, replace
from multiprocessing.pool import RemoteTraceback  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any

from headway.errors import ClusterError, ConfigError
from headway.observe.machine import available_cpus
from headway.observe.staff import Broken, Call, Died, Job, Report, Staff
from headway.observe.worker import Measured, Started
from headway.protocols import Batch
from headway.records import ClusterState, Decision, Event, Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import BaseContext

KEPT_EVENTS = 100_000
"""A reader that falls further behind than this has lost events and is told so."""
KEPT_FAILED = 100
"""Latest tasks that did not complete, which can be queued again."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a task: its record, and the call's value or error."""

    task: Task
    value: Any = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class _Attempt:
    task: Task
    job: Job
    future: Future[Ended]
    memory_bytes: int | None
    is_held: bool
    is_requeued: bool = False  # it is being killed, to wait again


class LocalPool:
    """Worker processes that run tasks within an amount of memory, and say what each one took.

    workers: how many tasks at once (default: the processors this process may use).
    memory_bytes: what the allocations of running tasks may add up to; None = not managed.
    is_held: start nothing until a decision says so.
    is_memory_enforced: a task that takes more than its allocation is killed, or at the latest at
    its end failed, with a MemoryError (what it holds is read 20 times a second; RLIMIT_DATA would
    count what numeric libraries reserve and never touch: OpenBLAS then ends the process).
    calls_per_worker: renew a worker process after so many calls; 1 = a fresh process each time.
    context: how processes start; default forkserver (spawn where there is none), so that a task
    neither inherits nor reports the memory of a big parent.
    """

    def __init__(
        self,
        workers: int | None = None,
        memory_bytes: int | None = None,
        *,
        cluster: str = "local",
        is_held: bool = False,
        is_memory_enforced: bool = False,
        calls_per_worker: int | None = None,
        context: BaseContext | None = None,
        initialize: Callable[[], object] | None = None,
    ) -> None:
        self.cluster = cluster
        self.workers = available_cpus() if workers is None else workers
        self.memory_bytes = memory_bytes
        if self.workers < 1:
            raise ConfigError(f"workers must be at least 1, got {workers}")
        if memory_bytes is not None and memory_bytes <= 0:
            raise ConfigError(f"memory_bytes must be more than 0, got {memory_bytes}")
        self._is_held, self._is_memory_enforced = is_held, is_memory_enforced
        self._lock = threading.RLock()
        self._queued: OrderedDict[str, _Attempt] = OrderedDict()
        self._running: dict[str, _Attempt] = {}
        self._failed: OrderedDict[str, _Attempt] = OrderedDict()
        self._events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._n_events = 0
        self._broken = ""
        self._is_closing = False
        self._staff = Staff(
            cluster,
            self._hear,
            calls_per_worker=calls_per_worker,
            context=context,
            initialize=initialize,
        )
        _open_pools.add(self)

    def submit(self, task: Task, call: Call) -> Future[Ended]:
        """Queue a task; the future gives what became of it and raises only if cancelled.

        Callbacks of the future run in the pool's own thread and must be short.
        """
        request = task.memory_requested_bytes
        if self.memory_bytes is not None and request is not None and request > self.memory_bytes:
            raise ConfigError(
                f"task {task.id} requests {request} bytes, more than the pool's "
                f"{self.memory_bytes}; request less or give the pool more"
            )
        task = replace(task, cluster=self.cluster, state="pending")
        job = Job(task.id, call, limit_s=task.limit_s)
        attempt = _Attempt(task, job, Future(), request, is_held=self._is_held)
        with self._lock:
            if self._broken or self._is_closing:
                raise ClusterError(self._broken or "the pool is closed; it takes no new tasks")
            if task.id in self._queued or task.id in self._running:
                raise ConfigError(f"task {task.id} is already in the pool; give each its own id")
            self._queued[task.id] = attempt
            self._note("submitted", task.submitted_s, task)
            self._start_first_come()
        return attempt.future

    def cancel(self, task_id: str) -> bool:
        """Take a task back, killing it if it runs; False if the pool does not know it."""
        with self._lock:
            attempt = self._queued.pop(task_id, None)
            if attempt is not None:
                self._note("ended", time.time(), replace(attempt.task, state="cancelled"))
                self._start_first_come()
                self._leave_if_done()
            elif task_id in self._running:
                self._running[task_id].is_requeued = False
                self._staff.kill(task_id)
                return True
        if attempt is None:
            return False
        attempt.future.cancel()
        attempt.future.set_running_or_notify_cancel()
        return True

    def events(self, after: str) -> Batch:
        """What happened after a cursor."""
        with self._lock:
            first = self._n_events - len(self._events)
            if after and not (after.isdigit() and int(after) <= self._n_events):
                raise ConfigError(f"cursor {after!r} is not of this pool; begin with ''")
            start = int(after or 0)
            if start < first:
                raise ClusterError(f"{first - start} events after cursor {after!r} are gone")
            return Batch(tuple(self._events)[start - first :], str(self._n_events))

    def state(self) -> ClusterState:
        """What waits, runs and is free now."""
        with self._lock:
            return ClusterState(
                cluster=self.cluster,
                at_s=time.time(),
                queued=tuple(a.task for a in self._queued.values()),
                running=tuple(a.task for a in self._running.values()),
                total_cpus=self.workers,
                free_cpus=self.workers - len(self._running),
                total_memory_bytes=self.memory_bytes,
                free_memory_bytes=self._free_memory_bytes(),
            )

    def apply(self, decision: Decision) -> None:
        """Carry out what was decided of one task.

        start: run now, with the memory and limit decided; size: change them; hold: not yet;
        release: hold no more; cancel: take back or kill; requeue: run again as the next attempt,
        killing it if it runs, with other memory and limit where they are given.
        """
        with self._lock:
            if decision.action == "cancel":
                if not self.cancel(decision.id):
                    raise ClusterError(f"task {decision.id} is not in {self.cluster}")
            elif decision.action == "requeue":
                self._requeue(decision)
            elif decision.action in ("start", "size", "hold", "release"):
                self._decide(decision)
                self._start_first_come()
            else:
                raise ClusterError(f"{self.cluster} has no nodes to {decision.action}")

    def latest(self, task_id: str) -> Future[Ended] | None:
        """The future of a task's latest attempt, where it waits, runs or did not complete."""
        with self._lock:
            for attempts in (self._queued, self._running, self._failed):
                if task_id in attempts:
                    return attempts[task_id].future
        return None

    def close(self, *, is_waiting: bool = True, is_killing: bool = False) -> None:
        """Take no more tasks and end the workers, once all is done or (is_killing) at once."""
        with self._lock:
            self._is_closing = True
            left = [*self._queued, *self._running] if is_killing else []
            self._leave_if_done()
        for task_id in left:
            self.cancel(task_id)
        if is_waiting:
            self._staff.join()

    def __enter__(self) -> LocalPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        is_interrupted = kind is not None and not issubclass(kind, Exception)
        self.close(is_killing=is_interrupted)

    # The lock is held in all of the following but _hear, which takes it.

    def _decide(self, decision: Decision) -> None:
        """Start, size, hold or release a task that waits."""
        attempt = self._queued.get(decision.id)
        if attempt is None:
            raise ClusterError(f"task {decision.id} is not queued in {self.cluster}")
        _resize(attempt, decision)
        if decision.action == "hold":
            attempt.is_held = True
        elif decision.action == "release":
            attempt.is_held = False
        elif decision.action == "start":
            if not self._fits(attempt):
                raise ClusterError(
                    f"task {decision.id} needs a worker and {attempt.memory_bytes} bytes; free "
                    f"are {self.workers - len(self._running)} and {self._free_memory_bytes()}"
                )
            self._start(attempt)

    def _requeue(self, decision: Decision) -> None:
        """Queue a task again: one that runs once it is killed, one that did not complete now."""
        asked, running = decision.memory_bytes or 0, self._running.get(decision.id)
        if self.memory_bytes is not None and asked > self.memory_bytes:
            raise ClusterError(f"{asked} bytes are more than the pool's {self.memory_bytes}")
        if running is not None:
            _resize(running, decision)
            running.is_requeued = True
            self._staff.kill(decision.id)
            return
        failed = self._failed.pop(decision.id, None)
        if failed is None or self._is_closing or self._broken:
            raise ClusterError(f"task {decision.id} neither runs nor has failed in {self.cluster}")
        _resize(failed, decision)
        self._queue_again(failed, Future())

    def _queue_again(self, attempt: _Attempt, future: Future[Ended]) -> None:
        """The next attempt of a task waits, behind what waits already."""
        task = replace(
            attempt.task, attempt=attempt.task.attempt + 1, state="pending", started_s=None,
            submitted_s=time.time(), cpus_allocated=None,
            memory_requested_bytes=attempt.memory_bytes,
        )  # fmt: skip
        job = Job(task.id, attempt.job.call, limit_s=attempt.job.limit_s)
        again = _Attempt(task, job, future, attempt.memory_bytes, is_held=self._is_held)
        self._queued[task.id] = again
        self._note("submitted", task.submitted_s, task)
        self._start_first_come()

    def _free_memory_bytes(self) -> int | None:
        if self.memory_bytes is None:
            return None
        return self.memory_bytes - sum(a.memory_bytes or 0 for a in self._running.values())

    def _fits(self, attempt: _Attempt) -> bool:
        free = self._free_memory_bytes()
        has_memory = free is None or (attempt.memory_bytes or 0) <= free
        return has_memory and len(self._running) < self.workers

    def _start_first_come(self) -> None:
        """The head waits until it fits and the others wait behind it."""
        while (head := next((a for a in self._queued.values() if not a.is_held), None)) is not None:
            if not self._fits(head):
                return
            self._start(head)

    def _start(self, attempt: _Attempt) -> None:
        del self._queued[attempt.task.id]
        attempt.task = replace(attempt.task, state="running", cpus_allocated=1.0)
        self._running[attempt.task.id] = attempt
        if self._is_memory_enforced:
            attempt.job.limit_bytes = attempt.memory_bytes or 0
        self._staff.run(attempt.job)

    def _note(self, kind: str, at_s: float, task: Task) -> None:
        self._events.append(Event(kind=kind, at_s=at_s, task=task))
        self._n_events += 1

    def _leave_if_done(self) -> None:
        if self._is_closing and not self._queued and not self._running:
            self._staff.leave()

    def _hear(self, task_id: str, report: Report) -> None:
        """In the staff's thread: note what happened, then tell whoever waits for it."""
        attempt = self._running[task_id]
        if isinstance(report, Started):
            with self._lock:
                attempt.task = replace(attempt.task, started_s=report.at_s)
                self._note("started", report.at_s, attempt.task)
            return
        ended = _ended(attempt.task, report)
        left: list[_Attempt] = []
        with self._lock:
            del self._running[task_id]
            if isinstance(report, Broken):
                self._broken = report.reason
                left = list(self._queued.values())
                self._queued.clear()
            for task in [ended.task, *(replace(a.task, state="unknown") for a in left)]:
                self._note("ended", task.ended_s or time.time(), task)
            is_done = ended.task.state == "completed"  # before the kill came
            if attempt.is_requeued and not (is_done or self._broken or self._is_closing):
                self._queue_again(attempt, attempt.future)
                return
            if not is_done:
                self._failed[task_id] = attempt
                if len(self._failed) > KEPT_FAILED:
                    self._failed.popitem(last=False)
            if not self._broken:
                self._start_first_come()
            self._leave_if_done()
        attempt.future.set_result(ended)
        for other in left:
            other.future.set_result(replace(ended, task=replace(other.task, state="unknown")))


def _resize(attempt: _Attempt, decision: Decision) -> None:
    """Give a task the memory and the limit that were decided, where they were."""
    if decision.memory_bytes is not None:
        attempt.memory_bytes = decision.memory_bytes
    if decision.limit_s is not None:
        attempt.job.limit_s = decision.limit_s


def _ended(task: Task, report: Measured | Died | Broken) -> Ended:
    """What became of a task, from the last report on it."""
    if isinstance(report, Measured):
        return _measured(task, report)
    if isinstance(report, Broken):
        return Ended(replace(task, state="unknown"), error=ClusterError(report.reason))
    code = report.exit_code
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    if report.is_for_memory:
        how += ": the machine ran out of memory"
    elif report.killed:
        how = "its limit_s" if report.killed == "timeout" else "a cancel"
    state = report.killed or ("out_of_memory" if report.is_for_memory else "failed")
    ended_s = None if task.started_s is None else max(time.time(), task.started_s)
    task = replace(task, state=state, ended_s=ended_s, exit_code=128 - code if code < 0 else code)
    if report.killed == "out_of_memory":
        task = replace(task, memory_peak_bytes=report.memory_bytes)
        return Ended(task, error=MemoryError(f"held {report.memory_bytes} bytes, more than given"))
    return Ended(task, error=ClusterError(f"task {task.id} was ended by {how}"))


def _measured(task: Task, measured: Measured) -> Ended:
    state = "out_of_memory" if measured.is_out_of_memory else "failed"
    task = replace(
        task,
        state=state if measured.is_error else "completed",
        started_s=measured.started_s,
        ended_s=measured.ended_s,
        cpu_s=measured.cpu_s,
        memory_peak_bytes=measured.memory_peak_bytes,
        exit_code=1 if measured.is_error else 0,
    )
    try:
        answer = pickle.loads(measured.answer)
    except Exception as error:  # whatever a foreign __setstate__ raises is the answer
        return Ended(replace(task, state="failed", exit_code=1), error=error)
    if not measured.is_error:
        return Ended(task, value=answer)
    if measured.traceback:
        answer.__cause__ = RemoteTraceback(f'\n"""\n{measured.traceback}"""')
    return Ended(task, error=answer)


_open_pools: weakref.WeakSet[LocalPool] = weakref.WeakSet()


@atexit.register
def _close_open_pools() -> None:
    for pool in list(_open_pools):
        pool.close(is_killing=True)
