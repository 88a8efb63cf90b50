import itertools

import numpy as np
import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.simulate.compare import rows
from headway.simulate.workload import Workload

KEYS = {
    "policy", "runtimes", "protocol", "backfill", "jobs", "mean_bounded_slowdown",
    "p95_bounded_slowdown_60s", "mean_wait_s", "mean_turnaround_s", "utilisation", "makespan_s",
    "jobs_per_s",
}  # fmt: skip


@pytest.fixture(scope="module")
def workload():
    rng = np.random.default_rng(3)
    run = rng.integers(1, 90, 60).astype(float)
    return Workload(
        submit_s=np.cumsum(rng.integers(0, 9, 60)).astype(float),
        runtime_s=run,
        requested_s=run * 3,
        procs=rng.integers(1, 8, 60),
        rows=np.arange(60),
        total_procs=8,
    )


def clock():
    return itertools.count().__next__


def test_there_is_a_row_for_each_policy_and_kind_of_runtimes(workload):
    found = rows(workload, ["all"], ["requested", "true"], clock=clock())
    assert len(found) == 24
    assert all(row.keys() >= KEYS for row in found)
    assert {row["jobs_per_s"] for row in found} == {60.0}


def test_a_slice_is_simulated_alone(workload):
    (row,) = rows(workload, ["saf"], clock=clock(), start=10, jobs=20)
    part = workload.part(10, 20)
    (alone,) = rows(part, ["saf"], clock=clock())
    assert row["jobs"] == 20
    assert row == alone


def test_true_runtimes_given_as_predicted_order_as_true_ones_do(workload):
    true_s = workload.runtime_s
    (row,) = rows(
        workload, ["sjf"], ["predicted"], clock=clock(), predicted_s=true_s, reserve_s=true_s
    )
    (known,) = rows(workload, ["sjf"], ["true"], clock=clock())
    assert row["mean_wait_s"] == known["mean_wait_s"]


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"policies": ["best"]}, ConfigError, "got best"),
        ({"runtimes": ["guessed"]}, ConfigError, "got guessed"),
        ({"runtimes": ["predicted"]}, NotEnoughData, "not predicted"),
        ({"protocol": "half"}, ConfigError, "got half"),
        ({"protocol": "rlscheduler"}, NotEnoughData, "9874 tasks"),
        ({"backfills": ["lazy"]}, ConfigError, "got lazy"),
        ({"start": 50, "jobs": 20}, ConfigError, "tasks of 0..59"),
    ],
)
def test_what_cannot_be_compared_is_refused(workload, changed, error, said):
    settings = {"policies": ["fcfs"], "clock": clock()} | changed
    with pytest.raises(error, match=said):
        rows(workload, settings.pop("policies"), **settings)
