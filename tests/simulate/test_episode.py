import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.schedule.network import SIZE, network_of
from headway.schedule.observation import FEATURES
from headway.schedule.rules import Order, order_by, rule_named
from headway.schedule.siblings import nobody, siblings_of
from headway.simulate.episode import COMMIT, EASY, RESERVE
from headway.simulate.kernel import simulate
from headway.simulate.lublin import lublin
from headway.simulate.play import play
from headway.simulate.structures import Jobs

MODES = {EASY: "easy", RESERVE: "reserve", COMMIT: "commit"}


def jobs_of(workload, believed_s=None):
    believed_s = workload.requested_s if believed_s is None else believed_s
    asked_s = workload.requested_s
    return Jobs(
        workload.submit_s, workload.runtime_s, workload.procs, believed_s, asked_s, asked_s,
        asked_s, workload.submit_s,
    )  # fmt: skip


def linear(**weights):
    flat = np.zeros(SIZE)
    for name, weight in weights.items():
        flat[FEATURES.index(name)] = weight
    return network_of(flat)


@pytest.mark.parametrize("mode", MODES)
@given(seed=st.integers(0, 2**31), load=st.floats(0.5, 1.5))
@settings(max_examples=25, deadline=None)
def test_a_network_that_is_shortest_first_starts_tasks_as_the_rule_does(mode, seed, load):
    workload = lublin(np.random.default_rng(seed), 120, 64, load=load)
    start_s, _ = play(
        jobs_of(workload), nobody(), 0, workload.total_procs, mode, linear(log_runtime=-1.0)
    )
    order = order_by(rule_named("sjf"), workload.requested_s, workload.procs, workload.submit_s)
    expected = simulate(workload, order, workload.requested_s, backfill=MODES[mode])
    np.testing.assert_array_equal(start_s, expected)


@pytest.mark.parametrize("mode", MODES)
def test_a_network_that_is_first_come_starts_tasks_as_the_rule_does(mode):
    workload = lublin(np.random.default_rng(5), 500, 128, load=1.1)
    start_s, decisions = play(
        jobs_of(workload), nobody(), 0, workload.total_procs, mode, linear(age=-1.0)
    )
    order = order_by(rule_named("fcfs"), workload.requested_s, workload.procs, workload.submit_s)
    expected = simulate(workload, order, workload.requested_s, backfill=MODES[mode])
    np.testing.assert_array_equal(start_s, expected)
    assert decisions > 0


def test_outcomes_of_siblings_move_tasks_as_in_the_kernel():
    rng = np.random.default_rng(7)
    workload = lublin(rng, 400, 64, load=1.2)
    user = rng.integers(0, 6, 400)
    believed_s = np.exp(np.log(workload.runtime_s) + rng.normal(0.0, 1.0, 400)).clip(1.0)
    siblings = siblings_of(user, workload.procs, workload.requested_s, believed_s)
    network = linear(log_runtime=-1.0, log_procs=-0.5)
    start_s, _ = play(jobs_of(workload, believed_s), siblings, 6, 64, EASY, network)

    key = 0.5 * np.log(workload.procs) + siblings.log_runtime
    order = Order(key, believed_s, backfills_by_key=True, siblings=siblings)
    expected = simulate(workload, order, workload.requested_s)
    assert np.mean(start_s == expected) > 0.97  # sums of logarithms tie differently


def test_more_decisions_are_asked_for_the_more_waits():
    rng = np.random.default_rng(3)
    calm, busy = lublin(rng, 300, 64, load=0.3), lublin(rng, 300, 64, load=1.5)
    asked = [
        play(jobs_of(workload), nobody(), 0, 64, EASY, linear(age=-1.0))[1]
        for workload in (calm, busy)
    ]
    assert asked[0] < asked[1]
