import numpy as np
import pytest
from tests.simulate.made_workflows import drawn

from headway.errors import ConfigError
from headway.schedule.dag_network import SIZE, flat, levels_of, shares_and_shortest
from headway.simulate.catalog import catalog_of
from headway.train import hierarchical
from headway.train.hierarchical import Mix, Setting, course_of, ratio_of, train


@pytest.fixture(scope="module")
def setting():
    rng = np.random.default_rng(11)
    catalog = catalog_of([drawn(rng) for _ in range(6)])
    return Setting(catalog, (Mix(np.arange(6), 20.0),), executors=8)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(hierarchical, "JOBS", 30)
    monkeypatch.setattr(hierarchical, "CHECKED", 2)


def test_the_same_seed_and_generations_give_the_same_weights(setting):
    one, other = (train(setting, 3, generations=4) for _ in range(2))
    np.testing.assert_array_equal(one.weights, other.weights)
    assert one.weights.shape == (SIZE,)
    assert not np.array_equal(one.weights, train(setting, 4, generations=4).weights)


def test_threads_do_not_change_the_weights(setting):
    one, two = (train(setting, 5, generations=2, threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.weights, two.weights)


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(setting, tmp_path):
    keep = tmp_path / "state.npz"
    train(setting, 7, generations=2, keep=keep)
    resumed = train(setting, 7, generations=6, keep=keep)
    whole = train(setting, 7, generations=6)
    np.testing.assert_array_equal(resumed.weights, whole.weights)
    assert [r["validation"] for r in resumed.curve] == [r["validation"] for r in whole.curve]


def test_a_state_of_another_seed_is_refused(setting, tmp_path):
    keep = tmp_path / "state.npz"
    train(setting, 7, generations=2, keep=keep)
    with pytest.raises(ConfigError, match="of seed 7"):
        train(setting, 8, generations=2, keep=keep)


def test_time_that_is_over_ends_the_search(setting):
    assert train(setting, 1, minutes=0.0).curve == []


def test_what_is_told_is_the_curve(setting):
    rows = []
    trained = train(setting, 2, generations=4, told=rows.append)
    assert rows == trained.curve
    assert [row["generation"] for row in rows] == [2.0, 4.0]
    assert rows[0]["decisions"] < rows[1]["decisions"]


def test_training_beats_a_start_that_was_spoilt(setting, monkeypatch):
    spoilt = flat(shares_and_shortest())
    spoilt[0] -= 1.0  # a third of the width
    monkeypatch.setattr(hierarchical, "shares_and_shortest", lambda: levels_of(spoilt))
    courses = [course_of(setting, (9, i), 60) for i in range(3)]
    before, _ = ratio_of(setting, levels_of(spoilt), courses)
    trained = train(setting, 1, generations=16)
    after, _ = ratio_of(setting, levels_of(trained.weights), courses)
    assert after < before - 0.05
