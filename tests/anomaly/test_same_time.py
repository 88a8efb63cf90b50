"""A point is held against the same time of the last days."""

import numpy as np

from headway.anomaly import detector

STEP_S = 3600.0


def test_a_usual_value_at_an_unusual_time_is_strange():
    rng = np.random.default_rng(0)
    hours = np.arange(24 * 20)
    y = np.where(hours % 24 == 3, 50.0, 10.0) + rng.normal(size=len(hours))  # a nightly job
    one = detector("same_time")
    for hour, value in zip(hours, y, strict=True):
        one.learn(STEP_S * hour, np.array([value]))
    night = STEP_S * (24 * 20 + 3)
    assert one.score(night, np.array([50.0]))[0] < 0.95
    assert one.score(night, np.array([10.0]))[0] > 0.999  # the job did not run
    assert one.score(night + 12 * STEP_S, np.array([50.0]))[0] > 0.999


def test_a_day_that_was_strange_is_outvoted():
    one = detector("same_time")
    rng = np.random.default_rng(0)
    for hour in range(24 * 8):
        strange = 100.0 * (hour // 24 == 6)
        one.learn(STEP_S * hour, np.array([10.0 + strange + rng.normal()]))
    assert one.score(STEP_S * 24 * 8, np.array([10.0]))[0] < 0.7
    assert one.score(STEP_S * 24 * 8, np.array([110.0]))[0] > 0.85  # an eighth was so strange


def test_the_first_day_says_nothing():
    one = detector("same_time")
    for step in range(80):
        assert np.isnan(one.score(900.0 * step, np.array([1.0 * step]))[0])
        one.learn(900.0 * step, np.array([1.0 * step]))
