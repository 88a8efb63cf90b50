"""What every Detector in the door promises."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway.anomaly import DETECTORS, detector, load
from headway.errors import ConfigError, InputError

STEP_S = 3600.0
NAMES = ["ensemble", "points", *sorted(DETECTORS)]
STEPS = 220
SMALL = {
    "autoencoder": {"steps": 20, "kept": 128},
    "isolation": {"trees": 8},
    "joint": {"members": ["same_time", "components"]},
    "nearest": {"kept": 32},
}
QUIET = {"adwin", "page_hinkley", "peers", "cusum", "slow_surprise", "slow_ewma", "nearest"}
QUIET |= {"isolation"}  # a forest of equal rows has no cuts
"""Detectors that need more than one point, or more than two series, to call one strange."""


def made(name):
    return detector(name, **SMALL.get(name, {}))


def panel(n=STEPS, seed=3):
    """Series that every cluster has: a season, a trend, counts, gaps, nothing, an outlier."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    wave = 10 + 4 * np.sin(2 * np.pi * t / 24) + rng.normal(0, 0.5, n)
    gaps = wave.copy()
    gaps[n // 3 : n // 3 + 11] = np.nan
    columns = [
        wave,
        0.1 * t + rng.normal(0, 0.3, n),
        rng.poisson(0.3, n),
        gaps,
        np.full(n, 7.0),
        np.zeros(n),
        np.full(n, np.nan),
        np.where(t == n - 5, 1e9, wave),
        np.where(t % 7 == 0, np.inf, -wave),
    ]
    return np.column_stack(columns).astype(np.float64)


def scored(one, y, begin=0):
    """The score (n_steps, n) of each point before it was learned."""
    scores = []
    for t, row in enumerate(y, begin):
        scores.append(one.score(STEP_S * t, row))
        one.learn(STEP_S * t, row)
    return np.array(scores).reshape(len(y), -1)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_shares_and_nan_where_nothing_was_observed(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = panel()
        scores = scored(made(name), y)
    known = np.isfinite(scores)
    assert np.all((scores[known] >= 0.0) & (scores[known] <= 1.0))
    assert not np.isfinite(scores[~np.isfinite(y)]).any()
    assert np.isfinite(scores[-1, [0, 1, 2, 4, 5]]).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_score_changes_nothing(name):
    y = panel()
    once, twice = made(name), made(name)
    for t, row in enumerate(y):
        for other in y[::20]:
            twice.score(STEP_S * t, other)
        np.testing.assert_array_equal(once.score(STEP_S * t, row), twice.score(STEP_S * t, row))
        once.learn(STEP_S * t, row)
        twice.learn(STEP_S * t, row)


@pytest.mark.parametrize("name", NAMES)
@given(cut=st.integers(1, STEPS - 1), seed=st.integers(0, 5), factor=st.floats(-1e6, 1e6))
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_later_points_never_change_an_earlier_score(name, cut, seed, factor):
    y = panel(seed=seed)
    other = y.copy()
    other[cut:] = factor * np.nan_to_num(other[cut:], posinf=1.0) + 1.0
    np.testing.assert_array_equal(scored(made(name), y)[:cut], scored(made(name), other)[:cut])


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_repeats_and_keeps_its_answers_in_a_folder(name, tmp_path):
    y = panel()
    first = made(name)
    scored(first, y[:170])
    first.save(tmp_path / "kept")
    again = load(tmp_path / "kept")
    np.testing.assert_array_equal(scored(first, y[170:], 170), scored(again, y[170:], 170))
    np.testing.assert_array_equal(scored(made(name), y)[170:], scored(made(name), y)[170:])


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_fixed(name):
    one = made(name)
    y = panel(400)
    scored(one, y[:200])
    before = {k: v.nbytes for k, v in one.arrays().items()}
    scored(one, y[200:], 200)
    assert {k: v.nbytes for k, v in one.arrays().items()} == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [0, 1])
def test_no_series_and_one_series_work(name, n):
    scores = scored(made(name), panel()[:, :n])
    assert scores.shape == (STEPS, n)


@pytest.mark.parametrize("name", NAMES)
def test_flat_series_are_never_strange_and_what_leaves_them_is(name):
    y = np.column_stack([np.zeros(300), np.full(300, 7.0)])
    y[-1] = [5.0, 12.0]
    scores = scored(made(name), y)
    assert np.all(np.nan_to_num(scores[:-1]) < 0.99)
    if name not in QUIET:
        assert np.all(scores[-1] > 0.95)


@pytest.mark.parametrize("name", NAMES)
def test_a_panel_of_another_width_is_refused(name):
    one = made(name)
    one.learn(0.0, np.zeros(3))
    with pytest.raises(ConfigError, match="must hold the 3 series"):
        one.learn(1.0, np.zeros(2))
    with pytest.raises(ConfigError, match=r"must be \(n,\)"):
        one.score(1.0, np.zeros((3, 1)))


def test_an_unknown_detector_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="must be one of"):
        detector("oracle")
    with pytest.raises(ConfigError, match="detector ewma"):
        detector("ewma", wait=3)
    with pytest.raises(InputError, match="no readable detector"):
        load(tmp_path)
