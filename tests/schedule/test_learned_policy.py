import time
from dataclasses import replace

import numpy as np
import pytest

from headway.errors import ConfigError
from headway.protocols import Preferences
from headway.records import ClusterState, Estimate, Task
from headway.schedule import controller
from headway.schedule.easy import EasyPolicy
from headway.schedule.learned import Learned
from headway.schedule.learned_policy import LearnedPolicy
from headway.schedule.network import SIZE, flat, smallest_area_first

NOW_S = 100_000.0


def learned(weights):
    return Learned(
        weights=weights, algo="search", seed=4, decisions=1, backfill="easy", trained_on="a trace"
    )


def task(number, *, cpus=1.0, limit_s=3600.0, submitted_s=NOW_S - 60.0, started_s=None, user="ann"):
    return Task(
        cluster="c", id=str(number), attempt=1, user=user, cpus_requested=cpus, limit_s=limit_s,
        submitted_s=submitted_s, started_s=started_s,
    )  # fmt: skip


def state(queued, running=(), total=8.0, predicted_s=None):
    tasks = [*queued, *running]
    estimates = {}
    if predicted_s is not None:
        value = np.array(predicted_s, dtype=float)
        estimates["runtime_s"] = Estimate(
            value=value, levels=np.array([0.5, 0.75]), quantiles=np.stack([value, value], axis=1),
            made_by=np.full(len(tasks), "m"), refused=np.full(len(tasks), ""),
        )  # fmt: skip
    held = sum(t.cpus_requested for t in running)
    return ClusterState(
        cluster="c", at_s=NOW_S, queued=tuple(queued), running=tuple(running), total_cpus=total,
        free_cpus=total - held, estimates=estimates,
    )  # fmt: skip


def ids(decisions):
    return [decision.id for decision in decisions]


def decide(policy, seen):
    return policy.decide(seen, Preferences())


@pytest.mark.parametrize("seed", range(12))
def test_weights_of_smallest_area_first_decide_as_the_rule_does(seed):
    rng = np.random.default_rng(seed)
    queued = [
        task(i, cpus=float(rng.integers(1, 7)), submitted_s=NOW_S - 10.0 * (20 - i))
        for i in range(20)
    ]
    running = [task(90, cpus=5.0, started_s=NOW_S - 100.0)]
    predicted_s = rng.uniform(10.0, 3600.0, 21)
    seen = state(queued, running, total=12.0, predicted_s=predicted_s)
    mine = decide(LearnedPolicy(learned(smallest_area_first())), seen)
    assert ids(mine) == ids(decide(EasyPolicy("saf"), seen))


def test_any_weights_start_only_what_fits():
    rng = np.random.default_rng(1)
    for seed in range(20):
        queued = [task(i, cpus=float(rng.integers(1, 9)), user=f"u{i % 3}") for i in range(15)]
        seen = state(queued, [task(99, cpus=3.0, started_s=NOW_S - 5.0)])
        weights = np.random.default_rng(seed).normal(size=SIZE)
        started = {decision.id for decision in decide(LearnedPolicy(learned(weights)), seen)}
        assert sum(t.cpus_requested for t in queued if t.id in started) <= 5.0


def test_a_task_that_waited_too_long_goes_before_all_others():
    weights = smallest_area_first()
    old = task(0, cpus=8.0, submitted_s=NOW_S - 90_000.0)
    queued = [old, *(task(i) for i in range(1, 6))]
    assert ids(decide(LearnedPolicy(learned(weights)), state(queued))) == ["0"]
    patient = LearnedPolicy(learned(weights), longest_wait_s=1e6)
    assert ids(decide(patient, state(queued))) == ["1", "2", "3", "4", "5"]


def test_an_empty_queue_and_a_full_machine_ask_for_nothing():
    policy = LearnedPolicy(learned(smallest_area_first()))
    assert list(decide(policy, state([]))) == []
    assert list(decide(policy, state([task(1)], [task(2, cpus=8.0, started_s=NOW_S)]))) == []


def test_decisions_are_signed_and_deciding_changes_nothing():
    policy = LearnedPolicy(learned(smallest_area_first()))
    seen = state([task(1), task(2)])
    first, again = decide(policy, seen), decide(policy, seen)
    assert ids(first) == ids(again) == ["1", "2"]
    assert {decision.made_by for decision in first} == {"learned search seed 4"}
    assert {decision.action for decision in first} == {"start"}


def test_one_decision_on_a_queue_of_128_is_fast():
    policy = LearnedPolicy(learned(np.random.default_rng(0).normal(size=SIZE)))
    queued = [task(i, cpus=4.0, user=f"u{i % 9}") for i in range(128)]
    seen = state(queued, [task(999, cpus=4.0, started_s=NOW_S - 9.0)], total=8.0)
    decide(policy, seen)
    took = []
    for _ in range(20):
        began = time.perf_counter()
        decide(policy, seen)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.02  # two picks; benchmarks/policy_speed.py has the figure


@pytest.mark.parametrize("options", [{"coverage": 1.0}, {"longest_wait_s": 0.0}])
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        LearnedPolicy(learned(smallest_area_first()), **options)


def test_preferences_are_heard_at_each_decision():
    narrow, wide = (smallest_area_first() * sign for sign in (1.0, -1.0))
    one = replace(
        learned(narrow), objectives=("wait", "utilisation"), matrix=np.stack([narrow, wide])
    )
    seen = state([task(1, cpus=1.0), task(2, cpus=8.0)])
    policy = LearnedPolicy(one)
    assert ids(policy.decide(seen, Preferences(slowdown=0.0, wait=1.0))) == ["1"]
    assert ids(policy.decide(seen, Preferences(slowdown=0.0, utilisation=1.0))) == ["2"]
    with pytest.raises(ConfigError, match="slowdown"):
        policy.decide(seen, Preferences())


def steered(numbers):
    """A policy whose controller answers with these numbers."""
    return replace(learned(smallest_area_first()), controller=numbers)


def right():
    """Errors of predictions that were right."""
    return 0.0, 0.0


@pytest.mark.parametrize("seed", range(6))
def test_a_controller_that_never_moves_decides_as_its_order_does(seed):
    rng = np.random.default_rng(seed)
    queued = [task(i, cpus=float(rng.integers(1, 7))) for i in range(20)]
    running = [task(90, cpus=5.0, started_s=NOW_S - 100.0)]
    seen = state(queued, running, total=12.0, predicted_s=rng.uniform(10.0, 3600.0, 21))
    policy = LearnedPolicy(steered(controller.constant(controller.smallest_area())), ended=right)
    assert ids(decide(policy, seen)) == ids(
        decide(LearnedPolicy(learned(smallest_area_first())), seen)
    )


def test_a_controller_turns_the_order_round_when_predictions_were_wrong():
    part = controller.controller_of(controller.constant(controller.smallest_area()))
    part.first[controller.STATE.index("bias"), 0] = 10.0
    part.last[0, :] = np.where(part.centre == -1.0, 2.0, 0.0) / controller.REACH
    policy = steered(flat(part))
    queued = [task(1, cpus=4.0), task(2, cpus=5.0)]
    seen = state(queued, predicted_s=[60.0, 60.0])
    assert ids(decide(LearnedPolicy(policy, ended=right), seen)) == ["1"]
    assert ids(decide(LearnedPolicy(policy, ended=lambda: (1.0, 1.0)), seen)) == ["2"]


def test_more_safety_lets_fewer_go_before_the_head():
    queued = [task(0, cpus=8.0, limit_s=60.0), task(1, cpus=1.0, limit_s=7200.0)]
    running = [task(9, cpus=7.0, limit_s=1000.0, started_s=NOW_S)]
    seen = state(queued, running, predicted_s=[1.0, 500.0, 900.0])
    spread = seen.estimates["runtime_s"]
    spread.quantiles[:, 1] *= 1.2
    started = []
    for safety in (1.0, 10.0):
        actions = controller.smallest_area()
        actions[-1] = safety
        policy = LearnedPolicy(steered(controller.constant(actions)), ended=right)
        started.append(ids(decide(policy, seen)))
    assert started == [["1"], []]


def test_a_controller_needs_to_be_told_what_ended():
    with pytest.raises(ConfigError, match="errors of predictions"):
        LearnedPolicy(steered(controller.constant(controller.smallest_area())))


def test_a_controller_has_nothing_to_say_of_an_empty_queue():
    policy = LearnedPolicy(steered(controller.constant(controller.smallest_area())), ended=right)
    assert decide(policy, state([])) == []
