"""The process interpolates what it saw, is unsure elsewhere and never of too little."""

import numpy as np
import pytest

from headway.predict.gaussian_process import log_runtimes

NONE = np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0)
NEW = np.array([[0.0, 0.0], [1.0, 0.0], [6.0, 0.0]])


def told(x, y, *, size=None, rough=None, new=NEW, level_spread=3.0):
    n = len(y)
    size = np.zeros(n) if size is None else size
    rough = np.zeros(n) if rough is None else rough
    return log_runtimes(x, size, y, rough, new, np.zeros(len(new)), level_spread)


def test_before_any_run_it_says_the_prior():
    beliefs = log_runtimes(*NONE, NEW, np.zeros(3), 3.0)
    np.testing.assert_allclose(beliefs.mean, 0.0, atol=1e-9)
    assert (beliefs.variance >= 9.0).all()


def test_what_was_run_is_known_and_what_is_far_from_it_less():
    beliefs = told(np.zeros((5, 2)), np.full(5, 4.0))
    assert beliefs.mean[0] == pytest.approx(4.0, abs=0.05)
    assert beliefs.variance[0] < beliefs.variance[1] < beliefs.variance[2]


def test_a_run_varies_more_than_its_mean():
    beliefs = told(np.zeros((5, 2)), np.full(5, 4.0))
    assert (beliefs.run_variance > beliefs.variance).all()


def test_intervals_hold_runs_as_often_as_they_say():
    rng, held = np.random.default_rng(3), []
    for _ in range(150):
        x = rng.integers(0, 4, (12, 2)).astype(float)
        effect = rng.normal(0.0, 0.3, (4, 4))
        level = rng.normal(0.0, 2.0)
        y = level + effect[x[:, 0].astype(int), x[:, 1].astype(int)] + rng.normal(0.0, 0.05, 12)
        beliefs = told(x[:10], y[:10], new=x[10:])
        side = 1.645 * np.sqrt(beliefs.run_variance)
        held.append(np.abs(y[10:] - beliefs.mean) <= side)
    assert 0.82 < np.mean(held) < 0.99  # of 300; what was drawn is rougher than the kernel says


def test_short_runs_by_the_clock_count_less():
    x, y = np.zeros((2, 2)), np.array([0.0, 1.0])
    beliefs = told(x, y, rough=np.array([0.01, 1.0]))
    assert abs(beliefs.mean[0]) < 0.2


def test_a_power_of_the_size_is_learned():
    size = np.linspace(0.0, 4.0, 9)
    beliefs = log_runtimes(
        np.zeros((9, 2)), size, 0.9 * size, np.zeros(9), NEW[:1], np.array([5.0]), 3.0
    )
    assert beliefs.mean[0] == pytest.approx(4.5, abs=0.3)
