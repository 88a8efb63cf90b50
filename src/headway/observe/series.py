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

import numpy as np
import polars as pl

from headway.errors import ConfigError, InputError
from headway.observe.fields import doubt_zone, moment_s, number
from headway.observe.grid import Points, on_grid
from headway.observe.prometheus import points_of
from headway.observe.rows import header_of, read_rows
from headway.observe.source import Source
from headway.observe.table import as_text, separator_of
from headway.protocols import Panel

SERIES: Final = ("series", "unique_id", "series_id", "item_id")
"""Names of the column that says which series a row of a long file is of."""

_TIMES: Final = ("time", "timestamp", "ts", "ds", "date", "datetime", "at", "at_s", "epoch")
_MOST_BYTES: Final = 4 << 30
_EARLIEST_S, _LATEST_S = 1e8, 5e9  # 1973 to 2128: numbers between are taken for moments
_UNITS: Final = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (0.0, 1.0))  # above, seconds


@dataclass(slots=True)
class PointsFile:
    """The points of each series as a file held them, in its order, and what SeriesFile says.

    time, values, series: the columns that were read, '' and () where a file has none.
    """

    points: Points
    doubts: list[str]
    reasons: dict[str, int]
    time: str = ""
    values: tuple[str, ...] = ()
    series: str = ""


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
    names = _Names(time, tuple(values), series, zone)
    points, found = _points(table, source, names, doubts, reasons)
    kept = {k: n for k, n in reasons.items() if n}
    return PointsFile(points, doubts, kept, found.time, found.values, found.series)


@dataclass(frozen=True, slots=True)
class _Names:
    """What the caller named; '' and () = not."""

    time: str
    values: tuple[str, ...]
    series: str
    zone: str


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


def _points(
    table: pl.DataFrame, source: Source, named: _Names, doubts: list[str], reasons: dict[str, int]
) -> tuple[Points, _Names]:
    """The points of each series of a table of texts, and the columns they are from."""
    _check(table, source, [named.time, named.series, *named.values])
    found = (c for c in table.columns if c.lower() in SERIES and c != named.time)
    series = named.series or next(found, None)
    time = named.time or _time_column(table, source, [*named.values, series])
    if not named.zone:
        doubt_zone(table[time], doubts)
    at_s = _times(table, time, series, named.zone)
    reasons[f"cannot read a time in {time}"] = int(np.isnan(at_s).sum())
    if series is None and np.isfinite(at_s).sum() > 2 * len(np.unique(at_s[np.isfinite(at_s)])):
        raise InputError(
            f"{source.path} has several rows for each time: name the column that says which series"
            f" a row is of, or call it `series` (its columns: {_listed(table)})"
        )
    rest = [c for c in table.columns if c not in (time, series)]
    values = named.values or tuple(c for c in rest if _share(table[c]) >= 0.5)
    if not values:
        raise InputError(f"{source.path} has no column of numbers (its columns: {_listed(table)})")
    left = [c for c in rest if c not in values and not named.values]
    if left:
        doubts.append(f"columns that are no numbers are left out: {', '.join(left[:10])}")
    points, groups = {}, _groups(table, series)
    for column in values:
        numbers = table.select(number(pl.col(column)))[column]
        reason = f"cannot read a number in {column if len(values) <= 10 else 'a column'}"
        unread = numbers.null_count() - table[column].null_count()
        reasons[reason] = reasons.get(reason, 0) + unread
        y = numbers.to_numpy().astype(np.float64)
        for name, rows in groups:
            whole = " ".join(x for x in (name, column if len(values) > 1 or not name else "") if x)
            points[whole] = (at_s[rows], y[rows])
    return points, _Names(time, tuple(values), series or "", named.zone)


def _check(table: pl.DataFrame, source: Source, names: Sequence[str]) -> None:
    for name in names:
        if name and name not in table.columns:
            raise ConfigError(f"{source.path} has no column {name!r}: it has {_listed(table)}")


def _time_column(table: pl.DataFrame, source: Source, taken: Sequence[str | None]) -> str:
    """The first column whose texts are moments; a time's usual name counts before its place."""
    free = [c for c in table.columns if c not in taken]
    for c in sorted(free, key=lambda c: c.strip().lower() not in _TIMES):
        at_s = _moments(table.head(2000), c)
        known = at_s[np.isfinite(at_s)]
        is_written = _share(table[c]) < 0.5
        is_rising = len(known) > 1 and np.mean(np.diff(known) >= 0) > 0.5
        is_moment = len(known) and np.mean((known > _EARLIEST_S) & (known < _LATEST_S)) > 0.9
        is_named = c.strip().lower() in _TIMES
        if len(known) > 0.5 * len(at_s) and (is_written or (is_moment and (is_named or is_rising))):
            return c
    raise InputError(
        f"{source.path} has no column of times (its columns: {_listed(table)}); say which: --time"
        " COLUMN"
    )


def _moments(table: pl.DataFrame, column: str) -> np.ndarray:
    """UTC epoch seconds (n,) of texts, NaN = not a moment; numbers by their size: s, ms, us, ns."""
    text = pl.col(column).str.strip_chars().str.replace(r"^(\d{4})/(\d\d)/", "${1}-${2}-")
    text = text.str.replace(r"^(\d{4}-\d\d-\d\d)$", "${1}T00:00:00")
    text = text.str.replace(
        r"^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d)(\s?(?:Z|UTC|[+-]\d\d:?\d\d))?$", "${1}:00${2}"
    )
    at = table.select(moment_s(text).alias("at"))["at"].to_numpy().astype(np.float64)
    plain = np.abs(table.select(number(pl.col(column)).alias("n"))["n"].to_numpy())
    middle = np.nanmedian(plain) if np.isfinite(plain).any() else 0.0
    return at * next(unit for above, unit in _UNITS if middle >= above)


def _times(table: pl.DataFrame, time: str, series: str | None, zone: str) -> np.ndarray:
    """UTC epoch seconds (n,); a local time that comes twice is in summer time first."""
    at_s = _moments(table, time)
    states_none = table[time].str.contains(r"^\D*\d{4}[-/]\d\d[-/]\d\d([T ][\d:.]*)?\s*$")
    if not zone or not states_none.any():
        return at_s
    local = pl.from_epoch(pl.Series("local", at_s * 1e6).cast(pl.Int64, strict=False), "us")
    keys = table.select(series) if series else pl.DataFrame({"one": pl.Series([0] * table.height)})
    frame = keys.with_columns(local)
    nth = pl.int_range(pl.len()).over(frame.columns)
    when = pl.when(nth == 0).then(pl.lit("earliest")).otherwise(pl.lit("latest"))
    try:
        utc = frame.select(
            pl.col("local").dt.replace_time_zone(zone, ambiguous=when, non_existent="null")
        )["local"]
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"zone must be a name such as Europe/Berlin, got {zone!r}") from error
    in_utc = (utc.dt.epoch("us") / 1e6).to_numpy().astype(np.float64)
    return np.where(states_none.fill_null(False).to_numpy(), in_utc, at_s)


def _groups(table: pl.DataFrame, series: str | None) -> list[tuple[str, np.ndarray]]:
    """The name of each series and its rows; one without a name in a wide file."""
    if series is None:
        return [("", np.arange(table.height))]
    rows = table.select(pl.col(series).alias("name"), pl.int_range(pl.len()).alias("row"))
    grouped = rows.drop_nulls("name").group_by("name", maintain_order=True).all()
    return [(name, at.to_numpy()) for name, at in zip(grouped["name"], grouped["row"], strict=True)]


def _share(texts: pl.Series) -> float:
    """How many of the texts that are there are numbers, in [0, 1]; 0 where none is there."""
    there = texts.head(20_000).drop_nulls()
    if there.is_empty():
        return 0.0
    return 1.0 - there.to_frame().select(number(pl.col(texts.name)).is_null().mean()).item()


def _listed(table: pl.DataFrame) -> str:
    return ", ".join(table.columns[:20])
