"""The three ways to train an order: what they promise alike."""

import numpy as np
import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.network import SIZE
from headway.schedule.observation import FEATURES
from headway.simulate.episode import COMMIT, EASY
from headway.simulate.generated import generated
from headway.train import dqn, ppo
from headway.train.covariance import NAMES, search_linear
from headway.train.dqn import train_dqn
from headway.train.ppo import train_ppo

pytest.importorskip("torch")
ALGORITHMS = {"linear": search_linear, "ppo": train_ppo, "dqn": train_dqn}
JOBS = 60


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(ppo, "STEPS", 16)
    monkeypatch.setattr(ppo, "ITERATIONS", 2)
    monkeypatch.setattr(dqn, "STEPS", 16)
    monkeypatch.setattr(dqn, "ITERATIONS", 2)
    monkeypatch.setattr("headway.train.covariance.EVERY", 2)
    monkeypatch.setattr("headway.train.covariance.WINDOWS", 2)


@pytest.fixture(scope="module")
def courses():
    rng = np.random.default_rng(0)
    teach = generated(rng, 4, 64, jobs=4 * JOBS, window=JOBS, mixes=["separate"])
    return teach, generated(rng, 2, 64, jobs=JOBS, window=JOBS, mixes=["separate"])


def run(algo, courses, decisions=4096, **settings):
    return ALGORITHMS[algo](*courses, JOBS, mode=EASY, decisions=decisions, seed=1, **settings)


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_the_same_seed_and_decisions_give_the_same_weights_twice(algo, courses):
    one, other = run(algo, courses), run(algo, courses)
    assert one.weights.shape == (SIZE,)
    np.testing.assert_array_equal(one.weights, other.weights)
    assert one.curve == other.curve
    assert one.decisions == other.decisions >= 4096


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(algo, courses, tmp_path):
    whole = run(algo, courses, 8192)
    asked = []

    def stops(share):
        asked.append(share)
        return len(asked) < 2

    run(algo, courses, 8192, resume=tmp_path / "run", progress=stops)
    again = run(algo, courses, 8192, resume=tmp_path / "run")
    assert len(asked) == 2
    np.testing.assert_array_equal(again.weights, whole.weights)
    assert again.decisions == whole.decisions


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_a_file_of_another_run_is_refused(algo, courses, tmp_path):
    run(algo, courses, 1, resume=tmp_path / "run")
    with pytest.raises(ConfigError, match="another run"):
        ALGORITHMS[algo](*courses, JOBS, mode=EASY, decisions=1, seed=2, resume=tmp_path / "run")


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_nothing_to_do_is_refused(algo, courses):
    with pytest.raises(ConfigError, match="decisions of at least 1"):
        run(algo, courses, 0)


@pytest.mark.parametrize("algo", ["ppo", "dqn"])
def test_windows_in_which_nothing_waits_teach_nothing(algo):
    idle = generated(np.random.default_rng(0), 1, 4096, jobs=JOBS, window=JOBS, mixes=["separate"])
    with pytest.raises(NotEnoughData, match="nothing to learn"):
        run(algo, (idle, idle))


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_what_is_found_is_never_worse_on_validation_than_the_rule_it_began_as(algo, courses):
    found = run(algo, courses, 8192)
    assert found.curve[0][1] == pytest.approx(1.0, abs=1e-9)
    assert found.validation <= 1.0 + 1e-9


def test_a_linear_rule_weighs_only_what_can_be_known(courses):
    found = run("linear", courses)
    weighed = {FEATURES[i] for i in np.flatnonzero(found.weights)}
    assert weighed <= set(NAMES) - {"user_running", "user_waiting"}


def test_a_linear_rule_with_trials_finds_a_price_and_begins_below_the_rule(courses, tmp_path):
    told = {"mode": COMMIT, "seed": 1, "tried": 4}
    found = search_linear(*courses, JOBS, decisions=8192, **told)
    assert found.weights.shape == (SIZE + 1,)
    assert found.weights[-1] > 0.0
    assert found.curve[0][1] < 1.0
    search_linear(*courses, JOBS, decisions=2048, resume=tmp_path / "run", **told)
    again = search_linear(*courses, JOBS, decisions=8192, resume=tmp_path / "run", **told)
    assert again.decisions == found.decisions
    assert set(found.curve) <= set(again.curve)
    with pytest.raises(ConfigError, match="weighed other things"):
        search_linear(*courses, JOBS, decisions=1, **told | {"tried": 0}, resume=tmp_path / "run")


def test_trials_are_refused_where_the_order_alone_does_not_decide(courses):
    with pytest.raises(ConfigError, match="tried must be 0"):
        run("linear", courses, tried=4)


def test_advantages_are_the_rewards_that_were_not_expected():
    rewards, is_over = np.array([[1.0], [2.0], [3.0]]), np.array([[False], [True], [False]])
    found = ppo.advantages(rewards, is_over, np.array([[0.0], [0.0], [0.0], [10.0]]))
    fade = ppo.DISCOUNT * ppo.TRACE
    np.testing.assert_allclose(found[:, 0], [1.0 + 2.0 * fade, 2.0, 3.0 + 10.0 * ppo.DISCOUNT])


def test_sums_stop_at_the_end_of_a_window():
    rewards = np.ones((4, 1))
    is_over = np.array([[False], [True], [False], [False]])
    paid, then, discount = dqn.sums(rewards, is_over)
    fade = dqn.DISCOUNT
    np.testing.assert_allclose(paid[:, 0], [1 + fade, 1, 1 + fade, 1])
    np.testing.assert_allclose(discount[:, 0], [0, 0, fade**2, fade])
    np.testing.assert_array_equal(then[:, 0], 4)
