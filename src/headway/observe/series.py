"""Files of series: CSV or Parquet, wide or long, and answers of Prometheus, gz or not.

The column of times is found by its content. A file is wide, with one series per column of numbers,
unless a column is called `series`; then each of its values is a series.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from headway.errors import InputError
from headway.observe.columns import Columns, find_columns, points_of_table
from headway.observe.grid import Points, on_grid
from headway.observe.prometheus import points_of
from headway.observe.rows import header_of, read_rows
from headway.observe.source import Source
from headway.observe.table import as_text, separator_of
from headway.protocols import Panel

_MOST_BYTES: Final = 4 << 30


@dataclass(slots=True)
class PointsFile:
    """The points of each series as a file held them, in its order, and what SeriesFile says."""

    points: Points
    doubts: list[str]
    reasons: dict[str, int]


@dataclass(slots=True)
class SeriesFile:
    """What a file held: its series, what to say of them, and how many rows were set aside and why.

    `reasons` {reason: rows}; a row may be set aside whole (its time) or in one column.
    """

    panel: Panel
    doubts: list[str] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)


def read_series(
    path: str | Path,
    *,
    time: str = "",
    values: Sequence[str] = (),
    series: str = "",
    step_s: float = 0.0,
    zone: str = "",
) -> SeriesFile:
    """The series of a file on one regular grid, NaN where nothing was observed.

    time, values, series: names of columns, '' and () = found by content and by SERIES; step_s: of
    the grid, 0 = as the file's; zone: of times that state none, such as Europe/Berlin, '' = UTC.
    InputError where there is no time, no number or nothing at all, or where rows of several series
    cannot be told apart.
    """
    read = read_points(path, time=time, values=values, series=series, zone=zone)
    panel, more = on_grid(read.points, step_s)
    return SeriesFile(panel, read.doubts + more, read.reasons)


def read_points(
    path: str | Path,
    *,
    time: str = "",
    values: Sequence[str] = (),
    series: str = "",
    zone: str = "",
) -> PointsFile:
    """The points of each series of a file as they are, NaN where a time or value is none.

    Arguments and errors are those of `read_series`.
    """
    source = Source(path)
    try:
        head = source.head(64).removeprefix(b"\xef\xbb\xbf").lstrip()
        if head[:1] == b"{":
            points = points_of(source.whole(_MOST_BYTES), str(source.path))
            return PointsFile(points, list(source.doubts), {})
        reasons: dict[str, int] = {}
        table = _table(source, reasons)
    finally:
        source.close()
    doubts = list(source.doubts)
    columns = find_columns(table, source.path, Columns(time, tuple(values), series, zone), doubts)
    points = points_of_table(table, columns, reasons)
    return PointsFile(points, doubts, {k: n for k, n in reasons.items() if n})


def _table(source: Source, reasons: dict[str, int]) -> pl.DataFrame:
    """The columns of a file as texts; broken lines are counted."""
    head = source.head(1 << 16)
    if head[:4] == b"PAR1":
        try:
            return as_text(pl.read_parquet(io.BytesIO(source.whole(_MOST_BYTES))))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"{source.path} is not a readable Parquet file: {error}") from error
    lines = [x for x in head.removeprefix(b"\xef\xbb\xbf").split(b"\n") if x.strip()]
    separator = separator_of(lines[0].decode("utf-8", "replace")) if lines else ""
    if not separator:
        raise InputError(f"{source.path} has only one column: a series needs times and values")
    names = header_of(source, separator)
    parts = []
    for rows in read_rows(source, names, separator):
        parts.append(rows.columns.select(names))
        for reason in rows.broken.values():
            reasons[reason] = reasons.get(reason, 0) + 1
    table = pl.concat(parts) if parts else pl.DataFrame()
    if not table.height:
        raise InputError(f"{source.path} holds no rows below its header")
    return table
