"""The Standard Workload Format, small and real."""

import gzip

import polars as pl
import pytest

from headway.observe.trace import read
from headway.tables import schema

HEADER = (
    "; Version: 2.2\n; MaxRecords: 3\n; UnixStartTime: 1000000000\n; MaxNodes: 2\n; MaxProcs: 8\n"
)
ROWS = (
    "  1    10    5   100    4  90.00   512    4   200  1024  1   7   3   9  2  1 -1 -1\n"
    "  2    20   -1    -1   -1     -1    -1    4   200    -1  5   7   3  -1 -1  6 -1 -1\n"
    "  3    30    0   200    2     -1    -1   -1   200    -1  0  -1  -1  -1 -1 -1  1 10\n"
)


def tasks_of(path, **options):
    trace = read(path, **options)
    batches = list(trace)
    return (
        pl.concat([tasks for tasks, _ in batches]),
        pl.concat([bad for _, bad in batches]),
        trace.facts,
    )


def test_numbers_become_a_task_with_units_multiplied_out(tmp_path):
    path = tmp_path / "small.swf"
    path.write_text(HEADER + ROWS)
    tasks, bad, facts = tasks_of(path)
    assert dict(tasks.schema) == schema("task")
    assert bad.height == 0
    first, second, third = tasks.rows(named=True)
    assert first["cluster"] == "small"
    assert (first["id"], first["user"], first["group"], first["name"]) == ("1", "7", "3", "9")
    assert (first["submitted_s"], first["started_s"], first["ended_s"]) == (
        1e9 + 10,
        1e9 + 15,
        1e9 + 115,
    )
    assert first["memory_peak_bytes"] == 4 * 512 * 1024
    assert first["memory_requested_bytes"] == 4 * 1024 * 1024
    assert first["cpu_s"] == 360.0
    assert first["state"] == "completed"
    assert second["ended_s"] is None
    assert (second["state"], second["queue"]) == ("cancelled", "6")
    assert third["state"] == "timeout"
    assert third["parents"] == ["1"]
    assert facts.total_cpus == 8
    assert facts.zero_s == 1e9
    assert facts.doubts == ()


def test_gzip_gives_the_same(tmp_path):
    plain, packed = tmp_path / "a.swf", tmp_path / "a.swf.gz"
    plain.write_text(HEADER + ROWS)
    packed.write_bytes(gzip.compress((HEADER + ROWS).encode()))
    assert tasks_of(plain)[0].equals(tasks_of(packed)[0])


@pytest.mark.parametrize(
    ("name", "rows"),
    [("HPC2N-2002-2.2-cln", 202871), ("SDSC-BLUE-2000-4.2-cln", 243306),
     ("CTC-SP2-1996-3.1-cln", 77222), ("CEA-Curie-2011-2.1-cln", 312826)],
)  # fmt: skip
def test_every_record_of_the_archive_is_read(data, name, rows):
    tasks, bad, facts = tasks_of(data / "scheduling" / "swf" / f"{name}.swf.gz")
    assert (tasks.height, bad.height) == (rows, 0)
    assert facts.cluster == name
    assert tasks["started_s"].null_count() == 0


def test_the_extended_form_of_metacentrum_is_read(data):
    tasks, bad, _ = tasks_of(data / "scheduling" / "wagap" / "wagap-2013.swf.gz")
    assert (tasks.height, bad["reason"].to_list()) == (17898, ["negative run"] * 2)
    assert tasks["memory_requested_bytes"].median() == 4 << 30
