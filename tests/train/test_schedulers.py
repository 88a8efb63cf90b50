"""The four ways to train an order: what they promise alike."""

import numpy as np
import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.network import SIZE, smallest_area_first
from headway.schedule.observation import FEATURES
from headway.simulate.episode import COMMIT, EASY
from headway.simulate.generated import generated
from headway.train import dqn, imitate, ppo
from headway.train.choices import Player, wide_logits
from headway.train.covariance import NAMES, search_linear
from headway.train.dqn import train_dqn
from headway.train.imitate import train_imitation
from headway.train.judge import judge_of
from headway.train.ppo import train_ppo
from headway.train.rounds import learner_of

pytest.importorskip("torch")
ALGORITHMS = {
    "linear": search_linear,
    "imitation": train_imitation,
    "ppo": train_ppo,
    "dqn": train_dqn,
}
JOBS = 60


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for module in (imitate, ppo, dqn):
        monkeypatch.setattr(module, "WINDOWS", 2)
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


@pytest.mark.parametrize("algo", ["imitation", "ppo", "dqn"])
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


def test_choices_are_the_same_for_the_same_draws_and_say_what_is_saved(courses):
    player = Player(judge_of(EASY, courses[0]), courses[0], JOBS)
    weights = smallest_area_first()
    found, made = player.gather(weights, 3, np.random.default_rng(0))
    again, _ = player.gather(weights, 3, np.random.default_rng(0))
    assert made > 0
    np.testing.assert_array_equal(found.gain, again.gain)
    assert (found.gain[:, 0] == 0.0).all()
    assert (found.gain[~found.is_choice] == 0.0).all()
    assert (found.gain != 0.0).any(axis=1).all()


@pytest.mark.parametrize("learn", [imitate.learn, ppo.learn, dqn.learn])
def test_learning_prefers_what_saved(learn, courses):
    player = Player(judge_of(EASY, courses[0]), courses[0], JOBS)
    learner = learner_of(0, 1e-2, smallest_area_first())
    found, _ = player.gather(learner.mean, 20, np.random.default_rng(0))
    area = found.states.x[:, 0] + found.states.x[:, 3]  # small areas cost now, large ones save
    gain = np.zeros_like(found.gain)
    gain[found.is_choice] = 0.1 * (area - area.mean())
    taught = found._replace(gain=gain)

    def saved():
        chosen = wide_logits(learner.weights, taught).argmax(1).numpy()
        return gain[np.arange(len(gain)), chosen].mean()

    before = saved()
    for _ in range(20):
        learn(taught, learner, np.random.default_rng(1))
    assert saved() > before
