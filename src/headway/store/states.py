"""What every store takes in and shows: whole tables in, a window of latest states out."""

from __future__ import annotations

from math import inf

import polars as pl

from headway.errors import ConfigError
from headway.records import KINDS, TIMES
from headway.tables import complete, schema


def known_kind(kind: str) -> str:
    """The kind itself; ConfigError if no store keeps it."""
    if kind not in KINDS:
        raise ConfigError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    return kind


def whole(kind: str, batch: pl.DataFrame) -> pl.DataFrame:
    """A batch as a kind's whole table: its dtypes, null where a column is missing, -0.0 as 0.0.

    ConfigError where a column is none of the kind's or cannot be cast.
    """
    strange = [name for name in batch.columns if name not in schema(kind)]
    if strange:
        raise ConfigError(f"a batch of kind {kind!r} has unknown columns: {', '.join(strange)}")
    try:
        table = complete(kind, batch)
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"a batch of kind {kind!r} has a wrong type: {error}") from error
    return table.with_columns(pl.col(pl.Float64).fill_nan(None) + 0.0)


def window(kind: str, start_s: float, end_s: float) -> list[pl.Expr]:
    """The conditions of start_s <= time < end_s; none for a side that is open."""
    time = pl.col(TIMES[kind])
    since = [] if start_s == -inf else [time >= start_s]
    return since if end_s == inf else [*since, time < end_s]
