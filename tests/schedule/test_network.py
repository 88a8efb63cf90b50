import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.schedule.network import (
    INPUTS,
    SIZE,
    flat,
    network_of,
    scores,
    smallest_area_first,
)  # fmt: skip
from headway.schedule.observation import COMMON, FEATURES


def drawn(seed, k=7):
    rng = np.random.default_rng(seed)
    return rng.normal(size=SIZE), rng.normal(size=(k, len(FEATURES))), rng.normal(size=len(COMMON))


@given(seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_scores_are_those_of_the_formula(seed):
    weights, x, common = drawn(seed)
    network = network_of(weights)
    inputs = np.hstack([x, np.tile(common, (len(x), 1))])
    first = np.maximum(inputs @ network.first + network.first_bias, 0.0)
    second = np.maximum(first @ network.second + network.second_bias, 0.0)
    expected = x @ network.linear + second @ network.last
    np.testing.assert_allclose(scores(network, x, common), expected, rtol=1e-9, atol=1e-9)


def test_the_order_of_the_queue_does_not_matter():
    weights, x, common = drawn(1)
    network, order = network_of(weights), np.random.default_rng(2).permutation(len(x))
    np.testing.assert_array_equal(
        scores(network, x[order], common), scores(network, x, common)[order]
    )


def test_weights_survive_being_shaped_and_laid_flat():
    weights, _, _ = drawn(3)
    np.testing.assert_array_equal(flat(network_of(weights)), weights)
    assert network_of(weights).first.shape == (INPUTS, 16)


def test_the_rule_it_starts_from_looks_at_area_alone():
    _, x, common = drawn(4)
    area = x[:, FEATURES.index("log_runtime")] + x[:, FEATURES.index("log_procs")]
    scored = scores(network_of(smallest_area_first()), x, common)
    np.testing.assert_allclose(scored, -area)
    assert len(scores(network_of(smallest_area_first()), x[:0], common)) == 0
