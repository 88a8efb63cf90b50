from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import ClusterError, ConfigError
from headway.records import Decision, Task, as_row
from headway.schedule.rules import RULES, order_by
from headway.simulate.cluster import SimulatedCluster
from headway.simulate.kernel import simulate
from headway.simulate.workload import workload_from
from headway.tables import frame


def task(number, submitted_s, runtime_s, cpus):
    return Task(
        cluster="then", id=str(number), submitted_s=submitted_s, started_s=submitted_s + 7.0,
        ended_s=submitted_s + 7.0 + runtime_s, cpus_requested=cpus, cpus_allocated=cpus,
        memory_peak_bytes=5, state="failed", exit_code=3,
    )  # fmt: skip


def start(number, at_s=0.0, **settings):
    return Decision(
        decision_id=f"d{number}", at_s=at_s, cluster="now", id=str(number), action="start",
        **settings,
    )  # fmt: skip


def first_come(cluster):
    """Start heads while they fit, at every event, until nothing is left."""
    while True:
        for waiting in cluster.state().queued:
            if waiting.cpus_requested > cluster.free_cpus:
                break
            cluster.apply(start(waiting.id))
        if (at_s := cluster.next_event_s()) is None:
            return
        cluster.advance(at_s)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(1, 4)), min_size=1, max_size=20
    )
)
def test_first_come_on_the_cluster_is_first_come_in_the_kernel(rows):
    gaps, runs, cpus = zip(*rows, strict=True)
    at_s = np.cumsum(gaps)
    tasks = [
        task(i, float(s), float(r), float(n))
        for i, (s, r, n) in enumerate(zip(at_s, runs, cpus, strict=True))
    ]
    cluster = SimulatedCluster("now", tasks, 4.0)
    first_come(cluster)
    events = cluster.events("").events
    came = {e.task.id: e.at_s for e in events if e.kind == "started"}
    w = workload_from(frame("task", [as_row(t) for t in tasks]), 0.0, 4)
    order = order_by(RULES["fcfs"], w.requested_s, w.procs, w.submit_s)
    expected = simulate(w, order, w.requested_s, backfill="none")
    assert [came[str(i)] for i in w.rows] == expected.tolist()
    assert [e.at_s for e in events] == sorted(e.at_s for e in events)


def test_a_task_that_has_not_ended_tells_nothing_of_its_end():
    cluster = SimulatedCluster("now", [task(0, 5.0, 10.0, 2.0)], 4.0)
    (waiting,) = cluster.state().queued
    cluster.apply(start(0))
    (running,) = cluster.state().running
    for seen in (waiting, running):
        assert seen.ended_s is seen.memory_peak_bytes is seen.exit_code is None
    assert (waiting.state, running.state) == ("pending", "running")
    cluster.advance(15.0)
    ended = cluster.events("").events[-1]
    assert (ended.kind, ended.at_s, ended.task.started_s) == ("ended", 15.0, 5.0)
    assert (ended.task.state, ended.task.memory_peak_bytes) == ("failed", 5)


def test_a_cursor_reads_each_event_once():
    cluster = SimulatedCluster("now", [task(0, 0.0, 10.0, 2.0), task(1, 4.0, 1.0, 1.0)], 4.0)
    first = cluster.events("")
    cluster.advance(4.0)
    second = cluster.events(first.cursor)
    assert [e.task.id for e in first.events + second.events] == ["0", "1"]
    assert cluster.events(second.cursor).events == ()
    with pytest.raises(ConfigError, match="cursor '99'"):
        cluster.events("99")


def test_a_start_that_does_not_fit_is_refused_and_changes_nothing():
    cluster = SimulatedCluster("now", [task(0, 0.0, 9.0, 3.0), task(1, 0.0, 9.0, 2.0)], 4.0)
    cluster.apply(start(0))
    before = cluster.state()
    with pytest.raises(ClusterError, match=r"takes 2.0 processors, 1.0 are free"):
        cluster.apply(start(1))
    with pytest.raises(ClusterError, match="does not wait"):
        cluster.apply(start(0))
    assert cluster.state() == before


def test_a_smaller_size_lets_a_task_start():
    cluster = SimulatedCluster("now", [task(0, 0.0, 9.0, 3.0), task(1, 0.0, 9.0, 2.0)], 4.0)
    cluster.apply(start(0))
    cluster.apply(start(1, cpus=1.0))
    assert cluster.free_cpus == 0.0
    cluster.advance(9.0)
    assert cluster.free_cpus == 4.0


def test_time_never_goes_back():
    cluster = SimulatedCluster("now", [task(0, 5.0, 1.0, 1.0)], 4.0)
    with pytest.raises(ConfigError, match=r"at least 5.0"):
        cluster.advance(4.0)


def test_a_task_without_an_end_or_too_wide_cannot_be_replayed():
    with pytest.raises(ConfigError, match="a start and an end"):
        SimulatedCluster("now", [Task(cluster="then", id="0", submitted_s=0.0)], 4.0)
    with pytest.raises(ConfigError, match=r"takes 5.0 of 4.0"):
        SimulatedCluster("now", [task(0, 0.0, 1.0, 5.0)], 4.0)


def decide(number, action, **known):
    return Decision(
        decision_id="d", at_s=0.0, cluster="now", id=str(number), action=action, **known
    )


def test_a_requeued_task_is_cancelled_frees_its_processors_and_runs_as_it_will_the_next_time():
    def again(truth):
        return replace(truth, ended_s=truth.started_s + 3.0, state="completed")

    cluster = SimulatedCluster("now", [task(0, 0.0, 100.0, 4.0)], 4.0, again)
    cluster.apply(start(0))
    cluster.advance(10.0)
    cluster.apply(decide(0, "requeue", memory_bytes=9))
    (waiting,) = cluster.state().queued
    assert (waiting.attempt, waiting.memory_requested_bytes, cluster.free_cpus) == (2, 9, 4.0)
    cluster.apply(start(0, attempt=2))
    cluster.advance(20.0)
    ends = [(e.at_s, e.task.attempt, e.task.state) for e in cluster.events("").events[1:]
            if e.kind == "ended"]  # fmt: skip
    assert ends == [(10.0, 1, "cancelled"), (13.0, 2, "completed")]
    assert cluster.next_event_s() is None


def test_a_cancelled_task_is_gone():
    cluster = SimulatedCluster("now", [task(0, 0.0, 100.0, 4.0)], 4.0)
    cluster.apply(decide(0, "cancel"))
    assert (cluster.state().queued, cluster.next_event_s()) == ((), None)
    with pytest.raises(ClusterError, match="is not on"):
        cluster.apply(decide(0, "cancel"))


def test_drained_processors_take_no_task_until_they_are_back():
    cluster = SimulatedCluster("now", [task(0, 0.0, 5.0, 4.0)], 4.0)
    cluster.apply(decide("n1", "drain", cpus=2.0))
    with pytest.raises(ClusterError, match="2.0 are free"):
        cluster.apply(start(0))
    cluster.apply(decide("n1", "resume", cpus=2.0))
    cluster.apply(start(0))
