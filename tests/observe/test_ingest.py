"""A history taken into a store: exactly once, all or nothing, and every record accounted for."""

import gzip
import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.observe.histories import swf, swf_row, whole

from headway.errors import InputError
from headway.observe.ingest import Sample, distribution, ingest
from headway.observe.trace import read
from headway.store.memory import MemoryStore
from headway.tables import complete, frame


def written(tmp_path, text, name="h.swf"):
    path = tmp_path / name
    path.write_text(text)
    return path


def kept(store, kind="task"):
    return store.read(kind, -1e12, 1e12)


def test_the_same_file_twice_adds_nothing(tmp_path):
    path, store = written(tmp_path, swf(9) + swf_row(99, 950, run=-5) + "nonsense\n"), MemoryStore()
    first = ingest(read(path), store, now_s=1.0)
    assert (first.read, first.stored, first.duplicate, first.quarantined) == (11, 9, 0, 2)
    assert first.reasons == {"negative run": 1, "not 18 numbers": 1}
    assert first.examples["not 18 numbers"] == ["line 15: nonsense"]
    before = {kind: kept(store, kind) for kind in ("task", "quarantine", "cluster")}
    again = ingest(read(path), store, now_s=2.0)
    assert (again.read, again.stored, again.duplicate, again.quarantined) == (11, 0, 9, 2)
    for kind, table in before.items():
        assert kept(store, kind).equals(table)
    assert before["quarantine"]["at_s"].to_list() == [1.0, 1.0]
    assert before["cluster"]["total_cpus"].to_list() == [8.0]


def test_an_id_twice_alike_is_a_duplicate_and_otherwise_a_later_state(tmp_path):
    text = swf(3) + swf_row(2, 200, user=2) + swf_row(3, 300, run=55, user=0)
    store = MemoryStore()
    result = ingest(read(written(tmp_path, text)), store, 0.0)
    assert (result.read, result.stored, result.duplicate) == (5, 4, 1)
    last = kept(store).filter(pl.col("id") == "3").row(0, named=True)
    assert last["ended_s"] - last["started_s"] == 55


def test_a_file_that_breaks_off_leaves_nothing(tmp_path):
    path, store = tmp_path / "h.swf.gz", MemoryStore()
    path.write_bytes(gzip.compress(swf(60_000).encode())[:-100])
    with pytest.raises(InputError, match="ends in the middle"):
        ingest(read(path), store, 0.0)
    assert all(kept(store, kind).height == 0 for kind in ("task", "quarantine", "cluster"))


def test_tasks_come_back_in_order_of_time(tmp_path):
    store = MemoryStore()
    result = ingest(read(written(tmp_path, swf(3) + swf_row(9, 150) + swf_row(10, 50))), store, 0.0)
    assert kept(store)["id"].to_list() == ["10", "1", "9", "2", "3"]
    assert any("2 submissions are earlier" in x for x in result.warnings)


def test_progress_goes_up_to_the_whole_file(tmp_path):
    path, seen = written(tmp_path, swf(50)), []
    ingest(read(path), MemoryStore(), 0.0, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_a_hundred_thousand_bad_lines_are_kept_and_counted(tmp_path):
    path, store = written(tmp_path, swf(2) + "bad line\n" * 100_000), MemoryStore()
    began = time.monotonic()
    result = ingest(read(path), store, 0.0)
    assert (result.quarantined, kept(store, "quarantine").height) == (100_000, 100_000)
    assert len(result.examples["not 18 numbers"]) == 3
    assert time.monotonic() - began < 20


def some(rng, n, scale=1.0, user="u"):
    start = np.arange(n) * 10.0
    known = {
        "submitted_s": start,
        "started_s": start,
        "ended_s": start + rng.lognormal(5, 1, n) * scale,
        "user": [f"{user}{x}" for x in rng.integers(0, 5, n)],
        "cpus_requested": np.ones(n),
    }
    return complete("task", pl.DataFrame(known))


def test_more_of_the_same_is_no_jump():
    rng = np.random.default_rng(1)
    found = {x["column"]: x for x in distribution(some(rng, 4000), some(rng, 4000))}
    assert not any(x["flagged"] for x in found.values())
    assert found["runtime_s"]["psi"] < 0.05
    assert "memory_peak_bytes" not in found, "neither side knows it"


def test_longer_runs_new_users_and_missing_values_are_jumps():
    rng = np.random.default_rng(1)
    new = some(rng, 4000, scale=6.0, user="v").with_columns(
        cpus_requested=pl.when(pl.col("submitted_s") % 20 == 0).then(1.0)
    )
    found = {x["column"]: x for x in distribution(some(rng, 4000), new)}
    assert {c for c, x in found.items() if x["flagged"]} == {"runtime_s", "user", "cpus_requested"}
    assert found["cpus_requested"]["missing_now"] == 0.5


def test_a_jump_is_among_the_warnings(tmp_path):
    store = MemoryStore()
    ingest(read(written(tmp_path, swf(200), "a.swf")), store, 0.0)
    slow = "".join(swf_row(i, i * 100, run=9000) for i in range(200))
    result = ingest(read(written(tmp_path, swf(1) + slow, "b.swf")), store, 0.0, kept(store))
    assert any("unlike the earlier history: " in x and "runtime_s" in x for x in result.warnings)
    assert {"column", "psi", "missing_before", "missing_now", "flagged"} == set(
        result.distribution[0]
    )


def test_nothing_against_nothing_is_no_distribution():
    assert distribution(frame("task"), frame("task")) == []


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 90_000), max_size=12))
def test_a_sample_is_bounded_and_even(heights):
    sample, at = Sample(), 0
    for height in heights:
        sample.add(pl.DataFrame({"x": np.arange(at, at + height)}))
        at += height
    if at:
        taken = sample.tasks()["x"].to_numpy()
        assert min(at, 50_000) <= len(taken) <= 100_000
        assert len(np.unique(np.diff(taken))) <= 1


def test_every_archive_trace_adds_up(data):
    store = MemoryStore()
    path = data / "scheduling" / "swf" / "CTC-SP2-1996-3.1-cln.swf.gz"
    result = ingest(read(path), store, 0.0)
    assert (result.read, result.stored + result.duplicate, result.quarantined) == (77222, 77222, 0)
    assert kept(store).height == whole(path)[0]["id"].n_unique()
