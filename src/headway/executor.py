"""A drop-in for ProcessPoolExecutor that learns what its calls take, and admits them by it.

A call starts when a worker is free and its memory, given or foretold, fits into what is free. Every
outcome teaches: peak memory and runtime by function and size of input. Differences from the
standard: a worker that dies fails only its own call, with a ClusterError; a script needs
`if __name__ == "__main__":` on every system; a task that will not fit is not started, but waits.

>>> with Executor(max_workers=1) as executor:
...     executor.submit(pow, 2, 10).result()
1024
"""

from __future__ import annotations

import atexit
import concurrent.futures
import functools
import itertools
import logging
import sys
import threading
import time
import weakref
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headway.errors import ClusterError, ConfigError
from headway.observe.local import Ended, LocalPool
from headway.observe.machine import available_memory_bytes
from headway.observe.staff import Call
from headway.predict.by_name import ByName
from headway.records import Decision, Task, outcome_of, prediction_of
from headway.schedule.admission import Admission, Waiting
from headway.store.history import ended_tasks
from headway.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.context import BaseContext

    from headway.protocols import Store

logger = logging.getLogger(__name__)

MEMORY_SHARE = 0.8
"""Of the memory that is available when an Executor is made, what its tasks may take."""
WAKE_S = 0.2
"""How often a long wait lets Python look for a Ctrl-C that was delivered to another thread."""


@dataclass(slots=True, eq=False)
class _Entry:
    """A call that waits or runs."""

    call: Call
    future: Future[Any]
    waiting: Waiting
    is_retryable: bool


class Executor(concurrent.futures.Executor):
    """Run calls in worker processes, sized and ordered by what earlier calls took.

    The first four arguments and max_tasks_per_child are those of ProcessPoolExecutor.
    memory_bytes: what running tasks may take together (default: 80 % of what is available).
    order: "shortest" (shortest expected first, once learned; no task waits more than 20 times its
    runtime because of that) or "first" (first come, first served, nobody passes).
    coverage: the share of tasks whose foretold memory is to suffice.
    is_memory_enforced: a task that takes more than its allocation gets a MemoryError.
    store: where every task, prediction, decision and outcome is logged; what it holds of this
    cluster is learned first. cluster: the name under which that is.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: BaseContext | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: int | None = None,
        memory_bytes: int | None = None,
        order: str = "shortest",
        coverage: float = 0.95,
        is_memory_enforced: bool = False,
        store: Store | None = None,
        cluster: str = "local",
    ) -> None:
        if order not in ("shortest", "first"):
            raise ConfigError(f'order must be "shortest" or "first", got {order!r}')
        if not 0.0 < coverage < 1.0:
            raise ConfigError(f"coverage must be in (0, 1), got {coverage}")
        if memory_bytes is None:
            memory_bytes = max(int(MEMORY_SHARE * available_memory_bytes()), 1)
        self._pool = LocalPool(
            max_workers,
            memory_bytes,
            cluster=cluster,
            is_held=True,
            is_memory_enforced=is_memory_enforced,
            calls_per_worker=max_tasks_per_child,
            context=mp_context,
            initialize=functools.partial(initializer, *initargs) if initializer else None,
        )
        self.memory_bytes, self.max_workers = memory_bytes, self._pool.workers
        self._beliefs = ByName()
        self._queue = Admission(memory_bytes, self.max_workers, self._beliefs, order, coverage)
        self._writer = None if store is None else Writer(store)
        if store is not None:
            self.learn(ended_tasks(store, cluster))
        self._run = f"{time.time_ns():x}"
        self._numbers = itertools.count()
        self._lock = threading.RLock()
        self._entries: dict[str, _Entry] = {}  # all that wait or run, by task id
        self._n_running = 0
        self._free_bytes = memory_bytes
        self._is_shut = False
        self._is_over = threading.Event()
        weakref.finalize(self, self._pool.close, is_waiting=False).atexit = False
        _open_executors.add(self)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Schedule fn(*args, **kwargs); known by fn's qualified name and its arguments' size."""
        return self._submit(Call(fn, args, kwargs), name=_name(fn), input_bytes=_size_of(args))

    def submit_task(
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        name: str | None = None,
        input_bytes: int | None = None,
        memory_bytes: int | None = None,
        limit_s: float | None = None,
        is_retryable: bool = False,
    ) -> Future[Any]:
        """Schedule fn(*args), said to be of a name and size, to need memory, to end by a limit.

        memory_bytes is taken at its word instead of a prediction. is_retryable declares that the
        call may run twice: then it is run again with twice the memory when that did not suffice.
        """
        if memory_bytes is not None and not 0 < memory_bytes <= self.memory_bytes:
            raise ConfigError(
                f"memory_bytes must be in [1, {self.memory_bytes}] (all that this Executor may "
                f"use), got {memory_bytes}; give the Executor more"
            )
        return self._submit(
            Call(fn, args),
            name=name or _name(fn),
            input_bytes=_size_of(args) if input_bytes is None else input_bytes,
            memory_bytes=memory_bytes,
            limit_s=limit_s,
            is_retryable=is_retryable,
        )

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Any]:
        """The results of fn over the iterables, in their order; chunksize calls are one task."""
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")  # the standard's words
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout)
        items = zip(*iterables, strict=False)
        chunks = iter(lambda: tuple(itertools.islice(items, chunksize)), ())
        work = functools.partial(_run_chunk, fn)
        lists = super().map(work, chunks, timeout=timeout)
        return itertools.chain.from_iterable(lists)

    def learn(self, ended: Iterable[Task]) -> None:
        """Take tasks that ran elsewhere or earlier, in order of their ends, as experience."""
        for task in ended:
            self._beliefs.learn(task)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; end the workers when all is done."""
        with self._lock:
            self._is_shut = True
            waiting = self._queue.clear() if cancel_futures else []
            left = [self._entries.pop(w.task.id).future for w in waiting]
            self._leave_if_done()
        for future in left:
            if future.cancel():
                future.set_running_or_notify_cancel()
        if wait:
            while not self._is_over.wait(WAKE_S):
                pass
            self._pool.close()
            if self._writer is not None:
                self._writer.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait for all; but when interrupted (Ctrl-C) cancel what waits and kill what runs."""
        if kind is not None and not issubclass(kind, Exception):
            return self._abort()
        try:
            self.shutdown(wait=True)
        except KeyboardInterrupt:
            self._abort()
            raise

    def _abort(self) -> None:
        self.shutdown(wait=False, cancel_futures=True)
        self._pool.close(is_killing=True)
        self.shutdown(wait=True)

    def _submit(
        self,
        call: Call,
        *,
        name: str,
        input_bytes: int | None,
        memory_bytes: int | None = None,
        limit_s: float | None = None,
        is_retryable: bool = False,
    ) -> Future[Any]:
        number = next(self._numbers)
        task = Task(
            cluster=self._pool.cluster,
            id=f"{self._run}-{number}",
            name=name,
            submitted_s=time.time(),
            cpus_requested=1.0,
            memory_requested_bytes=memory_bytes,
            input_bytes=input_bytes,
            limit_s=limit_s,
        )
        entry = _Entry(call, Future(), Waiting(task, number, memory_bytes), is_retryable)
        with self._lock:
            if self._is_shut:  # the standard's contract names this error
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._entries[task.id] = entry
            self._queue.add(entry.waiting)
            self._decide()
        return entry.future

    # The lock is held in all of the following but _on_end, which takes it.

    def _decide(self) -> None:
        """Start what may start."""
        while self._n_running < self.max_workers and len(self._queue):
            waiting = self._queue.take(self._free_bytes)
            if waiting is None:
                return
            entry = self._entries[waiting.task.id]
            is_first = waiting.task.attempt == 1
            if is_first and not entry.future.set_running_or_notify_cancel():
                del self._entries[waiting.task.id]
                continue
            self._start(entry)

    def _start(self, entry: _Entry) -> None:
        task, decision = entry.waiting.task, self._decision(entry.waiting)
        self._n_running += 1
        self._free_bytes -= entry.waiting.memory_bytes
        try:
            pooled = self._pool.submit(task, entry.call)
        except ClusterError as error:  # workers cannot be had, or are being killed
            pooled = Future()
            pooled.set_result(Ended(replace(task, state="unknown"), error=error))
        pooled.add_done_callback(functools.partial(self._on_end, entry, decision))
        if pooled.done():
            return
        try:
            self._pool.apply(decision)
        except ClusterError as error:  # the pool broke down since, or is being killed
            logger.info("task %s was not started: %s", task.id, error)
            self._pool.cancel(task.id)

    def _decision(self, waiting: Waiting) -> Decision:
        """The decision to start, logged with what is believed now."""
        task, now_s = waiting.task, time.time()
        x = self._beliefs.features([task])
        decision = Decision(
            decision_id=f"{task.cluster}-{task.id}-{task.attempt}",
            at_s=now_s,
            cluster=task.cluster,
            id=task.id,
            attempt=task.attempt,
            action="start",
            cpus=1.0,
            memory_bytes=waiting.memory_bytes,
            limit_s=task.limit_s,
            feature_names=x.names,
            features=tuple(x.values[0].tolist()),
            features_version=x.version,
            made_by=waiting.made_by,
        )
        if self._writer is not None:
            runtime, memory = self._beliefs.estimate([task])
            self._writer.put(
                "prediction", prediction_of(decision, decision.at_s, "runtime_s", runtime)
            )
            self._writer.put(
                "prediction", prediction_of(decision, decision.at_s, "memory_bytes", memory)
            )
            self._writer.put("decision", decision)
        return decision

    def _on_end(self, entry: _Entry, decision: Decision, pooled: Future[Ended]) -> None:
        """In the pool's thread: free, learn, start others, then tell whoever waits."""
        if pooled.cancelled():
            task = replace(entry.waiting.task, state="cancelled")
            ended = Ended(task, error=ClusterError(f"task {decision.id} was cancelled"))
        else:
            ended = pooled.result()
        with self._lock:
            self._n_running -= 1
            self._free_bytes += entry.waiting.memory_bytes
            self._beliefs.learn(ended.task)
            is_retried = self._retry(entry, ended)
            if not is_retried:
                del self._entries[decision.id]
            self._decide()
            self._leave_if_done()
        if self._writer is not None:
            self._writer.put("task", ended.task)
            self._writer.put("outcome", outcome_of(decision, ended.task))
        if is_retried:
            return
        if ended.error is None:
            entry.future.set_result(ended.value)
        else:
            entry.future.set_exception(ended.error)

    def _retry(self, entry: _Entry, ended: Ended) -> bool:
        """Queue a retryable task again with twice the memory, if memory was what it lacked."""
        had_bytes, task = entry.waiting.memory_bytes, entry.waiting.task
        is_short = ended.task.state == "out_of_memory" and had_bytes < self.memory_bytes
        if not (is_short and entry.is_retryable):
            return False
        entry.waiting.task = replace(task, attempt=task.attempt + 1)
        entry.waiting.least_bytes = min(2 * had_bytes, self.memory_bytes)
        self._queue.add(entry.waiting)
        return True

    def _leave_if_done(self) -> None:
        if self._is_shut and not self._entries:
            self._pool.close(is_waiting=False)
            self._is_over.set()


def _name(fn: Callable[..., Any]) -> str:
    """What a function is called, whatever it is wrapped in."""
    while isinstance(fn, functools.partial):
        fn = fn.args[0] if fn.func is _run_chunk else fn.func
    kind = fn if hasattr(fn, "__qualname__") else type(fn)
    return f"{kind.__module__}.{kind.__qualname__}"


def _size_of(args: tuple[Any, ...]) -> int | None:
    """Bytes of the arguments that say it (arrays, bytes, text); None if none does."""
    sizes = [len(a) for a in args if isinstance(a, (bytes, bytearray, str))]
    sizes += [a.nbytes for a in args if isinstance(getattr(a, "nbytes", None), int)]
    return sum(sizes) if sizes else None


def _run_chunk(fn: Callable[..., Any], chunk: tuple[tuple[Any, ...], ...]) -> list[Any]:
    return [fn(*args) for args in chunk]


_open_executors: weakref.WeakSet[Executor] = weakref.WeakSet()


@atexit.register
def _shut_down_open_executors() -> None:
    """As the standard does: what was submitted is done before Python ends, unless interrupted."""
    for executor in list(_open_executors):
        if getattr(sys, "last_type", None) is KeyboardInterrupt:
            executor._abort()
        else:
            executor.shutdown(wait=True)
