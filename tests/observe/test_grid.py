import numpy as np
import pytest

from headway.errors import InputError
from headway.observe.grid import on_grid, seasons_of, usual_step_s

HOUR = 3600.0


def one(t, y, **settings):
    panel, doubts = on_grid({"a": (np.array(t, float), np.array(y, float))}, **settings)
    return panel, doubts


@pytest.mark.parametrize("step_s", [60.0, 300.0, 3600.0, 86400.0, 700.0])
def test_the_step_is_the_most_frequent_one(step_s):
    t = step_s * np.array([0, 1, 2, 3, 7, 8, 9])
    panel, _ = one(t, range(7))
    assert panel.step_s == step_s
    assert len(panel.at_s) == 10
    assert np.flatnonzero(np.isnan(panel.y[:, 0])).tolist() == [4, 5, 6]


def test_points_slightly_off_the_step_go_to_the_nearest():
    t = 1e9 + 300.0 * np.arange(50) + np.random.default_rng(0).uniform(-9, 9, 50)
    panel, _ = one(t, range(50))
    assert panel.step_s == 300.0
    assert panel.y[:, 0].tolist() == list(range(50))


def test_days_of_23_and_25_hours_stay_days():
    t = np.cumsum([0, *([24] * 5), 23, *([24] * 5), 25, 24, 24]) * HOUR
    panel, _ = one(t, range(len(t)))
    assert panel.step_s == 86400.0
    assert panel.y[:, 0].tolist() == list(range(len(t)))


def test_the_order_of_points_does_not_matter():
    turn = np.random.default_rng(1).permutation(40)
    t, y = HOUR * np.arange(40), np.arange(40.0)
    np.testing.assert_array_equal(one(t, y)[0].y, one(t[turn], y[turn])[0].y)


def test_several_points_of_a_step_become_their_mean_and_that_is_said():
    panel, doubts = one([0, HOUR, HOUR, 2 * HOUR], [1, 2, 4, 5])
    assert panel.y[:, 0].tolist() == [1, 3, 5]
    assert "1 steps hold more than one point" in doubts[0]


def test_a_coarser_step_takes_what_came_in_it():
    panel, doubts = one(300.0 * np.arange(6, 30), np.arange(24.0), step_s=HOUR)
    assert panel.at_s.tolist() == [0.0, HOUR, 2 * HOUR]
    assert panel.y[:, 0].tolist() == [2.5, 11.5, 20.5]
    assert doubts == []


def test_a_counter_becomes_what_it_rose_by_also_across_a_restart():
    t = HOUR * np.array([0, 1, 2, 3, 4, 7, 8])
    panel, _ = on_grid({'jobs_total{q="a"}': (t, np.array([5.0, 7, 10, 2, 3, 9, 10]))})
    expected = [2, 3, 2, 1, np.nan, np.nan, np.nan, 1]
    np.testing.assert_array_equal(panel.y[-8:, 0], expected)  # not across the gap


def test_rises_of_a_counter_add_up_over_a_coarser_step():
    t = 300.0 * np.arange(25)
    panel, _ = on_grid({"jobs_total": (t, 2.0 * np.arange(25))}, step_s=HOUR)
    assert panel.y[:2, 0].tolist() == [22.0, 24.0]  # the first rise is not known


def test_series_of_other_times_share_one_grid():
    panel, _ = on_grid(
        {"a": (HOUR * np.arange(5), np.ones(5)), "b": (HOUR * np.arange(3, 9), np.ones(6))}
    )
    assert panel.y.shape == (9, 2)
    assert np.isfinite(panel.y).sum(axis=0).tolist() == [5, 6]


def test_what_is_not_known_leaves_no_point():
    panel, _ = one([0, HOUR, np.nan, 2 * HOUR, 3 * HOUR], [1, 2, 3, np.inf, np.nan])
    assert panel.y[:, 0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("t", "says"),
    [
        ([], "no series has a point"),
        ([5.0], "one point only"),
        ([0, 1, 2, 3, 1e9], "times is wrong"),
    ],
)
def test_what_has_no_grid_is_refused(t, says):
    with pytest.raises(InputError, match=says):
        one(t, range(len(t)))


def test_seasons_are_a_day_and_a_week():
    assert seasons_of(300.0) == (288, 2016)
    assert usual_step_s([np.array([0.0, 61.0, 120.0])]) == 60.0
