import json

import numpy as np
import pytest
from tests.simulate.made_workflows import drawn

from headway.errors import ConfigError, NotEnoughData
from headway.report.trained_workflows import trained_workflows_screen
from headway.schedule.dag_network import flat, levels_of, load_levels
from headway.schedule.dag_rules import RULES
from headway.simulate.catalog import catalog_of
from headway.simulate.dag_tuning import Course, completion_s
from headway.train import hierarchical, workflows
from headway.train.workflows import proof_of, setting_of, train_workflows


@pytest.fixture(scope="module")
def kinds():
    rng = np.random.default_rng(4)
    return [drawn(rng) for _ in range(8)]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(hierarchical, "JOBS", 20)
    monkeypatch.setattr(hierarchical, "CHECKED", 2)
    monkeypatch.setattr(workflows, "PROVED_ON", 3)
    monkeypatch.setattr(workflows, "TUNED_ON", 1)


def trained(kinds, out, **options):
    settings = {"executors": 8, "decisions": 20_000, "progress": lambda what, share: None}
    return train_workflows({"made": kinds}, out, clock=lambda: 0.0, **settings | options)


def test_training_writes_a_policy_and_what_it_is_worth(kinds, tmp_path):
    out = tmp_path / "deep" / "policy.npz"
    document = trained(kinds, out)
    assert document.keys() >= {"algo", "decisions", "seconds", "validation", "proof", "use"}
    levels, facts = load_levels(out)
    assert facts["decisions"] == str(document["decisions"])
    assert facts["trained_on"] == "made"
    assert [proof["on"] for proof in document["proof"]] == ["all", "kept apart"]
    assert [proof["kinds"] for proof in document["proof"]] == [8, 2]
    assert json.dumps(document)
    assert np.isfinite(flat(levels)).all()
    assert str(out) in trained_workflows_screen(document)


def test_the_same_seed_and_decisions_write_the_same_weights(kinds, tmp_path):
    for name in ("a.npz", "b.npz"):
        trained(kinds, tmp_path / name, seed=3)
    first, again = (flat(load_levels(tmp_path / name)[0]) for name in ("a.npz", "b.npz"))
    np.testing.assert_array_equal(first, again)


def test_a_run_that_is_resumed_goes_on(kinds, tmp_path):
    out = tmp_path / "policy.npz"
    few = trained(kinds, out, decisions=20_000)["decisions"]
    more = trained(kinds, out, decisions=few + 1, resume=True)["validation"]["curve"]
    whole = trained(kinds, tmp_path / "other.npz", decisions=few + 1)["validation"]["curve"]
    assert more[-1] == whole[-1]
    anew = trained(kinds, out, decisions=20_000)
    assert anew["decisions"] == few


def test_a_policy_without_proof_is_not_offered(kinds, tmp_path, monkeypatch):
    said = {"rule": "shortest", "is_proved": False} | dict.fromkeys(
        ("candidate", "incumbent", "difference", "difference_low_95", "difference_high_95",
         "worst_sequence"), 1.0) | {"kinds": 1, "sequences": 3, "rules": {}}  # fmt: skip
    monkeypatch.setattr(workflows, "proof_of", lambda *rest: said)
    document = trained(kinds, tmp_path / "policy.npz")
    assert document["use"] == {"made": "shortest"}
    screen = trained_workflows_screen(document)
    assert screen.startswith("made: the policy is not proved to be better than a rule; take the")
    assert "headway simulate" not in screen
    monkeypatch.setattr(workflows, "proof_of", lambda *rest: said | {"is_proved": True})
    document = trained(kinds, tmp_path / "policy.npz")
    assert document["use"] == {"made": f"learned:{tmp_path / 'policy.npz'}"}
    assert "headway simulate" in trained_workflows_screen(document)


def test_a_proof_tells_better_from_worse(kinds):
    course = Course(catalog_of(kinds), np.arange(8), 20.0, 8, [(3, i) for i in range(4)], 40)
    rules = {"fair": RULES["fair"], "fifo": RULES["fifo"]}
    times = {name: completion_s(course, rule)[0].mean() for name, rule in rules.items()}
    worse = levels_of(np.zeros(len(flat(hierarchical.shares_and_shortest()))))  # one at a time
    proof = proof_of(course, worse, rules, "fair")
    assert proof["incumbent"] == pytest.approx(times["fair"])
    assert proof["rules"] == pytest.approx(times)
    assert proof["difference_low_95"] > 0.0
    assert not proof["is_proved"]
    assert proof["worst_sequence"] >= proof["difference"]


def test_every_fourth_kind_teaches_nothing_if_there_are_enough(kinds):
    _, (one, other) = setting_of({"one": kinds, "other": kinds[:7]}, 8)
    assert (one.taught.tolist(), one.apart.tolist()) == ([0, 1, 2, 4, 5, 6], [3, 7])
    assert (other.taught.tolist(), other.apart.tolist()) == (list(range(8, 15)), [])


def test_clusters_take_turns_and_are_proved_apart(kinds, tmp_path):
    histories = {"one": kinds[:2], "none": [], "other": kinds[2:6]}
    setting, _ = setting_of(histories, 8)
    assert [mix.kinds.tolist() for mix in setting.mixes] == [[0, 1], [2, 3, 4, 5]]
    drawn = [set(hierarchical.course_of(setting, (0, i), 20).arrivals.kind) for i in range(2)]
    assert drawn[0] <= {0, 1}
    assert drawn[1] <= {2, 3, 4, 5}
    document = train_workflows(
        histories, tmp_path / "p.npz", clock=lambda: 0.0, executors=8, decisions=9,
        progress=lambda what, share: None,
    )  # fmt: skip
    assert [proof["history"] for proof in document["proof"]] == ["one", "other"]
    assert set(document["use"]) == {"one", "other"}


@pytest.mark.parametrize(
    ("options", "said"),
    [({"decisions": 0}, "give --minutes or --decisions"), ({"minutes": -1.0}, "got -1")],
)
def test_limits_that_make_no_sense_are_refused(kinds, tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        trained(kinds, tmp_path / "p.npz", **options)
    assert list(tmp_path.iterdir()) == []


def test_histories_without_workflows_are_refused(tmp_path):
    with pytest.raises(NotEnoughData, match="parents"):
        trained([], tmp_path / "p.npz")
