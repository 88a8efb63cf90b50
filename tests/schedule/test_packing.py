import math

import numpy as np
import pytest
from hypothesis import given
from tests.simulate.clusters import clusters, nodes_with, shapes_with

from headway.schedule.fragmentation import fits, room_of, take
from headway.schedule.packing import EXACT, FGD, LEARNED, POLICIES, cost_on
from headway.schedule.placement import PER_POINT, SIZE, descent, observe, scene_of
from headway.simulate.nodes import admit

SHARED = [(1000, 10, 1, 400, 0)]


def costs(policy, nodes, shapes, room, s, weights=None):
    scene = scene_of(nodes, shapes, descent() if weights is None else weights)
    found = [
        cost_on(POLICIES[policy], nodes, shapes, room, scene, s, i) for i in range(len(nodes.gpus))
    ]
    return [cost for cost, _ in found], [device for _, device in found]


def half_used():
    """Two nodes of two GPUs; on the second one GPU has 300 left, the other 700."""
    nodes = nodes_with([(8000, 80, 2, 1), (8000, 80, 2, 1)])
    shapes = shapes_with([(1000, 10, 1, 700, 0), (1000, 10, 1, 300, 0)])
    room = room_of(nodes, shapes)
    take(nodes, shapes, room, 0, 1, 0)
    take(nodes, shapes, room, 1, 1, 1)
    return nodes, shapes, room


@pytest.mark.parametrize(
    ("policy", "chosen", "device"),
    [
        ("first-fit", 0, 0), ("best-fit", 1, 0), ("worst-fit", 0, 0), ("tetris", 0, 0),
        ("least-dot", 1, 0), ("gpu-packing", 1, 0), ("fgd", 1, 0), ("fgd-exact", 1, 0),
    ],
)  # fmt: skip
def test_each_rule_chooses_as_its_source_says(policy, chosen, device):
    nodes, shapes, room = half_used()
    cost, devices = costs(policy, nodes, shapes, room, 1)  # 300 fit exactly on the second node
    assert int(np.argmin(cost)) == chosen
    assert devices[chosen] == device


def test_spreading_shares_the_emptiest_gpu_and_packing_the_fullest_that_fits():
    nodes, shapes, room = half_used()
    assert costs("worst-fit", nodes, shapes, room, 1)[1] == [0, 1]
    assert costs("best-fit", nodes, shapes, room, 1)[1] == [0, 0]
    assert costs("best-fit", nodes, shapes, room, 0)[1] == [0, 1]


def test_gpu_packing_opens_a_free_gpu_of_a_used_node_before_an_idle_node():
    nodes = nodes_with([(8000, 80, 4, 1), (8000, 80, 4, 1)])
    shapes = shapes_with([(1000, 10, 1, 1000, 0)])
    room = room_of(nodes, shapes)
    take(nodes, shapes, room, 0, 1, -1)
    cost, _ = costs("gpu-packing", nodes, shapes, room, 0)
    assert 1.0 <= cost[1] < 2.0 <= cost[0]


def test_tetris_puts_a_task_where_its_own_mix_is_free():
    nodes = nodes_with([(16000, 20, 0, 0), (8000, 80, 0, 0)])
    shapes = shapes_with([(4000, 2, 0, 0, 0), (500, 20, 0, 0, 0), (12000, 1, 0, 0, 0)])
    room = room_of(nodes, shapes)
    take(nodes, shapes, room, 2, 0, -1)  # little CPU is left on the first
    cost, _ = costs("tetris", nodes, shapes, room, 0)
    assert int(np.argmin(cost)) == 1


def test_fgd_fills_the_gap_that_few_others_can_use():
    nodes = nodes_with([(8000, 80, 1, 1), (8000, 80, 1, 1)])
    rows = [(1000, 10, 1, 500, 0), (1000, 10, 1, 400, 0), (1000, 10, 1, 550, 0)]
    shapes = shapes_with(rows, share=[0.9, 0.1, 0.0])
    room = room_of(nodes, shapes)
    take(nodes, shapes, room, 2, 1, 0)  # 450 are left, which nine of ten tasks cannot use
    cost, _ = costs("fgd-exact", nodes, shapes, room, 1)
    assert cost == pytest.approx([0.0, 50.0 - 0.9 * 450.0])
    assert costs("fgd", nodes, shapes, room, 1)[0] == [-50.0, -58.0]  # 100 / (1 + exp(-0.355))


@given(clusters())
def test_a_cost_is_finite_exactly_where_a_task_fits(cluster):
    nodes, shapes, shape = cluster
    room = admit(nodes, shapes, shape, "random").room
    for s in range(len(shapes.share)):
        fitting = [fits(nodes, shapes, room, s, i) for i in range(len(nodes.gpus))]
        for policy in POLICIES:
            cost, _ = costs(policy, nodes, shapes, room, s, np.ones(SIZE))
            assert [value < math.inf for value in cost] == fitting


@given(clusters())
def test_fgd_is_one_setting_of_the_learned_weights_and_exactly_what_starting_would_lose(cluster):
    nodes, shapes, shape = cluster
    room = admit(nodes, shapes, shape, "random").room
    before = [values.copy() for values in room[:4]]
    scene = scene_of(nodes, shapes, descent())
    for s in range(len(shapes.share)):
        for i in range(len(nodes.gpus)):
            if not fits(nodes, shapes, room, s, i):
                continue
            rounded = cost_on(FGD, nodes, shapes, room, scene, s, i)
            learned = cost_on(LEARNED, nodes, shapes, room, scene, s, i)
            assert learned == pytest.approx((PER_POINT * rounded[0], rounded[1]))
            cost, device = cost_on(EXACT, nodes, shapes, room, scene, s, i)
            for now, then in zip(room[:4], before, strict=True):
                np.testing.assert_array_equal(now, then)  # looking changes nothing
            after = room._replace(**{n: getattr(room, n).copy() for n in room._fields})
            take(nodes, shapes, after, s, i, device)
            assert after.lost[i] - room.lost[i] == pytest.approx(cost, abs=1e-6)


@given(clusters())
def test_features_are_finite_and_bounded(cluster):
    nodes, shapes, shape = cluster
    room = admit(nodes, shapes, shape, "random").room
    scene = scene_of(nodes, shapes, descent())
    for s in range(len(shapes.share)):
        for i in range(len(nodes.gpus)):
            if fits(nodes, shapes, room, s, i):
                observe(nodes, shapes, room, scene, s, i, -1, room.lost[i])
                assert np.isfinite(scene.x).all()
                assert -4.0 <= scene.x[0] <= 0.0
                assert abs(scene.x[1]) <= 8.0
                assert ((scene.x[2:] >= 0.0) & (scene.x[2:] <= 1.0)).all(), scene.x
