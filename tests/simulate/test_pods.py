import numpy as np
import polars as pl
import pytest

from headway.errors import ConfigError
from headway.observe.pods import NODE, POD, read_nodes, read_pods
from headway.simulate.nodes import admit
from headway.simulate.pods import allocated, inflate, nodes_of, shapes_of


def table_of_nodes(*rows):
    return pl.DataFrame(rows, schema=NODE, orient="row")


def table_of_pods(*rows):
    return pl.DataFrame(rows, schema=POD, orient="row")


def test_nodes_and_pods_become_numbers():
    nodes, models = nodes_of(table_of_nodes((9, 8, 2, "T4"), (7, 6, 0, ""), (5, 4, 8, "G2")))
    assert models == ["G2", "T4"]
    assert nodes.model.tolist() == [2, 0, 1]
    pods = table_of_pods((1, 2, 1, 460, "T4|G2"), (1, 2, 0, 0, ""), (1, 2, 1, 460, "T4|G2"))
    shapes, shape = shapes_of(pods, models)
    assert shape[0] == shape[2] != shape[1]
    assert shapes.share[shape].tolist() == pytest.approx([2 / 3, 1 / 3, 2 / 3])
    assert shapes.models[shape].tolist() == [3, 0, 3]
    assert (shapes.kind_gpus.tolist(), shapes.kind_milli.tolist()) == ([1], [460])


def test_shares_are_counted_in_what_is_known_and_the_rest_is_only_named():
    pods = table_of_pods((1, 2, 1, 460, "A10"), (1, 2, 8, 1000, ""))
    known = table_of_pods((1, 2, 8, 1000, ""), (3, 3, 1, 1000, ""))
    shapes, shape = shapes_of(pods, ["T4"], known=known)
    assert shapes.share[shape].tolist() == [0.0, 0.5]
    assert shapes.share.sum() == 1.0
    nodes, _ = nodes_of(table_of_nodes((9, 8, 8, "T4")))
    assert admit(nodes, shapes, shape[:1], "fgd").node[0] == -1  # no node has its model


def test_a_list_is_inflated_to_the_load_and_by_the_seed():
    pods = table_of_pods((1, 1, 1, 500, ""), (1, 1, 0, 0, ""), (1, 1, 8, 1000, ""))
    shapes, shape = shapes_of(pods, [])
    asked = shapes.gpus * shapes.gpu_milli
    drawn = inflate(np.random.default_rng(0), shapes, shape, 100, 1.3)
    assert 130_000 <= asked[drawn].sum() < 138_000
    assert asked[drawn[:-1]].sum() < 130_000
    np.testing.assert_array_equal(drawn, inflate(np.random.default_rng(0), shapes, shape, 100, 1.3))


def test_allocated_counts_what_was_started():
    nodes, models = nodes_of(table_of_nodes((9000, 8, 2, "T4")))
    shapes, shape = shapes_of(table_of_pods((1, 1, 1, 500, ""), (1, 1, 2, 1000, "")), models)
    placed = admit(nodes, shapes, shape[[0, 1, 0]], "first-fit")
    assert allocated(nodes, shapes, shape[[0, 1, 0]], placed) == pytest.approx(0.5)


def test_fgd_admits_more_than_best_fit_and_that_more_than_random_on_the_published_list(data):
    folder = data / "scheduling" / "alibaba_gpu"
    table = read_nodes(folder / "openb_node_list_all_node.csv.gz").gather_every(8)
    nodes, models = nodes_of(table)
    shapes, shape = shapes_of(read_pods(folder / "openb_pod_list_default.csv.gz"), models)
    tasks = inflate(np.random.default_rng(0), shapes, shape, int(nodes.gpus.sum()), 1.3)
    share = [
        allocated(nodes, shapes, tasks, admit(nodes, shapes, tasks, policy))
        for policy in ("random", "best-fit", "fgd")
    ]
    assert 0.85 < share[0] < share[1] < share[2] < 0.97


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(9, 8, 9, "T4")], "gpu must be 0 to 8 on one node or more, got 9"),
        ([], "got 0"),
        ([(9, 0, 1, "T4")], "must be positive"),
        ([(9, 8, 1, f"model {i}") for i in range(63)], "at most 62 names, got 63"),
    ],
)
def test_nodes_that_cannot_be_simulated_are_refused(rows, message):
    with pytest.raises(ConfigError, match=message):
        nodes_of(table_of_nodes(*rows))


def test_pods_that_cannot_be_simulated_are_refused():
    with pytest.raises(ConfigError, match="gpu_milli must be"):
        shapes_of(table_of_pods((1, 1, 2, 500, "")), [])
    shapes, shape = shapes_of(table_of_pods((1, 1, 0, 0, "")), [])
    with pytest.raises(ConfigError, match="pods with GPUs"):
        inflate(np.random.default_rng(0), shapes, shape, 8, 1.3)
