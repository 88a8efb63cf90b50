"""Tables of records have one dtype a column."""

import polars as pl
import pytest

from headway.records import KINDS, Task, as_row, columns
from headway.tables import complete, frame, schema


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_empty_table_with_its_columns(kind):
    empty = frame(kind)
    assert empty.columns == list(columns(kind))
    assert dict(empty.schema) == schema(kind)


def test_a_record_becomes_a_row_and_comes_back():
    task = Task(cluster="c", id="1", parents=("a", "b"), submitted_s=3.0, nodes=2)
    row = frame("task", [as_row(task)]).row(0, named=True)
    assert Task(**{**row, "parents": tuple(row["parents"])}) == task


def test_missing_columns_are_null_and_known_ones_are_cast():
    whole = complete("task", pl.DataFrame({"id": ["1"], "submitted_s": [3]}))
    assert dict(whole.schema) == schema("task")
    assert whole.row(0, named=True)["submitted_s"] == 3.0
    assert whole["user"].null_count() == 1
