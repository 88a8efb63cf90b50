"""What every Store promises, for a fixture `store`; tests/real runs it over a bucket."""

from math import inf

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from headway.errors import ConfigError
from headway.protocols import Appended
from headway.records import KEYS, KINDS, TIMES, columns
from headway.tables import frame, schema


def record(kind, number=1, at_s=1.0, **values):
    """A record whose key is made of `number`, null in all that is not named."""
    filled = {"str": f"k{number}", "int": number, "float": float(number)}
    key = {name: filled[columns(kind)[name]] for name in KEYS[kind]}
    return {**key, TIMES[kind]: at_s, **values}


def sample(at_s, value, metric="cpu_share"):
    return {"cluster": "c", "source": "n", "metric": metric, "at_s": at_s, "value": value}


def task(number, at_s=1.0, **values):
    return record("task", number, at_s, **values)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_was_never_written_reads_as_its_empty_table(store, kind):
    assert_frame_equal(store.read(kind, -inf, inf), frame(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_reads_back_as_it_was_written(store, kind):
    rows = frame(kind, [record(kind, n, at_s=float(n)) for n in (1, 2, 3)])
    assert store.append(kind, [rows]) == Appended(3, 0)
    assert_frame_equal(store.read(kind, -inf, inf), rows)


def test_an_empty_append_stores_nothing(store):
    assert store.append("task", []) == Appended(0, 0)
    assert store.append("task", [frame("task"), frame("task")]) == Appended(0, 0)
    assert_frame_equal(store.read("task", -inf, inf), frame("task"))


def test_the_same_records_again_add_nothing(store):
    rows = frame("task", [task(n) for n in range(5)])
    assert store.append("task", [rows, rows]) == Appended(5, 5)
    assert store.append("task", [rows.reverse()]) == Appended(0, 5)
    assert_frame_equal(store.read("task", -inf, inf), rows)


def test_the_last_state_of_a_key_is_what_readers_see(store):
    states = [task(1, state=s) for s in ("pending", "running", "completed")]
    assert store.append("task", [frame("task", states[:2])]) == Appended(2, 0)
    assert store.append("task", [frame("task", states[2:])]) == Appended(1, 0)
    assert store.read("task", -inf, inf)["state"].to_list() == ["completed"]


def test_an_old_state_again_does_not_bring_it_back(store):
    history = frame("task", [task(1, state="pending"), task(1, state="completed")])
    store.append("task", [history])
    assert store.append("task", [history]) == Appended(0, 2)
    assert store.read("task", -inf, inf)["state"].to_list() == ["completed"]


def test_rows_come_in_order_of_time_then_of_arrival(store):
    came = [(4, 5.0), (3, 1.0), (2, 5.0), (1, 0.5)]
    store.append("task", [frame("task", [task(n, at) for n, at in came[:2]])])
    store.append("task", [frame("task", [task(n, at) for n, at in came[2:]])])
    assert store.read("task", -inf, inf)["id"].to_list() == ["k1", "k3", "k4", "k2"]


def test_a_window_includes_its_start_and_excludes_its_end(store):
    store.append("sample", [frame("sample", [sample(t, 0.5) for t in (1.0, 2.0, 3.0)])])
    assert store.read("sample", 1.0, 3.0)["at_s"].to_list() == [1.0, 2.0]
    assert store.read("sample", 2.0, 2.0).height == 0
    assert store.read("sample", -inf, 2.0)["at_s"].to_list() == [1.0]
    assert store.read("sample", 2.5, inf)["at_s"].to_list() == [3.0]


def test_a_state_that_moved_out_of_the_window_is_not_read_in_it(store):
    store.append("task", [frame("task", [task(1, 1.0), task(2, 1.5), task(1, 9.0)])])
    assert store.read("task", 0.0, 2.0)["id"].to_list() == ["k2"]
    assert store.read("task", 2.0, 10.0)["id"].to_list() == ["k1"]


def test_null_is_kept_and_differs_from_every_value(store):
    rows = [sample(1.0, None), sample(2.0, 0.0), sample(3.0, None, metric="")]
    assert store.append("sample", [frame("sample", rows)]) == Appended(3, 0)
    assert store.append("sample", [frame("sample", [sample(1.0, 0.0)])]) == Appended(1, 0)
    assert store.read("sample", -inf, inf)["value"].to_list() == [0.0, 0.0, None]


def test_not_a_number_is_stored_as_not_known(store):
    store.append("sample", [frame("sample", [sample(1.0, float("nan"))])])
    assert store.read("sample", -inf, inf)["value"].to_list() == [None]
    assert store.append("sample", [frame("sample", [sample(1.0, None)])]) == Appended(0, 1)


def test_text_of_any_script_is_kept(store):
    texts = [
        "",
        "naïve Σ",
        "作业",
        "\U0001f680\u200d",
        "a\tb\nc\x00d",
        "e\u0301",
        "é",
        "x" * 5000,
    ]
    rows = frame("task", [task(n, name=text) for n, text in enumerate(texts)])
    assert store.append("task", [rows]) == Appended(len(texts), 0)
    assert store.read("task", -inf, inf)["name"].to_list() == texts


def test_lists_are_kept_and_their_order_counts(store):
    lists = [["a", "b"], ["b", "a"], ["ab"], [""], [], None]
    rows = frame("task", [task(1, parents=parents) for parents in lists])
    assert store.append("task", [rows]) == Appended(len(lists), 0)
    assert store.append("task", [rows]) == Appended(0, len(lists))
    numbers = frame("decision", [record("decision", n, features=[float(n), -0.5]) for n in (1, 2)])
    store.append("decision", [numbers])
    assert_frame_equal(store.read("decision", -inf, inf), numbers)


def test_a_source_that_fails_leaves_nothing(store):
    def failing():
        yield frame("task", [task(n) for n in range(3)])
        raise RuntimeError("the source broke")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="the source broke"):
            store.append("task", failing())
    assert store.read("task", -inf, inf).height == 0
    assert store.append("task", [frame("task", [task(1)])]) == Appended(1, 0)


def test_missing_columns_become_null_and_the_order_of_columns_is_free(store):
    store.append("sample", [pl.DataFrame({"value": [1], "at_s": [2]})])
    read = store.read("sample", -inf, inf)
    assert dict(read.schema) == schema("sample")
    assert read.rows() == [(None, None, None, 2.0, 1.0)]


def test_what_no_store_keeps_is_refused(store):
    with pytest.raises(ConfigError, match="kind must be one of"):
        store.append("tasks", [])
    with pytest.raises(ConfigError, match="kind must be one of"):
        store.read("tasks", -inf, inf)
    with pytest.raises(ConfigError, match="unknown columns: colour"):
        store.append("task", [pl.DataFrame({"colour": ["red"]})])
    with pytest.raises(ConfigError, match="wrong type"):
        store.append("task", [pl.DataFrame({"submitted_s": ["noon"]})])
