"""Tables of records: the polars dtype of every column, and rows as a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from headway.records import columns

if TYPE_CHECKING:
    from collections.abc import Sequence

DTYPES: dict[str, Any] = {
    "str": pl.String,
    "int": pl.Int64,
    "float": pl.Float64,
    "bool": pl.Boolean,
    "strs": pl.List(pl.String),
    "floats": pl.List(pl.Float64),
}
"""Type name of `records.columns` -> polars dtype; the only place that says so."""


def schema(kind: str) -> dict[str, Any]:
    """Column name -> polars dtype of a kind's table.

    >>> schema("sample")["value"]
    Float64
    """
    return {name: DTYPES[type_name] for name, type_name in columns(kind).items()}


def frame(kind: str, rows: Sequence[dict[str, Any]] = ()) -> pl.DataFrame:
    """Rows as a table of a kind; a column that a row does not name is null, none are invented.

    >>> frame("sample", [{"cluster": "c", "at_s": 1.0}]).shape
    (1, 5)
    """
    return pl.DataFrame(list(rows), schema=schema(kind), orient="row")


def complete(kind: str, known: pl.DataFrame) -> pl.DataFrame:
    """A frame with some of a kind's columns as its whole table: cast, null where missing, in order.

    >>> complete("sample", pl.DataFrame({"at_s": [1]})).columns[0]
    'cluster'
    """
    return known.select(
        (pl.col(name).cast(dtype) if name in known.columns else pl.lit(None, dtype).alias(name))
        for name, dtype in schema(kind).items()
    )
