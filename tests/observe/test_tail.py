"""A file that grows is read on, whole line by whole line, also when it is cut or replaced."""

import os
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import InputError
from headway.observe.tail import Tail


def read(tail, **how):
    return [(fresh.line, fresh.data, fresh.is_new) for fresh in tail.read(**how)]


@settings(max_examples=40, deadline=None)
@given(parts=st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"1", b"\n")), max_size=12))
def test_whole_lines_come_once_in_order_however_they_were_written(parts):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "grows")
        path.write_bytes(b"")
        tail, came = Tail(path), []
        for part in parts:
            with path.open("ab") as file:
                file.write(part)
            came += tail.read()
        came += tail.read(is_last=True)
        tail.close()
    whole = b"".join(parts)
    read_in_all = b"".join(fresh.data for fresh in came)
    assert read_in_all == whole + (b"\n" if whole and not whole.endswith(b"\n") else b"")
    assert all(fresh.data.endswith(b"\n") for fresh in came)
    for before, after in pairwise(came):
        assert after.line == before.line + before.data.count(b"\n")
    assert [fresh.is_new for fresh in came] == [i == 0 for i in range(len(came))]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "grows"
    path.write_bytes(b"a\nb\n")
    return path


def test_a_file_that_is_replaced_is_read_to_its_end_and_then_the_other(path):
    tail = Tail(path)
    assert read(tail) == [(1, b"a\nb\n", True)]
    with path.open("ab") as file:
        file.write(b"c\nd")
    os.replace(path, path.with_name("grows.1"))
    assert read(tail) == [(3, b"c\n", False)]
    path.write_bytes(b"e\n")
    assert read(tail) == [(4, b"d\n", False), (1, b"e\n", True)]
    assert read(tail) == []
    tail.close()


@pytest.mark.parametrize("now", [b"x\n", b"x\ny\nz\nlonger than before\n"])
def test_a_file_that_is_cut_is_read_anew_also_when_it_has_grown_past_its_old_end(path, now):
    tail = Tail(path)
    read(tail)
    path.write_bytes(now)
    assert read(tail) == [(1, now, True)]
    tail.close()


def test_what_cannot_be_followed_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, says in (("none", "cannot be opened"), (".", "folder"), ("pipe", "not a regular")):
        with pytest.raises(InputError, match=says):
            Tail(tmp_path / name)


def test_a_large_file_comes_in_blocks_and_a_line_without_end_is_refused(path, monkeypatch):
    monkeypatch.setattr("headway.observe.tail._BLOCK_BYTES", 4)
    path.write_bytes(b"a\nbcd\nef\n")
    tail = Tail(path)
    assert read(tail) == [(1, b"a\n", True), (2, b"bcd\n", False), (3, b"ef\n", False)]
    with path.open("ab") as file:
        file.write(b"ghijklmnop")
    with pytest.raises(InputError, match="a line of more than 4 bytes"):
        read(tail)
    tail.close()
