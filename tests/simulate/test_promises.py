import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import ConfigError
from headway.schedule.network import SIZE, network_of, smallest_area_first
from headway.schedule.rules import order_by, rule_named
from headway.simulate.kernel import simulate
from headway.simulate.lublin import lublin
from headway.simulate.play import simulate_network
from headway.simulate.workload import Workload


def crowded(seed, jobs=80, procs=16, load=1.5, generous=3.0):
    """A crowded machine whose tasks ask for more time than they take, by up to `generous`."""
    rng = np.random.default_rng(seed)
    made = lublin(rng, jobs, procs, load=load)
    asked_s = np.ceil(made.runtime_s * rng.uniform(1.0, generous, jobs))
    return Workload(
        submit_s=made.submit_s, runtime_s=made.runtime_s, requested_s=asked_s, procs=made.procs,
        rows=made.rows, total_procs=procs,
    )  # fmt: skip


def first_come(workload):
    order = order_by(rule_named("fcfs"), workload.requested_s, workload.procs, workload.submit_s)
    return simulate(workload, order, workload.requested_s)


def lateness(workload, weights, bound_s):
    asked_s = workload.requested_s
    start_s = simulate_network(workload, network_of(weights), asked_s, asked_s, bound_s=bound_s)
    assert np.isfinite(start_s).all()
    assert (start_s >= workload.submit_s).all()
    return start_s - first_come(workload)


def held(workload, start_s):
    """The most processors that were in use at once."""
    edges = np.concatenate([start_s, start_s + workload.runtime_s])
    change = np.concatenate([workload.procs, -workload.procs])
    order = np.lexsort((change, edges))  # ends before starts of the same moment
    return np.cumsum(change[order]).max()


@given(
    seed=st.integers(0, 2**31),
    bound_s=st.sampled_from([0.0, 60.0, 3600.0, 86400.0]),
    procs=st.sampled_from([2, 16, 64]),
    load=st.floats(0.5, 4.0),
)
@settings(max_examples=60, deadline=None)
def test_no_task_starts_later_than_first_come_plus_the_bound(seed, bound_s, procs, load):
    workload = crowded(seed, procs=procs, load=load)
    weights = np.random.default_rng(seed).normal(size=SIZE)  # any policy, a bad one too
    assert lateness(workload, weights, bound_s).max() <= bound_s + 1e-6


@given(seed=st.integers(0, 2**31), bound_s=st.sampled_from([0.0, 3600.0]))
@settings(max_examples=40, deadline=None)
def test_the_machine_is_never_over_full(seed, bound_s):
    workload = crowded(seed)
    weights = np.random.default_rng(seed).normal(size=SIZE)
    asked_s = workload.requested_s
    start_s = simulate_network(workload, network_of(weights), asked_s, asked_s, bound_s=bound_s)
    assert held(workload, start_s) <= workload.total_procs


def test_without_a_bound_a_wide_task_may_wait_much_longer():
    workload = crowded(3, jobs=400, procs=16, load=3.0)
    asked_s = workload.requested_s
    weights = smallest_area_first()
    free_s = simulate_network(workload, network_of(weights), asked_s, asked_s)
    assert (free_s - first_come(workload)).max() > 86400.0
    assert lateness(workload, weights, 86400.0).max() <= 86400.0


def test_a_bound_that_nobody_reaches_changes_nothing():
    workload = crowded(4, jobs=200, load=0.8)
    asked_s, network = workload.requested_s, network_of(smallest_area_first())
    free_s = simulate_network(workload, network, asked_s, asked_s)
    bound_s = simulate_network(workload, network, asked_s, asked_s, bound_s=1e12)
    np.testing.assert_array_equal(bound_s, free_s)


def test_tasks_that_outlive_their_requests_still_all_start():
    workload = crowded(5, jobs=200)
    short_s = np.maximum(workload.runtime_s * 0.5, 1.0)
    workload = Workload(
        submit_s=workload.submit_s, runtime_s=workload.runtime_s, requested_s=short_s,
        procs=workload.procs, rows=workload.rows, total_procs=16,
    )  # fmt: skip
    start_s = simulate_network(
        workload, network_of(smallest_area_first()), short_s, short_s, bound_s=600.0
    )
    assert np.isfinite(start_s).all()
    assert held(workload, start_s) <= 16


@pytest.mark.parametrize("options", [{"backfill": "commit", "bound_s": 1.0}, {"bound_s": -1.0}])
def test_a_bound_that_cannot_be_kept_is_refused(options):
    workload = crowded(0, jobs=10)
    asked_s = workload.requested_s
    with pytest.raises(ConfigError, match="bound"):
        simulate_network(workload, network_of(smallest_area_first()), asked_s, asked_s, **options)
