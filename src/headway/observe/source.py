"""The bytes of a file in blocks of whole lines, gzip or not, in bounded memory."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol, cast

from headway.errors import InputError

if TYPE_CHECKING:
    import polars as pl

BLOCK_BYTES: Final = 16 << 20
LINE_BYTES: Final = 1 << 18
"""A longer line is no record: it is kept as a cut-off text for quarantine."""

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all) of the file as it lies on disk."""


class Readable(Protocol):
    """What blocks are cut from: a file, or gzip around it."""

    def read(self, n: int, /) -> bytes:
        """At most n bytes; none at the end."""
        ...


_PACKED: Final = {
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}


@dataclass(slots=True)
class Block:
    """Whole lines in order: `data` ends each of them with a newline, `line` counts from 1."""

    line: int
    data: bytes
    too_long: dict[int, str] = field(default_factory=dict)  # line -> its beginning; empty in `data`


class Source:
    """A file as it was when it was opened: what is appended later is left for the next reading."""

    def __init__(self, path: str | Path, progress: Progress | None = None) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self.doubts: list[str] = []
        self._progress = progress
        self._at = 0
        if self.path.is_dir():
            raise InputError(f"{self.path} is a folder; name the history file inside it")
        if self.path.exists() and not self.path.is_file():  # opening a pipe would wait for ever
            raise InputError(f"{self.path} is not a regular file; save the stream to a file first")
        try:
            self._file = self.path.open("rb")
        except OSError as error:
            raise InputError(f"{self.path} cannot be opened: {error.strerror}") from error
        self.size = os.fstat(self._file.fileno()).st_size
        if self.size == 0:
            self._file.close()
            raise InputError(f"{self.path} is empty; export the history again")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def advance(self, share: float) -> None:
        """Say how far a reader of its own, such as Parquet's, has come."""
        if self._progress is not None:
            self._progress(int(self.size * min(share, 1.0)), self.size)

    def read(self, n: int = -1) -> bytes:
        """The next raw bytes, none beyond the size at opening."""
        left = self.size - self._at
        raw = self._file.read(left if n < 0 else min(n, left))
        self._at += len(raw)
        if self._progress is not None:
            self._progress(self._at, self.size)
        return raw

    def head(self, n: int = 1 << 16) -> bytes:
        """The first n bytes, unpacked; the next reading starts at the beginning again."""
        self._rewind()
        progress, self._progress = self._progress, None
        try:
            return self._piece(self._unpacked(), n)
        finally:
            self._progress = progress
            self._rewind()

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """All lines of the file, once; InputError where it cannot be unpacked."""
        self._rewind()
        stream, line, carry, cut = self._unpacked(), 1, b"", ""
        while raw := self._piece(stream, block_bytes):
            end = raw.rfind(b"\n") + 1
            if not end:
                carry += raw
                if len(carry) > LINE_BYTES:  # remember how it began, forget the rest
                    cut = cut or text_of(carry)
                    carry = b"x" * (LINE_BYTES + 1)
                continue
            block = _block(line, carry + raw[:end], cut)
            carry, cut = raw[end:], ""
            line += block.data.count(b"\n")
            yield block
        if carry:
            if os.fstat(self._file.fileno()).st_size > self.size:
                self.doubts.append(
                    f"{self.name} grew while it was read: its last line {line} was not complete"
                    " and is left for the next reading"
                )
            else:
                yield _block(line, carry + b"\n", cut)

    def whole(self, most: int) -> bytes:
        """All of it, unpacked; InputError where that is more than `most` bytes."""
        self._rewind()
        stream, parts, n = self._unpacked(), [], 0
        while raw := self._piece(stream, 1 << 20):
            parts.append(raw)
            n += len(raw)
            if n > most:
                raise InputError(f"{self.path} holds more than {most:,} bytes; split it")
        return b"".join(parts)

    def _piece(self, stream: Readable, n: int) -> bytes:
        try:
            return stream.read(n)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(self._broken(error)) from error
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}") from error

    def _rewind(self) -> None:
        self._file.seek(0)
        self._at = 0

    def _unpacked(self) -> Readable:
        magic = self._file.read(8)
        self._rewind()
        for start, name in _PACKED.items():
            if magic.startswith(start):
                raise InputError(f"{self.path} is packed with {name}; unpack it or use gzip")
        if magic[:2] != b"\x1f\x8b":
            return self
        return gzip.GzipFile(fileobj=cast("IO[bytes]", self), mode="rb")

    def _broken(self, error: Exception) -> str:
        what = "ends in the middle" if isinstance(error, EOFError) else "is damaged"
        return f"{self.path} is a gzip file that {what}; nothing was stored, copy it again"


def text_of(raw: bytes) -> str:
    """A line as text, cut at 2,000 characters."""
    return raw[:8000].decode("utf-8", "replace").rstrip("\r\n")[:2000]


def _block(line: int, data: bytes, cut: str) -> Block:
    """Lines with the overlong ones emptied; cut is the true beginning of the first, '' = whole."""
    data = data.replace(b"\r\n", b"\n")
    block = Block(line, data)
    lines = data.split(b"\n") if _has_overlong(data) else []
    for i, raw in enumerate(lines):
        if len(raw) > LINE_BYTES:
            block.too_long[line + i] = cut if cut and i == 0 else text_of(raw)
            lines[i] = b""
    if lines:
        block.data = b"\n".join(lines)
    return block


def _has_overlong(data: bytes) -> bool:
    """Is there a line of more than LINE_BYTES."""
    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + LINE_BYTES + 1)
        if end < 0:
            return True
        start = end + 1
    return False


@dataclass(slots=True)
class Chunk:
    """Some records of a source: any columns of a task, and what to say of those not understood.

    `tasks` has besides `line` (Int64) and `reason` (String, null = understood); `texts` gives the
    records as they came for a list of lines.
    """

    tasks: pl.DataFrame
    texts: Callable[[list[int]], list[str]]


@dataclass(slots=True)
class Claims:
    """What a source says of its cluster, filled while it is read."""

    zero_s: float = 0.0
    total_cpus: float | None = None
    total_memory_bytes: int | None = None
    nodes: int | None = None
    records: int | None = None
    is_timed: bool = True  # do the times show what ran at once, or are starts only assumed
    doubts: list[str] = field(default_factory=list)
