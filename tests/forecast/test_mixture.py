"""The mixture asks before it tells, judges by what came, and signs with those who answered."""

import numpy as np
import pytest

from headway.errors import ConfigError
from headway.forecast import forecaster
from headway.forecast.mixture import ORIGINS, Mixture

HOUR_S = 3600.0
DAY = 24


def daily(days, n=3, seed=0):
    """A season of a day with noise in even columns, levels that last in the odd ones."""
    rng = np.random.default_rng(seed)
    t = np.arange(days * DAY)
    season = 10.0 + 5.0 * np.sin(2.0 * np.pi * t / DAY)[:, None] + rng.normal(size=(len(t), n))
    level = 100.0 + np.cumsum((t % 100 == 0)[:, None] * rng.normal(0.0, 30.0, (len(t), n)), axis=0)
    return t * HOUR_S, np.where(np.arange(n) % 2 == 0, season, level)


def mixture():
    return Mixture([forecaster("naive"), forecaster("seasonal_naive")], DAY)


def test_each_series_is_signed_by_who_suits_it():
    at_s, y = daily(30)
    mix = mixture()
    mix.learn(at_s, y)
    made_by = mix.forecast(DAY).made_by
    assert made_by[0].startswith("seasonal_naive")
    assert made_by[1].startswith("naive")


@pytest.mark.parametrize("cut", [1, 13, DAY, 100, 29 * DAY + 5])
def test_learning_in_one_call_or_two_is_equal(cut):
    at_s, y = daily(30)
    once, twice = mixture(), mixture()
    once.learn(at_s, y)
    twice.learn(at_s[:cut], y[:cut])
    twice.learn(at_s[cut:], y[cut:])
    assert np.array_equal(once.forecast(30).quantiles, twice.forecast(30).quantiles)


def test_members_are_asked_before_they_are_told():
    class Spy:
        name = "spy"
        seen, asked = 0, []

        def learn(self, at_s, y):
            Spy.seen += len(at_s)

        def forecast(self, horizon):
            Spy.asked.append(Spy.seen)
            return forecaster_of_zero.forecast(horizon)

    at_s, y = daily(12)
    forecaster_of_zero = forecaster("naive")
    forecaster_of_zero.learn(at_s, y)
    Mixture([Spy()], DAY).learn(at_s, y)
    assert Spy.asked == [k * DAY for k in range(12 - ORIGINS, 13)]
    assert Spy.seen == len(at_s)


def test_a_short_past_gets_equal_shares():
    at_s, y = daily(2)
    mix = mixture()
    mix.learn(at_s[:30], y[:30])
    assert mix.forecast(3).made_by[0] == "naive 0.50+seasonal_naive 0.50"


def test_nothing_leaves_three_times_the_range():
    at_s, y = daily(30)
    y[-1] = 1e6
    mix = mixture()
    mix.learn(at_s, y)
    answer = mix.forecast(DAY)
    span = np.nanmax(y, axis=0) - np.nanmin(y, axis=0)
    assert (answer.quantiles <= (np.nanmax(y, axis=0) + span)[None, :, None]).all()


def test_no_members_is_wrong_usage():
    with pytest.raises(ConfigError, match="members"):
        Mixture([], DAY)
