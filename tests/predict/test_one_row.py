"""One row is told what `predict` says of it, whatever the predictor and whatever it has learned."""

import copy
import pickle

import numpy as np
import pytest
from tests.predict.made_up import history, taught

from headway.errors import ConfigError
from headway.features import NAMES, VERSION
from headway.predict import Boosted, Conformal, Ensemble, predictor_for
from headway.predict import one_row as module
from headway.predict.columns import columns_for
from headway.predict.one_row import tell
from headway.protocols import Features

X, RUNTIME_S = taught(700)
PEAK = history(700)["memory_peak_bytes"].to_numpy().astype(float)
NOTHING = np.zeros(len(X), dtype=bool)


def strange_rows(n=40, seed=3):
    """Rows with values that no task had and with many unknown."""
    rng = np.random.default_rng(seed)
    values = X.values[rng.integers(0, len(X), n)].copy()
    values[rng.random(values.shape) < 0.3] = np.nan
    values[0] = np.nan
    values[1] = 100.0
    values[2] = 0.0
    return Features(NAMES, values, X.keys, np.zeros(n), VERSION)


def trees_of_memory():
    columns = columns_for("memory_bytes", NAMES)
    boosted = Boosted(columns.names, anchors=columns.anchors, levels=(0.05, 0.5, 0.95))
    return Conformal(Ensemble([("boosted", boosted)], NAMES, is_memory=True))


PREDICTORS = {
    "trees, else the nearest history": lambda: predictor_for("runtime_s", NAMES, orders=True),
    "mixture": lambda: predictor_for("runtime_s", NAMES),
    "mixture of memory": trees_of_memory,
    "mixture before its trees are fitted": lambda: predictor_for("memory_bytes", NAMES),
    "three members": lambda: predictor_for("runtime_s", NAMES, extras=("online",)),
    "failures": lambda: predictor_for("failure", NAMES),
}


def signs_of_rows_told_alike(predictor, x):
    signs = set()
    for row in range(len(x)):
        one = x.take(slice(row, row + 1))
        said, told = predictor.predict(one), tell(predictor, one)
        refused = str(said.refused[0])
        assert np.array_equal(told.value, said.value[0], equal_nan=True)
        quantiles = () if refused else said.quantiles[0]
        assert np.array_equal(told.quantiles, quantiles, equal_nan=True)
        assert (told.made_by, told.refused) == (str(said.made_by[0]), refused)
        signs.add(told.made_by)
    return signs


@pytest.mark.parametrize("name", PREDICTORS)
def test_a_row_is_told_what_predict_says_of_it(name):
    predictor = PREDICTORS[name]()
    y = PEAK if "memory" in name or "before" in name else RUNTIME_S
    rows = strange_rows()
    signed = set()
    for begin, end in ((0, 0), (0, 30), (30, 300), (300, 301), (301, 700)):
        part = slice(begin, end)
        if name == "failures":
            predictor.learn(X.take(part), (y > 400.0)[part].astype(float), NOTHING[part])
        else:
            predictor.learn(X.take(part), y[part], NOTHING[part])
        signed |= signs_of_rows_told_alike(predictor, rows)
        signed |= signs_of_rows_told_alike(predictor, X.take(slice(300, 320)))
    assert len(signed) > 1, signed


@pytest.mark.parametrize("name", ["trees, else the nearest history", "mixture"])
def test_what_is_usual_is_asked_in_one_call(name, monkeypatch):
    predictor = PREDICTORS[name]()
    predictor.learn(X, RUNTIME_S, NOTHING)
    one = X.take(slice(5, 6))
    said = tell(predictor, one)

    def refuse(*_):
        raise AssertionError("asked the general way")

    monkeypatch.setattr(Conformal, "predict", refuse)
    assert tell(predictor, one) == said


def test_features_of_another_definition_are_an_error():
    predictor = PREDICTORS["mixture"]()
    predictor.learn(X, RUNTIME_S, NOTHING)
    other = Features(NAMES, X.values[:1], X.keys, X.at_s[:1], "another")
    with pytest.raises(ConfigError, match="features version"):
        module.tell(predictor, other)


def test_a_copy_of_a_predictor_that_was_told_learns_for_itself():
    predictor = PREDICTORS["mixture"]()
    predictor.learn(X.take(slice(0, 300)), RUNTIME_S[:300], NOTHING[:300])
    one = X.take(slice(300, 301))
    before = tell(predictor, one)
    for copied in (copy.deepcopy(predictor), pickle.loads(pickle.dumps(predictor))):
        assert tell(copied, one) == before
        copied.learn(X.take(slice(300, 700)), RUNTIME_S[300:], NOTHING[300:])
        assert tell(copied, one) != before
    assert tell(predictor, one) == before
