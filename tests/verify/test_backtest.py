"""A backtest asks before it tells, and says how the combination did beside its members."""

import numpy as np
import pytest
from tests.forecast.test_mixture import DAY, HOUR_S, daily

from headway.errors import NotEnoughData
from headway.protocols import Panel
from headway.verify.backtest import backtest, foretell, origins_of, play, together

MEMBERS = ("naive", "seasonal_naive")


def panel(days, **changed):
    at_s, y = daily(days)
    said = {"names": ("a", "b", "c"), "at_s": at_s, "y": y, "step_s": HOUR_S, "seasons": (DAY,)}
    return Panel(**(said | changed))


def test_every_series_has_a_row_for_every_model_and_the_combination():
    told = []
    rows = backtest(panel(20), MEMBERS, DAY, 3, progress=lambda what, share: told.append(share))
    models = [*MEMBERS, "median", "headway"]
    assert [(row["model"], row["series"]) for row in rows] == [
        (model, name) for model in models for name in ("a", "b", "c")
    ]
    assert told[-1] == 1.0
    by = {(row["model"], row["series"]): row for row in rows}
    assert by["seasonal_naive", "a"]["mase"] < by["naive", "a"]["mase"]
    assert by["headway", "a"]["mase"] < by["median", "a"]["mase"]
    assert all(0.0 <= row["coverage_95"] <= 1.0 for row in rows)


def test_what_came_after_an_origin_changes_nothing_that_was_said_there():
    whole = panel(20)
    cuts = origins_of(len(whole.at_s), DAY, 2)
    other = whole.y.copy()
    other[cuts[-1] :] = 1e3
    changed = panel(20, y=other)
    said = []
    for one in (whole, changed):
        played = {name: play(one, name, DAY, cuts, 0) for name in MEMBERS}
        said.append(together(one, played, DAY, cuts, 2)["headway"].quantiles)
    assert np.array_equal(said[0], said[1])


def test_origins_are_a_horizon_apart_and_the_last_has_one_left():
    cuts = origins_of(500, DAY, 3)
    assert cuts[-1] == 500 - DAY
    assert set(np.diff(cuts)) == {DAY}


def test_too_little_is_refused_with_what_it_needs():
    with pytest.raises(NotEnoughData, match="144 points, got 100"):
        origins_of(100, DAY, 3)


def test_what_is_next_is_said_by_the_members_that_were_best():
    said = foretell(panel(20), MEMBERS, DAY, progress=lambda what, share: None)
    assert said.value.shape == (DAY, 3)
    assert said.made_by[0].startswith("seasonal_naive")
    assert (said.refused == "").all()


def test_a_past_without_origins_is_answered_by_all_alike():
    short = panel(2)
    said = foretell(short, MEMBERS, DAY, progress=lambda what, share: None)
    assert said.made_by[0] == "naive 0.50+seasonal_naive 0.50"


def test_a_series_that_nobody_answers_has_a_row_without_scores():
    unknown = panel(20)
    unknown.y[:, 1] = np.nan
    rows = backtest(unknown, MEMBERS, DAY, 2, progress=lambda what, share: None)
    assert all(np.isnan(row["mase"]) == (row["series"] == "b") for row in rows)
