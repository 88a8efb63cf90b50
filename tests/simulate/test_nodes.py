import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulate.clusters import clusters, nodes_with, shapes_with

from headway.errors import ConfigError
from headway.schedule.packing import POLICIES
from headway.schedule.placement import SIZE, descent
from headway.simulate.nodes import admit, replay

SOME_WEIGHTS = np.random.default_rng(0).normal(size=SIZE)


def weights_of(policy):
    return SOME_WEIGHTS if policy == "learned" else None


def plain_first_fit(nodes, shapes, shape):
    """First fit in plain Python: the node and the GPUs of each task."""
    cpu, memory = list(nodes.cpu_milli), list(nodes.memory_mib)
    free = [[1000] * int(gpus) for gpus in nodes.gpus]
    where = []
    for s in shape:
        asked, milli, models = int(shapes.gpus[s]), shapes.gpu_milli[s], shapes.models[s]
        for i in range(len(cpu)):
            enough = [d for d, left in enumerate(free[i]) if left >= milli][:asked]
            if (
                cpu[i] >= shapes.cpu_milli[s]
                and memory[i] >= shapes.memory_mib[s]
                and len(enough) == asked
                and (models == 0 or models & nodes.model[i])
            ):
                cpu[i] -= shapes.cpu_milli[s]
                memory[i] -= shapes.memory_mib[s]
                for d in enough:
                    free[i][d] -= milli
                where.append((i, sum(1 << d for d in enough)))
                break
        else:
            where.append((-1, 0))
    return where


def used(nodes, shapes, shape, placed, rows):
    """What the tasks of some rows take on each node: CPU, memory, thousandths of each GPU."""
    cpu, memory = np.zeros(len(nodes.gpus)), np.zeros(len(nodes.gpus))
    gpu = np.zeros((len(nodes.gpus), 8))
    for j in rows:
        i, s = placed.node[j], shape[j]
        cpu[i] += shapes.cpu_milli[s]
        memory[i] += shapes.memory_mib[s]
        bits = [d for d in range(8) if placed.devices[j] & (1 << d)]
        assert len(bits) == shapes.gpus[s]
        gpu[i, bits] += shapes.gpu_milli[s]
    return cpu, memory, gpu


@given(clusters())
def test_first_fit_is_that_of_plain_python(cluster):
    nodes, shapes, shape = cluster
    placed = admit(nodes, shapes, shape, "first-fit")
    expected = plain_first_fit(nodes, shapes, shape)
    assert list(zip(placed.node, placed.devices, strict=True)) == expected


@pytest.mark.parametrize("policy", POLICIES)
@given(cluster=clusters())
def test_no_node_is_ever_over_its_capacity_and_what_is_not_used_is_free(policy, cluster):
    nodes, shapes, shape = cluster
    placed = admit(nodes, shapes, shape, policy, weights=weights_of(policy))
    started = np.flatnonzero(placed.node >= 0)
    cpu, memory, gpu = used(nodes, shapes, shape, placed, started)
    np.testing.assert_array_equal(nodes.cpu_milli - cpu, placed.room.cpu_milli)
    np.testing.assert_array_equal(nodes.memory_mib - memory, placed.room.memory_mib)
    has = np.arange(8) < nodes.gpus[:, None]
    np.testing.assert_array_equal(np.where(has, 1000 - gpu, 0), placed.room.gpu_milli)
    assert min(map(np.min, placed.room[:3])) >= 0
    np.testing.assert_array_equal(np.isnan(placed.start_s), placed.node < 0)


@pytest.mark.parametrize("policy", POLICIES)
@given(cluster=clusters(), seed=st.integers(0, 99), walks=st.booleans())
def test_a_replay_is_never_over_capacity_and_starts_all_that_fit_somewhere(
    policy, cluster, seed, walks
):
    nodes, shapes, shape = cluster
    rng = np.random.default_rng(seed)
    submit_s = np.sort(rng.integers(0, 30, len(shape))).astype(float)
    runtime_s = rng.integers(1, 20, len(shape)).astype(float)
    placed = replay(
        nodes, shapes, shape, submit_s, runtime_s, policy,
        weights=weights_of(policy), seed=seed, walks=walks,
    )  # fmt: skip
    alone = [
        admit(nodes, shapes, shape[j : j + 1], "first-fit").node[0] >= 0 for j in range(len(shape))
    ]
    np.testing.assert_array_equal(~np.isnan(placed.start_s), alone)
    started = np.flatnonzero(alone)
    assert (placed.start_s[started] >= submit_s[started]).all()
    end_s = placed.start_s + runtime_s
    for now_s in np.unique(placed.start_s[started]):
        rows = started[(placed.start_s[started] <= now_s) & (end_s[started] > now_s)]
        cpu, memory, gpu = used(nodes, shapes, shape, placed, rows)
        assert (cpu <= nodes.cpu_milli).all()
        assert (memory <= nodes.memory_mib).all()
        assert (gpu <= 1000 * (np.arange(8) < nodes.gpus[:, None])).all()
    np.testing.assert_array_equal(placed.room.cpu_milli, nodes.cpu_milli)
    if not walks:
        assert (np.diff(placed.start_s[started]) >= 0.0).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_seed_places_the_same(policy):
    nodes = nodes_with([(32000, 256, 8, 1)] * 6 + [(64000, 256, 0, 0)])
    shapes = shapes_with([(1000, 4, 1, 300, 0), (2000, 4, 1, 1000, 0), (4000, 8, 0, 0, 0)])
    shape = np.random.default_rng(1).integers(0, 3, 80)

    def nodes_chosen(seed):
        placed = admit(nodes, shapes, shape, policy, weights=weights_of(policy), seed=seed)
        return list(zip(placed.node, placed.devices, strict=True))

    assert nodes_chosen(3) == nodes_chosen(3)
    assert (nodes_chosen(3) == nodes_chosen(4)) == (policy != "random")


def test_tasks_wait_until_something_ends_and_walk_around_what_does_not_fit():
    nodes = nodes_with([(1000, 10, 1, 1)])
    shapes = shapes_with([(100, 1, 1, 600, 0), (100, 1, 1, 300, 0)])
    shape, submit_s = np.array([0, 0, 1]), np.array([0.0, 1.0, 2.0])
    runtime_s = np.array([10.0, 10.0, 50.0])
    walked = replay(nodes, shapes, shape, submit_s, runtime_s, "best-fit")
    np.testing.assert_array_equal(walked.start_s, [0.0, 10.0, 2.0])
    blocked = replay(nodes, shapes, shape, submit_s, runtime_s, "best-fit", walks=False)
    np.testing.assert_array_equal(blocked.start_s, [0.0, 10.0, 10.0])


def test_what_cannot_be_replayed_is_refused():
    nodes, shapes = nodes_with([(1000, 10, 1, 1)]), shapes_with([(100, 1, 1, 600, 0)])
    one, two = np.zeros(1, np.int64), np.zeros(2, np.int64)
    with pytest.raises(ConfigError, match="policy must be one of first-fit.*got tight"):
        admit(nodes, shapes, one, "tight")
    with pytest.raises(ConfigError, match="weights belong to policy learned"):
        admit(nodes, shapes, one, "learned")
    with pytest.raises(ConfigError, match="weights belong to policy learned"):
        admit(nodes, shapes, one, "fgd", weights=descent())
    with pytest.raises(ConfigError, match="finite"):
        admit(nodes, shapes, one, "learned", weights=np.full(SIZE, np.nan))
    with pytest.raises(ConfigError, match="in order"):
        replay(nodes, shapes, two, np.array([1.0, 0.0]), np.ones(2), "fgd")
    with pytest.raises(ConfigError, match="runtime_s must be positive"):
        replay(nodes, shapes, one, np.zeros(1), np.zeros(1), "fgd")
