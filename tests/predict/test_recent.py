"""The simple predictors say what the history says."""

import numpy as np

from headway.features import History
from headway.predict import Nearest, Recent
from headway.records import Task
from headway.tables import frame


def features(*runtimes, limit_s=1000.0):
    """Features of a task whose user had these runtimes before, one after another."""
    tasks = [
        Task(
            cluster="c", id=str(i), user="a", submitted_s=1e4 * i, started_s=1e4 * i,
            ended_s=1e4 * i + runtime, limit_s=limit_s, state="completed",
        )
        for i, runtime in enumerate(runtimes)
    ]  # fmt: skip
    tasks.append(Task(cluster="c", id="new", user="a", submitted_s=1e6, limit_s=limit_s))
    return History().replay(frame("task", tasks)).take(slice(len(runtimes), None))


def test_recent_is_the_mean_of_the_last_two():
    assert Recent().predict(features(900.0, 100.0, 300.0)).value.tolist() == [200.0]


def test_recent_says_no_more_than_the_request():
    assert Recent().predict(features(900.0, 700.0, limit_s=60.0)).value.tolist() == [60.0]


def test_recent_takes_the_only_one_there_is():
    assert Recent().predict(features(70.0)).value.tolist() == [70.0]


def test_recent_refuses_a_user_without_history():
    estimate = Recent().predict(features())
    assert np.isnan(estimate.value[0])
    assert estimate.refused[0] == "no task of this user has ended yet"


def test_nearest_goes_by_the_request_without_history():
    estimate = Nearest(["user"], levels=(0.05, 0.5, 0.95)).predict(features())
    assert estimate.refused[0] == ""
    assert abs(estimate.value[0] - 200.0) < 1e-6
    assert estimate.quantiles[0, 2] == 1000.0


def test_nearest_refuses_without_history_and_request():
    estimate = Nearest(["user"], levels=(0.05, 0.5, 0.95)).predict(features(limit_s=None))
    assert np.isnan(estimate.quantiles).all()
    assert "neither history nor a request" in estimate.refused[0]
