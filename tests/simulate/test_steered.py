from dataclasses import replace

import numpy as np
import pytest

from headway.schedule.controller import ACTIONS, CONTROL_S, SIZE, STATE, constant, controller_of
from headway.schedule.controller import smallest_area as area_actions
from headway.schedule.learned import Learned
from headway.schedule.network import SIZE as WEIGHTS
from headway.schedule.network import flat, network_of, smallest_area_first
from headway.simulate.episode import EASY
from headway.simulate.lublin import lublin
from headway.simulate.play import prepared, simulate_network
from headway.simulate.steered import play_steered, simulate_learned, steps_of


def workload(seed=0, jobs=400):
    """A crowded machine with users, whose tasks ask for three times what they need."""
    rng = np.random.default_rng(seed)
    made = lublin(rng, jobs, 64, load=1.2)
    return replace(made, requested_s=3.0 * made.runtime_s, user=rng.integers(0, 5, jobs))


def told(tasks, seed=0):
    """Predicted runtimes and an upper quantile of each."""
    value_s = tasks.runtime_s * np.exp(np.random.default_rng(seed).normal(0.0, 0.5, len(tasks)))
    value_s = np.clip(value_s, 1.0, tasks.requested_s)
    return value_s, np.minimum(1.4 * value_s, tasks.requested_s)


def policy(controller, **said):
    return Learned(
        weights=smallest_area_first(), algo="ppo-weights", seed=0, decisions=1, backfill="easy",
        trained_on="nothing", controller=controller, **said,
    )  # fmt: skip


def watched(controller, room=500, seed=0):
    """Starts of a workload under a controller, and what it saw."""
    tasks = workload(seed)
    value_s, upper_s = told(tasks)
    jobs, siblings, users, mode, promises = prepared(
        tasks, value_s, tasks.requested_s, upper_s, "easy", None
    )
    steps = steps_of(np.zeros((room, len(ACTIONS))))
    start_s, _, controls = play_steered(
        jobs, siblings, users, 64, mode, controller_of(controller), promises, steps
    )
    assert mode == EASY
    return tasks, start_s, steps, controls


def looking():
    """A controller that moves its weights with the load."""
    numbers = np.random.default_rng(4).normal(size=SIZE)
    part = controller_of(constant(area_actions()))
    drawn = controller_of(numbers)
    return flat(part._replace(first=drawn.first, last=0.5 * drawn.last))


@pytest.mark.parametrize("backfill", ["easy", "none", "reserve", "commit"])
def test_a_constant_controller_is_the_order_with_its_weights(backfill):
    tasks = workload()
    value_s, upper_s = told(tasks)
    options = {"backfill_s": upper_s, "backfill": backfill}
    mine = simulate_learned(
        tasks, policy(constant(area_actions())), value_s, tasks.requested_s, **options
    )
    network = network_of(smallest_area_first())
    np.testing.assert_array_equal(
        mine, simulate_network(tasks, network, value_s, tasks.requested_s, **options)
    )


def test_a_policy_without_a_controller_is_played_by_its_network():
    tasks, weights = workload(), np.random.default_rng(0).normal(size=WEIGHTS)
    value_s, upper_s = told(tasks)
    mine = simulate_learned(
        tasks, replace(policy(np.empty(0)), weights=weights), value_s, tasks.requested_s,
        backfill_s=upper_s,
    )  # fmt: skip
    np.testing.assert_array_equal(
        mine,
        simulate_network(
            tasks, network_of(weights), value_s, tasks.requested_s, backfill_s=upper_s
        ),
    )


def test_boundless_safety_backfills_by_what_was_requested():
    tasks = workload()
    value_s, upper_s = told(tasks)
    careful = area_actions()
    careful[ACTIONS.index("safety")] = 100.0
    network = network_of(smallest_area_first())
    by_request = simulate_network(tasks, network, value_s, tasks.requested_s)
    mine = simulate_learned(
        tasks, policy(constant(careful)), value_s, tasks.requested_s, backfill_s=upper_s
    )
    np.testing.assert_array_equal(mine, by_request)
    assert not np.array_equal(
        mine,
        simulate_network(tasks, network, value_s, tasks.requested_s, backfill_s=upper_s),
    )


def test_control_comes_no_sooner_than_it_is_due():
    _, _, steps, controls = watched(looking())
    assert controls > 10
    assert (np.diff(steps.at_s[:controls]) >= CONTROL_S).all()


def test_what_is_seen_is_finite_and_known_by_then():
    tasks, start_s, steps, controls = watched(looking())
    state = steps.state[:controls]
    assert np.isfinite(state).all()
    seen = dict(zip(STATE, state.T, strict=True))
    at_s = steps.at_s[:controls]
    for name in ("free", "wide", "overdue"):
        assert ((seen[name] >= 0.0) & (seen[name] <= 1.0)).all()
    since = np.concatenate([[-CONTROL_S], at_s[:-1]])
    arrived = [
        ((tasks.submit_s > a) & (tasks.submit_s <= b)).sum()
        for a, b in zip(since, at_s, strict=True)
    ]
    np.testing.assert_allclose(np.expm1(5.0 * seen["log_arrived"]), arrived, atol=1e-9)
    waiting = [((tasks.submit_s <= t) & (start_s >= t)).sum() for t in at_s]
    np.testing.assert_array_less(np.expm1(5.0 * seen["log_queue"]), np.array(waiting) + 0.5)


def test_the_error_of_predictions_is_that_of_tasks_that_have_ended():
    tasks = workload()
    jobs, siblings, users, mode, promises = prepared(
        tasks, 0.5 * tasks.runtime_s, tasks.requested_s, None, "easy", None
    )
    steps = steps_of(np.zeros((500, len(ACTIONS))))
    _, _, controls = play_steered(
        jobs, siblings, users, 64, mode, controller_of(looking()), promises, steps
    )
    bias = steps.state[:controls, STATE.index("bias")]
    assert bias[controls // 2] == pytest.approx(np.log(2.0), abs=0.05)


def test_a_run_is_a_pure_function_of_what_it_is_given():
    _, first, steps, controls = watched(looking())
    _, again, others, _ = watched(looking())
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(steps.state[:controls], others.state[:controls])


def test_what_is_not_written_down_changes_nothing():
    _, whole, _, controls = watched(looking())
    _, short, _, others = watched(looking(), room=3)
    np.testing.assert_array_equal(whole, short)
    assert controls == others


def test_a_bound_on_starvation_holds_whatever_the_weights():
    tasks = workload(2)
    value_s, upper_s = told(tasks)
    tasks = replace(tasks, requested_s=3.0 * tasks.runtime_s)
    mine = simulate_learned(
        tasks, policy(looking()), value_s, tasks.requested_s, backfill_s=upper_s, bound_s=3600.0
    )
    first_come = np.zeros(WEIGHTS)
    first_come[5] = 1e6  # the longest wait first
    usual = simulate_network(tasks, network_of(first_come), value_s, tasks.requested_s)
    assert (mine - usual).max() <= 3600.0 + 1e-6
