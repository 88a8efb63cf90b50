import numpy as np
import pytest
from tests.forecast.test_statistical import loads, told

from headway.forecast import LEVELS, Boosted, SeasonalNaive
from headway.forecast.lagged import Lagged
from headway.stats import interval_coverage, weighted_quantile_loss

LEVEL = np.array(LEVELS)
HOUR = 3600.0


def small(**settings):
    return Boosted((24,), farthest=24, rounds=40, rows=20_000, **settings)


def test_the_panel_is_forecast_better_than_a_season_ago():
    y = loads(20, seed=1)
    naive, estimate = told(SeasonalNaive((24,)), y[:-24]), told(small(), y[:-24])
    loss, before = (
        weighted_quantile_loss(y[-24:], e.quantiles, LEVEL).mean() for e in (estimate, naive)
    )
    assert loss < 0.95 * before
    # 480 outcomes that share twenty pasts: 0.12 is about three errors
    covered = interval_coverage(y[-24:], estimate.quantiles, LEVEL, 0.8)
    assert covered == pytest.approx(0.8, abs=0.12)


def test_a_row_knows_nothing_behind_its_origin():
    y = loads(3)
    at_s = HOUR * np.arange(len(y))
    t, i, h = np.array([200, 300]), np.array([0, 2]), np.array([1, 30])
    later = y.copy()
    later[301:] = 1e9
    both = [Lagged(at_s, values, (24, 168), HOUR).rows(t, i, h) for values in (y, later)]
    np.testing.assert_array_equal(*both)


def test_a_row_holds_the_same_phase_of_the_seasons_before():
    y = np.arange(400.0)[:, None]
    lagged = Lagged(HOUR * np.arange(400), y, (24,), HOUR)
    t, i, h = np.array([300]), np.array([0]), np.array([30])
    level, spread = lagged.scale(t, i)
    row = lagged.rows(t, i, h)[0] * spread + level
    assert row[:3].tolist() == pytest.approx([300.0, 282.0, 258.0])  # now, 48 and 72 steps before


def test_scaling_a_series_scales_its_forecast():
    y = loads(4)
    estimate = told(small(), np.concatenate([y, 1000.0 * y], axis=1))
    np.testing.assert_allclose(estimate.value[:, 4:], 1000.0 * estimate.value[:, :4], rtol=1e-6)


def test_new_points_are_looked_at_without_a_refit():
    y = loads(4)
    boosted = small()
    boosted.learn(HOUR * np.arange(400), y[:400])
    before, models = boosted.forecast(1).value, boosted._models
    boosted.learn(HOUR * np.arange(400, 480), y[400:])
    assert boosted._models is models
    assert not np.allclose(boosted.forecast(1).value, before)
    boosted.learn(HOUR * np.arange(480, 520), y[:40])
    assert boosted._models is not models


def test_steps_beyond_those_fitted_are_forecast_too():
    y = loads(4)
    estimate = told(small(), y, horizon=60)
    assert np.isfinite(estimate.quantiles).all()
    wave = estimate.value - estimate.value.mean(axis=0)
    assert (np.abs(wave[36:60]).max(axis=0) > 5).all()


def test_before_enough_is_known_the_reason_is_said():
    assert "at least 40" in told(small(), loads(1)[:30]).refused[0]
