"""What every Predictor in the door promises."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.predict.made_up import taught

import headway.predict as door
from headway.features import NAMES
from headway.predict import (
    Boosted,
    Conformal,
    Ensemble,
    First,
    Gaussian,
    Nearest,
    Neural,
    Online,
    Recent,
    Risk,
    Stream,
    XGBoosted,
    load,
    predictor_for,
    save,
)
from headway.predict.boosted import LEVELS

COLUMNS = [name for name in NAMES if ".memory_" not in name]


def boosted():
    return Boosted(COLUMNS, anchors=["user.ewma_log"], cap="limit_s", window=150, rounds=5)


def xgboosted():
    return XGBoosted(COLUMNS, anchors=["user.ewma_log"], cap="limit_s", window=150, rounds=5)


def neural():
    return Neural(COLUMNS, keys=X.keys, cap="limit_s", window=150, steps=(20, 10), first_fit=50)


def stream():
    return Stream(["cpus"], anchors=["user.ewma_log", "all.ewma_log"], cap="limit_s", every=8)


def nearest():
    return Nearest(["user", "all"], levels=LEVELS)


MAKERS = {
    "Boosted": boosted,
    "XGBoosted": xgboosted,
    "Neural": neural,
    "Stream": stream,
    "Online": lambda: Online(every=8),
    "Gaussian": lambda: Gaussian(["cpus", "limit_s"], cap="limit_s", most=32, every=8),
    "Nearest": nearest,
    "Recent": Recent,
    "Risk": lambda: Risk(COLUMNS, window=150),
    "First": lambda: First([boosted(), nearest()]),
    "Ensemble": lambda: Ensemble([("boosted", boosted())], NAMES),
    "Conformal": lambda: Conformal(First([boosted(), nearest()]), window=100),
}
X, Y = taught()
NATIVE = {".txt", ".json", ".npz", ".ubj", ".safetensors"}  # of saved models: nothing to run
LONG = (np.median(Y) < Y) * 1.0  # what a Risk is told
UNCENSORED = np.zeros(len(Y), dtype=bool)


def learned(make, cuts=()):
    predictor = make()
    y = LONG if isinstance(predictor, Risk) else Y
    edges = (0, *cuts, 300)
    for begin, end in pairwise(edges):
        part = slice(begin, end)
        predictor.learn(X.take(part), y[part], UNCENSORED[part])
    return predictor


def answers(predictor, rows):
    estimate = predictor.predict(X.take(rows))
    return np.column_stack([estimate.value, estimate.quantiles])


def test_every_predictor_in_the_door_is_in_this_suite():
    classes = {name for name in door.__all__ if name[0].isupper()}
    assert classes == set(MAKERS)


@pytest.fixture(scope="module", params=sorted(MAKERS))
def make(request):
    return MAKERS[request.param]


@pytest.fixture(scope="module")
def predictor(make):
    return learned(make)


def test_predicting_changes_nothing(predictor):
    rows = np.arange(300, 400)
    np.testing.assert_array_equal(answers(predictor, rows), answers(predictor, rows))


def test_the_order_of_rows_does_not_matter(predictor):
    rows = np.arange(300, 400)
    turned = rows[::-1].copy()
    np.testing.assert_allclose(answers(predictor, rows)[::-1], answers(predictor, turned))


@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one_row_are_answered(make, predictor, n):
    rows = np.arange(300, 300 + n)
    estimate = predictor.predict(X.take(rows))
    assert estimate.quantiles.shape == (n, len(estimate.levels))
    assert len(estimate.value) == len(estimate.made_by) == len(estimate.refused) == n
    fresh = make()
    fresh.learn(X.take(slice(0, n)), Y[:n], UNCENSORED[:n])
    assert len(fresh.predict(X.take(rows)).value) == n


def test_learning_in_one_call_or_in_many_is_the_same(make, predictor):
    parts = learned(make, cuts=(1, 2, 49, 50, 51, 120, 299))
    rows = np.arange(300, 400)
    np.testing.assert_allclose(answers(predictor, rows), answers(parts, rows))


def test_quantiles_do_not_decrease_so_more_coverage_is_never_narrower(predictor):
    estimate = predictor.predict(X.take(np.arange(300, 400)))
    assert np.all(np.diff(estimate.quantiles[estimate.refused == ""], axis=1) >= 0)
    assert np.all(np.diff(estimate.levels) > 0)


def test_a_refused_row_is_not_a_number_throughout(make):
    estimate = make().predict(X.take(slice(0, 1)))
    for i in np.flatnonzero(estimate.refused != ""):
        assert np.isnan(estimate.value[i])
        assert np.isnan(estimate.quantiles[i]).all()


def test_learning_leaves_its_arguments_alone(make):
    x, y = X.take(np.arange(120)), Y[:120].copy()
    before = x.values.copy()
    make().learn(x, y, UNCENSORED[:120])
    np.testing.assert_array_equal(x.values, before)
    np.testing.assert_array_equal(y, Y[:120])


@pytest.mark.parametrize("name", ["Boosted", "Gaussian", "Neural", "Online", "Stream", "XGBoosted"])
def test_a_member_that_was_saved_answers_and_learns_the_same(name):
    member = learned(MAKERS[name])
    other = type(member).load(member.save())
    rows = np.arange(300, 400)
    np.testing.assert_array_equal(answers(member, rows), answers(other, rows))
    for one in (member, other):
        one.learn(X.take(rows), Y[rows], UNCENSORED[rows])
    np.testing.assert_array_equal(answers(member, rows), answers(other, rows))
    assert {Path(file).suffix for file in member.save()} <= NATIVE


@pytest.mark.parametrize(("target", "y"), [("runtime_s", Y), ("failure", LONG)])
def test_what_was_saved_answers_and_learns_the_same(target, y):
    predictor = predictor_for(target, NAMES)
    predictor.learn(X.take(slice(0, 300)), y[:300], UNCENSORED[:300])
    other = load(save(predictor))
    rows = np.arange(300, 400)
    np.testing.assert_array_equal(answers(predictor, rows), answers(other, rows))
    for one in (predictor, other):
        one.learn(X.take(rows), y[rows], UNCENSORED[rows])
    np.testing.assert_array_equal(answers(predictor, rows), answers(other, rows))


def test_models_are_saved_as_text_and_plain_arrays():
    predictor = predictor_for("runtime_s", NAMES)
    predictor.learn(X.take(slice(0, 100)), Y[:100], UNCENSORED[:100])
    files = save(predictor)
    assert {Path(name).suffix for name in files} == {".txt", ".json", ".npz"}
    assert files["boosted-0.5-target.txt"].startswith(b"tree")
