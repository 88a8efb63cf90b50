"""WfFormat instances."""

import contextlib
import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.observe.histories import whole

from headway.errors import InputError
from headway.observe.trace import recognise


def instance(**changes):
    specification = {
        "tasks": [
            {"id": "b_2", "name": "b_2", "parents": ["a_1"], "inputFiles": ["f"]},
            {"id": "a_1", "name": "a_1", "parents": [], "inputFiles": []},
            {"id": "c_3", "name": "c", "parents": ["a_1", "b_2"], "inputFiles": ["f", "g"]},
        ],
        "files": [{"id": "f", "sizeInBytes": 100}, {"id": "g", "sizeInBytes": 11}],
    }
    execution = {
        "executedAt": "20200403T154235+0000",
        "tasks": [
            {"id": "a_1", "runtimeInSeconds": 10.0, "memoryInBytes": 5, "avgCPU": 50.0},
            {"id": "b_2", "runtimeInSeconds": 20.5, "coreCount": 4, "machines": ["m1"]},
            {"id": "c_3", "runtimeInSeconds": 1, "readBytes": 400},
        ],
        "machines": [{"nodeName": "m1", "cpu": {"coreCount": 8}}, {"nodeName": "m2"}],
    }
    workflow = {"specification": specification, "execution": execution}
    return {"name": "wf", "schemaVersion": "1.5", "workflow": {**workflow, **changes}}


def written(tmp_path, content):
    path = tmp_path / "wf.json"
    path.write_text(json.dumps(content))
    return path


def test_tasks_start_when_their_parents_have_ended(tmp_path):
    path = written(tmp_path, instance())
    assert recognise(path) == "wfformat"
    tasks, bad, facts = whole(path)
    assert bad.height == 0
    assert tasks["id"].to_list() == ["a_1", "b_2", "c_3"]
    begin = 1585928555.0
    assert tasks["submitted_s"].to_list() == [begin, begin + 10, begin + 30.5]
    assert tasks["ended_s"].to_list() == [begin + 10, begin + 30.5, begin + 31.5]
    assert tasks["parents"].to_list() == [[], ["a_1"], ["a_1", "b_2"]]
    assert tasks["input_bytes"].to_list() == [None, 100, 111]
    assert tasks["read_bytes"].to_list() == [None, None, 400]
    assert tasks["name"].to_list() == ["a", "b", "c"]
    assert tasks["cpu_s"][0] == 5
    assert tasks["workflow"].unique().to_list() == ["wf"]
    assert (facts.total_cpus, facts.nodes) == (8, 2)


def test_a_task_whose_number_is_none_is_set_aside(tmp_path):
    content = instance()
    content["workflow"]["execution"]["tasks"][2]["runtimeInSeconds"] = "fast"
    content["workflow"]["execution"]["tasks"][1]["runtimeInSeconds"] = -4
    tasks, bad, _ = whole(written(tmp_path, content))
    assert tasks["id"].to_list() == ["a_1"]
    assert sorted(bad["reason"]) == ["cannot read runtimeInSeconds", "end before start"]


def test_a_circle_of_parents_and_two_tasks_of_one_id_are_refused(tmp_path):
    content = instance()
    content["workflow"]["specification"]["tasks"][1]["parents"] = ["c_3"]
    with pytest.raises(InputError, match="wait for each other"):
        whole(written(tmp_path, content))
    content["workflow"]["specification"]["tasks"][1]["id"] = "b_2"
    with pytest.raises(InputError, match="two tasks of id 'b_2'"):
        whole(written(tmp_path, content))


@pytest.mark.parametrize("part", [[], 7, {"tasks": 5}, {"tasks": [{"id": 3}, 4]}, None])
def test_odd_shapes_are_read_or_refused(tmp_path, part):
    for name in ("specification", "execution"):
        with contextlib.suppress(InputError):
            whole(written(tmp_path, instance(**{name: part})))


def places(found, before=()):
    """The path of everything inside a JSON value."""
    if not isinstance(found, dict | list):
        return
    for key, inner in found.items() if isinstance(found, dict) else enumerate(found):
        yield (*before, key)
        yield from places(inner, (*before, key))


ODD = [None, -1, 1e300, 10**400, "", "\ud800", [], {}, [None], [[]], {"a": 1}, True, float("nan")]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_odd_values_anywhere_are_read_or_refused(tmp_path, data):
    content = instance()
    for _ in range(2):
        if not content:
            return
        *way, last = data.draw(st.sampled_from(list(places(content))))
        inner = content
        for key in way:
            inner = inner[key]
        inner[last] = copy.deepcopy(data.draw(st.sampled_from(ODD)))  # else it may hold itself
    with contextlib.suppress(InputError):
        whole(written(tmp_path, content))


def test_every_published_instance_is_read_whole(data):
    paths = sorted((data / "prediction" / "wfinstances").glob("*.json.gz"))
    assert len(paths) >= 30
    for path in paths:
        tasks, bad, facts = whole(path)
        assert (facts.format, bad.height) == ("wfformat", 0), path.name
        assert tasks["ended_s"].null_count() == 0
        ends = dict(zip(tasks["id"], tasks["ended_s"], strict=True))
        for starts, parents in tasks.select("started_s", "parents").iter_rows():
            assert all(ends[p] <= starts for p in parents if p in ends)
