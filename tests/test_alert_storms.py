"""Streams that look alarming and are not raise few alerts."""

import numpy as np
import pytest

from headway.anomaly import Alerting, detector, usual_policy
from headway.observe.grid import rises

STEP_S = 600.0
DAY = 144
STEPS = 14 * DAY
OUTAGE = 3 * DAY // 2
AT_S = 1e9 + STEP_S * np.arange(STEPS)


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
    y[np.arange(STEPS) % DAY // 3 == 12] += 60.0
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
    return rises(AT_S, total, STEP_S)


def times_that_repeat():
    """Plain noise, three points of which come at one moment."""
    return 10.0 + noise().standard_normal(STEPS)


def outage():
    """The job of every morning, and a day and a half at the end that are something else."""
    y = six_o_clock()
    y[-OUTAGE:] = 200.0
    return y


CALM = [flat, saturated, six_o_clock, missing, counter_that_begins_anew, times_that_repeat]


@pytest.fixture(scope="module")
def scored():
    """Each stream's times and scores: all streams are scored side by side, which is cheaper."""
    streams = [*CALM, outage]
    y = np.column_stack([stream() for stream in streams])
    at_s = np.repeat(AT_S[:, None], len(streams), axis=1)
    at_s[:, streams.index(times_that_repeat)] = AT_S[np.arange(STEPS) // 3 * 3]
    one, scores = detector("ensemble"), np.empty(y.shape)
    for t in range(STEPS):
        scores[t] = one.score(at_s[t], y[t])
        one.learn(at_s[t], y[t])
    return {s: (at_s[:, i], scores[:, i]) for i, s in enumerate(streams)}


def raised_s(at_s, scores, **changes):
    """When the usual policy raises its alerts."""
    alerting, raised = Alerting(["s"], usual_policy(STEP_S, **changes)), {}
    for at, score in zip(at_s.tolist(), scores[:, None], strict=True):
        for alert in alerting.step(at, score):
            raised[alert.alert_id] = alert.at_s
    return list(raised.values())


@pytest.mark.parametrize("stream", CALM, ids=lambda stream: stream.__name__)
def test_less_than_an_alert_a_day_without_a_budget(scored, stream):
    assert len(raised_s(*scored[stream])) < 14


@pytest.mark.parametrize("stream", CALM, ids=lambda stream: stream.__name__)
def test_a_budget_of_one_a_week_is_kept_once_the_first_week_has_set_the_threshold(scored, stream):
    """The first week may exceed it: a budget moves a threshold, see `AlertPolicy`."""
    raised = raised_s(*scored[stream], budget_per_day=1 / 7)
    assert sum(at_s >= AT_S[STEPS // 2] for at_s in raised) <= 1


@pytest.mark.parametrize("changes", [{}, {"budget_per_day": 1 / 7}], ids=["no budget", "budget"])
def test_an_outage_in_such_a_stream_is_alerted_also_when_the_budget_is_spent(scored, changes):
    begins_s = AT_S[-OUTAGE]
    assert begins_s in raised_s(*scored[outage], **changes)
    assert begins_s not in raised_s(*scored[six_o_clock], **changes)
