"""What every Forecaster in the door promises."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import headway.forecast as door
from headway.errors import ConfigError
from headway.forecast import (
    LEVELS,
    MEMBERS,
    Boosted,
    Naive,
    Neural,
    SeasonalNaive,
    Statistical,
    forecaster,
    load,
)

SEASONS = (8,)
STEP_S = 3600.0
HORIZON = 10
STEPS = 64
MAKERS = {  # as small as each still is itself
    "Naive": lambda: Naive(SEASONS),
    "SeasonalNaive": lambda: SeasonalNaive(SEASONS),
    "Statistical: theta": lambda: Statistical("theta", SEASONS),
    "Statistical: mstl": lambda: Statistical("mstl", SEASONS),
    "Statistical: ets": lambda: Statistical("ets", SEASONS),
    "Statistical: arima": lambda: Statistical("arima", SEASONS),
    "Statistical: prophet": lambda: Statistical("prophet", SEASONS),
    "Boosted": lambda: Boosted(SEASONS, farthest=16, rounds=10, rows=3000),
    "Neural: lstm": lambda: Neural("lstm", SEASONS, horizon=8, steps=4),
    "Neural: gru": lambda: Neural("gru", SEASONS, horizon=8, steps=4),
    "Neural: transformer": lambda: Neural("transformer", SEASONS, horizon=8, steps=4),
}


def ticks(n, begin=0):
    return STEP_S * np.arange(begin, begin + n)


def panel(n=STEPS, seed=3):
    """Series that every cluster has: a season, a trend, a shift, counts, gaps, nothing."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    wave = 10 + 4 * np.sin(2 * np.pi * t / SEASONS[0]) + rng.normal(0, 0.5, n)
    gaps = wave.copy()
    gaps[n // 3 : n // 3 + 11] = np.nan
    gaps[-3:] = np.nan
    return np.column_stack(
        [
            wave,
            0.1 * t + rng.normal(0, 0.3, n),
            wave + 50.0 * (t > 0.8 * n),
            rng.poisson(0.3, n),
            gaps,
            np.full(n, 7.0),
            np.zeros(n),
            np.full(n, np.nan),
            -5.0 - rng.poisson(3.0, n),
            np.where(t == n // 2, 1e6, wave),
        ]
    )


def learned(make, y, cuts=()):
    made = make()
    for begin, end in zip((0, *cuts), (*cuts, len(y)), strict=True):
        made.learn(ticks(end - begin, begin), y[begin:end])
    return made


def assert_honest(estimate, y, horizon=HORIZON):
    """In order, whole, bounded, and NaN only where it is refused with a reason."""
    n = y.shape[1]
    assert estimate.value.shape == (horizon, n)
    assert tuple(estimate.levels) == LEVELS
    assert estimate.quantiles.shape == (horizon, n, len(LEVELS))
    assert estimate.made_by.shape == estimate.refused.shape == (n,)
    is_answered = estimate.refused == ""
    assert np.isnan(estimate.value[:, ~is_answered]).all()
    assert np.isnan(estimate.quantiles[:, ~is_answered]).all()
    assert np.isfinite(estimate.value[:, is_answered]).all()
    assert np.isfinite(estimate.quantiles[:, is_answered]).all()
    assert (np.diff(estimate.quantiles[:, is_answered], axis=2) >= 0).all()
    assert (estimate.made_by[is_answered] != "").all()
    for i in np.flatnonzero(is_answered):
        known = y[np.isfinite(y[:, i]), i]
        low, high = known.min(), known.max()
        said = np.append(estimate.quantiles[:, i].ravel(), estimate.value[:, i])
        slack = 1e-9 * (1 + abs(low) + abs(high))
        assert said.min() >= low - (high - low) - slack
        assert said.max() <= high + (high - low) + slack
        assert low < 0 or said.min() >= 0


def same(one, other):
    np.testing.assert_allclose(one.value, other.value, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(one.quantiles, other.quantiles, rtol=1e-6, atol=1e-9)
    assert one.made_by.tolist() == other.made_by.tolist()
    assert one.refused.tolist() == other.refused.tolist()


@pytest.fixture(scope="module", params=sorted(MAKERS))
def make(request):
    return MAKERS[request.param]


@pytest.fixture(scope="module")
def whole(make):
    return learned(make, panel())


@pytest.fixture(scope="module")
def estimate(whole):
    return whole.forecast(HORIZON)


def test_every_forecaster_in_the_door_is_in_this_suite():
    classes = {name for name in door.__all__ if name[0].isupper() and not name.isupper()}
    assert classes == {name.split(":")[0] for name in MAKERS}
    assert {make().name for make in MAKERS.values()} == set(MEMBERS)


def test_every_member_is_had_by_its_short_name():
    assert all(forecaster(name).name == name for name in MEMBERS)
    with pytest.raises(ConfigError, match="seasonal_naive"):
        forecaster("magic")


def test_answers_are_in_order_bounded_and_refused_with_a_reason(estimate):
    assert_honest(estimate, panel())


def test_series_with_enough_points_are_answered(estimate):
    assert (estimate.refused != "").tolist() == [i == 7 for i in range(10)]  # 7 is all NaN


def test_constant_series_stay_as_they_are(estimate):
    np.testing.assert_allclose(estimate.quantiles[:, 5], 7.0)
    np.testing.assert_allclose(estimate.quantiles[:, 6], 0.0, atol=1e-9)


def test_a_level_shift_is_followed_or_within_the_band(estimate):
    assert (estimate.quantiles[:, 2, -1] > 40).all()


def test_forecasting_changes_nothing(whole, estimate):
    same(whole.forecast(HORIZON), estimate)


def test_a_longer_horizon_begins_with_the_shorter(whole, estimate):
    longer = whole.forecast(2 * HORIZON)
    np.testing.assert_allclose(longer.value[:HORIZON], estimate.value, rtol=1e-6, atol=1e-6)


def test_seeds_repeat_and_learning_in_one_call_or_in_many_is_the_same(make, estimate):
    same(learned(make, panel(), cuts=(1, 2, 30, 41)).forecast(HORIZON), estimate)


def test_what_comes_later_is_never_needed(make):
    y, at_s = panel(), ticks(STEPS)
    first = make()
    first.learn(at_s[:48], y[:48])
    y[48:], at_s[48:] = 1e9, 0.0
    same(first.forecast(HORIZON), learned(make, panel()[:48]).forecast(HORIZON))


def test_learning_leaves_its_arguments_alone(make):
    y, at_s = panel(), ticks(STEPS)
    y[5, 0] = np.inf
    before = y.copy()
    made = make()
    made.learn(at_s, y)
    np.testing.assert_array_equal(y, before)
    np.testing.assert_array_equal(at_s, ticks(STEPS))
    y[:] = 0.0
    assert made.forecast(HORIZON).value[0, 0] > 1.0


def test_new_points_change_the_answer(make, estimate):
    made = learned(make, panel())
    more = np.full((20, 10), 12.0) + np.arange(20)[:, None] % 3
    made.learn(ticks(20, STEPS), more)
    later = made.forecast(HORIZON)
    assert_honest(later, np.concatenate([panel(), more]))
    assert later.refused[7] == ""
    assert not np.allclose(later.value[:, 0], estimate.value[:, 0])


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10])
def test_a_short_past_is_answered_or_refused(make, n):
    y = panel()[:n]
    made = learned(make, y)
    assert_honest(made.forecast(HORIZON), y)


def test_before_anything_is_learned_there_is_no_series(make):
    assert make().forecast(3).value.shape == (3, 0)


def test_one_series_and_one_step_are_answered(make):
    y = panel()[:, :1]
    assert_honest(learned(make, y).forecast(1), y, horizon=1)


def test_a_saved_member_answers_the_same(make, whole, estimate, tmp_path):
    whole.save(tmp_path)
    native = {".txt", ".json", ".npz", ".safetensors"}
    assert {file.suffix for file in tmp_path.iterdir()} <= native
    back = load(tmp_path)
    assert type(back) is type(whole)
    same(back.forecast(HORIZON), estimate)
    both = []
    for made in (back, learned(make, panel())):
        made.learn(ticks(5, STEPS), panel()[-5:])
        both.append(made.forecast(HORIZON))
    same(*both)


def test_points_off_the_grid_are_refused(make):
    made = make()
    made.learn(ticks(3), panel()[:3])
    with pytest.raises(ConfigError, match="fill a gap with NaN"):
        made.learn(ticks(3, 4), panel()[:3])
    with pytest.raises(ConfigError, match="10 series"):
        made.learn(ticks(3, 3), panel()[:3, :2])
    with pytest.raises(ConfigError, match="horizon"):
        made.forecast(0)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_series_gets_an_honest_answer(make, data):
    size = st.floats(-1e9, 1e9) | st.just(0.0) | st.just(np.nan) | st.floats(-1, 1)
    n = data.draw(st.integers(0, 45))
    values = data.draw(st.lists(size, min_size=2 * n, max_size=2 * n))
    y = np.array(values, dtype=float).reshape(n, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_honest(learned(make, y).forecast(3), y, horizon=3)
