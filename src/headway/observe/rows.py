"""Delimited text as blocks of string columns, each row with its line; broken lines apart.

A record is one line: a quoted field that goes on in the next line is set aside as two broken ones,
since a stray quote would otherwise swallow what follows it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from headway.errors import InputError
from headway.observe.fields import NULLS
from headway.observe.source import Block, Chunk, Source, text_of

MOST_COLUMNS: Final = 5_000


@dataclass(slots=True)
class Rows:
    """String columns (null = not known) with `line`; `broken` {line: reason} are not among them."""

    columns: pl.DataFrame
    broken: dict[int, str]
    texts: Callable[[list[int]], list[str]]

    def chunk(self, tasks: pl.DataFrame) -> Chunk:
        """Tasks made of these rows, and the broken lines beside them."""
        if not self.broken:
            return Chunk(tasks, self.texts)
        bad = pl.DataFrame(
            {"line": list(self.broken), "reason": list(self.broken.values())},
            schema={"line": pl.Int64, "reason": pl.String},
        )
        return Chunk(pl.concat([tasks, bad], how="diagonal_relaxed"), self.texts)


def header_of(source: Source, separator: str) -> list[str]:
    """The column names of the first line that is not blank, made unique."""
    for raw in source.head(1 << 20).removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        line = raw.decode("utf-8", "replace").strip("\r")
        if line.strip():
            return names_in(line, separator)
    raise InputError(f"{source.path} holds only blank lines; export the history again")


def names_in(header: str, separator: str) -> list[str]:
    """The column names of a header line, made unique."""
    return _unique(x.strip().strip('"') for x in header.split(separator))


def read_rows(source: Source, names: list[str], separator: str) -> Iterator[Rows]:
    """The rows below the header line, a block at a time."""
    if len(names) > MOST_COLUMNS:
        raise InputError(f"{source.path} has {len(names):,} columns; at most {MOST_COLUMNS:,}")
    is_header_due = True
    for block in source.blocks():
        data = block.data
        if is_header_due:
            data, is_header_due = _without_header(data)
        yield rows_of(Block(block.line, data, block.too_long), names, separator)


def rows_of(block: Block, names: list[str], separator: str) -> Rows:
    """The lines of a block as rows, none of which is a header."""
    data, broken = block.data, dict.fromkeys(block.too_long, "line too long")
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    is_record = np.diff(ends, prepend=-1) > 1
    quotes = _each(raw == ord('"'), ends) if b'"' in data else np.zeros(len(ends), np.int64)
    marks = _each(raw == ord(separator), ends)
    reasons = {
        "wrong number of columns": (quotes == 0) & (marks != len(names) - 1) & is_record,
        "unbalanced quotes": (quotes % 2 == 1) & is_record,
    }
    for reason, is_broken in reasons.items():
        broken.update((int(i) + block.line, reason) for i in np.flatnonzero(is_broken))
        is_record &= ~is_broken
    kept = np.flatnonzero(is_record)
    if len(kept) < len(ends):
        lines = data.split(b"\n")
        data = b"".join(lines[i] + b"\n" for i in kept)
    line = pl.Series("line", kept + block.line, pl.Int64)
    return Rows(parsed(data, names, separator, line), broken, texts_of(block))


def parsed(data: bytes, names: list[str], separator: str, line: pl.Series) -> pl.DataFrame:
    """The lines as columns of text; a header of our own makes short rows null at their ends."""
    if not data:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String)).with_columns(line)
    safe = [f"c{i}" for i in range(len(names))]
    has_quotes = b'"' in data
    try:
        columns = pl.read_csv(
            separator.join(safe).encode() + b"\n" + data,
            separator=separator,
            quote_char='"' if has_quotes else None,
            schema=dict.fromkeys(safe, pl.String),
            null_values=list(NULLS),
            truncate_ragged_lines=True,
            encoding="utf8-lossy",
        )
    except pl.exceptions.ComputeError:  # quotes that are not escaped as they should be
        columns = pl.DataFrame()
    if columns.height != len(line):
        columns = _slowly(data, safe, separator)
    return columns.rename(dict(zip(safe, names, strict=True))).with_columns(line)


def _slowly(data: bytes, names: list[str], separator: str) -> pl.DataFrame:
    """The same line by line, for lines whose quotes are out of order."""
    rows = []
    for raw in data.decode("utf-8", "replace").split("\n")[:-1]:
        try:
            words = next(csv.reader([raw.replace("\r", " ")], delimiter=separator), [])
        except csv.Error:
            words = []
        short = [None if word in NULLS else word for word in words[: len(names)]]
        rows.append(short + [None] * (len(names) - len(short)))
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def texts_of(block: Block) -> Callable[[list[int]], list[str]]:
    """A function that gives the lines of a block as they came, cut."""

    def texts(lines: list[int]) -> list[str]:
        whole = block.data.split(b"\n") if lines else []
        return [block.too_long.get(n) or text_of(whole[n - block.line]) for n in lines]

    return texts


def _each(is_mark: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """How many marks each line has."""
    return np.diff(np.searchsorted(np.flatnonzero(is_mark), ends), prepend=0)


def _without_header(data: bytes) -> tuple[bytes, bool]:
    """Data with its first line that is not blank emptied, and whether it is still to come."""
    body = data.lstrip(b"\r\n \t\xef\xbb\xbf")
    if not body:
        return data, True
    start = len(data) - len(body)
    end = data.index(b"\n", start)
    return b"\n" * data.count(b"\n", 0, start) + data[end:], False


def _unique(names: Iterable[str]) -> list[str]:
    """Names with a number behind those that came before."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return unique
