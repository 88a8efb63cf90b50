"""Any table of tasks: columns found by name and content."""

from datetime import UTC, datetime

import polars as pl
import pytest
from tests.observe.histories import whole

from headway.errors import ConfigError, InputError
from headway.observe.source import Source
from headway.observe.trace import cluster_of, recognise
from headway.records import Task, as_row
from headway.tables import frame, schema

CSV = (
    "job_id;user;submit_time;start_time;end_time;n_cpus;mem_gb;max_rss_mb;walltime_min;status\n"
    "1;ann;2024-01-01 00:00:00;2024-01-01 00:01:00;2024-01-01 01:01:00;4;2;512;90;ok\n"
    "2;bob;2024-01-01 00:00:05;;;1;1;;60;queued\n"
)


def tasks_of(tmp_path, text, name="t.csv", **options):
    path = tmp_path / name
    path.write_text(text)
    tasks, bad, facts = whole(path, **options)
    return tasks.rows(named=True), bad, facts


def test_units_behind_a_name_are_honoured(tmp_path):
    (first, second), bad, _ = tasks_of(tmp_path, CSV)
    assert bad.height == 0
    assert first["submitted_s"] == datetime(2024, 1, 1, tzinfo=UTC).timestamp()
    assert first["ended_s"] - first["started_s"] == 3600
    assert first["memory_requested_bytes"] == 2 << 30
    assert first["memory_peak_bytes"] == 512 << 20
    assert (first["limit_s"], first["cpus_requested"], first["state"]) == (5400, 4, "completed")
    assert (second["started_s"], second["state"]) == (None, "pending")


@pytest.mark.parametrize("separator", [",", "\t", "|", ";"])
def test_any_usual_separator_is_found(tmp_path, separator):
    text = CSV.replace(";", separator)
    tasks, bad, facts = tasks_of(tmp_path, text)
    assert (len(tasks), bad.height, facts.format) == (2, 0, "table")


@pytest.mark.parametrize(
    ("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]
)
def test_the_unit_of_epochs_is_seen_from_their_size(tmp_path, unit, factor):
    at = 1_700_000_000
    (task,), _, _ = tasks_of(
        tmp_path, f"id,submitted,ended,run\n7,{at * factor},{(at + 60) * factor},x\n"
    )
    assert (task["submitted_s"], task["ended_s"]) == (at, at + 60)


def test_what_is_missing_is_derived_and_said(tmp_path):
    (task,), _, facts = tasks_of(tmp_path, "id,submit,wait,runtime,cores\na,1000,50,00:10:00,2\n")
    assert (task["started_s"], task["ended_s"]) == (1050, 1650)
    (task,), _, facts = tasks_of(tmp_path, "submit,duration\n1000,66.5\n")
    assert (task["id"], task["started_s"], task["ended_s"]) == ("2", 1000, 1066.5)
    assert any("its submission is taken" in x for x in facts.doubts)
    assert any("no column is an id" in x for x in facts.doubts)


def test_the_map_overrules_names_and_an_empty_field_leaves_a_column_out(tmp_path):
    text = "id,submit,end,user,memory\n1,5,9,ann,77\n"
    (task,), _, _ = tasks_of(tmp_path, text, column_map={"user": "project", "memory": ""})
    assert (task["user"], task["project"]) == (None, "ann")
    assert task["memory_requested_bytes"] is None


def test_a_map_that_cannot_be_is_wrong_usage(tmp_path):
    for column_map, sentence in [
        ({"nope": "user"}, "no column 'nope'"),
        ({"user": "colour"}, "cannot be mapped to 'colour'"),
        ({"user": "name", "id": "name"}, "'user' and 'id' are mapped to one field, 'name'"),
    ]:
        with pytest.raises(ConfigError, match=sentence):
            tasks_of(tmp_path, "id,submit,user\n1,2,a\n", column_map=column_map)
    with pytest.raises(ConfigError, match="in a table only"):
        tasks_of(tmp_path, "id,submit\n1,2\n", column_map={"id": "id"}, format="swf")


def test_a_name_is_not_enough_its_content_must_fit(tmp_path):
    text = "id,submit,start_time,start\n1,5,morning,6\n2,6,noon,9\n"
    tasks, _, _ = tasks_of(tmp_path, text)
    assert [t["started_s"] for t in tasks] == [6, 9]


def test_bad_cells_are_set_aside_by_column(tmp_path):
    text = (
        "id,submit,end,mem_b\n1,5,9,10\n2,5,9,NaN\n3,5,9,-3\n4,5,x,3\n5,9,5,3\n,5,9,3\n"
        '7,5,9\n8,5,9,"3\n9,5,9,inf\n10,5,9,4\n11,5,9,4\n12,5,9,4\n'
    )
    tasks, bad, _ = tasks_of(tmp_path, text)
    assert [t["id"] for t in tasks] == ["1", "10", "11", "12"]
    assert bad.select("line", "reason").sort("line").rows() == [
        (3, "a value is not finite"),
        (4, "negative memory"),
        (5, "cannot read end"),
        (6, "end before submission"),
        (7, "no id"),
        (8, "wrong number of columns"),
        (9, "unbalanced quotes"),
        (10, "a value is not finite"),
    ]


@pytest.mark.parametrize("block_bytes", [40, 150])
def test_one_block_or_many_are_equal(tmp_path, block_bytes, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("id,submit,end\n" + '1,5,9\n"2",6,x\n3\n"4,9\n' * 9 + "5,1,2")
    tasks, bad, facts = whole(path)
    monkeypatch.setattr(Source.blocks, "__defaults__", (block_bytes,))
    again = whole(path)
    assert (tasks.height, bad.height) == (10, 27)
    assert again[0].equals(tasks)
    assert again[1].equals(bad)
    assert again[2] == facts


def test_quoted_cells_may_hold_the_separator(tmp_path):
    text = 'id,submit,job_name\n1,5,"a,b"\n2,6,"c ""d"""\n3,7,e"f"g\n'
    tasks, bad, _ = tasks_of(tmp_path, text)
    assert bad.height == 0
    assert [t["name"] for t in tasks][:2] == ["a,b", 'c "d"']


def test_parquet_gives_what_csv_gives(tmp_path):
    table = pl.DataFrame(
        {
            "job_id": [1, 2],
            "submit": [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)],
            "runtime_s": [5.5, None],
            "cpus": [2, -1],
        }
    )
    path = tmp_path / "t.parquet"
    table.write_parquet(path)
    assert recognise(path) == "table"
    tasks, bad, _ = whole(path)
    assert tasks.select("id", "submitted_s", "ended_s").rows() == [("1", 1704067200, 1704067205.5)]
    assert bad.select("line", "reason").rows() == [(2, "processors not positive")]
    assert '"job_id": "2"' in bad["text"][0]


def test_our_own_tables_come_back_from_parquet(tmp_path):
    task = Task(cluster="own", id="1", attempt=2, user="u", parents=("a", "b"), submitted_s=5.25,
                started_s=6.0, ended_s=7.5, cpus_requested=2.0, limit_s=9.0, state="failed",
                memory_requested_bytes=123, memory_peak_bytes=45, nodes=1, exit_code=3)  # fmt: skip
    table = frame("task", [as_row(task)])
    path = tmp_path / "own.parquet"
    table.write_parquet(path)
    tasks, bad, _ = whole(path)
    assert bad.height == 0
    assert dict(tasks.schema) == schema("task")
    assert tasks.equals(table)


def test_a_truncated_parquet_file_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pl.DataFrame({"id": range(5000), "submit": range(5000)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="Parquet"):
        whole(path)


def test_a_cluster_is_named_as_its_file_without_endings():
    from pathlib import Path

    names = {
        "HPC2N-2002-2.2-cln.swf.gz": "HPC2N-2002-2.2-cln", "a.b.csv": "a.b", "x.tar": "x.tar",
        "jobs.parquet": "jobs", ".csv": ".csv", "20171002": "20171002",
    }  # fmt: skip
    assert {n: cluster_of(Path("folder.gz") / n) for n in names} == names


def test_the_jobs_of_iu_are_compared_by_virtual_memory(data):
    tasks, bad, _ = whole(data / "prediction" / "iu-mason-pbs" / "jobs.csv.gz")
    assert (tasks.height, bad.height) == (16221, 0)
    raw = pl.read_csv(data / "prediction" / "iu-mason-pbs" / "jobs.csv.gz")
    assert tasks["memory_requested_bytes"].equals(raw["req_vmem_b"].alias("memory_requested_bytes"))
    assert tasks["memory_peak_bytes"].sum() == raw["used_vmem_b"].sum()
    assert tasks["limit_s"].sum() == raw["req_walltime_s"].sum()
    assert tasks["cpus_allocated"].equals(
        raw["exec_slots"].cast(pl.Float64).alias("cpus_allocated")
    )
    first = tasks.row(0, named=True)
    assert (first["cpus_requested"], first["nodes"]) == (32, 2)
    assert tasks["state"].eq("completed").sum() == 12853


def test_the_jobs_of_kabre_get_an_elapsed_time_within_their_limit(data):
    tasks, bad, facts = whole(data / "prediction" / "kabre-slurm" / "sacct.csv.gz")
    assert (tasks.height, bad.height, facts.format) == (30376, 0, "table")
    ran = tasks["ended_s"] - tasks["started_s"]
    assert ran.null_count() == 0
    assert (ran > tasks["limit_s"] + 1e-3).sum() == 0
    assert tasks["state"].eq("timeout").sum() == 872
    assert any("best effort" in x for x in facts.doubts)
