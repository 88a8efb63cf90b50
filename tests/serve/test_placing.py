"""Where tasks go: best fit, by hand and by its promises."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

placing = pytest.importorskip("headway.serve.placing")


def placed(tasks, nodes):
    body = {"tasks": tasks, "nodes": nodes}
    return placing.place(msgspec.convert(body, placing.PlaceBody))


def test_a_task_goes_where_least_is_left_and_takes_its_room():
    nodes = [{"name": "large", "free_cpus": 16}, {"name": "small", "free_cpus": 4}]
    tasks = [{"id": str(i), "cpus_requested": 3} for i in range(3)]
    assert [one["node"] for one in placed(tasks, nodes)] == ["small", "large", "large"]


def test_every_resource_must_fit_and_what_is_short_is_said():
    nodes = [
        {"name": "a", "free_cpus": 8, "free_memory_bytes": 10, "free_gpus": 0},
        {"name": "b", "free_cpus": 1, "free_memory_bytes": 100, "free_gpus": 1},
    ]
    said = placed([
        {"memory_requested_bytes": 50}, {"gpus": 2}, {"cpus_requested": 4, "gpus": 1},
        {"cpus_requested": 8},
    ], nodes)  # fmt: skip
    assert [one["node"] for one in said] == ["b", None, None, "a"]
    assert said[1]["refused"] == "no node has enough gpus"
    assert said[2]["refused"] == "no node has enough of all"
    assert placed([{}], [])[0]["refused"] == "there are no nodes"


def test_a_node_without_limits_takes_all_and_ties_go_to_the_first():
    nodes = [{"name": "a"}, {"name": "b"}]
    assert [one["node"] for one in placed([{"cpus_requested": 1e6}] * 3, nodes)] == ["a"] * 3


amounts = st.integers(0, 8)


@given(
    st.lists(st.tuples(amounts, amounts), max_size=12),
    st.lists(st.tuples(amounts, amounts), max_size=5),
)
def test_nodes_are_never_overfull_and_who_is_refused_fitted_nowhere(needs, rooms):
    nodes = [{"name": str(i), "free_cpus": c, "free_memory_bytes": m} for i, (c, m) in
             enumerate(rooms)]  # fmt: skip
    tasks = [{"cpus_requested": c, "memory_requested_bytes": m} for c, m in needs]
    left = [list(room) for room in rooms]
    for (cpus, memory), one in zip(needs, placed(tasks, nodes), strict=True):
        if one["node"] is None:
            assert one["refused"]
            assert all(c < cpus or m < memory for c, m in left)
        else:
            room = left[int(one["node"])]
            room[0] -= cpus
            room[1] -= memory
            assert min(room) >= 0
