import numpy as np
import pytest
from tests.simulate.merges import DAY_S, crowded, window

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.offers import OFFERED
from headway.schedule.routing import COMMON, FEATURES
from headway.schedule.routing_network import (
    LANES,
    ROUTINGS,
    SIZE,
    flat,
    router_of,
    static_routing,
)
from headway.schedule.rules import order_by, rule_named
from headway.simulate.grid_play import MOVES, play, roll, spread_cost
from headway.simulate.kernel import simulate
from headway.simulate.merged import LOCAL_RULES, local_keys, merged, starts_of
from headway.simulate.workload import Workload


def played(part, routing="shortest expected wait", rule="saf"):
    keys = local_keys(rule, part.jobs)
    return play(part.jobs, part.home, part.total, keys, router_of(static_routing(routing)))


def drawn(seed):
    """Any policy, which uses all of its weights."""
    return np.random.default_rng(seed).normal(0.0, 1.0, SIZE)


@pytest.mark.parametrize("rule", ["sjf", "saf", "areaxt"])
def test_one_cluster_is_the_kernel_start_by_start(rule):
    part = window(1, procs=(64,))
    jobs = part.jobs
    start_s, sent = played(part, rule=rule)
    workload = Workload(
        submit_s=jobs.submit_s, runtime_s=jobs.runtime_s, requested_s=jobs.reserve_s,
        procs=jobs.procs, rows=np.arange(len(jobs.procs)), total_procs=64,
    )  # fmt: skip
    order = order_by(rule_named(rule), np.maximum(jobs.order_s, 1.0), jobs.procs, jobs.submit_s)
    known = simulate(workload, order, jobs.reserve_s, backfill_s=jobs.backfill_s)
    np.testing.assert_array_equal(start_s, known)
    assert (sent == 0).all()


def test_keeping_local_is_each_cluster_alone():
    courses = crowded(2)
    both = merged(courses, [0, 0], 1000 * DAY_S)
    start_s, sent = played(both, "keep local")
    np.testing.assert_array_equal(sent, both.home)
    for c, course in enumerate(courses):
        alone, _ = played(merged([course], [0], 1000 * DAY_S), "keep local")
        np.testing.assert_array_equal(start_s[both.home == c], alone)


@pytest.mark.parametrize("seed", range(5))
def test_no_policy_sends_a_task_where_it_does_not_fit_or_loses_one(seed):
    part = window(seed, procs=(16, 64, 32))
    start_s, sent = play(
        part.jobs, part.home, part.total, local_keys("saf", part.jobs), router_of(drawn(seed))
    )
    assert (part.jobs.procs <= part.total[sent]).all()
    assert (start_s >= part.jobs.submit_s).all()
    for c, total in enumerate(part.total):
        assert busiest(part.jobs, start_s, sent == c) <= total


def busiest(jobs, start_s, mine):
    """The most processors that tasks use at once."""
    start_s, end_s = start_s[mine], start_s[mine] + jobs.runtime_s[mine]
    used = [jobs.procs[mine][(start_s <= at) & (at < end_s)].sum() for at in start_s]
    return max(used, default=0)


def test_what_is_not_over_changes_nothing_before():
    """True runtimes are not seen: other ones change no decision until a task would have ended."""
    part = window(3)
    router, keys = router_of(drawn(3)), local_keys("saf", part.jobs)
    noise = np.zeros((len(part.home), len(part.total) + MOVES))
    seen = roll(part.jobs, part.home, part.total, keys, router, 1.0, noise)
    start_s, sent = seen.start_s, seen.sent
    middle = len(sent) // 2
    now_s = part.jobs.submit_s[middle]
    goes_on = start_s + part.jobs.runtime_s > now_s
    longer = part.jobs._replace(runtime_s=part.jobs.runtime_s * np.where(goes_on, 5.0, 1.0))
    again = roll(longer, part.home, part.total, keys, router, 1.0, noise).sent
    np.testing.assert_array_equal(sent[: middle + 1], again[: middle + 1])
    assert (sent != again).any()


def test_sending_by_expected_wait_is_better_than_keeping():
    def slowdown(routing):
        logs = []
        for seed in range(5):
            part = window(seed)
            waited_s = played(part, routing)[0] - part.jobs.submit_s
            logs.append(np.log1p((waited_s / np.maximum(part.jobs.runtime_s, 10.0)).mean()))
        return np.mean(logs)

    assert slowdown("shortest expected wait") < slowdown("keep local") - 0.1


def test_a_roll_without_noise_is_what_is_played():
    part = window(4)
    keys, router = local_keys("saf", part.jobs), router_of(drawn(4))
    router.gate[:] = 0.0  # what is offered runs elsewhere than it was sent
    start_s, sent = play(part.jobs, part.home, part.total, keys, router)
    noise = np.zeros((len(sent), len(part.total) + MOVES))
    seen = roll(part.jobs, part.home, part.total, keys, router, 1.0, noise)
    np.testing.assert_array_equal(seen.sent, sent)
    np.testing.assert_array_equal(seen.start_s, start_s)
    assert len(np.unique(seen.lane)) > 1


@pytest.mark.parametrize("seed", range(3))
def test_what_is_offered_starts_at_once_and_nothing_waits_beside_a_cluster_that_would_start_it(
    seed,
):
    part = window(seed, procs=(16, 64))
    jobs, keys = part.jobs, local_keys("saf", part.jobs)
    start_s, ran = play(
        jobs, part.home, part.total, keys, router_of(static_routing("keep local", offers=True))
    )
    moved = ran != part.home
    assert 0 < moved.sum() < len(moved)
    assert (jobs.procs <= part.total[ran]).all()
    for c, total in enumerate(part.total):
        assert busiest(jobs, start_s, ran == c) <= total
    kept, _ = played(part, "keep local")
    assert (start_s - jobs.submit_s).mean() < (kept - jobs.submit_s).mean()


def test_what_the_gate_is_against_is_not_offered():
    part = window(1, procs=(16, 64))
    weights = router_of(static_routing("keep local", offers=True))
    weights.gate[OFFERED.index("log_procs")] = -100.0
    _, ran = play(part.jobs, part.home, part.total, local_keys("saf", part.jobs), weights)
    moved = ran != part.home
    assert moved.any()
    assert (part.jobs.procs[moved] == 1).all()


def test_a_tilt_by_the_log_of_processors_makes_the_shortest_the_smallest():
    part = window(2)
    router = router_of(static_routing("keep local"))
    router.tilt[COMMON.index("log_procs")] = 10.0
    start_s, _ = play(part.jobs, part.home, part.total, local_keys("sjf", part.jobs), router)
    np.testing.assert_array_equal(start_s, played(part, "keep local", "saf")[0])


def test_patience_without_end_is_first_come_first_served():
    part = window(2)
    router = router_of(static_routing("keep local"))
    router.patience[0] = 1e6
    start_s, _ = play(part.jobs, part.home, part.total, local_keys("sjf", part.jobs), router)
    np.testing.assert_array_equal(start_s, played(part, "keep local", "fcfs")[0])


def test_what_waiting_cost_between_decisions_sums_to_what_it_cost():
    part = window(5)
    noise = np.random.default_rng(5).gumbel(size=(len(part.home), len(part.total) + MOVES))
    seen = roll(
        part.jobs, part.home, part.total, local_keys("saf", part.jobs), router_of(drawn(5)), 1.0,
        noise,
    )  # fmt: skip
    waited = (seen.start_s - part.jobs.submit_s) / np.maximum(part.jobs.runtime_s, 10.0)
    cost = np.zeros(len(waited))
    spread_cost(part.jobs, seen.start_s, cost)
    assert cost.sum() == pytest.approx(waited.sum())
    assert (cost >= 0.0).all()


def test_static_routings_take_the_best_of_their_features():
    part = window(6)
    noise = np.zeros((len(part.home), len(part.total) + MOVES))
    for name, weights in ROUTINGS.items():
        seen = roll(
            part.jobs, part.home, part.total, local_keys("saf", part.jobs),
            router_of(static_routing(name)), 1.0, noise,
        )  # fmt: skip
        columns = [FEATURES.index(feature) for feature in weights]
        scores = seen.x[:, :, columns] @ np.array(list(weights.values()))
        worth = np.where(seen.is_allowed, scores, -np.inf)
        rows = np.arange(len(worth))
        np.testing.assert_array_equal(worth[rows, seen.sent], worth.max(axis=1))
        assert (np.array(LANES)[seen.lane] == 0.0).all()


def test_weights_are_flat_and_shaped_alike():
    weights = drawn(0)
    np.testing.assert_array_equal(flat(router_of(weights)), weights)


def test_local_rules_order_as_the_rules_do():
    jobs = window(7).jobs
    for name in LOCAL_RULES:
        rule = rule_named(name)
        order = order_by(rule, np.maximum(jobs.order_s, 1.0), jobs.procs, jobs.submit_s)
        product, added = local_keys(name, jobs).T
        np.testing.assert_allclose(np.exp(product) + added, order.key, rtol=1e-9, atol=1e-6)
    with pytest.raises(ConfigError, match="local rule must be one of"):
        local_keys("wfp3", jobs)


def test_spans_lie_in_the_part_that_is_asked_for():
    (course,) = crowded(0, procs=(64,))
    submit_s = course.jobs.submit_s
    first = starts_of(course, submit_s[10], submit_s[100], submit_s[100] - submit_s[90])
    assert first.min() >= 10
    assert submit_s[first.max()] <= submit_s[90]
    with pytest.raises(NotEnoughData, match="no 1000 days"):
        starts_of(course, submit_s[10], submit_s[100], 1000 * DAY_S)
    with pytest.raises(ConfigError, match="needs a first task"):
        merged([course], [0, 1], DAY_S)
