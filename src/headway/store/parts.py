"""Parquet files on their way into a table: written first, then committed or removed.

A local writer holds a lock on a file of its own below `_writers/` for as long as it lives. Whoever
next appends and gets that lock knows that the writer died, and removes what it had not committed.
A bucket has no locks: there the files of dead writers go when they are a week old.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deltalake.transaction import AddAction
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

ROW, KEY, ARRIVAL = "_row", "_key", "_arrival"
HIDDEN = {ROW: pl.Int64, KEY: pl.Int64, ARRIVAL: pl.Int64}
"""Columns that no reader sees: fingerprints of the row and of its key, the order of arrival."""


def local_folder(uri: str) -> Path | None:
    """The folder that a URI names on this machine; None for a bucket.

    >>> local_folder("s3://bucket/log") is None
    True
    """
    if uri.startswith("file://"):
        return Path(uri.removeprefix("file://"))
    return None if "://" in uri else Path(uri)


class Parts:
    """The files of one append; nobody sees them before they are committed."""

    def __init__(self, table_uri: str, storage_options: dict[str, str] | None) -> None:
        from deltalake.fs import DeltaStorageHandler
        from pyarrow.fs import PyFileSystem

        self.stored = 0  # rows in the files that would be committed now
        self._uri, self._options = table_uri, storage_options
        self._folder = local_folder(table_uri)
        self._writer = uuid4().hex
        self._lock = _locked(self._folder, self._writer) if self._folder else None
        self._files = PyFileSystem(DeltaStorageHandler(table_uri, storage_options))
        self._written = 0
        self._rows: dict[str, NDArray[np.int64]] = {}  # file name -> fingerprints of its rows
        self._sizes: dict[str, int] = {}

    @property
    def names(self) -> set[str]:
        """The files that would be committed now."""
        return set(self._rows)

    def write(self, rows: pl.DataFrame) -> None:
        """Put rows with their hidden columns into a file of their own, on the disk for good."""
        name = f"part-{self._writer}-{self._written}.parquet"
        self._written += 1
        self._rows[name] = rows[ROW].to_numpy()
        rows.write_parquet(
            f"{self._uri}/{name}", compression_level=1, storage_options=self._options
        )
        self._sizes[name] = self._files.get_file_info(name).size
        if self._folder is not None:
            sync(self._folder / name)
        self.stored += rows.height

    def drop(self, rows: NDArray[np.int64]) -> None:
        """Leave out the rows with these fingerprints: another writer committed them first."""
        for name, own in list(self._rows.items()):
            is_new = ~np.isin(own, rows)
            if is_new.all():
                continue
            where = f"{self._uri}/{name}"
            kept = pl.read_parquet(where, glob=False, storage_options=self._options)
            if is_new.any():
                self.write(kept.filter(pl.Series(is_new)))
            self._files.delete_file(name)
            self.stored -= len(self._rows.pop(name))

    def actions(self) -> list[AddAction]:
        """What a commit says of the files."""
        from deltalake.transaction import AddAction

        now_ms = int(time.time() * 1000)
        return [
            AddAction(name, self._sizes[name], {}, now_ms, True, json.dumps({"numRecords": len(r)}))
            for name, r in self._rows.items()
        ]

    def remove(self) -> None:
        """Take all files back: nothing of this append was committed."""
        try:
            for info in self._files.get_file_info(list(self._rows)):
                if info.is_file:
                    self._files.delete_file(info.path)
            self.release()
        except OSError as error:
            log.warning("files of a failed append stay until the next one: %s", error)
            self.leave()

    def release(self) -> None:
        """All files are committed: this writer has nothing to clean up."""
        if self._folder is not None:
            (self._folder / "_writers" / self._writer).unlink()
        self.leave()

    def leave(self) -> None:
        """Let go without knowing whether the commit came through: the next to append finds out."""
        if self._lock is not None:
            os.close(self._lock)


def sync(path: Path) -> None:
    """Return when a file or folder is on the disk, not only on its way there."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locked(folder: Path, writer: str) -> int:
    """A lock that dies with this process."""
    (folder / "_writers").mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "_writers" / writer, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        log.warning("no locks in %s (%s): files of killed writers stay there", folder, error)
    return lock


def dead_writers(folder: Path) -> list[tuple[str, int]]:
    """(writer, its lock, now ours) of every writer that died before it was done."""
    try:
        writers = os.listdir(folder / "_writers")
    except FileNotFoundError:
        return []
    dead = []
    for writer in writers:
        try:
            lock = os.open(folder / "_writers" / writer, os.O_RDWR)
        except FileNotFoundError:
            continue  # it has just finished
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)  # alive, or no locks here: leave its files alone
        else:
            dead.append((writer, lock))
    return dead


def bury(folder: Path, dead: Sequence[tuple[str, int]], committed: set[str]) -> None:
    """Remove what dead writers left; `committed` was read after their deaths."""
    for writer, lock in dead:
        for stray in folder.glob(f"part-{writer}-*.parquet"):
            if stray.name not in committed:
                stray.unlink(missing_ok=True)
        (folder / "_writers" / writer).unlink(missing_ok=True)
        os.close(lock)
