import dataclasses
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from tests.predict.made_up import history, taught

from headway.errors import ConfigError
from headway.features import NAMES, History
from headway.predict import predictor_for
from headway.predict.answer import answer
from headway.predict.window import Window

X, Y = taught()
FREE = np.zeros(len(Y), dtype=bool)


def filled(n, cuts=(), **settings):
    """A window that learned n outcomes, and how many it held at each fit."""
    window, held = Window(["cpus", "limit_s"], ["user.ewma_log"], **settings), []
    edges = [0, *cuts, n]
    for begin, end in pairwise(edges):
        part = slice(begin, end)
        window.learn(X.take(part), Y[part], FREE[part], lambda: held.append(len(window.x)))
    return window, held


def test_fits_come_at_fixed_counts_that_grow_by_60_per_cent_and_keep_only_the_latest():
    window, held = filled(300, size=100)
    assert held == [50, 80, 100, 100]  # at 50, 80, 128 and 204 outcomes
    assert window.fits == 4
    assert window.rows_to_refit() == 204 + 122 - 300


def test_later_fits_come_after_a_fixed_number_of_outcomes():
    window, held = filled(300, first_fit=10, every=20)
    assert held == [10, 16, 25, *range(40, 300, 20), 300]  # 60 % of 40 is more than 20
    assert window.rows_to_refit() == 20


def test_a_history_that_is_known_as_a_whole_is_fitted_rarely_and_at_its_end():
    window, held = filled(299, first_fit=10, every=20, whole=299, size=60)
    assert held == [10, 40, *[60] * 5]  # four times as many, then a fifth: 99, 158, 217, 276, 299
    assert window.rows_to_refit() == 20
    np.testing.assert_array_equal(window.log_y, np.log1p(Y[239:299]))


@pytest.mark.parametrize(
    ("target", "first", "usual", "rare"),
    [("runtime_s", 50, 30, 150), ("failure", 50, 20, 100), ("memory_bytes", 3000, 1800, 6000)],
)
def test_every_predictor_that_is_told_of_a_whole_history_fits_rarely(target, first, usual, rare):
    table = history(first)
    x = History().replay(table)
    y = {
        "runtime_s": (table["ended_s"] - table["started_s"]).to_numpy(),
        "memory_bytes": table["memory_peak_bytes"].cast(pl.Float64).to_numpy(),
        "failure": np.arange(first) % 2.0,
    }[target]
    for whole, held in ((0, usual), (20_000, rare)):
        predictor = predictor_for(target, NAMES, whole=whole)
        predictor.learn(x, y, np.zeros(first, dtype=bool))
        assert predictor.rows_to_refit() == held


def test_no_more_outcomes_wait_than_two_windows_hold():
    window, _ = filled(300, range(7, 300, 7), size=20, first_fit=1000)
    assert sum(len(part[0]) for part in window._waiting) <= 40
    np.testing.assert_array_equal(window.save(), filled(300, size=20, first_fit=1000)[0].save())


@pytest.mark.parametrize("cuts", [(), (1, 2, 50, 51, 299)])
def test_the_pieces_in_which_outcomes_come_do_not_matter(cuts):
    window, _ = filled(300, cuts)
    whole, _ = filled(300)
    assert Window.load(window.save()).save() == whole.save()
    np.testing.assert_array_equal(window.log_y, np.log1p(Y[:300]))


def test_where_there_is_no_history_the_usual_outcome_stands_in():
    window, _ = filled(100)
    fresh = dataclasses.replace(X, values=np.full_like(X.values, np.nan)).take(slice(0, 2))
    rows, anchored = window.rows(fresh)
    assert rows.shape == (2, 2)
    assert anchored.tolist() == [window.usual] * 2
    assert window.usual == np.median(np.log1p(Y[:80]))  # of the last fit


def test_features_of_another_definition_are_refused():
    window, _ = filled(10)
    with pytest.raises(ConfigError, match="version"):
        window.rows(dataclasses.replace(X, version="older"))


def test_an_answer_is_in_order_below_the_limit_and_never_negative():
    x = X.take(slice(0, 2))  # limit 36,000 s
    logs = np.array([[3.0, -1.0, 20.0], [np.nan] * 3])
    estimate = answer(x, logs, np.array([0.1, 0.5, 0.9]), made_by="test-1", cap="limit_s")
    assert estimate.quantiles[0].tolist() == [0.0, np.expm1(3.0), pytest.approx(36_420.0)]
    assert estimate.value[0] == np.expm1(3.0)
    assert np.isnan(estimate.quantiles[1]).all()


@pytest.mark.parametrize("cut", [120, 200])
def test_what_is_loaded_stays_packed_until_more_is_learned_and_goes_on_as_if_it_never_was(cut):
    window, _ = filled(cut)
    saved = window.save()
    loaded = Window.load(saved)
    assert loaded.save() == saved
    assert len(loaded.x) == 0
    whole, held = filled(300, [cut])
    fits = []
    rest = slice(cut, 300)
    loaded.learn(X.take(rest), Y[rest], FREE[rest], lambda: fits.append(len(loaded.x)))
    assert fits == held[len(held) - len(fits) :]
    assert loaded.save() == whole.save()
