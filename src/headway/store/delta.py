"""The log as Delta tables, one a kind, in a folder or in a bucket."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headway.errors import StoreError
from headway.protocols import Appended
from headway.records import KEYS, TIMES
from headway.store.fingerprint import Seen, fingerprint
from headway.store.parts import (
    ARRIVAL,
    HIDDEN,
    KEY,
    ROW,
    Parts,
    bury,
    dead_writers,
    local_folder,
    sync,
)
from headway.store.refusals import plainly
from headway.store.states import known_kind, whole, window
from headway.tables import frame, schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deltalake import DeltaTable
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

PART_ROWS = 250_000
PART_BYTES = 128 << 20
TRIES = 200  # commits that may lose against other writers before an append gives up


@dataclass
class _Known:
    """What this process has read of one table: its files, their rows, and the next arrival."""

    table: DeltaTable | None = None
    files: set[str] = field(default_factory=set)
    seen: Seen = field(default_factory=Seen)
    arrivals: int = 0


class DeltaStore:
    """A Store on disk or in a bucket (`s3://..`), safe under concurrent writers.

    Appends are optimistic: files are written first, then committed in one step to the version
    that was looked at; if another writer was faster, its rows are compared and the commit is
    tried again. Exactly once under retry: a row is known by a 64-bit fingerprint of all its
    columns (any two of 10 million rows share one with probability 3e-6). Rows of concurrent
    appends arrive interleaved. Threads may share a store; processes open their own.
    """

    def __init__(self, uri: str, storage_options: dict[str, str] | None = None) -> None:
        self._uri, self._options = uri.rstrip("/"), storage_options
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def append(self, kind: str, batches: Iterable[pl.DataFrame]) -> Appended:
        """Add records of one kind, all or none, in one commit; what is there adds nothing.

        Takes memory for a quarter of a million rows and 27 bytes for each row ever stored.
        """
        with self._lock:
            known = self._known.pop(known_kind(kind), None) or _Known()
            counts = self._append(kind, known, batches)
            self._known[kind] = known  # not after an error: then it knows rows nobody stored
            return counts

    def read(self, kind: str, start_s: float = -inf, end_s: float = inf) -> pl.DataFrame:
        """The latest state of each record with start_s <= time < end_s, in order of time."""
        with plainly(f"read {self._where(known_kind(kind))}"):
            table = self._opened(kind)
            files = _files(table) if table else set()
            if not files:
                return frame(kind)
            states = _scan(kind, [f"{self._where(kind)}/{f}" for f in files], self._options)
            conditions = window(kind, start_s, end_s)
            rows = states.filter(*conditions).collect()
            if not conditions or TIMES[kind] in KEYS[kind]:
                rows = _latest(rows, rows)
            else:
                rows = _latest(rows, states.select(*HIDDEN).collect())
        return _sorted(rows, [TIMES[kind], ARRIVAL]).drop(HIDDEN)

    def parts(self, kind: str, names: tuple[str, ...]) -> Iterator[pl.DataFrame]:
        """Some columns of all that was stored, as it arrived: also states that were replaced."""
        with plainly(f"read {self._where(known_kind(kind))}"):
            table = self._opened(kind)
            uris = [f"{self._where(kind)}/{name}" for name in _files(table)] if table else []
            scans = [_scan(kind, [uri], self._options) for uri in uris]
            first = [scan.select(pl.col(ARRIVAL).min()).collect().item() for scan in scans]
            for at in np.argsort(np.array(first), kind="stable"):
                yield scans[at].sort(ARRIVAL).select(names).collect()

    def _append(self, kind: str, known: _Known, batches: Iterable[pl.DataFrame]) -> Appended:
        doing = f"append to {self._where(kind)}"
        parts, handed = None, 0
        try:
            for rows in _grouped(kind, batches):
                with plainly(doing):
                    if parts is None:
                        self._clean(kind, known)
                        self._catch_up(kind, known, set())
                        parts = Parts(self._where(kind), self._options)
                    handed += rows.height
                    new = _stamped(kind, rows, known)
                    if new.height:
                        parts.write(new)
        except BaseException:
            if parts is not None:
                parts.remove()
            raise
        if parts is None:
            return Appended(0, 0)
        try:
            with plainly(doing):
                self._commit(kind, known, parts)
        except BaseException:
            parts.leave()
            raise
        parts.release()
        return Appended(parts.stored, handed - parts.stored)

    def _commit(self, kind: str, known: _Known, parts: Parts) -> None:
        """Make the parts visible in one step, without the rows that others added meanwhile."""
        from deltalake import CommitProperties
        from deltalake.exceptions import CommitFailedError

        for attempt in range(TRIES):
            came = self._catch_up(kind, known, parts.names)
            if parts.names <= known.files:
                return  # nothing to add, or an earlier try reached the log after all
            parts.drop(came)
            if not parts.names:
                return
            try:
                table = known.table or self._created(kind)
                _widen(kind, table)
                actions: list[Any] = list(parts.actions())
                table.create_write_transaction(
                    actions,
                    "append",
                    table.schema(),
                    commit_properties=CommitProperties(max_commit_retries=0),
                )
            except CommitFailedError as error:
                log.info("try %d to append to %s lost a race: %s", attempt, kind, error)
                time.sleep(random.uniform(0.0, 0.01 * min(attempt + 1, 20)))
            else:
                known.table, known.files = table, known.files | parts.names
                self._sync_log(kind)
                return
        raise StoreError(f"{self._where(kind)}: other writers were faster {TRIES} times; try again")

    def _catch_up(self, kind: str, known: _Known, own: set[str]) -> NDArray[np.int64]:
        """Read what was committed since; gives the fingerprints of rows in files not our own."""
        known.table = _refreshed(known.table) or self._opened(kind)
        fresh = (_files(known.table) if known.table else set()) - known.files
        known.files |= fresh
        theirs = [f"{self._where(kind)}/{name}" for name in fresh - own]
        if not theirs:
            return np.empty(0, np.int64)
        came = _scan(kind, theirs, self._options).select(ROW, ARRIVAL).collect()
        rows = came[ROW].to_numpy()
        known.seen.add(rows.view(np.uint64))
        latest: int = came[ARRIVAL].max()  # type: ignore[assignment]
        known.arrivals = max(known.arrivals, latest + 1)
        return rows

    def _where(self, kind: str) -> str:
        return f"{self._uri}/{kind}"

    def _opened(self, kind: str) -> DeltaTable | None:
        """The table as it is now; None if nothing was ever committed to it."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        folder = local_folder(self._where(kind))
        try:
            # delta-rs calls a folder that it may not read "not found": ask the system first
            if folder and not any(f[:1].isdigit() for f in os.listdir(folder / "_delta_log")):
                return None
            return DeltaTable(self._where(kind), storage_options=self._options)
        except (FileNotFoundError, TableNotFoundError):
            return None

    def _created(self, kind: str) -> DeltaTable:
        from deltalake import DeltaTable

        columns = _arrow_schema({**HIDDEN, **schema(kind)})
        return DeltaTable.create(
            self._where(kind), columns, mode="ignore", storage_options=self._options
        )

    def _clean(self, kind: str, known: _Known) -> None:
        """Remove what writers left that died before they committed."""
        folder = local_folder(self._where(kind))
        if folder is not None:
            dead = dead_writers(folder)
            if dead:
                table = self._opened(kind)
                bury(folder, dead, _files(table) if table else set())
        elif known.table is None:
            table = self._opened(kind)
            if table and table.vacuum(dry_run=True, full=True):  # what is older than a week
                table.vacuum(dry_run=False, full=True)

    def _sync_log(self, kind: str) -> None:
        folder = local_folder(self._where(kind))
        if folder is not None:
            newest = max(folder.glob("_delta_log/*.json"))
            for path in (newest, newest.parent, folder):
                sync(path)


def _grouped(kind: str, batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows as whole tables of about PART_ROWS rows or PART_BYTES."""
    waiting: list[pl.DataFrame] = []
    rows = size = 0
    for batch in batches:
        for piece in batch.iter_slices(PART_ROWS):
            waiting.append(whole(kind, piece))
            rows, size = rows + piece.height, size + int(waiting[-1].estimated_size())
            if rows >= PART_ROWS or size >= PART_BYTES:
                yield pl.concat(waiting)
                waiting, rows, size = [], 0, 0
    if rows:
        yield pl.concat(waiting)


def _stamped(kind: str, rows: pl.DataFrame, known: _Known) -> pl.DataFrame:
    """The rows that were never seen, with their hidden columns."""
    marks = fingerprint(rows, rows.columns)
    is_new = known.seen.add(marks)
    new = rows.filter(pl.Series(is_new))
    first, known.arrivals = known.arrivals, known.arrivals + new.height
    return new.select(
        pl.Series(ROW, marks[is_new].view(np.int64)),
        pl.Series(KEY, fingerprint(new, KEYS[kind]).view(np.int64)),
        pl.Series(ARRIVAL, np.arange(first, known.arrivals, dtype=np.int64)),
        *new.columns,
    )


def _files(table: DeltaTable) -> set[str]:
    """The names of the files that make up the table now."""
    return {uri.rsplit("/", 1)[-1] for uri in table.file_uris()}


def _arrow_schema(dtypes: dict[str, Any]) -> Any:
    return pl.DataFrame(schema=dtypes).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def _widen(kind: str, table: DeltaTable) -> None:
    """Add the columns that a table written by an older release lacks."""
    from deltalake import Schema

    there = {column.name for column in table.schema().fields}
    lacking = {name: dtype for name, dtype in schema(kind).items() if name not in there}
    if lacking:
        table.alter.add_columns(Schema.from_arrow(_arrow_schema(lacking)).fields)


def _refreshed(table: DeltaTable | None) -> DeltaTable | None:
    if table is not None:
        table.update_incremental()
    return table


def _scan(kind: str, uris: list[str], storage_options: dict[str, str] | None) -> pl.LazyFrame:
    """All states in some files; a column that a file lacks is null."""
    return pl.scan_parquet(
        uris,
        schema={**HIDDEN, **schema(kind)},
        storage_options=storage_options,
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
    )


def _latest(rows: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """The rows that are the last among the states of their key."""
    if states[KEY].n_unique() == states.height:
        return rows
    # concurrent writers may have given one arrival twice: then the fingerprint decides
    order = states.select(*HIDDEN).sort(ARRIVAL, ROW)
    last = order.unique(KEY, keep="last")
    return rows.join(last, on=list(HIDDEN), how="semi")


def _sorted(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Rows in order, made column by column so that never two copies are held."""
    order = rows.select(pl.arg_sort_by(by)).to_series()
    if order.is_sorted():
        return rows
    return pl.DataFrame([rows.drop_in_place(name).gather(order) for name in rows.columns])
