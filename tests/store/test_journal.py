"""What a journal has said it keeps is there after a crash; what it has not is not half there."""

import os
import resource
import signal
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import ConfigError, StoreError
from headway.store.journal import Journal, records_of

RECORDS = [b"one", b"two" * 1000, b"\x00\xff"]


def written(folder, records=RECORDS):
    journal = Journal(folder)
    journal.append(records)
    journal.close()
    return folder


def test_records_come_back_in_order_after_reopening(tmp_path):
    written(tmp_path)
    journal = Journal(tmp_path)
    journal.append([b"three"])
    assert list(journal) == [*RECORDS, b"three"]


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=20), st.integers(1, 200))
@settings(max_examples=25, deadline=None)
def test_segments_change_nothing_for_a_reader(tmp_path_factory, records, segment_bytes):
    journal = Journal(tmp_path_factory.mktemp("journal"), segment_bytes=segment_bytes)
    for record in records:
        journal.append([record])
    assert list(journal) == records
    journal.close()


@pytest.mark.parametrize("cut", range(1, 12))
def test_an_append_that_was_cut_off_is_removed_and_writing_goes_on(tmp_path, cut):
    written(tmp_path)
    segment = tmp_path / "000000000001.log"
    os.truncate(segment, segment.stat().st_size - cut)
    journal = Journal(tmp_path)
    journal.append([b"new"])
    kept = list(journal)
    assert kept[:-1] == RECORDS[: len(kept) - 1]
    assert kept[-1] == b"new"


def test_a_changed_byte_ends_what_is_believed(tmp_path):
    written(tmp_path)
    segment = tmp_path / "000000000001.log"
    damaged = bytearray(segment.read_bytes())
    damaged[8] ^= 1
    segment.write_bytes(bytes(damaged))
    assert list(records_of(segment)) == []


def test_a_length_that_lies_does_not_take_all_memory(tmp_path):
    segment = tmp_path / "000000000001.log"
    segment.write_bytes(b"\xff\xff\xff\xff" + b"\x00" * 100)
    assert list(records_of(segment)) == []


def test_two_writers_are_refused(tmp_path):
    journal = Journal(tmp_path)
    with pytest.raises(StoreError, match="another process writes"):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


def test_sealed_segments_are_removed_when_they_are_kept_elsewhere(tmp_path):
    journal = Journal(tmp_path)
    journal.seal()
    assert journal.sealed() == []
    journal.append([b"a"])
    journal.seal()
    journal.append([b"b"])
    (segment,) = journal.sealed()
    assert list(records_of(segment)) == [b"a"]
    journal.remove(segment)
    assert list(journal) == [b"b"]


@pytest.mark.parametrize("records", [[b""], [b"ok", b""]])
def test_an_empty_record_is_refused_and_nothing_is_written(tmp_path, records):
    journal = Journal(tmp_path)
    with pytest.raises(ConfigError, match="bytes"):
        journal.append(records)
    assert list(journal) == []


def test_a_full_disk_keeps_what_was_there_and_nothing_of_the_rest(tmp_path):
    journal = Journal(tmp_path)
    journal.append([b"a" * 100])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150, before[1]))
        with pytest.raises(StoreError, match="larger than"):
            journal.append([b"b" * 100])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    journal.append([b"c"])
    assert list(journal) == [b"a" * 100, b"c"]


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path):
    program = textwrap.dedent("""
        import itertools, sys
        from headway.store.journal import Journal
        journal = Journal(sys.argv[1], segment_bytes=2000)
        for i in itertools.count():
            journal.append([str(i).encode()])
            print(i, flush=True)
    """)
    for run in range(3):
        folder = tmp_path / str(run)
        with subprocess.Popen(
            [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE
        ) as writer:
            told = [writer.stdout.readline() for _ in range(60)]
            writer.send_signal(signal.SIGKILL)
            told += writer.stdout.read().splitlines()[:-1]  # the last line may be cut
        kept = [int(record) for record in Journal(folder)]
        assert len(kept) >= len(told)
        assert kept == list(range(len(kept)))
