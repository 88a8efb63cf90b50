import numpy as np
import pytest
from tests.simulate.made_workflows import chain, drawn

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.dag_network import flat, save_levels, shares_and_shortest
from headway.schedule.dag_rules import RULES
from headway.simulate import dag_compare
from headway.simulate.catalog import catalog_of
from headway.simulate.dag_compare import is_for_workflows, play_workflows
from headway.simulate.dag_tuning import Course, completion_s, load_interval_s, tuned_rules


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(dag_compare, "SEQUENCES", 2)


@pytest.fixture(scope="module")
def workflows():
    rng = np.random.default_rng(4)
    return [drawn(rng) for _ in range(4)]


def play(workflows, policies, **options):
    settings = {"executors": 8, "jobs": 30, "progress": lambda what, share: None}
    return play_workflows(workflows, policies, clock=lambda: 0.0, **settings | options)


def test_rules_and_a_policy_stand_beside_each_other(workflows, tmp_path):
    path = tmp_path / "policy.npz"
    save_levels(path, flat(shares_and_shortest()), {})
    rows = play(workflows, ["fifo", "fair", f"learned:{path}"])
    assert [row["policy"] for row in rows] == ["fifo", "fair", f"learned:{path}"]
    for row in rows:
        assert row["jobs"] == 60
        assert row["protocol"] == "workflows"
        assert row["mean_turnaround_s"] == pytest.approx(np.mean(row["mean_turnaround_s_each"]))
        assert row["p95_turnaround_s"] > row["mean_turnaround_s"]
    assert rows[0]["mean_turnaround_s"] != rows[1]["mean_turnaround_s"]


def test_all_are_the_rules_and_seeds_repeat(workflows):
    rows = play(workflows, ["all"])
    assert [row["policy"] for row in rows] == list(RULES)
    assert rows == play(workflows, ["all"])


def test_policies_for_workflows_are_told_from_others(tmp_path):
    path = tmp_path / "policy.npz"
    save_levels(path, flat(shares_and_shortest()), {})
    assert is_for_workflows(["fcfs", "fair"])
    assert is_for_workflows([f"learned:{path}"])
    assert not is_for_workflows(["fcfs", "all", "learned:default", "learned:nowhere.npz"])


def test_a_policy_for_other_histories_is_refused(workflows):
    with pytest.raises(ConfigError, match="fifo, shortest"):
        play(workflows, ["saf"])
    with pytest.raises(NotEnoughData, match="parents"):
        play([], ["fair"])
    for options in ({"executors": -1}, {"executors": 10**9}, {"jobs": -1}):
        with pytest.raises(ConfigError, match="must be in 1..10,000"):
            play(workflows, ["fair"], **options)


def test_a_load_is_expected_work_over_executors():
    catalog = catalog_of([chain((4, 10.0)), chain((2, 10.0))])
    assert load_interval_s(catalog, np.arange(2), 10, 0.5) == pytest.approx(30.0 / 5.0)
    assert load_interval_s(catalog, np.arange(1), 10, 0.5) == pytest.approx(40.0 / 5.0)


def test_tuning_is_never_worse_than_the_rules_it_starts_from(workflows):
    catalog = catalog_of(workflows)
    course = Course(catalog, np.arange(4), 20.0, 8, [(1, 0), (1, 1)], 30)
    tuned = tuned_rules(course)

    def mean_s(rule):
        return completion_s(course, rule)[0].mean()

    for name in ("fifo", "shortest", "critical"):
        assert mean_s(tuned[name]) <= mean_s(RULES[name])
    assert mean_s(tuned["weighted, as Decima"]) <= mean_s(RULES["weighted"])
    assert mean_s(tuned["weighted"]) <= mean_s(RULES["fair"]._replace(stays=0, holds=0))
