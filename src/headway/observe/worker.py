"""Calls run one at a time inside one worker process, each measured.

Measured is the worker process alone: a subprocess that a call starts counts in its processor
seconds, not in its memory. The peak is absolute, as Slurm's MaxRSS is: interpreter, imported
modules, what earlier calls left behind, arguments and result included. It is read from VmHWM after
writing 5 to /proc/self/clear_refs, because ru_maxrss never falls and starts at the parent's peak.
Before each call freed blocks are given back (gc, malloc_trim), else a second large call would find
them already there. Without /proc (macOS) the peak is None.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import resource
import signal
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection


STATUS = "/proc/self/status"


@dataclass(frozen=True, slots=True)
class Started:
    """A call begins."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A call has ended; `answer` is the pickled value, or the pickled exception if `is_error`."""

    started_s: float
    ended_s: float
    cpu_s: float
    memory_peak_bytes: int | None
    answer: bytes
    is_error: bool = False
    is_out_of_memory: bool = False
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker is born; `broken` says why it cannot work."""

    broken: str = ""


def serve(connection: Connection, initialize: Callable[[], object] | None) -> None:
    """Answer calls from the connection until None comes or the parent is gone."""
    with contextlib.suppress(OSError):  # a session leader keeps its own group
        os.setpgid(0, 0)  # Ctrl-C goes to the parent alone; a kill reaches what a call started
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        if initialize is not None:
            initialize()
    except BaseException:
        connection.send(Ready(traceback.format_exc()))
        return
    trim = _trimmer()
    gc.freeze()
    connection.send(Ready())
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # parent is gone
        while True:
            trim()
            _reset_peak()
            limit_bytes = connection.recv()
            if limit_bytes is None:
                return
            payload = connection.recv_bytes()
            connection.send(Started(time.time()))
            connection.send(measure(payload, limit_bytes))
            del payload


def measure(payload: bytes, limit_bytes: int) -> Measured:
    """Run one pickled (function, args, kwargs); limit_bytes 0 = memory is not limited."""
    before_cpu_s, started_s = _cpu_s(), time.time()
    is_error, is_out_of_memory, text = False, False, ""
    try:
        answer = _call(payload)
    except BaseException as error:
        is_error, is_out_of_memory = True, isinstance(error, MemoryError)
        text = traceback.format_exc()
        answer = _pickled_error(error)
    peak = _status_bytes("VmHWM")
    if limit_bytes and peak is not None and peak > limit_bytes and not is_error:
        is_error = is_out_of_memory = True
        answer = pickle.dumps(MemoryError(f"took {peak} bytes, was given {limit_bytes}"))
    ended_s, cpu_s = time.time(), _cpu_s() - before_cpu_s
    return Measured(started_s, ended_s, cpu_s, peak, answer, is_error, is_out_of_memory, text)


def _call(payload: bytes) -> bytes:
    function, args, kwargs = pickle.loads(payload)
    return pickle.dumps(function(*args, **kwargs), pickle.HIGHEST_PROTOCOL)


def _pickled_error(error: BaseException) -> bytes:
    """The exception without its frames, or why it cannot travel."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    try:
        answer = pickle.dumps(error)
        pickle.loads(answer)
    except Exception as reason:  # whatever a foreign __reduce__ raises
        return pickle.dumps(pickle.PicklingError(f"{error!r} cannot be pickled: {reason!r}"))
    return answer


def _cpu_s() -> float:
    """Processor seconds so far, ended subprocesses included."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _reset_peak() -> None:
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _status_bytes(name: str) -> int | None:
    """One memory figure of this process, None where /proc is not there."""
    try:
        with open(STATUS) as file:
            for line in file:
                if line.startswith(name + ":"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def _trimmer() -> Callable[[], None]:
    """A function that gives freed memory back to the system."""
    import ctypes

    trim: Any = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only

    def give_back() -> None:
        gc.collect()
        if trim is not None:
            trim(0)

    return give_back


def _follow_parent() -> None:
    """Die with the parent, and take along what the current call started."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.killpg(os.getpgid(0), signal.SIGKILL)
