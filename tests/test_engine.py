from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from headway.engine import Engine
from headway.errors import ConfigError
from headway.guard import fits_cluster, is_advised
from headway.predict import Recent
from headway.protocols import Preferences
from headway.records import ClusterState, Decision, Estimate, Task
from headway.schedule.easy import EasyPolicy
from headway.simulate.cluster import SimulatedCluster
from headway.store import MemoryStore

EVER = (float("-inf"), float("inf"))


def task(number, submitted_s, runtime_s, cpus=1.0, limit_s=100.0, user="ann"):
    return Task(
        cluster="sim",
        id=str(number),
        user=user,
        submitted_s=submitted_s,
        started_s=submitted_s,
        ended_s=submitted_s + runtime_s,
        cpus_requested=cpus,
        limit_s=limit_s,
        state="completed",
    )


def run(tasks, policy, guards=(), total_cpus=4.0, predictors=None):
    """Drive an engine over a simulated cluster until everything has ended; the store."""
    cluster, store = SimulatedCluster("sim", tasks, total_cpus), MemoryStore()
    engine = Engine(
        cluster, store, predictors if predictors is not None else {}, policy, guards=guards
    )
    moments = sorted({t.submitted_s for t in tasks})
    now_s = moments[0]
    for _ in range(20 * len(tasks)):
        engine.step()
        now_s += 5.0
        cluster.advance(now_s)
    engine.step()
    return store


def test_every_task_is_decided_once_and_its_outcome_finds_the_decision():
    tasks = [task(i, 10.0 * i, 30.0, cpus=2.0) for i in range(12)]
    store = run(tasks, EasyPolicy("fcfs"))
    decisions, outcomes = store.read("decision", *EVER), store.read("outcome", *EVER)
    assert sorted(decisions["id"]) == sorted(t.id for t in tasks)
    assert decisions["decision_id"].n_unique() == 12
    joined = outcomes.join(decisions, on="decision_id")
    assert joined.height == 12
    assert (joined["id"] == joined["id_right"]).all()
    assert (outcomes["runtime_s"] == 30.0).all()


def test_predictions_are_logged_before_the_outcome_is_known():
    tasks = [task(i, 50.0 * i, 30.0) for i in range(6)]
    store = run(tasks, EasyPolicy("sjf"), predictors={"runtime_s": Recent()})
    predictions = store.read("prediction", *EVER)
    assert predictions["refused"][0] != ""
    assert predictions["value"][0] is None
    assert predictions["value"][-1] == pytest.approx(30.0)
    outcomes = store.read("outcome", *EVER)
    both = predictions.join(outcomes, on="id", suffix="_came")
    assert (both["at_s"] < both["at_s_came"]).all()


def test_decisions_carry_the_features_that_were_served():
    store = run([task(0, 0.0, 5.0)], EasyPolicy())
    decision = store.read("decision", *EVER).row(0, named=True)
    assert len(decision["features"]) == len(decision["feature_names"]) > 0
    assert decision["made_by"] == "easy saf"


def test_a_guard_that_says_no_is_obeyed():
    def nobody(decision, state):
        return "not on my watch"

    store = run([task(0, 0.0, 5.0)], EasyPolicy(), guards=(nobody,))
    assert store.read("decision", *EVER).is_empty()


def queue_state(queued, running=(), total=4.0, free=4.0, estimates=None, **memory):
    return ClusterState(
        cluster="sim",
        at_s=100.0,
        queued=tuple(queued),
        running=tuple(running),
        total_cpus=total,
        free_cpus=free,
        estimates=estimates or {},
        **memory,
    )


def waiting(number, cpus, limit_s, **more):
    started = replace(task(number, 0.0 + number, 1.0, cpus=cpus, limit_s=limit_s), **more)
    return replace(started, started_s=None, ended_s=None, state="pending")


def test_easy_backfills_what_ends_before_the_reservation_and_nothing_else():
    running = [replace(task(9, 0.0, 1.0, cpus=3.0, limit_s=150.0), ended_s=None, started_s=0.0)]
    queued = [waiting(1, 4.0, 100.0), waiting(2, 1.0, 200.0), waiting(3, 1.0, 40.0)]
    state = queue_state(queued, running, free=1.0)
    decided = EasyPolicy("fcfs").decide(state, Preferences())
    assert [d.id for d in decided] == ["3"]


def test_memory_is_allocated_by_prediction_and_by_request_where_it_is_refused():
    said = Estimate(
        value=np.array([50.0, np.nan]),
        levels=np.array([0.5, 0.95]),
        quantiles=np.array([[50.0, 80.0], [np.nan, np.nan]]),
        made_by=np.array(["m", "m"]),
        refused=np.array(["", "no history"]),
    )
    queued = [
        waiting(1, 1.0, 10.0, memory_requested_bytes=500),
        waiting(2, 1.0, 10.0, memory_requested_bytes=300),
    ]
    state = queue_state(
        queued, estimates={"memory_bytes": said}, total_memory_bytes=1000, free_memory_bytes=100
    )
    decided = EasyPolicy("fcfs").decide(state, Preferences())
    assert [(d.id, d.memory_bytes) for d in decided] == [("1", 80)]


def test_a_level_outside_its_range_is_refused():
    with pytest.raises(ConfigError, match="coverage"):
        EasyPolicy(coverage=1.0)


def test_guards_name_what_is_wrong():
    state = queue_state([], total_memory_bytes=10, free_memory_bytes=10)
    decision = Decision(decision_id="1", at_s=0.0, cluster="sim", id="1", action="start")
    assert fits_cluster(decision, state) == is_advised(decision, state) == ""
    assert "cpus" in fits_cluster(replace(decision, cpus=8.0), state)
    assert "bytes" in fits_cluster(replace(decision, memory_bytes=11), state)
    assert is_advised(replace(decision, refused="too little history"), state)


def test_the_log_is_a_plain_table():
    store = run([task(0, 0.0, 5.0)], EasyPolicy())
    assert isinstance(store.read("task", *EVER), pl.DataFrame)
