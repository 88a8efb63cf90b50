import json

from headway.history import workflows_of
from tests.made_history import swf_text


def nothing(what, share):
    pass


def instance(path, runtimes):
    """A WfFormat file: one task after the other, each of a name of its own."""
    names = [f"step{i}" for i in range(len(runtimes))]
    tasks = [
        {"name": name, "id": name, "parents": names[max(i - 1, 0) : i]}
        for i, name in enumerate(names)
    ]
    runs = [{"id": n, "runtimeInSeconds": r} for n, r in zip(names, runtimes, strict=True)]
    document = {
        "name": path.stem,
        "schemaVersion": "1.5",
        "workflow": {"specification": {"tasks": tasks}, "execution": {"tasks": runs}},
    }
    path.write_text(json.dumps(document))
    return path


def test_every_executed_workflow_is_a_kind(tmp_path):
    paths = [instance(tmp_path / "a.json", [1.0, 2.0]), instance(tmp_path / "b.json", [3.0] * 4)]
    ((name, (first, second)),) = workflows_of(paths, nothing).items()
    assert name == "a.json and 1 more"
    assert first.tasks.tolist() == [1, 1]
    assert first.edges.tolist() == [[0, 1]]
    assert len(second.tasks) == 4
    assert first.name != second.name


def test_a_history_whose_tasks_wait_for_none_has_no_workflows(tmp_path):
    path = tmp_path / "made.swf"
    path.write_text(swf_text(50))
    assert workflows_of([path], nothing) == {"made.swf": []}
