import logging

import numpy as np
import pytest

from headway.errors import ConfigError
from headway.forecast import LEVELS, SeasonalNaive, Statistical
from headway.forecast.statistical import METHODS
from headway.stats import interval_coverage

HOUR = 3600.0


def loads(n_series, n_days=20, seed=0):
    """Daily waves on a level that wanders."""
    rng = np.random.default_rng(seed)
    t = np.arange(24 * n_days)[:, None]
    level = 50 + np.cumsum(rng.normal(0, 0.3, (len(t), n_series)), axis=0)
    wave = 10 * np.sin(2 * np.pi * (t + rng.integers(0, 24, n_series)) / 24)
    return level + wave + rng.normal(0, 2.0, (len(t), n_series))


def told(member, y, horizon=24):
    member.learn(HOUR * np.arange(len(y)), y)
    return member.forecast(horizon)


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"prophet"}))  # its trend is too stiff
def test_waves_on_a_wandering_level_are_forecast_better_than_a_season_ago(name):
    y = loads(12)
    naive = np.abs(told(SeasonalNaive((24,)), y[:-24]).value - y[-24:]).mean()
    estimate = told(Statistical(name, (24,)), y[:-24])
    assert np.abs(estimate.value - y[-24:]).mean() < 0.85 * naive
    # 288 outcomes that share twelve pasts: 0.1 is about three errors
    covered = interval_coverage(y[-24:], estimate.quantiles, np.array(LEVELS), 0.8)
    assert covered == pytest.approx(0.8, abs=0.12)


def test_prophet_is_silent_and_leaves_the_global_generator_alone(caplog):
    t = np.arange(24 * 12)[:, None]
    noise = np.random.default_rng(0).normal(0, 1, (288, 2))
    y = 50 + 0.05 * t + 10 * np.sin(2 * np.pi * t / 24) + noise
    before = np.random.get_state()[1].tolist()
    with caplog.at_level(logging.DEBUG):
        estimate = told(Statistical("prophet", (24,)), y[:-24])
    assert [r for r in caplog.records if r.name in ("prophet", "cmdstanpy")] == []
    assert np.random.get_state()[1].tolist() == before
    assert np.abs(estimate.value - y[-24:]).mean() < 1.3  # of which noise is 0.8


def test_a_forecast_goes_on_behind_a_gap_at_the_end():
    y = np.tile(10 + 5 * np.sin(2 * np.pi * np.arange(24) / 24), 12)[:, None]
    late = y.copy()
    late[-7:] = np.nan
    whole, behind = (told(Statistical("mstl", (24,)), x) for x in (y, late))
    np.testing.assert_allclose(whole.value, behind.value, atol=0.3)


@pytest.mark.parametrize(("step_s", "season"), [(300.0, 288), (86400.0, 7)])
@pytest.mark.parametrize("name", ["theta", "mstl", "ets"])
def test_days_and_five_minutes_are_forecast_by_their_seasons(name, step_s, season):
    t = np.arange(4 * season)
    y = 100 + 10 * np.sin(2 * np.pi * t / season) + np.random.default_rng(0).normal(0, 0.5, len(t))
    member = Statistical(name, (season,), step_s=step_s)
    member.learn(step_s * t, y[:, None])
    ahead = 2 * np.pi * (t[-1] + 1 + np.arange(season)) / season
    expected = 100 + 10 * np.sin(ahead)
    assert np.abs(member.forecast(season).value[:, 0] - expected).mean() < 1.5


def test_a_method_that_fails_refuses_that_series_alone(monkeypatch):
    def fails_on_high(x, horizon, seasons):
        if x.mean() > 1000:
            raise Exception("no such luck")  # as the library does
        return np.zeros((horizon, len(LEVELS)))

    monkeypatch.setitem(METHODS, "theta", fails_on_high)
    y = loads(2)
    y[:, 1] += 1e6
    estimate = told(Statistical("theta"), y)
    assert estimate.refused.tolist() == ["", "theta failed: no such luck"]
    assert np.isnan(estimate.value[:, 1]).all()


def test_series_that_ended_long_ago_are_refused():
    y = np.full((1300, 1), np.nan)
    y[:200, 0] = 1.0 + np.arange(200) % 7
    assert "latest 1000" in told(Statistical("mstl"), y).refused[0]


def test_processes_answer_as_one_does():
    y = loads(5, n_days=5)
    one = told(Statistical("mstl"), y)
    two = told(Statistical("mstl", workers=2), y)
    np.testing.assert_array_equal(one.quantiles, two.quantiles)


def test_a_method_must_be_known():
    with pytest.raises(ConfigError, match="arima"):
        Statistical("magic")


def test_what_returns_to_its_mean_is_not_carried_through_all_steps():
    rng = np.random.default_rng(0)
    y = np.zeros((400, 40))
    for t in range(1, len(y)):
        y[t] = 0.9 * y[t - 1] + rng.normal(0, 1, 40)
    value = told(Statistical("mstl", (24,)), y[:-48], horizon=48).value[24:]
    # the last value is off by the root of two times a spread there, the mean by one
    assert np.abs(value - y[-24:]).mean() < 0.85 * np.abs(y[-49] - y[-24:]).mean()


def test_a_season_that_grows_with_its_series_goes_on_growing():
    t = np.arange(24 * 21)
    y = (np.exp(0.004 * t) * (10 + 6 * np.sin(2 * np.pi * t / 24)))[:, None]
    said = told(Statistical("mstl", (24,)), y[:-24]).value
    swing = np.ptp(said) / np.ptp(y[-24:])
    assert swing == pytest.approx(1.0, abs=0.15)
