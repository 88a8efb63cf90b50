"""Worker processes seen from their parent: each answers one call at a time, the dead are replaced.

One thread starts, hears and buries the workers. Whoever gave it a job hears Started, then one of
Measured, Died or Broken; the listener is called in that thread and must be short.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from headway.observe.machine import oom_kills, resident_bytes
from headway.observe.worker import Measured, Ready, Started, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

logger = logging.getLogger(__name__)

FAR_S = 1e10
"""A deadline that never comes."""
WEIGH_S = 0.05
"""How often the memory of limited jobs is read while they run."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a task does: function(*args, **kwargs), all of it picklable."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Job:
    """A call under way; limit_bytes 0 = no memory limit, limit_s None = no time limit."""

    key: str
    call: Call
    limit_bytes: int = 0
    limit_s: float | None = None
    deadline_s: float = FAR_S  # on the monotonic clock
    killed: str = ""  # the state it ends in because it was killed on purpose
    memory_bytes: int | None = None  # what it held when it was killed for it


@dataclass(frozen=True, slots=True)
class Died:
    """The worker of a job died; `killed` = on purpose, and the state to call it."""

    exit_code: int  # negative = signal
    is_for_memory: bool  # the kernel killed it because memory ran out
    killed: str = ""
    memory_bytes: int | None = None  # what it held when it was killed for it


@dataclass(frozen=True, slots=True)
class Broken:
    """Workers cannot be had: no job will ever run."""

    reason: str


Report = Started | Measured | Died | Broken


@dataclass(slots=True, eq=False)
class _Worker:
    process: BaseProcess
    connection: Connection
    job: Job | None = None
    calls: int = 0
    is_ready: bool = False
    is_sent: bool = False  # its job went over the wire
    is_leaving: bool = False


class Staff:
    """As many worker processes as jobs were ever under way at once."""

    def __init__(
        self,
        name: str,
        listen: Callable[[str, Report], None],
        *,
        calls_per_worker: int | None = None,
        context: BaseContext | None = None,
        initialize: Callable[[], object] | None = None,
    ) -> None:
        self._name, self._listen_to = name, listen
        self._calls_per_worker, self._initialize = calls_per_worker, initialize
        self._context: Any = context or multiprocessing.get_context(_start_method())
        self._workers: list[_Worker] = []
        self._inbox: deque[Job | str | None] = deque()  # a job, a key to kill, None = leave
        self._waiting: deque[Job] = deque()  # jobs without a worker
        self._is_leaving = False
        self._broken = ""
        self._oom_kills = oom_kills()
        self._wake_reader, self._wake_writer = multiprocessing.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._run, name=f"headway-{name}", daemon=True)
        self._thread.start()

    def run(self, job: Job) -> None:
        """Give a job to an idle worker, or to a new one."""
        self._post(job)

    def kill(self, key: str) -> None:
        """End a job's worker; the job ends as 'cancelled'."""
        self._post(key)

    def leave(self) -> None:
        """End all workers as soon as no job is left."""
        self._post(None)

    def join(self) -> None:
        """Wait until all workers are gone."""
        if threading.current_thread() is not self._thread:
            while self._thread.is_alive():  # a Ctrl-C may be delivered to another thread
                self._thread.join(0.2)

    def _post(self, message: Job | str | None) -> None:
        self._inbox.append(message)
        with contextlib.suppress(OSError):  # closed: all workers are gone
            self._wake_writer.send_bytes(b"!")

    def _run(self) -> None:
        try:
            while not self._broken and not (self._is_leaving and self._is_idle()):
                self._wait()
                self._read_inbox()
                self._kill_doomed()
                self._assign()
        finally:
            self._fall_apart()

    def _is_idle(self) -> bool:
        return not (self._inbox or self._waiting or any(w.job for w in self._workers))

    def _read_inbox(self) -> None:
        while self._inbox:
            message = self._inbox.popleft()
            if message is None:
                self._is_leaving = True
            elif isinstance(message, Job):
                self._waiting.append(message)
            else:
                self._doom(message)

    def _doom(self, key: str) -> None:
        for job in [j for j in self._waiting if j.key == key]:
            self._waiting.remove(job)
            self._listen_to(key, Died(0, is_for_memory=False, killed="cancelled"))
        for worker in self._workers:
            if worker.job is not None and worker.job.key == key:
                worker.job.killed = worker.job.killed or "cancelled"

    def _kill_doomed(self) -> None:
        now_s = time.monotonic()
        for worker in self._workers:
            if worker.job is not None:
                if worker.job.deadline_s <= now_s:
                    worker.job.killed = worker.job.killed or "timeout"
                self._weigh(worker, worker.job)
                if worker.job.killed:
                    _kill(worker.process)

    def _weigh(self, worker: _Worker, job: Job) -> None:
        """Doom a job that holds more than its limit; one that slips through is told at its end."""
        if job.limit_bytes and worker.is_sent and worker.process.pid is not None:
            held = resident_bytes(worker.process.pid)
            if held is not None and held > job.limit_bytes:
                job.killed, job.memory_bytes = job.killed or "out_of_memory", held

    def _assign(self) -> None:
        while self._waiting and not self._broken:
            job = self._waiting.popleft()
            idle = [w for w in self._workers if w.job is None and not w.is_leaving]
            worker = max(idle, key=lambda w: w.is_ready) if idle else self._hire()
            worker.job, worker.is_sent = job, False
            if worker.is_ready:
                self._send(worker, job)

    def _hire(self) -> _Worker:
        ours, theirs = multiprocessing.Pipe()
        process = self._context.Process(
            target=serve, args=(theirs, self._initialize), name=f"headway-{self._name}-worker"
        )
        process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]

    def _send(self, worker: _Worker, job: Job) -> None:
        call = job.call
        try:
            payload = pickle.dumps((call.function, call.args, dict(call.kwargs or {})))
        except Exception as error:  # whatever a foreign __reduce__ raises is the job's answer
            worker.job, now_s = None, time.time()
            self._listen_to(job.key, Measured(now_s, now_s, 0.0, None, _travelling(error), True))
            return
        worker.is_sent = True
        with contextlib.suppress(OSError):  # it died: its sentinel tells
            worker.connection.send(job.limit_bytes)
            worker.connection.send_bytes(payload)

    def _wait(self) -> None:
        """Sleep until something happens, and take it in."""
        sources: dict[Any, _Worker | None] = {self._wake_reader: None}
        for worker in self._workers:
            sources[worker.process.sentinel] = worker
            if not worker.connection.closed:
                sources[worker.connection] = worker
        alive = [w.job.deadline_s for w in self._workers if w.job and not w.job.killed]
        deadline_s = min(alive, default=FAR_S)
        if any(w.job and w.job.limit_bytes and not w.job.killed for w in self._workers):
            deadline_s = min(deadline_s, time.monotonic() + WEIGH_S)
        timeout_s = None if deadline_s >= FAR_S else max(deadline_s - time.monotonic(), 0.0)
        dead: list[_Worker] = []
        for source in wait(list(sources), timeout_s):
            worker_or_none = sources[source]
            if worker_or_none is None:
                self._wake_reader.recv_bytes()
            elif source is worker_or_none.connection:
                self._hear(worker_or_none)
            else:
                dead.append(worker_or_none)
        for worker in dead:
            while not worker.connection.closed and worker.connection.poll():
                self._hear(worker)
            self._bury(worker)

    def _hear(self, worker: _Worker) -> None:
        """Take one message of a worker."""
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):  # it is about to die: its sentinel tells
            worker.connection.close()
            return
        job = worker.job
        if isinstance(message, Ready):
            worker.is_ready = not message.broken
            if message.broken:
                self._broken = f"a worker could not be set up:\n{message.broken}"
            elif job is not None:
                self._send(worker, job)
            return
        assert job is not None
        if isinstance(message, Started):
            job.deadline_s = FAR_S if job.limit_s is None else time.monotonic() + job.limit_s
        else:
            worker.job = None
            worker.calls += 1
            if worker.calls == self._calls_per_worker:
                self._dismiss(worker)
        self._listen_to(job.key, message)

    def _dismiss(self, worker: _Worker) -> None:
        worker.is_leaving = True
        with contextlib.suppress(OSError):  # it is gone already
            worker.connection.send(None)

    def _bury(self, worker: _Worker) -> None:
        """A worker is dead: its job died with it, unless it never got there."""
        worker.process.join()
        worker.connection.close()
        self._workers.remove(worker)
        job, exit_code = worker.job, worker.process.exitcode or 0
        killed = "" if job is None else job.killed
        if not worker.is_ready and not killed and not self._broken:
            self._broken = (
                f"a worker died at birth with exit code {exit_code}; a script that starts tasks "
                'needs `if __name__ == "__main__":` around its own work'
            )
        if job is None:
            return
        if not worker.is_sent and not killed:  # it left before it was asked
            self._waiting.appendleft(job)
            return
        before, self._oom_kills = self._oom_kills, oom_kills()
        is_for_memory = exit_code == -signal.SIGKILL and not killed and self._oom_kills > before
        logger.info("job %s: its worker died with exit code %d %s", job.key, exit_code, killed)
        self._listen_to(job.key, Died(exit_code, is_for_memory, killed, job.memory_bytes))

    def _fall_apart(self) -> None:
        """Nothing is left to do, or nothing can be done: no job and no process stays behind."""
        reason = self._broken or "the thread that hears the workers ended; see stderr"
        left = [w.job for w in self._workers if w.job is not None] + [*self._waiting]
        self._is_leaving = True
        for worker in self._workers:
            self._dismiss(worker)
            if left or self._broken:
                _kill(worker.process)
        for worker in self._workers:
            worker.process.join(5.0)
            _kill(worker.process)
            worker.process.join()
            worker.connection.close()
        self._workers.clear()
        left += [message for message in self._inbox if isinstance(message, Job)]
        for job in left:
            self._listen_to(job.key, Broken(reason))
        self._wake_writer.close()
        self._wake_reader.close()


def _travelling(error: BaseException) -> bytes:
    """An error about pickling, as a worker would send it."""
    try:
        return pickle.dumps(error)
    except Exception:  # the error holds what cannot be pickled
        return pickle.dumps(pickle.PicklingError(repr(error)))


def _start_method() -> str:
    methods = multiprocessing.get_all_start_methods()
    return "forkserver" if "forkserver" in methods and os.path.isdir("/proc") else "spawn"


def _kill(process: BaseProcess) -> None:
    """End a worker and what its call has started."""
    if process.pid is None or not process.is_alive():
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # not yet the leader of its own group
        process.kill()
