"""The risk of failing: learned from every end, served before it, never certain."""

import numpy as np
import pytest
from tests.predict.made_up import history

from headway.errors import ConfigError
from headway.features import NAMES, History
from headway.predict import predictor_for
from headway.predict.risk import Risk
from headway.protocols import Features

COLUMNS = [name for name in NAMES if ".memory_" not in name]
TABLE = history(600, seed=3)
X = History().replay(TABLE)
USER = X.column("user")
RNG = np.random.default_rng(0)
TRUE = np.where(USER == 0, 0.9, np.where(USER == 1, 0.4, 0.05))
Y = (RNG.uniform(size=600) < TRUE) * 1.0
KNOWN = np.zeros(600, dtype=bool)


@pytest.fixture(scope="module")
def risk():
    taught = Risk(COLUMNS)
    taught.learn(X.take(slice(0, 500)), Y[:500], KNOWN[:500])
    return taught


def test_it_finds_who_fails_and_how_often(risk):
    late = slice(500, 600)
    found = risk.predict(X.take(late)).value
    assert np.abs(found - TRUE[late]).mean() < 0.1
    assert ((found > 0.0) & (found < 1.0)).all()


def test_the_interval_holds_the_probability_and_more_is_wider(risk):
    estimate = risk.predict(X.take(slice(500, 600)))
    low, high = estimate.quantiles[:, 1], estimate.quantiles[:, -2]
    assert ((low < estimate.value) & (estimate.value < high)).mean() > 0.9
    assert ((estimate.quantiles >= 0.0) & (estimate.quantiles <= 1.0)).all()


def test_without_history_it_refuses_with_a_reason():
    estimate = Risk(COLUMNS).predict(X.take(slice(0, 2)))
    assert np.isnan(estimate.value).all()
    assert np.isnan(estimate.quantiles).all()
    assert set(estimate.refused) == {"no task has failed or succeeded yet"}


def test_one_outcome_is_enough_to_answer_and_too_little_to_be_sure():
    risk = Risk(COLUMNS)
    risk.learn(X.take(slice(0, 1)), np.ones(1), KNOWN[:1])
    estimate = risk.predict(X.take(slice(1, 2)))
    assert estimate.refused[0] == ""
    assert estimate.quantiles[0, -2] - estimate.quantiles[0, 1] > 0.5


def test_an_end_that_is_neither_teaches_nothing_but_passes():
    one, other = Risk(COLUMNS), Risk(COLUMNS)
    y = Y[:200].copy()
    y[::4] = np.nan
    one.learn(X.take(slice(0, 200)), y, KNOWN[:200])
    other.learn(X.take(slice(0, 200)), np.where(np.isnan(y), 1.0, y), np.isnan(y))
    rows = X.take(slice(200, 300))
    np.testing.assert_array_equal(one.predict(rows).value, other.predict(rows).value)
    assert one.rows_to_refit() == other.rows_to_refit()


def test_a_history_in_which_everything_succeeds_gives_a_small_risk():
    risk = Risk(COLUMNS)
    risk.learn(X.take(slice(0, 400)), np.zeros(400), KNOWN[:400])
    assert (risk.predict(X.take(slice(400, 500))).value < 0.03).all()


def test_following_events_is_the_same_as_asking_and_telling_one_by_one():
    order = [(0, i) if turn == 0 else (1, i - 20) for i in range(120) for turn in (0, 1)]
    kinds, rows = np.array([e for e in order if e[1] >= 0]).T
    followed = Risk(COLUMNS).follow(X, kinds, rows, Y, KNOWN)
    risk = Risk(COLUMNS)
    for kind, row in zip(kinds.tolist(), rows.tolist(), strict=True):
        one = X.take(slice(row, row + 1))
        if kind == 0:
            estimate = risk.predict(one)
            np.testing.assert_allclose(estimate.value, followed.value[row : row + 1])
            np.testing.assert_allclose(estimate.quantiles[0], followed.quantiles[row])
        else:
            risk.learn(one, Y[row : row + 1], KNOWN[:1])


def test_predicting_leaves_nothing_behind(risk):
    before = risk.save()
    risk.predict(X.take(slice(500, 600)))
    after = risk.save()
    assert before.keys() == after.keys()
    assert before["risk.json"] == after["risk.json"]


def test_features_of_another_definition_are_refused(risk):
    other = Features(X.names, X.values[:1], X.keys, X.at_s[:1], "another")
    with pytest.raises(ConfigError, match="features version must be"):
        risk.predict(other)


def test_the_door_gives_a_risk_for_failure():
    assert isinstance(predictor_for("failure", NAMES), Risk)
