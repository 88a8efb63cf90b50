"""A plan plays the past, made as dense as what may come, and names a size whose wait is wanted."""

import numpy as np
import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.plan import DAY_S, Waits, daily_demand, look_ahead, mean_wait_s, plan, steps_of
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


def planned(known, days, **changed):
    asked = {"horizon_days": 14, "wait_s": 600.0, "level": 0.8, "price_core_hour": 0.1}
    return plan(known, days * DAY_S, progress=silent, **(asked | changed))


def test_demand_is_work_by_day_of_submission():
    known = workload(30)
    demand = daily_demand(known, 30 * DAY_S)
    assert len(demand) in (29, 30)
    early = known.submit_s - known.submit_s[0] < len(demand) * DAY_S
    work = (known.runtime_s * known.procs)[early].sum()
    assert demand.sum() == pytest.approx(work / DAY_S)


def test_the_wait_falls_with_the_size_and_the_plan_keeps_to_it():
    document = planned(workload(120), 120)
    waits = [row["wait_s_at_level"] for row in document["sizes"]]
    assert waits[0] > waits[-1]
    chosen = next(r for r in document["sizes"] if r["procs"] == document["needed_procs"])
    assert chosen["wait_s_at_level"] <= 600.0
    assert document["add_procs"] == document["needed_procs"] - 8
    assert len(document["demand"]) == len(document["capacity"]) == 14


def test_who_waits_less_pays_for_more():
    known = workload(120)
    assert (
        planned(known, 120, wait_s=10.0)["needed_procs"]
        > planned(known, 120, wait_s=7200.0)["needed_procs"]
    )


def test_a_short_history_is_refused_with_what_it_needs():
    with pytest.raises(NotEnoughData, match="needs 63 days of history, got 30"):
        look_ahead(np.ones(30), 14)


@pytest.mark.parametrize(
    "changed", [{"horizon_days": 0}, {"wait_s": -1.0}, {"level": 1.0}, {"level": 0.0}]
)
def test_wrong_wishes_are_one_sentence(changed):
    with pytest.raises(ConfigError, match="horizon-days"):
        planned(workload(90), 90, **changed)


def test_denser_arrivals_wait_longer():
    known = workload(30)
    assert mean_wait_s(known, 8, denser=2.0) > mean_wait_s(known, 8, denser=1.0)


def test_a_size_is_enough_only_if_all_larger_ones_are():
    waits = Waits(np.array([1, 2, 3, 4]), np.array([[9.0], [1.0], [5.0], [1.0]]))
    assert waits.size_for(2.0) == 4
    assert waits.size_for(9.0) == 1
    assert waits.size_for(0.5) == 4


def test_capacity_rises_at_once_and_falls_slowly():
    wanted = np.array([10.0, 50.0, 5.0, 5.0])
    assert steps_of(wanted, 20.0, lower_by=0.1).tolist() == pytest.approx([18.0, 50.0, 45.0, 40.5])
