import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from headway.errors import ClusterError, ConfigError
from headway.observe import worker
from headway.observe.local import LocalPool
from headway.observe.machine import available_cpus, available_memory_bytes
from headway.observe.staff import Call
from headway.records import Decision, Task

MB = 2**20
LONG_S = 60.0


def touch(mb):
    return len(b"x" * (mb * MB))


def die(how):
    os.kill(os.getpid(), how)


def leave(code):
    os._exit(code)


def report_and_wait(path):
    """Write the ids of this process and of one it started into a named pipe, then wait."""
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    with open(path, "a") as file:
        file.write(f"{os.getpid()} {child.pid}\n")
    threading.Event().wait()


def burn(cpu_s):
    end_s = time.process_time() + cpu_s
    while time.process_time() < end_s:
        pass


def fail(text):
    raise ValueError(text)


class Stubborn:
    def __reduce__(self):
        raise RuntimeError("no way")


def return_stubborn():
    return Stubborn()


def break_at_birth():
    raise OSError("no licence")


def task(name, **known):
    return Task(cluster="", id=name, submitted_s=time.time(), **known)


def start(name, **decided):
    return Decision(
        decision_id=name, at_s=time.time(), cluster="local", id=name, action="start", **decided
    )


def ended(future):
    return future.result(timeout=LONG_S)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]


def assert_gone(pids):
    """Processes that were killed need a moment to go; the kernel tells through a pidfd."""
    for pid in pids:
        try:
            watch = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        wait([watch], LONG_S)
        os.close(watch)
        assert not is_alive(pid)


@pytest.fixture
def pids(tmp_path):
    """A named pipe in which processes say their ids, open for reading."""
    path = tmp_path / "pids"
    os.mkfifo(path)
    with open(path, opener=lambda name, _: os.open(name, os.O_RDWR)) as file:
        yield file


@pytest.fixture(scope="module")
def pool():
    with LocalPool(workers=2) as pool:
        yield pool


def test_a_call_gives_its_value_and_its_measurements(pool):
    before_s = time.time()
    done = ended(pool.submit(task("burn"), Call(burn, (0.05,)))).task
    assert done.state == "completed"
    assert done.exit_code == 0
    assert 0.05 <= done.cpu_s < 1.0
    assert before_s <= done.started_s < done.ended_s <= time.time()


def test_the_peak_of_a_call_is_its_own_and_repeats_read_the_same():
    with LocalPool(workers=1) as pool:
        sizes = [1, 40, 1, 40, 100, 40, 1]
        ends = [ended(pool.submit(task(str(i)), Call(touch, (mb,)))) for i, mb in enumerate(sizes)]
    peaks = [end.task.memory_peak_bytes / MB for end in ends]
    for mb, peak in zip(sizes, peaks, strict=True):
        assert peak - peaks[0] == pytest.approx(mb - 1, abs=2.0)


def test_a_big_parent_does_not_show_in_the_peak(pool):
    ballast = b"x" * (200 * MB)
    peak = ended(pool.submit(task("small"), Call(touch, (1,)))).task.memory_peak_bytes
    assert peak < 100 * MB < len(ballast)


def test_without_proc_the_peak_is_not_known(monkeypatch):
    monkeypatch.setattr(worker, "STATUS", "/no/such/file")
    measured = worker.measure(pickle.dumps((touch, (1,), {})), limit_bytes=1)
    assert (measured.memory_peak_bytes, measured.is_error) == (None, False)


def test_a_task_that_exceeds_its_allocation_is_out_of_memory_and_the_pool_goes_on():
    with LocalPool(workers=1, memory_bytes=500 * MB, is_memory_enforced=True) as pool:
        small = {"memory_requested_bytes": 100 * MB}
        end = ended(pool.submit(task("big", **small), Call(touch, (300,))))
        assert end.task.state == "out_of_memory"
        assert isinstance(end.error, MemoryError)
        assert end.task.memory_peak_bytes > 100 * MB
        again = task("again", memory_requested_bytes=400 * MB)
        assert ended(pool.submit(again, Call(touch, (300,)))).value == 300 * MB


def test_a_failure_is_the_tasks_own_exception_with_the_remote_traceback(pool):
    end = ended(pool.submit(task("bad"), Call(fail, ("why not",))))
    assert end.task.state == "failed"
    assert isinstance(end.error, ValueError)
    assert "in fail" in str(end.error.__cause__)


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, 137), (signal.SIGSEGV, 139)])
def test_a_worker_that_dies_takes_only_its_own_task_with_it(pool, how, code):
    others = [pool.submit(task(f"{how}-{i}"), Call(touch, (1,))) for i in range(3)]
    end = ended(pool.submit(task("dies"), Call(die, (how,))))
    assert (end.task.state, end.task.exit_code) == ("failed", code)
    assert isinstance(end.error, ClusterError)
    assert all(ended(future).value == MB for future in others)
    assert ended(pool.submit(task("after"), Call(touch, (2,)))).value == 2 * MB


def test_a_call_that_leaves_the_interpreter_failed_with_its_exit_code(pool):
    end = ended(pool.submit(task("exits"), Call(leave, (3,))))
    assert (end.task.state, end.task.exit_code) == ("failed", 3)


def test_a_task_that_outlives_its_limit_is_killed_with_what_it_started(pool, pids):
    end = ended(pool.submit(task("slow", limit_s=3.0), Call(report_and_wait, (pids.name,))))
    assert end.task.state == "timeout"
    assert 3.0 <= end.task.ended_s - end.task.started_s < LONG_S
    assert_gone(int(pid) for pid in pids.readline().split())


def test_what_cannot_be_pickled_is_the_tasks_failure(pool):
    for call in (Call(lambda: 1), Call(touch, (Stubborn(),)), Call(return_stubborn)):
        assert ended(pool.submit(task("odd"), call)).task.state == "failed"


def test_first_come_first_served_within_workers_and_memory():
    with LocalPool(workers=2, memory_bytes=300 * MB) as pool:
        futures = [
            pool.submit(task(str(i), memory_requested_bytes=200 * MB), Call(burn, (0.01,)))
            for i in range(5)
        ]
        state = pool.state()
        assert len(state.running) <= 1
        assert state.free_memory_bytes >= 100 * MB
        ends = [ended(future).task for future in futures]
    for one, two in pairwise(ends):
        assert one.ended_s <= two.started_s
    assert pool.state().free_memory_bytes == 300 * MB


def test_a_held_pool_starts_what_a_decision_says_and_refuses_what_does_not_fit():
    with LocalPool(workers=2, memory_bytes=300 * MB, is_held=True) as pool:
        futures = {n: pool.submit(task(n), Call(burn, (0.01,))) for n in "abc"}
        assert [t.id for t in pool.state().queued] == ["a", "b", "c"]
        with pytest.raises(ClusterError, match="needs a worker and"):
            pool.apply(start("c", memory_bytes=400 * MB))
        pool.apply(start("c", memory_bytes=200 * MB))
        ended(futures["c"])
        with pytest.raises(ClusterError, match="not queued"):
            pool.apply(start("c"))
        for name in "ab":
            pool.apply(start(name))
            ended(futures[name])
    order = [e.task.id for e in pool.events("").events if e.kind == "ended"]
    assert order == ["c", "a", "b"]


def test_events_are_read_once_through_the_cursor(pool):
    cursor = pool.events("").cursor
    ended(pool.submit(task("seen"), Call(touch, (1,))))
    batch = pool.events(cursor)
    assert [e.kind for e in batch.events] == ["submitted", "started", "ended"]
    assert batch.events[1].task.started_s == batch.events[1].at_s
    assert pool.events(batch.cursor).events == ()
    with pytest.raises(ConfigError, match="cursor"):
        pool.events("1e9")


def test_a_queued_task_can_be_taken_back_and_a_running_one_killed(pids):
    with LocalPool(workers=1) as pool:
        running = pool.submit(task("runs"), Call(report_and_wait, (pids.name,)))
        queued = pool.submit(task("waits"), Call(burn, (0.01,)))
        assert pool.cancel("waits")
        assert queued.cancelled()
        gone = pids.readline()
        assert pool.cancel("runs")
        assert ended(running).task.state == "cancelled"
        assert not pool.cancel("runs")
        assert_gone(int(pid) for pid in gone.split())


def test_closing_waits_for_what_was_submitted_and_leaves_no_process():
    pool = LocalPool(workers=2)
    futures = [pool.submit(task(str(i)), Call(os.getpid)) for i in range(6)]
    pool.close()
    assert all(f.done() for f in futures)
    assert_gone({ended(f).value for f in futures})
    with pytest.raises(ClusterError, match="closed"):
        pool.submit(task("late"), Call(os.getpid))


def test_a_worker_is_renewed_after_its_calls():
    with LocalPool(workers=1, calls_per_worker=2) as pool:
        futures = [pool.submit(task(str(i)), Call(os.getpid)) for i in range(6)]
        assert len({ended(f).value for f in futures}) == 3


def test_workers_that_cannot_be_set_up_fail_every_task_with_the_reason():
    pool = LocalPool(workers=1, initialize=break_at_birth)
    futures = [pool.submit(task(str(i)), Call(os.getpid)) for i in range(3)]
    for future in futures:
        end = ended(future)
        assert end.task.state == "unknown"
        assert "no licence" in str(end.error)
    pool.close()


SCRIPT = """
import sys, time
from headway.observe import worker
from headway.observe.local import LocalPool
from headway.observe.staff import Call
from headway.records import Task
sys.path.insert(0, {folder!r})
from test_local import report_and_wait
if __name__ == "__main__":
    try:
        with LocalPool(workers=2) as pool:
            for i in range(2):
                task = Task(cluster="", id=str(i), submitted_s=time.time())
                pool.submit(task, Call(report_and_wait, ({path!r},)))
            pool.submit(Task(cluster="", id="2", submitted_s=0.0), Call(print)).result()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_stays_behind_when_the_parent_is_interrupted_or_killed(tmp_path, pids, how):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(Path(__file__).parent), path=pids.name))
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    waiting = [int(pid) for _ in range(2) for pid in pids.readline().split()]
    assert all(is_alive(pid) for pid in waiting)
    parent.send_signal(how)
    out, error = parent.communicate(timeout=LONG_S)
    assert_gone(waiting)
    if how == signal.SIGINT:
        assert (out, error, parent.returncode) == ("interrupted\n", "", 0)


def test_wrong_settings_are_refused_with_the_value():
    with pytest.raises(ConfigError, match="workers"):
        LocalPool(workers=0)
    with pytest.raises(ConfigError, match="memory_bytes"):
        LocalPool(memory_bytes=0)
    too_big = task("x", memory_requested_bytes=2 * MB)
    with LocalPool(memory_bytes=MB) as pool, pytest.raises(ConfigError, match="more than the pool"):
        pool.submit(too_big, Call(print))


def test_the_machine_has_processors_and_memory():
    assert available_cpus() >= 1
    assert available_memory_bytes() > 0


def decide(name, action, **decided):
    return Decision(
        decision_id=name, at_s=time.time(), cluster="local", id=name, action=action, **decided
    )


def test_a_task_that_failed_for_memory_is_requeued_with_more_and_completes():
    with LocalPool(workers=1, memory_bytes=500 * MB, is_memory_enforced=True) as pool:
        small = {"memory_requested_bytes": 100 * MB}
        assert ended(pool.submit(task("big", **small), Call(touch, (300,)))).error is not None
        with pytest.raises(ClusterError, match="more than the pool"):
            pool.apply(decide("big", "requeue", memory_bytes=600 * MB))
        pool.apply(decide("big", "requeue", memory_bytes=450 * MB))
        again = ended(pool.latest("big"))
        assert (again.value, again.task.attempt) == (300 * MB, 2)
        assert again.task.memory_requested_bytes == 450 * MB
        with pytest.raises(ClusterError, match="neither runs nor has failed"):
            pool.apply(decide("big", "requeue"))


def wait_the_first_time(path, mark):
    if not Path(mark).exists():
        Path(mark).touch()
        report_and_wait(path)
    return "done"


def test_a_running_task_is_requeued_and_its_future_waits_for_the_next_attempt(pids, tmp_path):
    with LocalPool(workers=1) as pool:
        call = Call(wait_the_first_time, (pids.name, str(tmp_path / "mark")))
        future = pool.submit(task("hangs"), call)
        gone = pids.readline()
        pool.apply(decide("hangs", "requeue"))
        assert ended(future).value == "done"
        assert_gone(int(pid) for pid in gone.split())
        ends = [e.task for e in pool.events("").events if e.kind == "ended"]
        assert [(t.attempt, t.state) for t in ends] == [(1, "cancelled"), (2, "completed")]


def test_a_held_task_waits_until_it_is_released_and_nodes_are_not_drained(pids):
    with LocalPool(workers=1) as pool:
        running = pool.submit(task("runs"), Call(report_and_wait, (pids.name,)))
        held, other = (pool.submit(task(n), Call(os.getpid)) for n in ("held", "other"))
        pids.readline()
        pool.apply(decide("held", "hold"))
        pool.apply(decide("runs", "cancel"))
        assert ended(running).task.state == "cancelled"
        ended(other)
        assert not held.done()
        pool.apply(decide("held", "release"))
        ended(held)
        with pytest.raises(ClusterError, match="no nodes"):
            pool.apply(decide("n1", "drain"))
