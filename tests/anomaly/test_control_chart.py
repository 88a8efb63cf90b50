"""Control charts keep the run length that they state, and see shifts."""

import numpy as np
import pytest

from headway.anomaly import control_limit, detector
from headway.errors import ConfigError


def run_length(chart, limit, rng, runs=400, longest=4000):
    """Mean points until the two-sided chart passes its limit, over simulated normal points."""
    z = rng.normal(size=(longest, runs))
    high, low, first = np.zeros(runs), np.zeros(runs), np.full(runs, longest)
    for t in range(longest):
        if chart == "ewma":
            high = 0.8 * high + 0.2 * z[t]
            out = np.abs(high) > limit
        else:
            high = np.maximum(0.0, high + z[t] - 0.5)
            low = np.maximum(0.0, low - z[t] - 0.5)
            out = (high > limit) | (low > limit)
        first = np.where(out & (first == longest), t + 1, first)
    return first.mean()


@pytest.mark.parametrize("chart", ["ewma", "cusum"])
def test_limits_keep_the_stated_run_length(chart):
    limit = control_limit(chart, 300.0)
    came = run_length(chart, limit, np.random.default_rng(1))
    assert came == pytest.approx(300.0, rel=0.15)  # 400 runs: standard error 5 %


def test_published_limits_are_met():
    assert control_limit("shewhart", 370.4) == pytest.approx(3.0, abs=0.001)
    assert control_limit("cusum", 168.0) == pytest.approx(4.0, abs=0.02)  # Montgomery, table 9.3
    lucas = 2.962 * np.sqrt(0.2 / 1.8)  # Lucas, Saccucci (1990): weight 0.2, run length 500
    assert control_limit("ewma", 500.0) == pytest.approx(lucas, rel=0.01)


@pytest.mark.parametrize("chart", ["ewma", "cusum"])
def test_a_small_shift_that_no_point_shows_is_seen_by_mean_and_sum(chart):
    rng = np.random.default_rng(5)
    y = rng.normal(50.0, 1.0, (1100, 20))
    y[1050:] += 1.5
    one, scores = detector(chart), []
    for t, row in enumerate(y):
        scores.append(one.score(300.0 * t, row))
        one.learn(300.0 * t, row)
    late = np.array(scores)[1050:1070]
    assert np.all(late.max(axis=0) > 0.995)
    assert np.median(late.max(axis=0)) > 0.9985


def test_a_job_at_six_each_morning_is_usual():
    t = np.arange(14 * 96)
    y = (10.0 + 80.0 * (t % 96 == 24) + np.random.default_rng(0).normal(0, 1, len(t)))[:, None]
    one, scores = detector("shewhart"), []
    for at, row in enumerate(y):
        scores.append(one.score(900.0 * at, row)[0])
        one.learn(900.0 * at, row)
    scores = np.array(scores)
    assert np.all(scores[8 * 96 :][t[8 * 96 :] % 96 == 24] < 0.999)
    assert one.score(900.0 * len(t) + 10 * 3600.0, np.array([90.0]))[0] > 0.9995


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="chart must be"):
        detector("ewma", chart="oracle")
    with pytest.raises(ConfigError, match="average_run_length must"):
        control_limit("ewma", 1.0)
    with pytest.raises(ConfigError, match="weight must"):
        control_limit("ewma", 100.0, weight=2.0)
