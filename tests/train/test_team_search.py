import numpy as np
import pytest

from headway.schedule.routing_network import SIZE, router_of
from headway.train.team import Standard, start_of
from headway.train.team_search import GATED, POINT, shrunk, weights_of

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


def test_what_noise_explains_is_left_out_of_a_slope():
    rng = np.random.default_rng(0)
    estimates = rng.normal([1.0, 0.0], 1.0, (400, 2))
    found = shrunk(estimates)
    assert found[0] == pytest.approx(1.0, abs=0.2)
    assert abs(found[1]) < abs(estimates[:, 1].mean())
    assert (shrunk(np.array([[1.0, -2.0], [-1.0, 2.0]])) == 0.0).all()
