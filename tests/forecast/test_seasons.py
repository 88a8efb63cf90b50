import numpy as np
import pytest

from headway.forecast.seasons import averaged, closed, seen, smoothed

DAY = np.sin(2 * np.pi * np.arange(24) / 24)
BOTH = pytest.mark.parametrize("take_out", [averaged, smoothed])


def noise(n, seed=0):
    return np.random.default_rng(seed).normal(0, 1, n)


def test_short_gaps_are_lines_and_long_ones_repeat_the_season_before():
    y = np.tile([0.0, 1.0, 2.0, 3.0], 6)
    y[5] = np.nan
    y[12:17] = np.nan
    y[-1] = np.nan
    np.testing.assert_array_equal(closed(y, 4), np.tile([0.0, 1.0, 2.0, 3.0], 6)[:-1])


def test_nothing_observed_leaves_nothing():
    assert closed(np.full(5, np.nan), 2).shape == (0,)


def test_a_season_is_seen_after_two_periods():
    assert seen((168, 24, 1), 60) == [24]
    assert seen((168, 24), 400) == [24, 168]


@BOTH
def test_a_season_is_taken_out_and_carried_ahead(take_out):
    x = np.resize(10 * DAY, 24 * 14 + 5) + noise(24 * 14 + 5)
    rest, ahead, _ = take_out(x, (24,), 30)
    assert rest.std() < 1.2
    np.testing.assert_allclose(ahead, np.resize(np.roll(10 * DAY, -5), 30), atol=1.3)


@BOTH
def test_a_season_that_is_chance_is_drawn_towards_nothing(take_out):
    x = noise(24 * 10)
    rest, ahead, _ = take_out(x, (24,), 24)
    assert ahead.std() < 0.25  # the mean of ten periods alone would be 0.32
    assert rest.std() > 0.9


@BOTH
def test_errors_are_wider_the_fewer_the_periods(take_out):
    few, many = (np.tile(10 * DAY, k) + noise(24 * k) for k in (3, 60))
    assert take_out(few, (24,), 1)[2] > 1.2
    assert take_out(many, (24,), 1)[2] < take_out(few, (24,), 1)[2]


def test_two_seasons_are_both_taken_out():
    week = np.repeat([5.0, 5, 5, 5, 5, -12, -13], 24)
    x = np.tile(np.tile(10 * DAY, 7) + week, 8) + noise(168 * 8)
    rest, ahead, _ = smoothed(x, (168, 24), 168)
    assert rest.std() < 1.3
    np.testing.assert_allclose(ahead, np.tile(10 * DAY, 7) + week, atol=2.5)
