import numpy as np
import pytest

from headway.schedule.network import SIZE, network_of, scores, smallest_area_first
from headway.schedule.observation import COMMON, FEATURES
from headway.simulate.batch import Batch
from headway.simulate.episode import EASY
from headway.simulate.generated import generated
from headway.train.score_net import (
    SHARPNESS,
    SUMMARY,
    States,
    begun,
    critic,
    joined,
    logits,
    picked,
    states_of,
    summary,
)

torch = pytest.importorskip("torch")


def drawn(seed, counts):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(sum(counts), len(FEATURES))).astype(np.float32)
    common = rng.normal(size=(len(counts), len(COMMON))).astype(np.float32)
    return States(x, common, np.array(counts))


def test_it_says_what_the_compiled_network_says():
    weights = np.random.default_rng(0).normal(size=SIZE)
    states = drawn(1, [3, 1, 5])
    said = logits(torch.from_numpy(weights).float(), states).numpy()
    first = 0
    for row, count in enumerate(states.counts):
        x = states.x[first : first + count].astype(np.float64)
        expected = scores(network_of(weights), x, states.common[row].astype(np.float64))
        np.testing.assert_allclose(said[row, :count] / SHARPNESS, expected, rtol=1e-4, atol=1e-4)
        assert (said[row, count:] == -np.inf).all()
        first += count


def test_gradients_reach_every_weight_of_a_network_that_has_begun():
    weights = torch.from_numpy(begun(smallest_area_first(), np.random.default_rng(0))).float()
    weights[-8:] += 0.1  # layers are heard as soon as the last one is
    weights.requires_grad_()
    logits(weights, drawn(2, [50, 60])).masked_fill(torch.zeros(2, 60) > 0, 0.0)[
        1
    ].square().sum().backward()
    assert (weights.grad != 0.0).float().mean() > 0.8


def test_a_network_that_has_begun_is_still_the_rule():
    states = drawn(3, [10])
    start = begun(smallest_area_first(), np.random.default_rng(4))
    rule = logits(torch.from_numpy(smallest_area_first()).float(), states)
    assert torch.allclose(logits(torch.from_numpy(start).float(), states), rule)


def test_states_can_be_joined_and_picked():
    one, other = drawn(5, [2, 4]), drawn(6, [1, 3])
    both = joined([one, other])
    again = picked(both, np.array([3, 0, 3]))
    np.testing.assert_array_equal(again.counts, [3, 2, 3])
    np.testing.assert_array_equal(again.x[:3], other.x[1:])
    np.testing.assert_array_equal(again.x[3:5], one.x[:2])
    np.testing.assert_array_equal(again.common[1], one.common[0])


def test_states_of_a_batch_hold_only_real_tasks():
    courses = generated(np.random.default_rng(0), 2, 64, jobs=200, window=100)
    seen = Batch(courses, 4, 100, EASY, 0).reset()
    states = states_of(seen)
    assert len(states.x) == seen.is_allowed.sum()
    np.testing.assert_allclose(
        states.x[: states.counts[0]], seen.x[0, : states.counts[0]], rtol=1e-6
    )


def test_a_summary_does_not_depend_on_the_order_of_tasks():
    states = drawn(7, [6])
    turned = states._replace(x=states.x[::-1].copy())
    assert summary(states).shape == (1, SUMMARY)
    assert torch.allclose(summary(states), summary(turned), atol=1e-5)


def test_a_critic_is_drawn_from_its_seed_alone():
    torch.manual_seed(1)
    before = torch.rand(1)
    torch.manual_seed(1)
    one, other = critic(3), critic(3)
    assert torch.rand(1) == before
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
