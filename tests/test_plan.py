"""A plan plays the past, made as dense as what may come, and names a size whose wait is wanted."""

import numpy as np
import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.plan import DAY_S, Waits, daily_demand, look_ahead, mean_wait_s, play, steps_of
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


def test_waits_fall_with_the_size_and_larger_sums_wait_longer():
    known, end_s = workload(120), 120 * DAY_S
    outlook = look_ahead(daily_demand(known, end_s), 14)
    waits = play(known, end_s, outlook, sizes=[4, 6, 8], progress=silent)
    assert waits.expected()[0] > waits.expected()[1] > waits.expected()[2]
    assert (np.diff(waits.wait_s[0, : len(outlook.sums)]) >= 0.0).all()


def test_a_sum_is_said_by_the_ways_that_were_right_before():
    rng = np.random.default_rng(1)
    level = 100.0 * np.exp(rng.normal(0.0, 0.5, 300))
    steady, still = look_ahead(level, 14), look_ahead(np.full(300, 7.0), 14)
    assert "mean of 300 days" in steady.sums_by
    assert steady.sums[0] < 14 * level.mean() < steady.sums[-1]
    assert still.sums == pytest.approx(np.full(5, 98.0))


def test_demand_that_rises_is_not_said_by_the_mean_of_all():
    found = look_ahead(np.linspace(10.0, 200.0, 200), 14)
    assert "mean of 200 days" not in found.sums_by
    assert found.sums[2] == pytest.approx(14 * 207.0, rel=0.1)


def test_a_short_history_is_refused_with_what_it_needs():
    with pytest.raises(NotEnoughData, match="needs 63 days of history, got 30"):
        look_ahead(np.ones(30), 14)


def test_denser_arrivals_wait_longer():
    known = workload(30)
    assert mean_wait_s(known, 8, denser=2.0) > mean_wait_s(known, 8, denser=1.0)


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
    waits = Waits(np.array([10, 20, 30, 40]), np.array([[90.0], [10.0], [50.0], [10.0]]))
    assert waits.size_for(90.0) == 10
    assert waits.size_for(5.0) == 40
    assert 30 < waits.size_for(20.0) < 40


def test_a_size_lies_between_those_tried_by_the_logs_of_waits():
    waits = Waits(np.array([100, 400]), np.array([[1000.0], [10.0]]))
    assert waits.size_for(100.0) == 200


def test_more_sizes_join_in_order():
    some = Waits(np.array([1, 3]), np.array([[9.0], [1.0]]))
    both = some.and_more(Waits(np.array([2, 3]), np.array([[5.0], [1.0]])))
    assert both.sizes.tolist() == [1, 2, 3]
    assert both.wait_s[:, 0].tolist() == [9.0, 5.0, 1.0]


def test_capacity_rises_at_once_and_falls_slowly():
    wanted = np.array([10.0, 50.0, 5.0, 5.0])
    assert steps_of(wanted, 20.0, lower_by=0.1).tolist() == pytest.approx([18.0, 50.0, 45.0, 40.5])
