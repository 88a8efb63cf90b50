"""Whatever the file: a clear sentence or a counted reason, never a traceback."""

import contextlib
import gzip
import os
import random

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.observe.histories import SWF_HEADER, swf, swf_row, whole

from headway.errors import ConfigError, InputError
from headway.observe import source
from headway.observe.ingest import ingest
from headway.observe.trace import FORMATS, read, recognise
from headway.store.memory import MemoryStore


def written(folder, content, name="h.swf"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


UNREADABLE = {
    "empty": (b"", "is empty"),
    "blank": (b"\n\n   \n", "not a history|holds no records|only blank"),
    "header only": (SWF_HEADER.encode(), "holds no records, only a header"),
    "table header only": (b"job_id,submit,start,end\n", "holds no records"),
    "binary garbage": (bytes(range(256)) * 40, "is binary"),
    "prose": (b"Dear all,\nthe machine is down.\n", "not a history|no column"),
    "truncated gzip": (gzip.compress(swf(5000).encode())[:-900], "ends in the middle"),
    "damaged gzip": (b"\x1f\x8b\x08\x00garbage that is no deflate stream", "gzip file that"),
    "zip": (b"PK\x03\x04rest", "packed with zip"),
    "json of something else": (b'{"a": 1}', "no workflow.specification"),
    "broken json": (b'{"workflow": {', "is not JSON"),
    "deep json": (b"[" * 100_000, "is not JSON"),
    "parquet in name only": (b"PAR1" + b"x" * 100, "not a readable Parquet"),
    "table without times": (b"job_id,user\n1,a\n2,b\n", "--map COLUMN=submitted_s"),
    "only nonsense below a header": (SWF_HEADER.encode() + b"what is this\n" * 9, "not a history"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_file_is_refused_with_its_name_and_what_to_do(tmp_path, what):
    content, sentence = UNREADABLE[what]
    path, store = written(tmp_path, content, "h.data"), MemoryStore()
    with pytest.raises(InputError, match=sentence) as refused:
        ingest(read(path), store, 0.0)
    assert "h.data" in str(refused.value)
    assert store.read("task", 0, 1e12).height == store.read("quarantine", 0, 1e12).height == 0
    assert store.read("cluster", 0, 1e12).height == 0


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(InputError, match="cannot be opened: No such file"):
        read(tmp_path / "none.swf")


def test_no_read_permission_is_said(tmp_path, monkeypatch):
    path = written(tmp_path, swf())

    def refuse(self, mode="r"):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(source.Path, "open", refuse)
    with pytest.raises(InputError, match="cannot be opened: Permission denied"):
        read(path)


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        read(tmp_path / "pipe")


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "swf"])
def test_the_wrong_format_is_refused_and_the_right_one_named(tmp_path, format):
    path = written(tmp_path, swf())
    with pytest.raises(InputError) as refused:
        whole(path, format=format)
    assert "h.swf" in str(refused.value)


def test_a_table_read_as_swf_says_what_it_looks_like(tmp_path):
    path = written(tmp_path, "job_id,submit,start,end\n1,5,6,7\n2,6,7,8\n", "t.csv")
    with pytest.raises(InputError, match=r"cannot be read as swf.*looks like table"):
        whole(path, format="swf")


def test_an_unknown_format_is_wrong_usage(tmp_path):
    with pytest.raises(ConfigError, match="format must be one of swf, sacct"):
        read(written(tmp_path, swf()), format="slurm")


BAD_ROWS = {
    "negative run": swf_row(99, 10, run=-7),
    "negative wait": swf_row(99, 10, wait=-3),
    "negative used_kb": swf_row(99, 10, memory=-9),
    "negative procs": swf_row(99, 10, procs=-4),
    "memory over 1 PB": swf_row(99, 10, memory=10**15),
    "more than 100 million processors": swf_row(99, 10, procs=10**9),
    "a time outside 1970 to 2100": swf_row(99, 10**11),
    "runtime over ten years": swf_row(99, 10, run=4 * 10**8),
    "not 18 numbers": "99 10 5 100 4 90 512 4 200\n",
    "more than 18 numbers": swf_row(99, 10).strip() + " 3\n",
    "a value is not finite": swf_row(99, "nan"),
    "line too long": "9" * 1_000_000 + "\n",
}


@pytest.mark.parametrize("reason", BAD_ROWS)
def test_a_bad_record_is_set_aside_with_reason_line_and_text(tmp_path, reason):
    rows = swf(6).splitlines(keepends=True)
    rows.insert(7, BAD_ROWS[reason])
    tasks, bad, _ = whole(written(tmp_path, "".join(rows)))
    assert tasks["id"].to_list() == ["1", "2", "3", "4", "5", "6"]
    assert bad.select("source", "line", "reason").rows() == [("h.swf", 8, reason)]
    assert bad["text"][0] == BAD_ROWS[reason].strip()[:2000]


def test_infinity_is_set_aside(tmp_path):
    _, bad, _ = whole(written(tmp_path, swf(3) + swf_row(9, 50, run="inf")))
    assert bad["reason"].to_list() == ["a value is not finite"]


def test_a_line_of_many_blocks_is_cut_and_the_rest_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(source.Source.blocks, "__defaults__", (1 << 16,))
    path = written(tmp_path, swf(3) + "7" * 3_000_000 + "\n" + swf_row(4, 40))
    tasks, bad, _ = whole(path)
    assert tasks["id"].to_list() == ["1", "2", "3", "4"]
    assert bad.select("line", "reason").rows() == [(8, "line too long")]
    assert bad["text"][0] == "7" * 2000


def test_a_clock_that_jumps_back_is_kept_and_said(tmp_path):
    tasks, bad, facts = whole(
        written(tmp_path, SWF_HEADER + swf_row(1, 9000) + swf_row(2, 10) + swf_row(3, 20))
    )
    assert (tasks.height, bad.height) == (3, 0)
    assert any("2 submissions are earlier" in x and "8,990 s" in x for x in facts.doubts)


def test_a_header_that_lies_about_processors_is_corrected_and_doubted(tmp_path):
    lie = SWF_HEADER.replace("MaxProcs: 8", "MaxProcs: 2")
    *_, facts = whole(written(tmp_path, lie + swf_row(1, 10) + swf_row(2, 20)))
    assert facts.total_cpus == 4
    assert any("2 processors, but a task ran on 4" in x for x in facts.doubts)


def test_a_header_too_small_for_the_load_is_doubted(tmp_path):
    rows = "".join(swf_row(i, i, wait=0, run=1000) for i in range(50))
    *_, facts = whole(written(tmp_path, SWF_HEADER + rows))
    assert any("in use on average" in x for x in facts.doubts)


def test_a_header_that_lies_about_counts_is_doubted(tmp_path):
    *_, facts = whole(written(tmp_path, "; MaxRecords: 77\n" + swf(5)))
    assert any("77 records, the file has 5" in x for x in facts.doubts)


def test_a_header_with_an_impossible_start_is_doubted(tmp_path):
    lie = SWF_HEADER.replace("1000000000", "99999999999")
    tasks, _, facts = whole(written(tmp_path, lie + swf_row(1, 10)))
    assert tasks["submitted_s"].to_list() == [10.0]
    assert any("no time between 1970 and 2100" in x for x in facts.doubts)


def test_a_start_that_was_added_already_is_not_added_again(tmp_path):
    tasks, _, facts = whole(written(tmp_path, SWF_HEADER + swf_row(1, 1_000_000_010)))
    assert tasks["submitted_s"].to_list() == [1_000_000_010.0]
    assert any("epoch seconds already" in x for x in facts.doubts)


def test_a_file_that_grows_is_read_to_its_size_at_opening(tmp_path):
    path = written(tmp_path, swf(4) + "5 500 5 100 4 9")
    trace = read(path)
    batches = iter(trace)
    real = source.Source.blocks

    def grow_first(self):
        with path.open("a") as file:
            file.write("0 512 4 200 1024 1 7 3 9 2 1 -1 -1\n" + swf_row(6, 600))
        return real(self)

    source.Source.blocks = grow_first
    try:
        tasks = pl.concat([good for good, _ in batches])
    finally:
        source.Source.blocks = real
    assert tasks["id"].to_list() == ["1", "2", "3", "4"]
    assert any("grew while it was read: its last line 9" in x for x in trace.facts.doubts)
    again, _, facts = whole(path)
    assert again["id"].to_list() == ["1", "2", "3", "4", "5", "6"]
    assert facts.doubts == ()


def test_a_last_line_without_its_end_is_read_if_the_file_stands_still(tmp_path):
    tasks, bad, _ = whole(written(tmp_path, swf(4).rstrip("\n")))
    assert (tasks.height, bad.height) == (4, 0)


def test_windows_line_ends_tabs_and_a_mark_of_byte_order_change_nothing(tmp_path):
    plain = whole(written(tmp_path, swf(4)))[0]
    odd = whole(written(tmp_path, swf(4).replace("\n", "\r\n").replace(" ", "\t  ")))[0]
    assert odd.equals(plain)
    csv = "job_id,submit,end\n1,5,9\n"
    marked = whole(written(tmp_path, b"\xef\xbb\xbf" + csv.encode(), "t.csv"))[0]
    assert marked.equals(whole(written(tmp_path, csv, "t.csv"))[0])


def attempt(path):
    """The counts of an import, or the sentence why not; anything else is a bug."""
    try:
        result = ingest(read(path), MemoryStore(), 0.0)
    except InputError:
        return None
    assert result.read == result.stored + result.duplicate + result.quarantined
    assert sum(result.reasons.values()) == result.quarantined
    return result


QUICK = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUICK
@given(st.binary(max_size=400))
@example(b"{")
@example(b"a,b\n")
@example(b";\n\x00")
@example(b"\x1f\x8b")
def test_random_bytes_are_read_or_refused(tmp_path, content):
    path = written(tmp_path, content, "h.data")
    with contextlib.suppress(InputError):
        recognise(path)
    attempt(path)


@QUICK
@given(
    st.sampled_from([f for f in FORMATS]),
    st.sampled_from([
        b"JobID|Submit|State\n", b"task_id\thash\tprocess\tsubmit\n", b"job,submit,end,mem\n",
        b"10/01/2017 00:00:00;E;1.a;ctime=5 ", b"; MaxProcs: 1\n1 2 3 ", b'{"workflow": {', b"PAR1",
    ]),
    st.one_of(st.binary(max_size=200), st.text("0123456789|,;\t\n \"'-:.=TE", max_size=200)),
)  # fmt: skip
def test_random_bytes_below_a_true_beginning_are_read_or_refused(tmp_path, format, begin, rest):
    content = begin + (rest if isinstance(rest, bytes) else rest.encode())
    path = written(tmp_path, content, "h.data")
    attempt(path)
    with contextlib.suppress(InputError):
        whole(path, format=format)


@QUICK
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_corruption_of_a_history_keeps_the_counts_adding_up(tmp_path, seed, changes):
    rng, content = random.Random(seed), bytearray(swf(30).encode())
    for _ in range(changes):
        place = rng.randrange(len(content))
        kind = rng.randrange(3)
        if kind == 0:
            content[place] = rng.randrange(256)
        elif kind == 1:
            del content[place : place + rng.randrange(1, 30)]
        else:
            content[place:place] = bytes(rng.choices(b"0123456789 -.\n;e", k=rng.randrange(1, 9)))
    lines = [x for x in bytes(content).split(b"\n") if x.strip() and not x.strip().startswith(b";")]
    if b"\0" not in content and b"\r" not in content:
        result = attempt(written(tmp_path, bytes(content)))
        assert result is None or result.read == len(lines)


@settings(QUICK, max_examples=25)
@given(st.integers(64, 5000))
def test_one_block_or_many_are_equal(tmp_path, block_bytes):
    broken = swf(40).replace("10 100", "x y") + "1 2 3\n" + swf(3)
    path = written(tmp_path, broken)
    tasks, bad, facts = whole(path)
    assert bad.height
    old = source.Source.blocks.__defaults__
    source.Source.blocks.__defaults__ = (block_bytes,)
    try:
        again = whole(path)
    finally:
        source.Source.blocks.__defaults__ = old
    assert again[0].equals(tasks)
    assert again[1].equals(bad)
    assert again[2] == facts
