"""Windows hold the last rows in order, on one scale."""

import numpy as np
import pytest

from headway.anomaly import lagged
from headway.errors import ConfigError


def learned(rows, kept=16):
    state = lagged.empty(rows.shape[1], kept)
    for row in rows:
        lagged.learn(state, row)
    return state


def test_windows_are_the_last_rows_oldest_first():
    rows = np.arange(40.0).reshape(20, 2)
    state = learned(rows)
    state["scale"] = np.full(2, 100.0)  # so that nothing is cut off
    seen = lagged.windows(state, 3)
    assert seen.shape == (14, 6)
    np.testing.assert_allclose(100 * seen[-1], rows[-3:].reshape(-1))
    np.testing.assert_allclose(100 * seen[0], rows[4:7].reshape(-1))
    newest = lagged.newest(state, np.array([40.0, 41.0]), 3)
    np.testing.assert_allclose(100 * newest, [[36, 37], [38, 39], [40, 41]])


def test_what_was_not_observed_is_what_was_last_seen():
    state = learned(np.array([[1.0], [2.0], [np.nan]]))
    np.testing.assert_array_equal(state["rows"][:3, 0], [1.0, 2.0, 2.0])
    np.testing.assert_array_equal(lagged.newest(state, np.array([np.nan]), 2)[:, 0], [2.0, 2.0])


def test_one_outlier_does_not_set_the_scale():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 1))
    rows[250] = 1e9
    state = learned(rows, 512)
    lagged.rescale(state)
    assert state["scale"][0] == pytest.approx(1.0, abs=0.2)


def test_fits_fall_due_at_powers_of_two_and_then_on_schedule():
    due = [count for count in range(300) if lagged.is_due(count, 100)]
    assert due == [32, 64, 100, 200]


def test_the_usual_error_is_a_mean_that_an_outlier_hardly_moves():
    state = lagged.empty(1, 4)
    for size in np.abs(np.random.default_rng(1).normal(size=2000)):
        lagged.learn_error(state, np.array([size]))
    assert state["error"][0] == pytest.approx(0.8, abs=0.06)  # E|z|; standard error 0.014
    before = state["error"][0]
    lagged.learn_error(state, np.array([1e12]))
    assert state["error"][0] < 1.01 * before


def test_more_series_than_a_window_may_hold_are_refused():
    assert lagged.length(19, 20) == 20
    assert lagged.length(300, 20) == 1
    with pytest.raises(ConfigError, match="at most 512 series"):
        lagged.empty(513, 10)
