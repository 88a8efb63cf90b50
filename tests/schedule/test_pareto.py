"""Fronts and hypervolumes by hand, and against counting random points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.schedule.pareto import hypervolume, is_on_front

ONE = np.ones


def test_equal_points_do_not_push_each_other_off_the_front():
    assert is_on_front(np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 2.0]])).tolist() == [
        True, True, False,
    ]  # fmt: skip


def test_no_points_cover_nothing():
    assert hypervolume(np.empty((0, 3)), ONE(3)) == 0.0
    assert is_on_front(np.empty((0, 3))).tolist() == []


def test_a_point_beyond_the_reference_covers_nothing():
    assert hypervolume(np.array([[0.5, 1.5]]), ONE(2)) == 0.0


def test_a_single_point_covers_its_box():
    assert hypervolume(np.array([[0.5, 0.75, 0.0, 0.5]]), ONE(4)) == pytest.approx(0.0625)


@pytest.mark.parametrize("k", [2, 3, 4, 6])
def test_volumes_are_those_that_random_points_find(k):
    rng = np.random.default_rng(k)
    points, thrown = rng.random((12, k)), rng.random((200_000, k))
    found = (points[:, None, :] <= thrown).all(axis=2).any(axis=0).mean()
    assert hypervolume(points, ONE(k)) == pytest.approx(found, abs=0.005)  # four standard errors


points = st.integers(1, 4).flatmap(
    lambda k: st.lists(
        st.lists(st.integers(0, 9), min_size=k + 1, max_size=k + 1), min_size=1, max_size=8
    )
)


@given(points)
def test_what_is_dominated_adds_nothing_and_more_points_never_cover_less(rows):
    found = np.array(rows, dtype=float)
    reference = np.full(found.shape[1], 10.0)
    whole = hypervolume(found, reference)
    assert hypervolume(found[is_on_front(found)], reference) == pytest.approx(whole)
    assert hypervolume(found[:-1], reference) <= whole + 1e-9
    assert hypervolume(found[:, ::-1], reference) == pytest.approx(whole)
