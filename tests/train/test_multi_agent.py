"""Clusters that learn together: the same every time, resumable, and paid as the page says."""

import numpy as np
import pytest
from tests.simulate.merges import DAY_S, crowded

from headway.errors import ConfigError
from headway.schedule.routing_network import MIDDLE, SIZE, router_of, static_routing
from headway.simulate.grid_play import MOVES, play, roll
from headway.simulate.merged import merged
from headway.train import multi_agent
from headway.train.multi_agent import (
    DISCOUNT,
    SHARPNESS,
    TRACE,
    advantages,
    learner_of,
    log_chances,
    train_multi_agent,
    woken,
)
from headway.train.team import (
    LIKE,
    Standard,
    is_surely_less,
    log_slowdown,
    ratio,
    start_of,
    window_of,
)

torch = pytest.importorskip("torch")
STANDARD = Standard("shortest expected wait", "saf")
SPAN_S = 0.5 * DAY_S


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(multi_agent, "WINDOWS", 2)
    monkeypatch.setattr(multi_agent, "SEARCHED", 0.3)
    monkeypatch.setattr("headway.train.team_search.PLAYED", 1)
    monkeypatch.setattr("headway.train.team_rollouts.TRIED", 3)


@pytest.fixture(scope="module")
def taught():
    return crowded(0, jobs=200)


@pytest.fixture(scope="module")
def validation():
    return [window_of(merged(crowded(1), [i, i], SPAN_S), STANDARD) for i in (0, 50)]


def run(taught, validation, decisions=2000, seed=1, **settings):
    return train_multi_agent(
        taught, validation, SPAN_S, STANDARD, decisions=decisions, seed=seed, **settings
    )


def test_the_same_seed_and_decisions_give_the_same_weights_twice(taught, validation):
    one, other = run(taught, validation), run(taught, validation)
    assert one.weights.shape == (SIZE,)
    np.testing.assert_array_equal(one.weights, other.weights)
    assert one.curve == other.curve
    assert one.decisions == other.decisions >= 2000


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(taught, validation, tmp_path):
    whole = run(taught, validation)
    run(taught, validation, resume=tmp_path / "run", progress=lambda share: share < 0.4)
    again = run(taught, validation, resume=tmp_path / "run")
    np.testing.assert_array_equal(again.weights, whole.weights)
    assert again.curve == whole.curve


def test_a_file_of_another_run_is_refused(taught, validation, tmp_path):
    run(taught, validation, 1, resume=tmp_path / "run")
    with pytest.raises(ConfigError, match="another run"):
        run(taught, validation, 1, seed=2, resume=tmp_path / "run")
    with pytest.raises(ConfigError, match="decisions of at least 1"):
        run(taught, validation, 0)


def test_it_begins_as_the_standard_and_never_ends_worse_on_validation(taught, validation):
    start = start_of(STANDARD)
    assert ratio(start, validation, "saf") == pytest.approx(1.0, abs=1e-12)
    start = woken(start, np.random.default_rng(0))
    assert ratio(start, validation, "saf") == pytest.approx(1.0, abs=1e-12)
    found = run(taught, validation)
    assert found.curve[0] == (0, 1.0)
    assert found.validation <= ratio(found.weights, validation, "saf") <= 1.0


def test_weights_are_changed_only_for_some_that_are_surely_better():
    others = np.array([0.0, 1.0, 2.0, 3.0])
    assert is_surely_less(others - 0.1, others)
    assert not is_surely_less(others, others)
    assert not is_surely_less(others - [2.0, -1.0, 1.0, -1.0], others)


def test_the_chances_of_torch_are_those_of_the_compiled_play():
    """The noise that decides was Gumbel's: the chosen one has the chance that is said."""
    part = merged(crowded(2, jobs=60), [0, 0], 1000 * DAY_S)
    window, rng = window_of(part, STANDARD), np.random.default_rng(2)
    weights = rng.normal(0.0, 0.3, SIZE)
    n, c = len(window.keys), 2
    noise = np.zeros((n, c + MOVES))
    router = router_of(weights)
    seen = roll(part.jobs, part.home, part.total, window.keys, router, SHARPNESS, noise)
    told = (seen.x.astype(np.float32), seen.common.astype(np.float32), seen.is_allowed)
    chances = np.empty((n, c, MOVES))
    for to in range(c):
        for lane in range(MOVES):
            chosen = np.tile([to, lane], (n, 1))
            said, _ = log_chances(
                torch.from_numpy(weights).float(),
                *(torch.from_numpy(one) for one in told), torch.from_numpy(chosen),
            )  # fmt: skip
            chances[:, to, lane] = np.exp(said.numpy())
    np.testing.assert_allclose(chances.sum(axis=(1, 2)), 1.0, atol=1e-4)
    assert (chances.sum(axis=2)[~seen.is_allowed] < 1e-6).all()
    routed = chances.sum(axis=2).argmax(axis=1)
    assert (routed == seen.sent).mean() > 0.99  # single precision may turn a tie
    lanes = chances[np.arange(n), seen.sent].argmax(axis=1)
    assert (lanes == seen.lane).mean() > 0.99
    assert set(seen.lane) != {MIDDLE}


def test_the_cost_of_the_standard_is_what_waiting_cost_tasks_with_like_predictions(validation):
    for part, keys, alike, cost, usual in validation:
        router = router_of(static_routing(STANDARD.routing))
        start_s, _ = play(part.jobs, part.home, part.total, keys, router)
        pressing, true = (1.0 / np.maximum(j.runtime_s, 10.0) for j in (alike, part.jobs))
        assert cost.sum() == pytest.approx(((start_s - part.jobs.submit_s) * pressing).sum())
        assert pressing.sum() == pytest.approx(true.sum())
        assert 1 < len(np.unique(pressing)) <= LIKE
        assert usual == log_slowdown(part, static_routing(STANDARD.routing), STANDARD.rule)


def test_advantages_are_the_rewards_that_were_not_expected():
    fade = DISCOUNT * TRACE
    found = advantages(np.array([1.0, 2.0, 3.0]), np.zeros(3))
    np.testing.assert_allclose(found, [1.0 + fade * (2.0 + 3.0 * fade), 2.0 + 3.0 * fade, 3.0])
    expected = np.array([5.0, 4.0])
    found = advantages(np.array([1.0, 4.0]), expected)
    np.testing.assert_allclose(found, [1.0 + DISCOUNT * 4.0 - 5.0, 0.0])


def test_a_critic_sees_every_cluster():
    learner = learner_of(0, start_of(STANDARD), 3)
    more = learner_of(0, start_of(STANDARD), 4)
    inputs = [one.values[0].weight.shape[1] for one in (learner, more)]
    assert inputs[1] - inputs[0] == multi_agent.WIDE
