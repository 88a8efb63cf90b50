import numpy as np
import pytest

from headway.schedule.network import SIZE, network_of, scores, smallest_area_first
from headway.schedule.observation import COMMON, FEATURES
from headway.train.score_net import (
    SHARPNESS,
    States,
    begun,
    logits,
    picked,
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


def test_states_can_be_picked():
    states = drawn(5, [2, 4, 1, 3])
    again = picked(states, np.array([3, 0, 3]))
    np.testing.assert_array_equal(again.counts, [3, 2, 3])
    np.testing.assert_array_equal(again.x[:3], states.x[7:])
    np.testing.assert_array_equal(again.x[3:5], states.x[:2])
    np.testing.assert_array_equal(again.common[1], states.common[0])
