import numpy as np
import pytest

from headway.errors import ConfigError
from headway.forecast import LEVELS, Naive, SeasonalNaive
from headway.stats import interval_coverage, mase

HOUR = 3600.0
LEVEL = np.array(LEVELS)


def days(n_days, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    t = np.arange(24 * n_days)
    return (100 + 10 * np.sin(2 * np.pi * t / 24) + rng.normal(0, noise, len(t)))[:, None]


def learned(member, y):
    member.learn(HOUR * np.arange(len(y)), y)
    return member


def test_naive_is_the_last_observed_value():
    y = np.array([1.0, 4.0, 2.0, 5.0, np.nan, np.nan])[:, None]
    assert learned(Naive(), y).forecast(3).value[:, 0].tolist() == [5.0, 5.0, 5.0]


def test_seasonal_naive_is_the_value_a_season_ago():
    y = days(5)
    value = learned(SeasonalNaive((24,)), y).forecast(48).value
    np.testing.assert_array_equal(value, np.concatenate([y[-24:], y[-24:]]))


def test_where_the_last_season_has_a_gap_the_one_before_is_taken():
    y = days(5)
    y[-24:-20] = np.nan
    value = learned(SeasonalNaive((24,)), y).forecast(24).value
    np.testing.assert_array_equal(value[:4], y[-48:-44])
    np.testing.assert_array_equal(value[4:], y[-20:])


def test_of_two_seasons_the_one_with_smaller_past_errors_is_taken():
    y = days(28)
    weekly = y + 30 * (np.arange(len(y)) // 24 % 7 >= 5)[:, None]
    both = np.concatenate([y, weekly], axis=1)
    value = learned(SeasonalNaive((24, 168)), both).forecast(24).value
    np.testing.assert_array_equal(value[:, 1], weekly[-168:-144, 0])


def test_a_series_shorter_than_two_seasons_is_signed_by_naive():
    estimate = learned(SeasonalNaive((24,)), days(2)[:-1]).forecast(2)
    assert estimate.made_by.tolist() == ["naive"]


def test_intervals_of_past_errors_cover_what_they_promise():
    y = np.concatenate([days(60, seed) for seed in range(40)], axis=1)
    estimate = learned(SeasonalNaive((24,)), y[:-24]).forecast(24)
    # 960 outcomes, of which those of one series share a past: 3 points are about three errors
    assert interval_coverage(y[-24:], estimate.quantiles, LEVEL, 0.8) == pytest.approx(
        0.8, abs=0.03
    )
    assert interval_coverage(y[-24:], estimate.quantiles, LEVEL, 0.95) == pytest.approx(
        0.95, abs=0.03
    )


def test_errors_of_naive_grow_with_the_horizon():
    walk = np.cumsum(np.random.default_rng(2).normal(0, 1, (800, 3)), axis=0)
    quantiles = learned(Naive(), walk).forecast(24).quantiles
    width = quantiles[:, :, -1] - quantiles[:, :, 0]
    assert (width[23] > 2.5 * width[0]).all()  # the root of 24 is 4.9


def test_few_errors_make_wide_intervals():
    short = learned(Naive(), np.array([[1.0], [2.0], [3.0]])).forecast(1)
    assert short.quantiles[0, 0, [0, -1]].tolist() == [0.0, 5.0]  # as far as the bound allows


def test_the_error_of_a_perfect_season_is_nothing():
    y = days(9, noise=0.0)
    forecast = learned(SeasonalNaive((24,)), y[:-24]).forecast(24)
    scaled = mase(y[-24:], forecast.value, y[:-24] + np.arange(192)[:, None], 24)
    np.testing.assert_allclose(scaled, 0.0, atol=1e-9)


def test_a_season_below_one_step_is_refused():
    with pytest.raises(ConfigError, match="seasons"):
        SeasonalNaive((0,))
