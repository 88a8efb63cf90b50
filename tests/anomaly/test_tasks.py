from dataclasses import replace

import numpy as np
import pytest

from headway.anomaly.tasks import TaskWatch
from headway.errors import ConfigError
from headway.records import Event, Prediction, Sample, Task

DAY_S = 86400.0
GB = 10**9


def watch(**known):
    return TaskWatch(**({"learn_s": 100 * DAY_S, "false_alarms_per_week": 1.0} | known))


class Cluster:
    """Feeds a watch with tasks that run one after another, and keeps its alerts."""

    def __init__(self, watch, seed=0):
        self.watch, self.rng, self.now_s, self.number = watch, np.random.default_rng(seed), 0.0, 0
        self.alerts = []

    def start(self, **known):
        self.number += 1
        given = {"id": str(self.number), "user": "ann", "name": "align"} | known
        task = Task(
            cluster="c", submitted_s=self.now_s, started_s=self.now_s, state="running",
            cpus_allocated=2.0, **given,
        )  # fmt: skip
        self.see("started", task)
        return task

    def end(self, task, state="completed", **measured):
        self.see("ended", replace(task, ended_s=self.now_s, state=state, **measured))

    def run(self, runtime_s, state="completed", peak=GB, share=0.9, **known):
        task = self.start(**known)
        for _ in range(8):
            self.now_s += runtime_s / 8
            self.read(task, "cpu_share", share)
        self.end(task, state, memory_peak_bytes=peak)
        return task

    def see(self, kind, task):
        self.alerts += self.watch.see(Event(kind=kind, at_s=self.now_s, task=task))

    def read(self, task, metric, value):
        self.alerts += self.watch.read(
            Sample(cluster="c", source=task.id, metric=metric, at_s=self.now_s, value=value)
        )

    def usual(self, days=101, each=20, **known):
        """Tasks of an hour give or take a tenth, until the watch has learned its thresholds."""
        for _ in range(days * each):
            runtime_s = 3600.0 * float(np.exp(0.1 * self.rng.standard_normal()))
            peak = int(GB * np.exp(0.1 * self.rng.standard_normal()))
            node = f"n{self.rng.integers(8)}"
            self.run(runtime_s, peak=peak, **({"node": node} | known))
            self.now_s += DAY_S / each - 3600.0


@pytest.fixture
def cluster():
    made = Cluster(watch())
    made.usual()
    assert made.alerts == []
    return made


def kinds(cluster):
    return [(a.kind, a.subject) for a in cluster.alerts if a.ended_s is None]


def test_a_task_that_outlives_what_was_expected_is_stuck_while_it_runs(cluster):
    task = cluster.start()
    began_s = cluster.now_s
    cluster.now_s += 20 * 3600.0
    cluster.alerts += cluster.watch.look(cluster.now_s)
    (alert,) = cluster.alerts
    assert (alert.kind, alert.about, alert.subject) == ("stuck", "task", task.id)
    assert alert.expected_low < 3600.0 < alert.expected_high < alert.value
    assert began_s < alert.since_s < alert.at_s <= cluster.now_s
    assert alert.causes


def test_a_task_that_is_seen_only_at_its_end_is_an_overrun(cluster):
    task = Task(
        cluster="c", id="late", user="ann", name="align", submitted_s=cluster.now_s,
        started_s=cluster.now_s,
    )  # fmt: skip
    cluster.now_s += 30 * 3600.0
    cluster.end(task)
    assert kinds(cluster) == [("overrun", "late")]


def test_a_prediction_that_was_logged_counts_more_than_what_the_kind_took(cluster):
    for name, value in (("short", 60.0), ("long", 90_000.0)):
        said = Prediction(
            cluster="c", id=name, attempt=1, at_s=cluster.now_s, target="runtime_s", value=value,
            levels=(0.05, 0.5, 0.95), quantiles=(value / 2, value, value * 1.5), made_by="m1",
        )  # fmt: skip
        cluster.watch.believe(said)
        task = Task(
            cluster="c", id=name, user="ann", name="align", submitted_s=cluster.now_s,
            started_s=cluster.now_s,
        )  # fmt: skip
        cluster.see("started", task)
    cluster.now_s += 20 * 3600.0
    cluster.alerts += cluster.watch.look(cluster.now_s)
    assert kinds(cluster) == [("stuck", "short")]


def test_many_late_tasks_of_one_owner_are_one_incident_that_ends_and_can_be_raised_again(cluster):
    late = [cluster.start() for _ in range(3)]
    cluster.now_s += 20 * 3600.0
    for task in late:
        cluster.end(task)
    assert len({a.alert_id for a in cluster.alerts}) == 1
    assert set(cluster.alerts[-1].dimensions) == {task.id for task in late}
    cluster.usual(days=3)
    over = cluster.alerts[-1]
    assert over.ended_s is not None
    cluster.run(300 * 3600.0)
    assert len({a.alert_id for a in cluster.alerts}) == 2


def test_a_task_whose_processors_stand_still_is_stuck_long_before_its_time(cluster):
    task = cluster.start()
    for _ in range(12):
        cluster.now_s += 300.0
        cluster.read(task, "cpu_share", 0.9 if cluster.now_s < task.started_s + 700.0 else 0.0)
    assert kinds(cluster) == [("stuck", task.id)]
    assert "stand still" in cluster.alerts[0].causes[0]


def test_a_kind_that_often_stands_still_is_not_stuck_because_of_it():
    cluster = Cluster(watch())
    cluster.usual(share=0.0)
    task = cluster.start()
    for _ in range(12):
        cluster.now_s += 300.0
        cluster.read(task, "cpu_share", 0.0)
    assert cluster.alerts == []


def test_a_kind_of_which_no_processor_time_was_ever_read_is_not_judged_by_it():
    cluster = Cluster(watch())
    for _ in range(101 * 20):
        task = cluster.start()
        cluster.now_s += 4320.0
        cluster.end(task)
    task = cluster.start()
    for _ in range(12):
        cluster.now_s += 300.0
        cluster.read(task, "cpu_share", 0.0)
    assert cluster.alerts == []


def readings(cluster, bytes_at):
    task = cluster.start()
    for step in range(1, 12):
        cluster.now_s = task.started_s + 300.0 * step
        cluster.read(task, "memory_bytes", bytes_at(step / 12))
    cluster.now_s += 300.0
    cluster.end(task, memory_peak_bytes=int(bytes_at(1.0)))
    return task


def test_memory_that_rises_with_no_end_is_a_leak_and_found_before_the_end(cluster):
    task = readings(cluster, lambda share: GB * (0.5 + 15.0 * share))
    first = cluster.alerts[0]
    assert (first.kind, first.subject) == ("leak", task.id)
    assert first.at_s < task.started_s + 2400.0
    assert first.value > first.expected_high


@pytest.mark.parametrize("shape", [lambda s: GB * s, lambda s: GB * min(4 * s, 1.0)])
def test_memory_that_fills_to_its_usual_peak_is_no_leak(cluster, shape):
    readings(cluster, shape)
    assert cluster.alerts == []


def test_a_task_that_took_far_more_memory_than_its_kind_is_oversized(cluster):
    task = cluster.run(3600.0, peak=20 * GB)
    assert kinds(cluster) == [("oversized", task.id)]


def test_a_task_killed_for_memory_is_told_at_once_even_while_thresholds_are_learned():
    cluster = Cluster(watch())
    task = cluster.run(60.0, state="out_of_memory")
    assert kinds(cluster) == [("out_of_memory", task.id)]


def test_a_task_that_is_killed_for_memory_again_is_told_again():
    cluster = Cluster(watch())
    for attempt in (1, 2):
        cluster.end(cluster.start(id="big", attempt=attempt), state="out_of_memory",
                    memory_peak_bytes=attempt * GB)  # fmt: skip
    assert kinds(cluster) == [("out_of_memory", "big")] * 2
    assert len({a.alert_id for a in cluster.alerts}) == 2


def test_a_node_on_which_tasks_of_several_kinds_run_longer_is_slow_and_no_other_node_is(cluster):
    others = [f"tool-{k}" for k in range(6)]
    for name in others:
        cluster.usual(days=1, each=12, name=name)
    for k in range(150):
        name, node = others[k % 6], f"n{k % 8}"
        runtime_s = 3600.0 * float(np.exp(0.1 * cluster.rng.standard_normal()))
        cluster.run(runtime_s * (1.8 if node == "n3" else 1.0), name=name, node=node)
        cluster.now_s += 3600.0
    slow = [a for a in cluster.alerts if a.kind == "slow_node"]
    assert {a.subject for a in slow} == {"n3"}
    assert slow[0].value == pytest.approx(1.8, rel=0.25)  # a median of few runs with noise


def test_a_user_who_never_failed_and_now_does_is_failing_and_others_are_not(cluster):
    cluster.usual(days=1, user="bob")
    for _ in range(12):
        cluster.run(600.0, state="failed", exit_code=3)
        cluster.run(600.0, user="bob")
    failing = [a for a in cluster.alerts if a.kind == "failing"]
    assert {a.subject for a in failing} == {"ann"}
    assert "exit code 3" in failing[0].causes[0]
    assert failing[0].value > failing[0].expected_high


def test_a_user_who_always_failed_often_is_not_failing():
    cluster = Cluster(watch())
    for k in range(101 * 20):
        cluster.run(3600.0, state="failed" if k % 2 else "completed")
        cluster.now_s += 720.0
    for k in range(20):
        cluster.run(3600.0, state="failed" if k % 2 else "completed")
    assert [a for a in cluster.alerts if a.kind == "failing"] == []


def test_a_larger_budget_of_false_alarms_never_raises_a_threshold():
    thresholds = []
    for budget in (0.1, 1.0, 50.0):
        cluster = Cluster(watch(false_alarms_per_week=budget))
        cluster.usual()
        thresholds.append(cluster.watch.thresholds)
    for kind in thresholds[0]:
        few, some, many = (t[kind] for t in thresholds)
        assert few >= some >= many


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="false_alarms_per_week"):
        TaskWatch(false_alarms_per_week=0.0)
    with pytest.raises(ConfigError, match="learn_s"):
        TaskWatch(learn_s=0.0)
