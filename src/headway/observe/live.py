"""Points of series from rows as they come, those that cannot be believed set aside with why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from headway.errors import InputError
from headway.observe.columns import Columns, find_columns, groups_of, times_of
from headway.observe.fields import number
from headway.observe.rows import names_in, rows_of
from headway.observe.source import Block, text_of
from headway.observe.table import separator_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.observe.tail import Fresh

    Floats = NDArray[np.float64]

BACK: Final = "its time is before that of an earlier row"
MOST_BACK: Final = 100  # rows in a row that go back in time
LEAST_ROWS: Final = 50  # by which the columns of a file are told
_BINARY: Final = (b"PAR1", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")


@dataclass(slots=True)
class Aside:
    """A row that was not believed, or one cell of it."""

    line: int
    reason: str
    text: str


@dataclass(slots=True)
class Came:
    """What rows held: points in the order of the file, what was set aside, what was known before.

    repeated: rows of a file that began anew which are no later than what was read before.
    """

    points: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)
    aside: list[Aside] = field(default_factory=list)
    rows: int = 0
    repeated: int = 0


class LiveRows:
    """Reads rows of one file, wide or long, as they come; see `read_series` for its columns."""

    def __init__(self, path: Path, *, time: str = "", values: tuple[str, ...] = ()) -> None:
        """path: what is said of errors; time, values: names of columns, '' and () = by content."""
        self._path, self._named = path, Columns(time, values, "", "")
        self._columns: Columns | None = None
        self._names: list[str] = []
        self._separator = ""
        self._newest: dict[str, float] = {}  # by the name in the column of series
        self._known: dict[str, float] = {}  # the same as of when the file began anew
        self._back = 0  # rows in a row that went back
        self._held: tuple[int, bytes] = (0, b"")  # rows too few to tell the columns by

    def take(self, fresh: Fresh) -> Came:
        """The points of new lines; none before so many came that the columns show.

        InputError where they are no table of series, or its clock went back for MOST_BACK rows in
        a row.
        """
        line, data = fresh.line, fresh.data.replace(b"\r\n", b"\n")
        if fresh.is_new:
            line, data = self._begin(line, data)
        elif self._held[1]:
            line, data = self._held[0], self._held[1] + data
        return self._read(line, data, is_last=False)

    def finish(self) -> Came:
        """The points of lines that waited for more, which do not come."""
        return self._read(*self._held, is_last=True)

    def _read(self, line: int, data: bytes, *, is_last: bool) -> Came:
        self._held = (0, b"")
        if not self._names or not data:
            return Came()
        rows = rows_of(Block(line, data), self._names, self._separator)
        table = rows.columns.select(self._names)
        if self._columns is None:
            if table.height < LEAST_ROWS and not is_last:
                self._held = (line, data)
                return Came()
            self._columns = find_columns(table, self._path, self._named, [])
        came = Came(rows=table.height)
        texts = data.split(b"\n")
        for at, reason in self._understood(table, self._columns, came):
            number_of = int(rows.columns["line"][at])
            came.aside.append(Aside(number_of, reason, text_of(texts[number_of - line])))
        for number_of, reason in rows.broken.items():
            came.aside.append(Aside(number_of, reason, text_of(texts[number_of - line])))
        came.aside.sort(key=lambda one: one.line)
        return came

    def _begin(self, line: int, data: bytes) -> tuple[int, bytes]:
        """Read the header of a file; what follows it, and the number of that line."""
        if data.startswith(_BINARY) or data.lstrip().startswith(b"{"):
            raise InputError(
                f"{self._path} is no CSV file, which is what can be followed; `headway detect`"
                " reads Parquet, gz and answers of Prometheus"
            )
        self._known, before, self._names = dict(self._newest), self._names, []
        head, _, rest = data.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
        header = head.decode("utf-8", "replace").strip("\r")
        self._separator = separator_of(header)
        if not self._separator:
            raise InputError(
                f"{self._path} has only one column: a series needs times and values"
                if header.strip() else f"{self._path} begins with a blank line, not with a header"
            )  # fmt: skip
        self._names = names_in(header, self._separator)
        if self._names != before:
            self._columns = None
        return line + 1, rest

    def _understood(
        self, table: pl.DataFrame, columns: Columns, came: Came
    ) -> Iterator[tuple[int, str]]:
        """Add the points of a table of texts; gives (row, reason) of what is not believed."""
        at_s = times_of(table, columns)
        is_back, is_good = np.zeros(len(at_s), np.bool_), np.zeros(len(at_s), np.bool_)
        is_named, groups = np.zeros(len(at_s), np.bool_), groups_of(table, columns.series)
        for name, rows in groups:
            is_named[rows] = True
            is_back[rows], is_good[rows] = self._in_order(name, at_s[rows])
        came.repeated = int((is_named & np.isfinite(at_s) & ~is_back & ~is_good).sum())
        self._count_back(is_back, is_good)
        for at in np.flatnonzero(~is_named).tolist():
            yield at, f"no name in {columns.series}"
        for at in np.flatnonzero(is_named & np.isnan(at_s)).tolist():
            yield at, f"cannot read a time in {columns.time}"
        for at in np.flatnonzero(is_back).tolist():
            yield at, BACK
        for column in columns.values:
            numbers = table.select(number(pl.col(column)))[column]
            is_unread = numbers.is_null() & table[column].is_not_null()
            for at in np.flatnonzero(is_good & is_unread.to_numpy()).tolist():
                yield at, f"cannot read a number in {column}"
            y = numbers.to_numpy().astype(np.float64)
            is_odd = numbers.is_not_null().to_numpy() & ~np.isfinite(y)
            for at in np.flatnonzero(is_good & is_odd).tolist():
                yield at, f"no finite number in {column}"
            y[is_odd] = np.nan
            for name, rows in groups:
                kept = rows[is_good[rows]]
                if len(kept):
                    came.points[columns.name(name, column)] = (at_s[kept], y[kept])

    def _in_order(self, name: str, at_s: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which rows (n,) of a series go back in time, and which are to be believed."""
        is_fresh = at_s > self._known.get(name, -np.inf)  # false for NaN
        before = self._newest.get(name, -np.inf)
        newest = np.maximum.accumulate(np.append(before, np.where(is_fresh, at_s, -np.inf)))
        self._newest[name] = float(newest[-1])
        is_back = is_fresh & (at_s < newest[:-1])
        return is_back, is_fresh & ~is_back

    def _count_back(self, is_back: NDArray[np.bool_], is_good: NDArray[np.bool_]) -> None:
        """InputError where so many rows in a row went back that it is not the rows that are off."""
        for back, good in zip(is_back.tolist(), is_good.tolist(), strict=True):
            self._back = 0 if good else self._back + back
            if self._back >= MOST_BACK:
                newest = datetime.fromtimestamp(max(self._newest.values()), UTC).isoformat()
                raise InputError(
                    f"{self._path}: {MOST_BACK} rows in a row are before {newest}, the time of an"
                    " earlier row; correct that time if it is wrong, or begin a new file if the"
                    " clock was put back"
                )
