import os
import subprocess
import sys
from math import inf
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal
from tests.store.kills import WRITER, killed, moments_s
from tests.store.made_up import tasks
from tests.store.writer import write

from headway.errors import StoreError
from headway.protocols import Appended
from headway.store import DeltaStore, delta

HERE = Path(__file__).parents[2]


def parts(folder):
    return sorted(p.name for p in Path(folder).glob("task/*.parquet"))


def stored_by(children):
    """(stored, duplicate) of all appends of writers that are let go at the same moment."""
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    out = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0] * len(children)
    return [tuple(map(int, line.split())) for text in out for line in text.splitlines()]


def test_two_processes_that_append_the_same_rows_lose_and_double_nothing(tmp_path):
    histories = [(0, 40, 8), (100, 40, 8)]
    commands = [[*WRITER, str(tmp_path), *map(str, history)] for history in histories]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    counts = stored_by([subprocess.Popen(command, **pipes) for command in commands])
    read = DeltaStore(str(tmp_path)).read("task", -inf, inf)
    assert_frame_equal(read, tasks(280))
    assert DeltaTable(str(tmp_path / "task")).count() == 280
    assert sum(stored for stored, _ in counts) == 280
    assert [sum(pair) for pair in counts] == [40] * 16


def test_a_writer_that_was_overtaken_compares_again(tmp_path):
    rows = tasks(6)

    def overtaken():
        yield rows.head(3)
        assert DeltaStore(str(tmp_path)).append("task", [rows[1:5]]) == Appended(4, 0)
        yield rows.tail(3)

    assert DeltaStore(str(tmp_path)).append("task", overtaken()) == Appended(2, 4)
    assert_frame_equal(DeltaStore(str(tmp_path)).read("task", -inf, inf), rows)
    assert DeltaTable(str(tmp_path / "task")).count() == 6


def test_an_append_larger_than_memory_allows_is_one_commit_of_several_files(tmp_path, monkeypatch):
    monkeypatch.setattr(delta, "PART_ROWS", 100)
    rows = tasks(1000)
    store = DeltaStore(str(tmp_path))
    assert store.append("task", (rows.slice(i, 30) for i in range(0, 1000, 30))) == Appended(
        1000, 0
    )
    assert len(parts(tmp_path)) == 9
    assert DeltaTable(str(tmp_path / "task")).version() == 1
    assert_frame_equal(store.read("task", -inf, inf), rows)


def test_a_table_of_an_older_release_reads_with_nulls_and_takes_new_columns(tmp_path, monkeypatch):
    rows = tasks(4)
    older = {name: t for name, t in rows.schema.items() if name not in ("gpus", "parents")}
    with monkeypatch.context() as past:
        for module in ("headway.tables", "headway.store.delta", "headway.store.states"):
            past.setattr(f"{module}.schema", lambda kind: older)
        DeltaStore(str(tmp_path)).append("task", [rows.select(*older)])
    store = DeltaStore(str(tmp_path))
    assert_frame_equal(store.read("task", -inf, inf), rows)
    assert store.append("task", [rows]) == Appended(0, 4)
    new = tasks(1, first=9).with_columns(gpus=pl.lit(2.0))
    assert store.append("task", [new]) == Appended(1, 0)
    assert_frame_equal(store.read("task", -inf, inf), pl.concat([rows, new]))
    assert "gpus" in {f.name for f in DeltaTable(str(tmp_path / "task")).schema().fields}


def test_a_fingerprint_is_the_same_for_ever():
    from headway.store.fingerprint import fingerprint

    rows = tasks(1).select("id", parents=pl.Series([["a", "ü"]]), gpus=pl.Series([0.5]))
    assert fingerprint(rows, rows.columns).tolist() == [14217294375718705445]


@pytest.mark.parametrize("shape", [(0, 6000, 1), (0, 1200, 9)], ids=["one", "several"])
def test_a_killed_import_is_completed_by_the_next_run(tmp_path, shape):
    for number, moment_s in enumerate(moments_s(3, whole_run_s=0.6, seed=shape[2])):
        uri = tmp_path / str(number)
        killed([*WRITER, str(uri), *map(str, shape)], moment_s)
        write(DeltaStore(str(uri)), *shape)
        assert_frame_equal(DeltaStore(str(uri)).read("task", -inf, inf), tasks(6000))
        committed = DeltaTable(str(uri / "task"))
        assert committed.count() == 6000
        assert sorted(os.path.basename(f) for f in committed.file_uris()) == parts(uri)
        assert list(uri.rglob("_writers/*")) == []


def test_files_of_a_living_writer_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(delta, "PART_ROWS", 10)

    def slow():
        yield tasks(10)
        DeltaStore(str(tmp_path)).append("task", [tasks(5, first=50)])
        yield tasks(10, first=10)

    assert DeltaStore(str(tmp_path)).append("task", slow()) == Appended(20, 0)
    assert DeltaStore(str(tmp_path)).read("task", -inf, inf).height == 25


FAILING = """
import os, sys, resource, signal
sys.path.insert(0, {here!r})
from tests.store.made_up import tasks
from headway.errors import StoreError
from headway.store import DeltaStore
rows = tasks(5000, first=100)
{before}
try:
    DeltaStore({uri!r}).append("task", [rows])
except StoreError as error:
    print(error)
"""


AS_NOBODY = """
from tempfile import TemporaryDirectory
with TemporaryDirectory() as other:  # loads all modules while they can be read
    DeltaStore(other).append("task", [rows])
os.getuid() or os.setuid(65534)
"""


def said(uri, before, **run):
    """What a process of its own says when it fails to append to a log."""
    code = FAILING.format(here=str(HERE), uri=str(uri), before=before)
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, **run
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


@pytest.fixture
def log(tmp_path):
    """A log that holds ten tasks and must hold them afterwards, and takes ten more."""
    DeltaStore(str(tmp_path / "log")).append("task", [tasks(10)])
    before = parts(tmp_path / "log")
    yield tmp_path / "log"
    assert parts(tmp_path / "log") == before
    store = DeltaStore(str(tmp_path / "log"))
    assert_frame_equal(store.read("task", -inf, inf), tasks(10))
    assert store.append("task", [tasks(10), tasks(10, first=10)]) == Appended(10, 10)
    assert len(parts(tmp_path / "log")) == 2


def test_a_disk_that_is_full_is_named_and_leaves_the_log_intact(log):
    limit = (
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"
    )
    assert "a file is larger than this system allows" in said(log, limit)


def test_a_missing_permission_is_named_and_leaves_the_log_intact(log, tmp_path):
    folders = [p for p in [log, *log.rglob("*")] if p.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    for above in (tmp_path, *list(tmp_path.parents)[:3]):
        above.chmod(0o755)
    assert "no permission" in said(log, AS_NOBODY)
    for folder in folders:
        folder.chmod(0o755)


def test_a_log_that_may_not_be_read_is_not_taken_for_an_empty_one(tmp_path):
    DeltaStore(str(tmp_path)).append("task", [tasks(3)])
    refused = Path(tmp_path / "task" / "_delta_log")
    for above in (tmp_path, *list(tmp_path.parents)[:3]):
        above.chmod(0o755)
    refused.chmod(0o000)
    assert "no permission" in said(tmp_path, AS_NOBODY)
    refused.chmod(0o755)


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "log").write_text("mine")
    store = DeltaStore(str(tmp_path / "log"))
    for use in (lambda: store.append("task", [tasks(1)]), lambda: store.read("task", -inf, inf)):
        with pytest.raises(StoreError, match="a file is in the way of a folder"):
            use()
    assert (tmp_path / "log").read_text() == "mine"


@pytest.mark.parametrize("text", ["{gar", "\x00\x01", '{"add":{"path":"gone.parquet"}}'])
def test_a_damaged_log_is_named(tmp_path, text):
    store = DeltaStore(str(tmp_path))
    store.append("task", [tasks(3)])
    entry = tmp_path / "task" / "_delta_log" / f"{1:020d}.json"
    whole = entry.read_text()
    entry.write_text(text)
    for use in (lambda s: s.append("task", [tasks(9)]), lambda s: s.read("task", -inf, inf)):
        with pytest.raises(StoreError, match=f"{tmp_path}/task"):
            use(DeltaStore(str(tmp_path)))
    entry.write_text(whole)
    assert_frame_equal(DeltaStore(str(tmp_path)).read("task", -inf, inf), tasks(3))


def test_a_damaged_or_missing_data_file_is_named(tmp_path):
    store = DeltaStore(str(tmp_path))
    store.append("task", [tasks(300)])
    (file,) = (tmp_path / "task").glob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="damaged or missing"):
        store.read("task", -inf, inf)
    file.unlink()
    with pytest.raises(StoreError, match="damaged or missing"):
        store.read("task", -inf, inf)
