"""The suite of every store over a bucket, and writers that race for it."""

import subprocess
from math import inf
from uuid import uuid4

import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal
from tests.conformance.store_suite import *  # noqa: F403
from tests.real.object_store import bucket, serving
from tests.store.kills import WRITER, killed
from tests.store.made_up import tasks

from headway.errors import StoreError
from headway.store import DeltaStore


@pytest.fixture(scope="session")
def address():
    with serving() as address:
        yield address


@pytest.fixture
def place(address):
    """(uri, storage options) of an empty bucket."""
    name = f"b{uuid4().hex}"
    return f"s3://{name}/log", bucket(address, name)


@pytest.fixture
def store(place):
    return DeltaStore(*place)


def command(place, *history):
    uri, options = place
    return [*WRITER, uri, *map(str, history), *(f"{k}={v}" for k, v in options.items())]


def test_two_processes_that_append_the_same_rows_to_a_bucket_lose_nothing(place):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen(command(place, first, 40, 8), **pipes) for first in (0, 100)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    counts = [writer.communicate(timeout=120)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    pairs = [tuple(map(int, line.split())) for text in counts for line in text.splitlines()]
    assert_frame_equal(DeltaStore(*place).read("task", -inf, inf), tasks(280))
    assert DeltaTable(f"{place[0]}/task", storage_options=place[1]).count() == 280
    assert sum(stored for stored, _ in pairs) == 280
    assert [sum(pair) for pair in pairs] == [40] * 16


@pytest.mark.parametrize("moment_s", [0.1, 0.4, 0.8])
def test_a_killed_append_to_a_bucket_is_completed_by_the_next(place, moment_s):
    killed(command(place, 0, 3000, 1), moment_s)
    DeltaStore(*place).append("task", [tasks(3000)])
    assert_frame_equal(DeltaStore(*place).read("task", -inf, inf), tasks(3000))


def test_a_bucket_that_is_not_there_is_named(place):
    uri, options = "s3://no-such-bucket-anywhere/log", place[1]
    with pytest.raises(StoreError, match="no-such-bucket-anywhere"):
        DeltaStore(uri, options).append("task", [tasks(1)])


def test_a_server_that_does_not_answer_is_named(place):
    options = {**place[1], "aws_endpoint_url": "http://127.0.0.1:9", "max_retries": "0"}
    with pytest.raises(StoreError, match="does not answer"):
        DeltaStore(place[0], options).append("task", [tasks(1)])
