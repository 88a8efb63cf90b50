"""Records that are on the disk before anyone is told so: appended, sealed, handed on, removed.

A journal is a folder of segments. A record is its length, a checksum and its bytes; what a crash
left half-written at the end is cut off when the journal is next opened, for nobody was told that it
was kept. One process writes; others may read what is sealed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headway.errors import ConfigError, StoreError
from headway.store.parts import sync
from headway.store.refusals import plainly

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

log = logging.getLogger(__name__)

HEAD: Final = struct.Struct("<II")  # length and CRC-32 of a record
LARGEST: Final = 16 << 20  # bytes of one record


class Journal:
    """Appends that survive a kill -9 at any moment. Threads may share it.

    segment_bytes: size from which a segment is sealed and the next one begun.
    StoreError where another process writes to the folder.
    """

    def __init__(self, folder: str | Path, *, segment_bytes: int = 64 << 20) -> None:
        self._folder, self._most = Path(folder), segment_bytes
        self._guard = threading.Lock()
        self._broken = ""
        with plainly(f"open the journal in {self._folder}"):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._folder / "writer.lock", os.O_CREAT | os.O_RDWR, 0o644)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(self._lock)
                raise StoreError(
                    f"another process writes to the journal in {self._folder}: stop it first"
                ) from error
            known = self._segments()
            self._number = int(known[-1].stem) if known else 1
            self._file, self._end = self._opened()

    def append(self, records: Sequence[bytes]) -> None:
        """Keep records, in order and all or none: they are on the disk when this returns."""
        if any(not 0 < len(record) <= LARGEST for record in records):
            raise ConfigError(f"a record must have 1 to {LARGEST} bytes")
        whole = b"".join(HEAD.pack(len(r), zlib.crc32(r)) + r for r in records)
        with self._guard:
            if self._broken:
                raise StoreError(self._broken)
            try:
                with plainly(f"write to the journal in {self._folder}"):
                    _write(self._file, whole)
                    os.fdatasync(self._file)
            except StoreError:
                self._take_back()
                raise
            self._end += len(whole)
            if self._end >= self._most:
                self._next()

    def seal(self) -> None:
        """End the segment that is written to, if it holds anything."""
        with self._guard:
            if self._end:
                self._next()

    def sealed(self) -> list[Path]:
        """Segments that nothing is added to any more, oldest first."""
        return [path for path in self._segments() if int(path.stem) < self._number]

    def remove(self, segment: Path) -> None:
        """Forget a sealed segment: what it holds is kept elsewhere."""
        with plainly(f"remove {segment}"):
            segment.unlink()
            sync(self._folder)

    def close(self) -> None:
        """Let another process write."""
        with self._guard:
            os.close(self._file)
            os.close(self._lock)
            self._broken = f"the journal in {self._folder} was closed"

    def __iter__(self) -> Iterator[bytes]:
        """Every record that is kept, oldest first."""
        for segment in self._segments():
            yield from records_of(segment)

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.log"))

    def _opened(self) -> tuple[int, int]:
        """The segment to write to, cut behind its last whole record, and its end."""
        path = self._folder / f"{self._number:012d}.log"
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o644)
        end = sum(HEAD.size + len(record) for record in records_of(path))
        extra = os.fstat(file).st_size - end
        if extra:
            log.warning("%s: %d bytes of an append that was cut off are removed", path, extra)
            os.ftruncate(file, end)
        os.fsync(file)
        sync(self._folder)
        return file, end

    def _next(self) -> None:
        os.close(self._file)
        self._number += 1
        self._file, self._end = self._opened()

    def _take_back(self) -> None:
        """Remove what a failed write left; refuse all that follows where that fails as well."""
        try:
            os.ftruncate(self._file, self._end)
            os.fsync(self._file)
        except OSError as error:
            self._broken = f"the journal in {self._folder} is not usable any more: {error}"
            log.exception("a failed write could not be taken back")


def records_of(segment: Path, start: int = 0) -> Iterator[bytes]:
    """The whole records of a segment from a byte on, up to the first that is not whole.

    None where it is gone: then its records are kept elsewhere.
    """
    try:
        file = segment.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(start)
        while len(head := file.read(HEAD.size)) == HEAD.size:
            length, checksum = HEAD.unpack(head)
            if not 0 < length <= LARGEST:
                return
            record = file.read(length)
            if len(record) < length or zlib.crc32(record) != checksum:
                return
            yield record


def with_status(segments: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    """Segments with their status, without those that are gone."""
    for path in segments:
        try:
            yield path, path.stat()
        except FileNotFoundError:
            continue


def read_on(
    segments: Iterable[Path], ends: dict[Path, int]
) -> Iterator[tuple[bytes, tuple[Path, int]]]:
    """Records after what was read of these segments, and where each begins; ends is kept up."""
    for path, status in with_status(segments):
        end = ends.get(path, 0)
        if status.st_size <= end:
            continue
        for record in records_of(path, end):
            begin, end = end, end + HEAD.size + len(record)
            ends[path] = end
            yield record, (path, begin)


def _write(file: int, whole: bytes) -> None:
    left = memoryview(whole)
    while left:
        left = left[os.write(file, left) :]
