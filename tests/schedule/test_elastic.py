import json

import numpy as np
import pytest

from headway.errors import ConfigError, InputError
from headway.schedule.elastic import (
    FEATURES,
    HIDDEN,
    SCALE,
    SIZE,
    VERSION,
    controller_of,
    pull,
    thresholds,
)
from headway.schedule.elastic_file import LearnedElastic, load_elastic, save_elastic


def levers_of(weights, x):
    levers = np.empty(4)
    pull(controller_of(weights), x, np.empty((2, HIDDEN)), levers)
    return levers


def test_thresholds_are_a_controller_whose_levers_never_move():
    weights = thresholds(599.0, share=0.5, horizon_s=3600.0, headroom=0.1)
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=len(FEATURES))
        expected = [np.log(0.5), np.log(3600.0), np.log(600.0), 0.1]
        np.testing.assert_allclose(levers_of(weights, x), expected)


def test_levers_are_those_of_the_same_network_in_numpy():
    rng = np.random.default_rng(0)
    weights, x = rng.normal(size=SIZE), rng.normal(size=len(FEATURES))
    own = controller_of(weights)
    hidden = np.tanh(np.tanh(x @ own.first + own.first_bias) @ own.second + own.second_bias)
    expected = own.levers + SCALE * (hidden @ own.last + own.last_bias)
    np.testing.assert_allclose(levers_of(weights, x), expected)


def learned():
    return LearnedElastic(
        weights=np.random.default_rng(1).normal(size=SIZE), seed=3, decisions=5,
        terms={"boot_s": 240.0}, prices={"node_hour": 1.0}, trained_on="made up",
    )  # fmt: skip


def test_a_policy_is_read_as_it_was_written(tmp_path):
    save_elastic(learned(), tmp_path / "a.npz")
    save_elastic(learned(), tmp_path / "b.npz")
    read = load_elastic(tmp_path / "a.npz")
    np.testing.assert_array_equal(read.weights, learned().weights)
    assert (read.seed, read.terms, read.trained_on) == (3, {"boot_s": 240.0}, "made up")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert len(read.controller.levers) == 4


def test_files_that_are_no_policy_or_of_another_version_are_refused(tmp_path):
    path = tmp_path / "policy.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="is not a policy file"):
        load_elastic(path)
    said = {"version": "elastic-0", "features": FEATURES}
    np.savez(path, weights=np.zeros(SIZE), said=np.array(json.dumps(said)))
    with pytest.raises(ConfigError, match=f"version elastic-0, this is version {VERSION}"):
        load_elastic(path)
    with pytest.raises(ConfigError, match="weights must be"):
        controller_of(np.zeros(3))
