"""A plan knows demand, waits on a machine, and steps from one size to another."""

import numpy as np
import pytest

from headway.errors import ConfigError
from headway.plan import (
    DAY_S,
    Waits,
    daily_demand,
    hourly_demand,
    look_ahead,
    mean_wait_s,
    steps_of,
)
from headway.simulate.workload import Workload


def workload(days, procs=8, seed=0):
    """Tasks of an hour on one or two processors, more of them on weekdays."""
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    count = rng.poisson(np.where(day % 7 < 5, 90, 30))
    submit_s = np.sort(np.repeat(day, count) * DAY_S + rng.uniform(0, DAY_S, count.sum()))
    n = len(submit_s)
    return Workload(
        submit_s=submit_s, runtime_s=rng.uniform(1800, 5400, n), requested_s=np.full(n, 7200.0),
        procs=rng.integers(1, 3, n), rows=np.arange(n), total_procs=procs,
    )  # fmt: skip


def silent(what, share):
    assert 0.0 <= share <= 1.0


def test_demand_is_work_by_day_of_submission():
    known = workload(30)
    demand = daily_demand(known, 30 * DAY_S)
    assert len(demand) in (29, 30)
    early = known.submit_s - known.submit_s[0] < len(demand) * DAY_S
    work = (known.runtime_s * known.procs)[early].sum()
    assert demand.sum() == pytest.approx(work / DAY_S)


def test_what_keeps_running_is_in_use_in_every_hour():
    one = Workload(
        submit_s=np.array([1800.0]), runtime_s=np.array([7200.0]), requested_s=np.array([7200.0]),
        procs=np.array([4]), rows=np.arange(1), total_procs=4,
    )  # fmt: skip
    assert hourly_demand(one, 0.0, 4).tolist() == [2.0, 4.0, 2.0, 0.0]


def test_demand_ahead_is_forecast_by_day():
    outlook = look_ahead(np.tile([10.0, 20.0, 30.0, 40.0, 50.0, 5.0, 5.0], 30), 14)
    assert outlook.days.value.shape == (14, 1)
    assert outlook.days.value[:7, 0] == pytest.approx(outlook.past[:7], abs=5.0)


def test_a_task_wider_than_the_machine_takes_all_of_it_for_longer():
    two = Workload(
        submit_s=np.zeros(2), runtime_s=np.full(2, 100.0), requested_s=np.full(2, 100.0),
        procs=np.array([4, 4]), rows=np.arange(2), total_procs=4,
    )  # fmt: skip
    assert mean_wait_s(two, 4) == pytest.approx(50.0)
    assert mean_wait_s(two, 2) == pytest.approx(100.0)
    with pytest.raises(ConfigError, match="procs must be at least 1"):
        mean_wait_s(two, 0)


def test_a_size_is_enough_only_if_all_larger_ones_are():
    wait_s = np.array([[90.0], [10.0], [50.0], [10.0]])
    waits = Waits(np.array([10, 20, 30, 40]), wait_s, np.array([1]))
    assert [waits.size_for(wait) for wait in (90.0, 5.0, 20.0)] == [10, 40, 40]


def test_waits_are_expected_by_tasks_and_kept_to_by_windows():
    waits = Waits(np.array([1]), np.array([[10.0, 20.0, 90.0]]), np.array([1, 1, 2]))
    assert waits.expected().tolist() == [52.5]
    assert waits.at(0.5).tolist() == [20.0]


def test_capacity_rises_at_once_and_falls_slowly():
    wanted = np.array([10.0, 50.0, 5.0, 5.0])
    assert steps_of(wanted, 20.0, lower_by=0.1).tolist() == pytest.approx([18.0, 50.0, 45.0, 40.5])
