"""From a process that goes wrong to its alert, the action and what became of the task."""

import math
import threading
import time
from concurrent.futures import TimeoutError as NotYet
from dataclasses import replace
from pathlib import Path

import pytest

from headway.anomaly.tasks import TaskWatch
from headway.observe.local import LocalPool
from headway.observe.staff import Call
from headway.predict.by_name import ByName
from headway.predict.sizing import next_bytes
from headway.records import Task
from headway.respond import Limits, Responder, Rule, Rules, cluster_hands, start, stop, stopped

MB = 2**20
LONG_S = 60.0  # nothing here waits for longer, however loaded the machine is
RULES = (
    Rule(name="more", kinds=("out_of_memory",), actions=("retry_with_memory",), cooldown_s=0.0),
    Rule(name="stuck", kinds=("stuck",), actions=("requeue",)),
)


def touch(mb):
    return len(b"x" * (mb * MB))


def hang_while_missing(mark):
    """Hangs until a file is there; it is put there by the first call."""
    if not Path(mark).exists():
        Path(mark).touch()
        threading.Event().wait(LONG_S)
    return "done"


def hang():
    threading.Event().wait(LONG_S)


class Joined:
    """A pool, a watch and a responder that are joined as a user joins them."""

    def __init__(self, *, mode="act", limits=None, size=lambda task: None, stopped=lambda: ""):
        self.pool = LocalPool(workers=2, memory_bytes=2000 * MB, is_memory_enforced=True)
        self.watch = TaskWatch(learn_s=1e-3, floor_s=0.2)
        self.tasks, self.alerts, self.trail, self.cursor = {}, {}, [], ""
        self.learned = ByName()
        self.responder = Responder(
            Rules(RULES, limits or Limits(queue_share=1.0)),
            cluster_hands(self.pool, self.tasks.get, size), self.trail.append, mode=mode,
            stopped=stopped,
        )  # fmt: skip

    def submit(self, name, call, **known):
        known = {"name": "align", "user": "ann", "limit_s": LONG_S} | known
        task = Task(cluster="local", id=name, submitted_s=time.time(), **known)
        return self.pool.submit(task, call)

    def look(self):
        """What happened since, what is strange of it, and what is done about it."""
        batch = self.pool.events(self.cursor)
        self.cursor, alerts = batch.cursor, []
        for event in batch.events:
            self.tasks[event.task.id] = event.task
            if event.kind == "ended":
                self.learned.learn(event.task)
            alerts += self.watch.see(event)
        now_s = time.time()
        self.alerts |= {a.alert_id: a for a in [*alerts, *self.watch.look(now_s)]}
        for alert in self.alerts.values():
            self.responder.respond(alert, now_s)

    def until(self, is_so):
        """Look until something is so; fails if it takes too long."""
        end_s = time.monotonic() + LONG_S
        while True:
            self.look()
            if is_so():
                return
            assert time.monotonic() < end_s, self.trail
            threading.Event().wait(0.02)

    def usual(self, call, **known):
        """Eight tasks of the kind, one after another, of which is learned."""
        for k in range(8):
            self.submit(f"usual-{k}", call, **known).result(LONG_S)
            self.look()

    def states(self, subject):
        return [a.state for a in self.trail if a.subject == subject]

    def ended(self, name):
        """Attempts and states in which a task ended."""
        ends = [e.task for e in self.pool.events("").events if e.kind == "ended"]
        return [(t.attempt, t.state) for t in ends if t.id == name]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.close(is_killing=True)


def test_a_task_killed_for_memory_gets_the_next_allocation_until_it_completes():
    def size(task):
        (largest,) = joined.learned.estimate([task])[1].value
        return int(next_bytes(task.memory_requested_bytes, largest, math.nan))

    with Joined(size=size) as joined:
        joined.usual(Call(touch, (300,)), memory_requested_bytes=1000 * MB)
        peaks = [joined.tasks[f"usual-{k}"].memory_peak_bytes for k in range(8)]
        joined.submit("small", Call(touch, (300,)), memory_requested_bytes=100 * MB)
        joined.until(lambda: joined.tasks["small"].state == "completed")
        first, *others = joined.ended("small")
        assert first == (1, "out_of_memory")
        assert others[-1][1] == "completed"
        given = joined.tasks["small"].memory_requested_bytes
        assert max(peaks) < given <= 1.25 * max(peaks)
        assert joined.states("small") == ["approved", "done"] * len(others)


def test_a_task_of_which_no_larger_allocation_is_known_is_not_retried():
    with Joined() as joined:
        joined.submit("small", Call(touch, (300,)), memory_requested_bytes=100 * MB)
        joined.until(lambda: joined.states("small") == ["approved", "failed"])
        assert joined.ended("small") == [(1, "out_of_memory")]


def test_a_stuck_task_is_found_and_requeued_and_then_completes(tmp_path):
    with Joined() as joined:
        joined.usual(Call(touch, (1,)))
        hangs = joined.submit("hangs", Call(hang_while_missing, (str(tmp_path / "mark"),)))
        joined.until(hangs.done)
        assert hangs.result().value == "done"
        joined.look()
        assert joined.ended("hangs") == [(1, "cancelled"), (2, "completed")]
        assert joined.states("hangs") == ["approved", "done"]
        assert [a.kind for a in joined.alerts.values()] == ["stuck"]


def test_a_task_that_hangs_each_time_is_requeued_once_within_the_cooldown():
    with Joined() as joined:
        joined.usual(Call(touch, (1,)))
        joined.submit("hangs", Call(hang))
        joined.until(lambda: "done" in joined.states("hangs"))
        joined.until(lambda: joined.tasks["hangs"].attempt == 2)
        joined.until(lambda: joined.tasks["hangs"].state == "running")
        (alert,) = joined.alerts.values()
        again = replace(alert, alert_id="again")  # as it comes once the first incident is over
        (refused,) = joined.responder.respond(again, time.time())
        assert (refused.state, refused.reason.split(":")[0]) == ("refused", "cooldown")
        joined.look()
        assert joined.tasks["hangs"].attempt == 2


def test_no_more_processes_are_requeued_in_an_hour_than_the_limit():
    with Joined(limits=Limits(actions_per_hour=1, queue_share=1.0)) as joined:
        joined.usual(Call(touch, (1,)))
        for name in ("one", "two"):
            joined.submit(name, Call(hang))
        both = ("one", "two")
        joined.until(lambda: all(joined.states(n) for n in both))
        assert sorted(joined.states(n)[-1] for n in both) == ["done", "refused"]
        assert sum(len(joined.ended(n)) for n in both) <= 1


def test_a_stuck_task_goes_on_until_a_person_approves(tmp_path):
    with Joined(mode="propose") as joined:
        joined.usual(Call(touch, (1,)))
        hangs = joined.submit("hangs", Call(hang_while_missing, (str(tmp_path / "mark"),)))
        joined.until(lambda: joined.states("hangs") == ["proposed"])
        with pytest.raises(NotYet):
            hangs.result(timeout=0.3)
        assert joined.ended("hangs") == []
        joined.responder.approve(joined.trail[0].action_id, time.time(), "ann")
        assert hangs.result(LONG_S).value == "done"
        assert joined.states("hangs") == ["proposed", "approved", "done"]


def test_a_stuck_task_goes_on_while_the_switch_is_set(tmp_path):
    stop(tmp_path, "maintenance")
    with Joined(stopped=stopped(tmp_path)) as joined:
        joined.usual(Call(touch, (1,)))
        hangs = joined.submit("hangs", Call(hang_while_missing, (str(tmp_path / "mark"),)))
        joined.until(lambda: joined.states("hangs") == ["refused"])
        with pytest.raises(NotYet):
            hangs.result(timeout=0.3)
        assert joined.ended("hangs") == []
        start(tmp_path)
        joined.until(hangs.done)
        assert joined.states("hangs") == ["refused", "approved", "done"]
