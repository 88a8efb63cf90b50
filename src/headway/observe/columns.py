"""Which columns of a table are times and numbers of series, and the points in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from headway.errors import ConfigError, InputError
from headway.observe.fields import doubt_zone, moment_s, number
from headway.observe.grid import Points

SERIES: Final = ("series", "unique_id", "series_id", "item_id")
"""Names of the column that says which series a row of a long file is of."""

_TIMES: Final = ("time", "timestamp", "ts", "ds", "date", "datetime", "at", "at_s", "epoch")
_EARLIEST_S, _LATEST_S = 1e8, 5e9  # 1973 to 2128: numbers between are taken for moments
_UNITS: Final = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (0.0, 1.0))  # above, seconds


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table by what they are; '' and () = not named, or there is none.

    zone: of times that state none, such as Europe/Berlin, '' = UTC.
    """

    time: str
    values: tuple[str, ...]
    series: str
    zone: str

    def name(self, series: str, value: str) -> str:
        """The name of the series in a column of values, of the rows of one series."""
        many = len(self.values) > 1 or not series
        return " ".join(x for x in (series, value if many else "") if x)


def find_columns(table: pl.DataFrame, path: Path, named: Columns, doubts: list[str]) -> Columns:
    """The columns of a table of texts by its content, those that were named as they are.

    path: what errors and doubts are about. Errors are those of `read_series`.
    """
    _check(table, path, [named.time, named.series, *named.values])
    found = (c for c in table.columns if c.lower() in SERIES and c != named.time)
    series = named.series or next(found, "")
    time = named.time or _time_column(table, path, [*named.values, series])
    if not named.zone:
        doubt_zone(table[time], doubts)
    at_s = times_of(table, Columns(time, (), series, named.zone))
    known = at_s[np.isfinite(at_s)]
    if not series and len(known) > 2 * len(np.unique(known)):
        raise InputError(
            f"{path} has several rows for each time: name the column that says which series"
            f" a row is of, or call it `series` (its columns: {_listed(table)})"
        )
    rest = [c for c in table.columns if c not in (time, series)]
    values = named.values or tuple(c for c in rest if _share(table[c]) >= 0.5)
    if not values:
        raise InputError(f"{path} has no column of numbers (its columns: {_listed(table)})")
    left = [c for c in rest if c not in values and not named.values]
    if left:
        doubts.append(f"columns that are no numbers are left out: {', '.join(left[:10])}")
    return Columns(time, values, series, named.zone)


def points_of_table(table: pl.DataFrame, columns: Columns, reasons: dict[str, int]) -> Points:
    """The points of each series of a table of texts; what could not be read is counted."""
    at_s = times_of(table, columns)
    reasons[f"cannot read a time in {columns.time}"] = int(np.isnan(at_s).sum())
    points, groups = {}, groups_of(table, columns.series)
    for column in columns.values:
        numbers = table.select(number(pl.col(column)))[column]
        reason = f"cannot read a number in {column if len(columns.values) <= 10 else 'a column'}"
        unread = numbers.null_count() - table[column].null_count()
        reasons[reason] = reasons.get(reason, 0) + unread
        y = numbers.to_numpy().astype(np.float64)
        for name, rows in groups:
            points[columns.name(name, column)] = (at_s[rows], y[rows])
    return points


def _check(table: pl.DataFrame, path: Path, names: Sequence[str]) -> None:
    for name in names:
        if name and name not in table.columns:
            raise ConfigError(f"{path} has no column {name!r}: it has {_listed(table)}")


def _time_column(table: pl.DataFrame, path: Path, taken: Sequence[str | None]) -> str:
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
        f"{path} has no column of times (its columns: {_listed(table)}); say which: --time COLUMN"
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


def times_of(table: pl.DataFrame, columns: Columns) -> np.ndarray:
    """UTC epoch seconds (n,); a local time that comes twice is in summer time first."""
    time, series, zone = columns.time, columns.series, columns.zone
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


def groups_of(table: pl.DataFrame, series: str) -> list[tuple[str, np.ndarray]]:
    """The name of each series and its rows; one without a name in a wide file."""
    if not series:
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
