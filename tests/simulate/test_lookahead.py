import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.schedule.network import network_of, smallest_area_first
from headway.schedule.siblings import nobody
from headway.simulate.episode import COMMIT, RESERVE
from headway.simulate.lookahead import play_ahead
from headway.simulate.lublin import lublin
from headway.simulate.play import play
from headway.simulate.structures import Jobs

AREA = network_of(smallest_area_first())


def jobs_of(submit_s, runtime_s, procs):
    submit_s, runtime_s = np.array(submit_s, float), np.array(runtime_s, float)
    procs = np.array(procs, np.int64)
    return Jobs(
        submit_s, runtime_s, procs, runtime_s, runtime_s, runtime_s, runtime_s, submit_s
    )  # fmt: skip


def drawn(seed, jobs, load):
    workload = lublin(np.random.default_rng(seed), jobs, 64, load=load)
    return jobs_of(workload.submit_s, workload.runtime_s, workload.procs)


def ahead(jobs, mode, tried=4, price=0.0, procs=64):
    return play_ahead(jobs, nobody(), 0, procs, mode, AREA, tried, price)[0]


def cost(jobs, start_s):
    return float(((start_s - jobs.submit_s) / np.maximum(jobs.runtime_s, 10.0)).sum())


def costs_where_nothing_arrives(seed, mode):
    """What waiting costs with trials, and without, if all tasks are there at once."""
    jobs = drawn(seed, 80, 1.0)
    jobs = jobs._replace(submit_s=np.zeros(80))
    order_s, _ = play(jobs, nobody(), 0, 64, mode, AREA)
    return cost(jobs, ahead(jobs, mode)), cost(jobs, order_s)


@given(seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_where_nothing_arrives_trials_never_cost_more_than_the_order_itself(seed):
    tried, plain = costs_where_nothing_arrives(seed, COMMIT)
    assert tried <= plain * (1.0 + 1e-9)


def test_with_backfilling_trials_cost_less_on_average():
    # One may cost more: the next trial may fill a hole that this one had counted on.
    logs = np.log([costs_where_nothing_arrives(seed, RESERVE) for seed in range(20)])
    assert (logs[:, 0] - logs[:, 1]).mean() < 0.0


@pytest.mark.parametrize("mode", [COMMIT, RESERVE])
@given(seed=st.integers(0, 2**31), load=st.floats(0.5, 1.5), price=st.floats(0.0, 2.0))
@settings(max_examples=25, deadline=None)
def test_every_task_starts_once_it_is_there_and_never_on_more_than_the_machine(
    mode, seed, load, price
):
    jobs = drawn(seed, 80, load)
    start_s = ahead(jobs, mode, price=price)
    assert (start_s >= jobs.submit_s).all()
    for now_s in start_s:
        runs = (start_s <= now_s) & (now_s < start_s + jobs.runtime_s)
        assert jobs.procs[runs].sum() <= 64


def test_what_has_not_arrived_moves_no_earlier_start():
    jobs = drawn(3, 200, 1.2)
    other = jobs._replace(runtime_s=jobs.runtime_s.copy(), order_s=jobs.order_s.copy())
    other.runtime_s[150:] *= 7.0
    other.order_s[150:] *= 7.0
    for mode in (COMMIT, RESERVE):
        one, two = (ahead(some, mode, price=0.3) for some in (jobs, other))
        before = one < jobs.submit_s[150]
        np.testing.assert_array_equal(one[before], two[before])
        assert before.sum() > 50


def test_a_task_that_ends_before_the_machine_is_drained_goes_before_what_drains_it():
    # from 10 s on 2 of 4 processors are busy until 110 s: 4 x 20 s is smaller than 2 x 45 s
    jobs = jobs_of([0, 1, 2, 3], [10, 100, 20, 45], [4, 2, 4, 2])
    order_s, _ = play(jobs, nobody(), 0, 4, COMMIT, AREA)
    np.testing.assert_array_equal(order_s, [0.0, 10.0, 110.0, 130.0])
    np.testing.assert_array_equal(ahead(jobs, COMMIT, procs=4), [0.0, 10.0, 110.0, 10.0])


def test_the_price_of_blocking_is_heard():
    jobs = drawn(3, 200, 1.2)
    free, dear = (ahead(jobs, COMMIT, price=price) for price in (0.0, 1e3))
    assert (free != dear).any()
