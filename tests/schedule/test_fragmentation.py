import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulate.clusters import clusters, nodes_with, shapes_with

from headway.schedule.fragmentation import GPUS, WHOLE, fits, give, room_of, take


def plain_fragmentation(nodes, shapes, room, i):
    """The definition of the paper, shape by shape."""
    free = room.gpu_milli[i, : nodes.gpus[i]]
    lost = 0.0
    for s, share in enumerate(shapes.share):
        enough = free >= shapes.gpu_milli[s]
        runs = (
            shapes.gpus[s] > 0
            and enough.sum() >= shapes.gpus[s]
            and shapes.cpu_milli[s] <= room.cpu_milli[i]
            and shapes.memory_mib[s] <= room.memory_mib[i]
            and (shapes.models[s] == 0 or shapes.models[s] & nodes.model[i] > 0)
        )
        lost += share * (free[~enough].sum() if runs else free.sum())
    return lost


def test_a_gpu_with_too_little_left_is_lost_to_those_who_ask_for_more():
    nodes = nodes_with([(8000, 100, 2, 1)])
    shapes = shapes_with([(1000, 10, 1, 400, 0), (1000, 10, 1, 700, 0)], share=[0.5, 0.5])
    room = room_of(nodes, shapes)
    assert room.lost[0] == 0.0
    take(nodes, shapes, room, 0, 0, 1)  # 1000 and 600 are free
    assert room.lost[0] == pytest.approx(0.5 * 600)
    take(nodes, shapes, room, 1, 0, 0)  # 300 and 600
    assert room.lost[0] == pytest.approx(0.5 * 300 + 0.5 * 900)


def test_without_cpu_all_free_gpus_are_lost():
    nodes = nodes_with([(1500, 100, 4, 1)])
    shapes = shapes_with([(1000, 10, 1, 1000, 0)])
    room = room_of(nodes, shapes)
    take(nodes, shapes, room, 0, 0, -1)
    assert room.lost[0] == 3 * WHOLE
    assert not fits(nodes, shapes, room, 0, 0)


def test_to_tasks_without_gpus_all_gpus_are_lost_and_nodes_without_gpus_lose_nothing():
    nodes = nodes_with([(8000, 100, 2, 1), (8000, 100, 0, 0)])
    shapes = shapes_with([(1000, 10, 0, 0, 0), (1000, 10, 1, 1000, 0)], share=[0.25, 0.75])
    room = room_of(nodes, shapes)
    np.testing.assert_allclose(room.lost, [0.25 * 2 * WHOLE, 0.0])


def test_models_are_respected():
    nodes = nodes_with([(8000, 100, 1, 1), (8000, 100, 1, 2), (8000, 100, 0, 0)])
    shapes = shapes_with([(1000, 10, 1, 500, 2), (1000, 10, 1, 500, 3), (1000, 10, 0, 0, 1)])
    room = room_of(nodes, shapes)
    fitting = [[fits(nodes, shapes, room, s, i) for i in range(3)] for s in range(3)]
    assert fitting == [[False, True, False], [True, True, False], [True, False, False]]


@given(clusters(), st.randoms(use_true_random=False))
def test_fragmentation_is_that_of_the_definition_and_ends_undo_starts(cluster, random):
    nodes, shapes, shape = cluster
    room, empty, runs = room_of(nodes, shapes), room_of(nodes, shapes), []
    for s in shape:
        fitting = [i for i in range(len(nodes.gpus)) if fits(nodes, shapes, room, s, i)]
        if fitting:
            i = random.choice(fitting)
            runs.append((s, i, take(nodes, shapes, room, s, i, -1)))
    for i in range(len(nodes.gpus)):
        assert room.lost[i] == pytest.approx(plain_fragmentation(nodes, shapes, room, i))
        assert -1e-6 <= room.lost[i] <= room.gpu_milli[i].sum() + 1e-6
        assert (room.gpu_milli[i, nodes.gpus[i] :] == 0).all()
    for s, i, devices in runs:
        assert bin(devices).count("1") == shapes.gpus[s]
        assert devices < 1 << GPUS
        give(nodes, shapes, room, s, i, devices)
    for now, then in zip(room[:4], empty[:4], strict=True):
        np.testing.assert_allclose(now, then)
