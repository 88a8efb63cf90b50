import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulate.made_workflows import chain, drawn, waves

from headway.observe.workflows import Workflow, read_tpch
from headway.schedule.dag_network import levels_of, shares_and_shortest
from headway.schedule.dag_rules import ARRIVAL, PATH, RULES, WORK, Rule
from headway.simulate.catalog import Arrivals, arrivals, catalog_of
from headway.simulate.dag_play import play_levels, play_rule
from headway.simulate.dags import MOVE_S


def at(*submit_s, kinds=None):
    return Arrivals(
        np.array(kinds if kinds is not None else [0] * len(submit_s)), np.array(submit_s, float)
    )


def ends(workflows, coming, executors, rule="fifo", seed=0):
    rule = RULES[rule] if isinstance(rule, str) else rule
    return play_rule(catalog_of(workflows), coming, executors, seed, rule)[0]


def test_one_job_takes_its_move_and_its_stages():
    assert ends([chain((4, 3.0), (1, 5.0))], at(10.0), 2) == pytest.approx(
        [10.0 + MOVE_S + 2 * 3.0 + 5.0]
    )


def test_more_executors_than_tasks_are_of_no_use():
    workflow = chain((3, 4.0))
    assert ends([workflow], at(0.0), 3) == pytest.approx([MOVE_S + 4.0])
    assert ends([workflow], at(0.0), 30) == pytest.approx([MOVE_S + 4.0])


def test_a_stage_waits_for_all_its_parents():
    edges = np.array([[0, 2], [1, 2]])
    durations = tuple({5: waves(seconds)} for seconds in (1.0, 9.0, 2.0))
    workflow = Workflow("join", np.array([1, 1, 1]), edges, durations)
    assert ends([workflow], at(0.0), 2) == pytest.approx([MOVE_S + 9.0 + 2.0])


def test_the_first_task_in_a_job_and_in_a_stage_takes_longer():
    workflow = Workflow(
        "slow", np.array([3, 2]), np.array([[0, 1]]), ({5: waves(9.0, 5.0, 1.0)},) * 2
    )
    assert ends([workflow], at(0.0), 1) == pytest.approx([MOVE_S + 9.0 + 1.0 + 1.0 + 5.0 + 1.0])


def test_an_executor_moves_from_job_to_job():
    two = ends([chain((1, 3.0))], at(0.0, 0.0), 1)
    assert two == pytest.approx([MOVE_S + 3.0, 2 * (MOVE_S + 3.0)])


def test_tasks_of_a_job_slow_each_other_down():
    workflow = Workflow(
        "swells", np.array([20]), np.zeros((0, 2), int), ({5: waves(1.0), 10: waves(4.0)},)
    )
    few, many = (ends([workflow], at(0.0), m)[0] for m in (5, 10))
    assert few == pytest.approx(MOVE_S + 4 * 1.0)
    assert many == pytest.approx(MOVE_S + 2 * 4.0)


def test_first_come_takes_all_and_fair_shares():
    workflow = chain((40, 1.0))
    first = ends([workflow], at(0.0, 0.1), 4, "fifo")
    fair = ends([workflow], at(0.0, 0.1), 4, Rule(ARRIVAL, 0.0, 1, 0, 0, 0))
    assert first[0] == pytest.approx(MOVE_S + 10.0)
    assert fair[0] == pytest.approx(MOVE_S + 10.0)  # the other came when none was free
    shared = ends([workflow], at(0.0, 0.0), 4, Rule(ARRIVAL, 0.0, 1, 0, 0, 0))
    assert shared == pytest.approx([MOVE_S + 20.0] * 2)


def test_the_shortest_job_goes_first():
    long, short = chain((8, 5.0)), chain((2, 1.0))
    end_s = ends([long, short], at(0.0, 0.0, kinds=[0, 1]), 2, "shortest")
    assert end_s[1] == pytest.approx(MOVE_S + 1.0)
    assert ends([long, short], at(0.0, 0.0, kinds=[0, 1]), 2, "fifo")[1] > 20.0


def test_an_executor_that_is_held_starts_as_soon_as_its_stage_may():
    workflow = chain((2, 4.0), (2, 1.0))
    other = chain((50, 1.0))
    holds, leaves = (Rule(PATH, 0.0, 0, 0, 1, h) for h in (1, 0))
    jobs = at(0.0, 0.0, kinds=[0, 1])
    held = ends([workflow, other], jobs, 3, holds)[0]
    assert held <= ends([workflow, other], jobs, 3, leaves)[0]


rules = st.builds(
    Rule, st.sampled_from([ARRIVAL, WORK, PATH]), st.floats(-2, 2), *[st.integers(0, 1)] * 4
)


@given(seed=st.integers(0, 2**31), executors=st.integers(1, 12), rule=rules)
def test_every_job_ends_under_every_rule_and_seeds_repeat(seed, executors, rule):
    rng = np.random.default_rng(seed)
    workflows = [drawn(rng) for _ in range(3)]
    catalog, coming = catalog_of(workflows), arrivals(rng, np.arange(3), 8, 20.0)
    end_s, decisions = play_rule(catalog, coming, executors, seed, rule)
    assert np.all(end_s > coming.submit_s + MOVE_S)
    assert decisions > 0
    np.testing.assert_array_equal(play_rule(catalog, coming, executors, seed, rule)[0], end_s)


@given(seed=st.integers(0, 2**31), executors=st.integers(1, 12), size=st.floats(0.0, 2.0))
def test_every_job_ends_under_any_weights(seed, executors, size):
    rng = np.random.default_rng(seed)
    workflows = [drawn(rng) for _ in range(3)]
    catalog, coming = catalog_of(workflows), arrivals(rng, np.arange(3), 8, 20.0)
    start = shares_and_shortest()
    levels = levels_of(np.concatenate([rng.normal(w, size).ravel() for w in start]))
    end_s, _ = play_levels(catalog, coming, executors, seed, levels)
    assert np.all(end_s > coming.submit_s + MOVE_S)


def test_no_workflow_ends_before_its_work_could_be_done():
    rng = np.random.default_rng(4)
    workflows = [chain((int(rng.integers(1, 40)), float(rng.uniform(1, 5)))) for _ in range(4)]
    catalog, coming = catalog_of(workflows), arrivals(rng, np.arange(4), 60, 5.0)
    end_s, _ = play_rule(catalog, coming, 5, 1, RULES["fair"])
    assert np.sum(catalog.work_s[coming.kind]) <= 5 * end_s.max()


def test_work_and_paths_are_what_they_say(data):
    catalog = catalog_of(read_tpch(data / "scheduling/tpch_dags/tpch_npy.tar.gz"))
    first, last = catalog.first[:-1], catalog.first[1:]
    longest = np.array([catalog.path_s[a:b].max() for a, b in zip(first, last, strict=True)])
    assert np.all(longest <= catalog.work_s * (1 + 1e-12))
    few_s, many_s = (catalog.tasks @ catalog.level_s)[[0, -1]]
    assert many_s > 1.3 * few_s  # Spark is slower the more share its work
    assert catalog.work_s.mean() == pytest.approx(1134.5, abs=0.1)


def test_on_spark_queries_shares_beat_first_come(data):
    catalog = catalog_of(read_tpch(data / "scheduling/tpch_dags/tpch_npy.tar.gz"))
    coming = arrivals(np.random.default_rng(1), np.arange(154), 60, 25.0)
    first, fair = (
        (play_rule(catalog, coming, 50, 1, RULES[name])[0] - coming.submit_s).mean()
        for name in ("fifo", "fair")
    )
    assert fair < first
