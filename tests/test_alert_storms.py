"""Streams that look alarming and are not raise few alerts."""

import numpy as np
import pytest

from headway.anomaly import Alerting, detector, usual_policy
from headway.observe.grid import rises

STEP_S = 300.0
DAY = 288
STEPS = 14 * DAY


def noise():
    return np.random.default_rng(0)


def flat():
    return np.full(STEPS, 5.0)


def saturated():
    """Busy by day and night, often against its ceiling."""
    return np.minimum(95.0 + 10.0 * noise().standard_normal(STEPS), 100.0)


def six_o_clock():
    """A job of half an hour at six every morning."""
    y = 10.0 + noise().standard_normal(STEPS)
    y[np.arange(STEPS) % DAY // 6 == 12] += 60.0
    return y


def missing():
    """A third of all points, and one whole day, were never observed."""
    y = 10.0 + noise().standard_normal(STEPS)
    y[noise().random(STEPS) < 0.33] = np.nan
    y[5 * DAY : 6 * DAY] = np.nan
    return y


def counter_that_begins_anew():
    """A counter that is at 0 again every day, as it is watched: by what it rose."""
    total = np.cumsum(100.0 + 5.0 * noise().standard_normal(STEPS))
    total -= np.repeat(total[::DAY], DAY) - 50.0
    at_s = 1e9 + STEP_S * np.arange(STEPS)
    return rises(at_s, total, STEP_S)


def alerts_of(y, at_s=None, **changes):
    """How many alerts the usual ensemble and policy raise, in each of the two weeks."""
    at_s = 1e9 + STEP_S * np.arange(len(y)) if at_s is None else at_s
    one, raised = detector("ensemble"), {}
    alerting = Alerting(["s"], usual_policy(STEP_S, **changes))
    for at, value in zip(at_s.tolist(), y[:, None], strict=True):
        for alert in alerting.step(at, one.score(at, value), value):
            raised[alert.alert_id] = alert.at_s >= at_s[len(y) // 2]
        one.learn(at, value)
    return len(raised) - sum(raised.values()), sum(raised.values())


@pytest.mark.parametrize(
    "stream",
    [flat, saturated, six_o_clock, missing, counter_that_begins_anew],
    ids=lambda stream: stream.__name__,
)
def test_less_than_an_alert_a_day_and_hardly_any_with_a_budget(stream):
    assert sum(alerts_of(stream())) < 14
    assert sum(alerts_of(stream(), budget_per_day=1 / 7)) <= 5


def test_times_that_repeat_raise_no_storm():
    at_s = 1e9 + STEP_S * (np.arange(STEPS) // 3 * 3)
    assert sum(alerts_of(10.0 + noise().standard_normal(STEPS), at_s)) < 14


def test_an_outage_in_such_a_stream_is_alerted():
    y = six_o_clock()
    y[-DAY // 2 :] = 200.0
    assert sum(alerts_of(y)) > sum(alerts_of(six_o_clock()))
