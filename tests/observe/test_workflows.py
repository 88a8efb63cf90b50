import io
import pickle
import tarfile

import numpy as np
import polars as pl
import pytest

from headway.errors import InputError
from headway.observe.trace import read
from headway.observe.workflows import SEEN_WITH, is_tpch, read_tpch, workflow_of_tasks


def archive_of(folder, arrays):
    path = folder / "queries.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, array in arrays.items():
            file = io.BytesIO()
            np.save(file, array, allow_pickle=True)
            member = tarfile.TarInfo(name)
            member.size = file.tell()
            file.seek(0)
            archive.addfile(member, file)
    return path


def query(first, fresh, rest, executors=SEEN_WITH):
    waves = {"first_wave": first, "fresh_durations": fresh, "rest_wave": rest}
    return {wave: dict.fromkeys(executors, values) for wave, values in waves.items()}


def archive_with(folder, stages, graph):
    return archive_of(
        folder,
        {
            "tpch/2g/adj_mat_1.npy": np.array(graph, float),
            "tpch/2g/task_duration_1.npy": np.array(dict(enumerate(stages))),
        },
    )


def test_tasks_of_fresh_executors_are_taken_out_of_the_first_wave(tmp_path):
    stages = [query([4000, 500, 600], [4000], [30]), query([700], [], [])]
    (workflow,) = read_tpch(archive_with(tmp_path, stages, [[0, 1], [0, 0]]))
    fresh, first, rest = workflow.durations_s[0][50]
    assert fresh.tolist() == [4.0]
    assert first.tolist() == [0.5, 0.6]
    assert rest.tolist() == [0.03]
    assert workflow.tasks.tolist() == [4, 1]
    assert workflow.edges.tolist() == [[0, 1]]


def test_a_wave_that_was_never_seen_is_taken_from_the_next_one(tmp_path):
    stages = [query([700], [], []), query([900], [900], [])]
    (workflow,) = read_tpch(archive_with(tmp_path, stages, [[0, 1], [0, 0]]))
    assert [wave.tolist() for wave in workflow.durations_s[0][5]] == [[1.7], [0.7], [0.7]]
    assert [wave.tolist() for wave in workflow.durations_s[1][5]] == [[0.9], [0.9], [0.9]]


def test_a_stage_of_few_tasks_is_known_for_all_numbers_of_executors(tmp_path):
    (workflow,) = read_tpch(archive_with(tmp_path, [query([700], [], [], (5, 7))], [[0]]))
    assert set(workflow.durations_s[0]) == set(SEEN_WITH)


class Runs:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_an_archive_that_would_run_something_is_refused(tmp_path, capsys):
    path = archive_of(
        tmp_path,
        {
            "tpch/2g/adj_mat_1.npy": np.zeros((1, 1)),
            "tpch/2g/task_duration_1.npy": np.array({0: Runs()}),
        },
    )
    with pytest.raises(InputError, match="print is no number"):
        read_tpch(path)
    assert capsys.readouterr().out == ""
    assert pickle.dumps(Runs())


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "queries.tar.gz"
    path.write_text("no archive")
    with pytest.raises(InputError, match="not Decima's archive"):
        read_tpch(path)


def test_all_queries_of_tpch_are_read(data):
    workflows = read_tpch(data / "scheduling/tpch_dags/tpch_npy.tar.gz")
    assert len(workflows) == 154
    assert workflows[0].name == "2g 1"
    assert workflows[-1].name == "100g 22"
    assert max(len(w.tasks) for w in workflows) == 18
    assert all(np.all(w.edges[:, 0] < w.edges[:, 1]) for w in workflows)


def test_tasks_of_one_name_and_depth_are_a_stage():
    tasks = pl.DataFrame(
        {
            "id": ["a", "b1", "b2", "c"],
            "name": ["split", "map", "map", "join"],
            "parents": [[], ["a"], ["a"], ["b1", "b2"]],
            "started_s": [0.0, 1.0, 1.0, 5.0],
            "ended_s": [1.0, 4.0, 3.0, 9.0],
        }
    )
    workflow = workflow_of_tasks("tiny", tasks)
    assert workflow.tasks.tolist() == [1, 2, 1]
    assert workflow.edges.tolist() == [[0, 1], [1, 2]]
    assert sorted(workflow.durations_s[1][5][0].tolist()) == [2.0, 3.0]


def test_an_executed_workflow_becomes_a_kind(data):
    path = (
        data
        / "prediction/wfinstances/pegasus__1000genome__1000genome-chameleon-2ch-100k-001.json.gz"
    )
    tasks = pl.concat([frame for frame, _ in read(path)])
    workflow = workflow_of_tasks("1000genome", tasks)
    assert workflow.tasks.sum() == tasks.height
    assert len(workflow.edges) > 0


def test_a_folder_is_read_as_the_archive_is(tmp_path):
    archive = archive_with(tmp_path, [query([700], [], [30])], [[0]])
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "folder", filter="data")
    (one,), (other,) = read_tpch(archive), read_tpch(tmp_path / "folder")
    assert (one.name, one.tasks.tolist()) == (other.name, other.tasks.tolist()) == ("2g 1", [2])
    assert is_tpch(archive)
    assert is_tpch(tmp_path / "folder")


def test_a_path_that_holds_no_queries_is_none(tmp_path):
    (tmp_path / "trace.swf").write_text("; MaxProcs: 4")
    assert not is_tpch(tmp_path)
    assert not is_tpch(tmp_path / "trace.swf")
    assert not is_tpch(tmp_path / "missing")
    with pytest.raises(InputError, match="adj_mat"):
        read_tpch(tmp_path)
