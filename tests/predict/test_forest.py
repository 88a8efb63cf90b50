"""The trees answer what LightGBM answers, to the last digit, in blocks and one by one."""

import lightgbm
import numpy as np
import pytest

from headway.errors import ConfigError
from headway.features import History
from headway.observe.trace import read
from headway.predict.forest import Forest

QUIET = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, "deterministic": True}


def trained(x, y, rounds=20, **settings):
    data = lightgbm.Dataset(x, y, params=QUIET | settings)
    return lightgbm.train(QUIET | settings, data, rounds)


def by_lightgbm(boosters, x):
    return np.column_stack([b.predict(x, raw_score=True, num_threads=1) for b in boosters])


def forest_of(boosters):
    return Forest([booster.model_to_string() for booster in boosters])


def numbers(n=1000, d=6, seed=0):
    """Columns with many, with few and with no distinct values, zeros, holes and infinities."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-3, 9, d)
    x[:, 1] = rng.integers(0, 3, n)
    x[:, 2] = np.where(rng.random(n) < 0.5, 0.0, x[:, 2])
    x[rng.random((n, d)) < 0.1] = np.nan
    x[:, 3] = np.nan_to_num(x[:, 3])  # a column that had no holes when it was learned
    x[rng.random(n) < 0.01, 0] = np.inf
    y = np.nansum(np.arctan(x), axis=1) + np.where(np.isnan(x[:, 0]), 3.0, 0.0)
    return x, y + rng.normal(size=n)


def seen_by(forest, x):
    """The answers in a block and row by row, which must be the same."""
    places = np.arange(x.shape[1], dtype=np.uint32)
    together = forest.predict(x, places)
    for i in range(min(len(x), 200)):
        np.testing.assert_array_equal(forest.predict(x[i : i + 1], places)[0], together[i])
    return together


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"max_bin": 63, "objective": "quantile", "alpha": 0.9},
        {"zero_as_missing": True},
        {"use_missing": False},
        {"num_leaves": 32, "max_bin": 1000},
        {"num_leaves": 2},
        {"extra_trees": True, "feature_fraction": 0.5, "bagging_fraction": 0.5, "bagging_freq": 1},
    ],
)
def test_it_answers_exactly_what_lightgbm_answers(settings):
    x, y = numbers()
    boosters = [trained(x, y, **settings), trained(x, -y, rounds=7, **settings)]
    unseen, _ = numbers(n=700, seed=1)
    unseen[::5, 3] = np.nan
    unseen[::7, 4] = 1e-36
    np.testing.assert_array_equal(
        seen_by(forest_of(boosters), unseen), by_lightgbm(boosters, unseen)
    )


def test_values_that_are_exactly_at_a_cut_go_where_lightgbm_sends_them():
    x, y = numbers(d=4)
    booster = trained(x, y)
    cuts = [
        float(word)
        for line in booster.model_to_string().splitlines()
        if line.startswith("threshold=")
        for word in line.removeprefix("threshold=").split()
    ]
    at_cuts = np.array(cuts)[:, None].repeat(4, axis=1)
    around = np.concatenate([at_cuts, np.nextafter(at_cuts, -np.inf), np.nextafter(at_cuts, 1e99)])
    np.testing.assert_array_equal(
        seen_by(forest_of([booster]), around), by_lightgbm([booster], around)
    )


def test_trees_of_real_features_answer_the_same(data):
    (trace,) = (data / "scheduling" / "swf").glob("HPC2N-*.swf.gz")
    tasks = next(iter(read(trace)))[0].head(6000)
    x = History().replay(tasks).values
    y = np.log1p((tasks["ended_s"] - tasks["started_s"]).fill_null(0.0).to_numpy())
    settings = {"objective": "quantile", "max_bin": 63, "extra_trees": True}
    boosters = [trained(x[:3000], y[:3000], 30, alpha=a, **settings) for a in (0.05, 0.5, 0.95)]
    assert np.isnan(x).any()
    np.testing.assert_array_equal(seen_by(forest_of(boosters), x), by_lightgbm(boosters, x))


def test_the_columns_may_be_anywhere_in_a_row():
    x, y = numbers()
    booster = trained(x, y)
    places = np.array([7, 0, 3, 9, 5, 2], dtype=np.uint32)
    wide = np.full((len(x), 10), np.nan)
    wide[:, places] = x
    answers = forest_of([booster]).predict(wide, places)
    np.testing.assert_array_equal(answers, by_lightgbm([booster], x))


def test_raw_answers_of_a_classifier_are_log_odds():
    x, y = numbers()
    booster = trained(x, y > 0, objective="binary")
    odds = seen_by(forest_of([booster]), x)[:, 0]
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), booster.predict(x), rtol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 63, 64, 127, 128, 129, 256, 257, 600])
def test_any_number_of_rows_is_answered(n):
    x, y = numbers()
    booster = trained(x, y)
    answers = forest_of([booster]).predict(x[:n], np.arange(6, dtype=np.uint32))
    np.testing.assert_array_equal(answers, by_lightgbm([booster], x)[:n])


def test_trees_without_a_split_are_constants():
    x, y = numbers(n=30)
    booster = trained(x, y, min_data_in_leaf=50)
    np.testing.assert_array_equal(seen_by(forest_of([booster]), x), by_lightgbm([booster], x))


def test_a_column_may_have_more_cuts_than_a_byte_can_count():
    x, y = numbers(n=3000)
    booster = trained(x[:, 4:5], y, rounds=60, max_bin=2000)
    forest = forest_of([booster])
    assert len(forest._plan.cuts) > 255
    np.testing.assert_array_equal(seen_by(forest, x[:, 4:5]), by_lightgbm([booster], x[:, 4:5]))


def test_what_it_cannot_answer_it_refuses():
    x, y = numbers()
    with pytest.raises(ConfigError, match="num_leaves must be at most 32, got 40"):
        forest_of([trained(x, y, num_leaves=40)])
    kinds = lightgbm.Dataset(x[:, 4:5], y, categorical_feature=[0], params=QUIET)
    kinds.data = np.floor(np.nan_to_num(x[:, 4:5])) % 5
    with pytest.raises(ConfigError, match="numeric splits"):
        forest_of([lightgbm.train(QUIET | {"min_data_per_group": 1}, kinds, 5)])
