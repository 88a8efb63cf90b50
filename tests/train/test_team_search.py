import numpy as np
import pytest

from headway.schedule.routing_network import SIZE, router_of
from headway.train.team import Standard, start_of
from headway.train.team_search import GATED, POINT, weights_of

START = start_of(Standard("least load", "sjf", offers=True))


def test_the_point_0_is_the_start():
    np.testing.assert_array_equal(weights_of(START, np.zeros(POINT)), START)


def test_every_number_of_a_point_moves_one_weight():
    moved = [np.flatnonzero(weights_of(START, row) != START) for row in np.eye(POINT)]
    assert {len(one) for one in moved} == {1}
    assert len(np.unique(np.concatenate(moved))) == POINT < SIZE
    gate = router_of(weights_of(START, np.eye(POINT)[-1])).gate - router_of(START).gate
    assert gate[-1] == pytest.approx(GATED[-1])


def test_patience_is_never_below_zero():
    assert router_of(weights_of(START, np.full(POINT, -1.0))).patience[0] == 0.0
