import concurrent.futures as standard
import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from headway.errors import ClusterError, ConfigError, StoreError
from headway.executor import Executor
from headway.records import Task
from headway.store.memory import MemoryStore

MB = 2**20
LONG_S = 60.0


def touch(mb):
    return len(b"x" * (mb * MB))


def pid(*_):
    return os.getpid()


def write_and_read(out, back):
    """Say into a named pipe that this runs, and go on when another one is written to."""
    with open(out, "w") as file:
        file.write("runs\n")
    with open(back) as file:
        return file.readline()


class Unpicklable(Exception):
    def __reduce__(self):
        raise RuntimeError("no way")


def raise_unpicklable():
    raise Unpicklable("secret")


def divide(a, b=1):
    return a / b


def set_greeting(word):
    os.environ["HEADWAY_GREETING"] = word


def greeting():
    return os.environ.get("HEADWAY_GREETING")


@pytest.fixture(scope="module")
def pools():
    with Executor(2) as ours, standard.ProcessPoolExecutor(2) as theirs:
        yield ours, theirs


def outcome(executor, work):
    """What a user of an executor sees: a value, or the error's type, words and remote place."""
    try:
        return work(executor)
    except Exception as error:
        remote = [line for line in str(error.__cause__).splitlines() if "in divide" in line]
        return type(error), str(error), len(remote)


def cancel_before_start(executor):
    """Fill both workers, then take back what waits."""
    gate = [executor.submit(touch, 30) for _ in range(6)]
    last = executor.submit(pid)
    is_cancelled = last.cancel()
    return is_cancelled, last.cancelled(), [f.result() for f in gate]


BEHAVIOURS = {
    "a value": lambda e: e.submit(divide, 6, b=3).result(),
    "an error": lambda e: e.submit(divide, 1, b=0).result(),
    "an error from exception()": lambda e: repr(e.submit(divide, 1, b=0).exception()),
    "map": lambda e: list(e.map(divide, range(7), range(1, 8))),
    "map in chunks": lambda e: list(e.map(divide, range(7), range(1, 8), chunksize=3)),
    "map of nothing": lambda e: list(e.map(divide, [])),
    "map that fails": lambda e: list(e.map(divide, [1, 2], [1, 0])),
    "map that fails in chunks": lambda e: list(e.map(divide, [1, 2], [1, 0], chunksize=2)),
    "a chunk size of nothing": lambda e: e.map(divide, [1], chunksize=0),
    "a callable object": lambda e: e.submit(operator.itemgetter(1), "abc").result(),
    "a partial": lambda e: e.submit(partial(divide, b=4), 2).result(),
    "an array": lambda e: e.submit(np.sum, np.arange(10)).result().item(),
    "exit": lambda e: e.submit(sys.exit, 3).exception().args,
    "wait": lambda e: len(standard.wait([e.submit(divide, i) for i in range(5)]).done),
    "as completed": lambda e: sorted(
        f.result() for f in standard.as_completed([e.submit(divide, i) for i in range(5)])
    ),
    "cancel": cancel_before_start,
    "other processes": lambda e: e.submit(pid).result() != os.getpid(),
    "states": lambda e: (f := e.submit(divide, 1)).result() and (f.done(), f.running(), f.cancel()),
    "a callback": lambda e: _called_back(e),
}


def _called_back(executor):
    heard = threading.Event()
    executor.submit(divide, 1).add_done_callback(lambda future: heard.set())
    return heard.wait(LONG_S)


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_it_behaves_as_the_standard_process_pool(pools, name):
    ours, theirs = pools
    assert outcome(ours, BEHAVIOURS[name]) == outcome(theirs, BEHAVIOURS[name])


@pytest.mark.parametrize("make", [Executor, standard.ProcessPoolExecutor])
def test_shutdown_finishes_what_was_submitted_and_refuses_more(make):
    executor = make(1)
    futures = [executor.submit(divide, i) for i in range(5)]
    executor.shutdown()
    assert [f.result() for f in futures] == [0.0, 1.0, 2.0, 3.0, 4.0]
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(divide, 1)
    executor.shutdown()


@pytest.mark.parametrize("make", [Executor, standard.ProcessPoolExecutor])
def test_shutdown_can_cancel_what_waits(make):
    executor = make(1)
    futures = [executor.submit(touch, 30) for _ in range(20)]
    executor.shutdown(cancel_futures=True)
    assert all(f.done() for f in futures)
    assert futures[-1].cancelled()


def test_workers_are_set_up_and_renewed_as_asked():
    # the standard pool of Python 3.11 can hang with max_tasks_per_child (cpython#115634)
    with Executor(1, None, set_greeting, ("hello",)) as executor:
        assert executor.submit(greeting).result() == "hello"
    context = multiprocessing.get_context("spawn")
    with Executor(1, mp_context=context, max_tasks_per_child=2) as executor:
        assert len(set(executor.map(pid, range(4)))) == 2


def test_what_cannot_travel_is_an_error_of_its_own_call_only():
    with Executor(1) as executor:
        assert executor.submit(lambda: 1).exception() is not None
        assert "secret" in str(executor.submit(raise_unpicklable).exception())
        assert executor.submit(divide, 4).result() == 4.0


def test_a_worker_that_dies_fails_only_its_own_call():
    with Executor(2) as executor:
        bad = executor.submit(os._exit, 7)
        good = [executor.submit(divide, i) for i in range(5)]
        assert isinstance(bad.exception(), ClusterError)
        assert [f.result() for f in good] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_call_ends_by_its_limit(tmp_path):
    os.mkfifo(tmp_path / "nobody")
    with Executor(1) as executor:
        slow = executor.submit_task(Path.read_text, tmp_path / "nobody", limit_s=0.3)
        assert "limit_s" in str(slow.exception(LONG_S))


def test_tasks_run_together_only_if_their_memory_fits():
    store = MemoryStore()
    with Executor(2, memory_bytes=300 * MB, store=store) as executor:
        for _ in range(4):
            executor.submit_task(touch, 20, memory_bytes=200 * MB)
    tasks = store.read("task").sort("started_s")
    ends, starts = tasks["ended_s"].to_list(), tasks["started_s"].to_list()
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


def test_a_small_task_passes_a_large_one_that_does_not_fit(tmp_path):
    out, back = tmp_path / "out", tmp_path / "back"
    os.mkfifo(out)
    os.mkfifo(back)
    with Executor(2, memory_bytes=300 * MB) as executor:
        first = executor.submit_task(write_and_read, out, back, memory_bytes=200 * MB)
        large = executor.submit_task(touch, 1, memory_bytes=200 * MB)
        small = executor.submit_task(touch, 2, memory_bytes=100 * MB)
        assert out.read_text() == "runs\n"
        assert small.result(LONG_S) == 2 * MB
        assert not large.done()
        back.write_text("go\n")
        assert first.result(LONG_S) == "go\n"
        assert large.result(LONG_S) == MB


def test_memory_is_learned_by_name_and_size():
    store = MemoryStore()
    with Executor(1, memory_bytes=1000 * MB, store=store) as executor:
        for mb in [10, 50, 20, 80, 30, 60, 40, 70, 15, 55]:
            executor.submit_task(touch, mb, name="touch", input_bytes=mb * MB).result()
    decisions = store.read("decision").sort("at_s")
    outcomes = store.read("outcome")
    both = decisions.join(outcomes, on="decision_id")
    assert both["made_by"][0] == "admission-1/fair share"
    assert both["memory_bytes"][0] == 1000 * MB
    last = both.row(-1, named=True)
    assert last["made_by"] == "online-1/name"
    assert last["memory_peak_bytes"] <= last["memory_bytes"] < 1.5 * last["memory_peak_bytes"]
    assert len(store.read("prediction")) == 20
    assert store.read("task")["input_bytes"].to_list() == [
        mb * MB for mb in [10, 50, 20, 80, 30, 60, 40, 70, 15, 55]
    ]


def test_a_new_executor_goes_on_from_what_the_store_knows():
    store = MemoryStore()
    for _ in range(2):
        with Executor(1, memory_bytes=1000 * MB, store=store) as executor:
            executor.submit_task(touch, 5, name="touch", input_bytes=5 * MB).result()
    assert store.read("decision").sort("at_s")["made_by"].to_list() == [
        "admission-1/fair share",
        "online-1/name",
    ]


def test_shortest_expected_runs_first_once_learned():
    order = []
    known = [
        Task(
            cluster="local", id=f"{name}{i}", name=name, submitted_s=0.0, started_s=1.0,
            ended_s=1.0 + s, state="completed",
        )
        for name, s in [("long", 100.0), ("short", 1.0)] for i in range(4)
    ]  # fmt: skip
    with Executor(1) as executor:
        executor.learn(known)
        executor.submit_task(touch, 100, name="first")
        for name in ["long", "short", "long", "short"]:
            future = executor.submit_task(pid, name=name)
            future.add_done_callback(lambda _, name=name: order.append(name))
    assert order == ["short", "short", "long", "long"]


def test_what_did_not_fit_runs_again_with_more_only_if_it_was_declared_retryable():
    store = MemoryStore()
    with Executor(1, memory_bytes=600 * MB, is_memory_enforced=True, store=store) as executor:
        retried = executor.submit_task(touch, 200, memory_bytes=100 * MB, is_retryable=True)
        assert retried.result() == 200 * MB
        assert isinstance(
            executor.submit_task(touch, 900, is_retryable=True).exception(), MemoryError
        )
        once = executor.submit_task(touch, 200, memory_bytes=100 * MB)
        assert isinstance(once.exception(), MemoryError)
    attempts = store.read("decision").sort("at_s")
    assert attempts["memory_bytes"].to_list()[:3] == [100 * MB, 200 * MB, 400 * MB]
    states = store.read("outcome").sort("at_s")["state"].to_list()
    assert states == [
        "out_of_memory",
        "out_of_memory",
        "completed",
        "out_of_memory",
        "out_of_memory",
    ]


class Full:
    def read(self, kind, start_s, end_s):
        return MemoryStore().read(kind, start_s, end_s)

    def append(self, kind, batches):
        raise StoreError("no space left")


def test_calls_go_on_when_the_log_cannot_be_written(caplog):
    with Executor(1, store=Full()) as executor:
        assert executor.submit(divide, 4).result() == 4.0
    assert "are lost" in caplog.text


def test_wrong_settings_are_refused_with_the_value():
    for wrong in ({"order": "longest"}, {"coverage": 1.0}, {"max_workers": 0}):
        with pytest.raises(ConfigError):
            Executor(**wrong)
    with Executor(1, memory_bytes=MB) as executor, pytest.raises(ConfigError, match="memory_bytes"):
        executor.submit_task(touch, 1, memory_bytes=2 * MB)


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from headway.executor import Executor
from test_executor import write_and_read, divide
if __name__ == "__main__":
    executor = Executor(1)
    if sys.argv[1] == "left open":
        executor.submit(divide, 4).add_done_callback(lambda f: print(f.result(), flush=True))
    else:
        with executor:
            futures = [executor.submit(write_and_read, {out!r}, {out!r} + "2") for _ in range(9)]
"""


def test_an_executor_that_was_left_open_finishes_at_exit_and_ctrl_c_ends_it_at_once(tmp_path):
    out = tmp_path / "out"
    os.mkfifo(out)
    os.mkfifo(str(out) + "2")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(Path(__file__).parent), out=str(out)))
    left = subprocess.run(
        [sys.executable, str(script), "left open"], capture_output=True, text=True, timeout=LONG_S
    )
    assert (left.stdout, left.stderr) == ("4.0\n", "")
    waiting = subprocess.Popen([sys.executable, str(script), "wait"], stderr=subprocess.PIPE)
    with open(out) as file:
        assert file.readline() == "runs\n"
    waiting.send_signal(signal.SIGINT)
    _, error = waiting.communicate(timeout=LONG_S)
    assert error.decode().strip().endswith("KeyboardInterrupt")
