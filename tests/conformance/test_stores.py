"""One suite over every store in the door."""

from itertools import pairwise
from math import inf
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tests.conformance.store_suite import *  # noqa: F403
from tests.conformance.store_suite import task

import headway.store
from headway.protocols import Appended
from headway.store import DeltaStore, MemoryStore
from headway.tables import frame

STORES = {"DeltaStore": DeltaStore, "MemoryStore": lambda folder: MemoryStore()}


def test_every_store_of_the_door_is_here():
    assert set(STORES) == {
        name for name in headway.store.__all__ if hasattr(getattr(headway.store, name), "append")
    }


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    return STORES[request.param](str(tmp_path / "log"))


records = st.lists(
    st.builds(
        task,
        st.integers(1, 4),
        at_s=st.sampled_from([0.0, 1.0, 2.0]),
        state=st.sampled_from(["pending", "running", "completed"]),
        user=st.sampled_from([None, "", "ü"]),
        parents=st.sampled_from([None, [], ["a"], ["a", "b"]]),
    ),
    max_size=12,
)


@pytest.mark.parametrize("name", STORES)
@settings(max_examples=12, deadline=None)
@given(rows=records, cuts=st.lists(st.integers(0, 12), max_size=3))
def test_appending_in_one_call_or_many_is_equal(name, rows, cuts):
    edges = [0, *sorted(cuts), 12]
    pieces = [frame("task", rows[a:b]) for a, b in pairwise(edges)]
    with TemporaryDirectory() as folder:
        once, often = STORES[name](f"{folder}/once"), STORES[name](f"{folder}/often")
        all_at_once = once.append("task", pieces)
        each = [often.append("task", [piece]) for piece in pieces]
        assert all_at_once == Appended(sum(a.stored for a in each), sum(a.duplicate for a in each))
        twin = MemoryStore()
        assert twin.append("task", pieces) == all_at_once
        for window in ((-inf, inf), (0.5, 1.5), (1.0, 2.0)):
            expected = twin.read("task", *window)
            assert_frame_equal(once.read("task", *window), expected)
            assert_frame_equal(often.read("task", *window), expected)
