"""Moves what was decided long ago from the journals into the tables of the log.

A journal is made for adding: every answer carries its features in words. Two weeks after the newest
no server looks at a segment, so it is folded: a decision becomes a row of the table `decision` of
`<home>/log`, which takes a fraction of the room and which any reader of Delta tables opens;
outcomes and feedback become rows of theirs. A segment goes when its rows are kept; what is folded
again after a crash adds nothing. Who counts all holds a lock meanwhile, so that nothing moves.
"""

from __future__ import annotations

import fcntl
import json
import logging
import math
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from headway.records import columns
from headway.serve.decisions import FOLDER, features_of, read_records
from headway.serve.recalled import newest
from headway.serve.rollouts import read_rollouts
from headway.serve.tally import EXPIRES_S
from headway.store import DeltaStore
from headway.store.journal import HEAD, records_of, with_status
from headway.store.parts import sync
from headway.store.refusals import plainly
from headway.tables import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

KINDS: Final = ("decision", "outcome", "feedback")
ROWS: Final = 2_000  # that become a table at once


def fold(
    home: Path, now_s: float, progress: Callable[[str, float], None] = lambda what, share: None
) -> dict[str, Any]:
    """Fold the segments that nobody wants; how many, their bytes, and how many new rows of a kind.

    Wanted is what was written in the two weeks before now or before the newest, what answers are
    given again from, and what came since an open rollout began. StoreError where rows cannot be
    kept: then their segment stays.
    """
    segments = _unwanted(home, now_s)
    folded: dict[str, Any] = {"segments": 0, "bytes": 0} | dict.fromkeys(KINDS, 0)
    store = DeltaStore(str(home / "log"))
    for number, (path, status) in enumerate(segments):
        progress("folding", number / len(segments))
        with _still(home, fcntl.LOCK_EX):
            added = _moved(store, path, status.st_size)
        if added is not None:
            folded["segments"] += 1
            folded["bytes"] += status.st_size
            for kind in KINDS:
                folded[kind] += added[kind]
    progress("folding", 1.0)
    return folded


def all_records(home: Path) -> Iterator[dict[str, Any]]:
    """All that was logged, folded or not; decisions that were folded without their features."""
    with _still(home, fcntl.LOCK_SH):
        yield from _folded(DeltaStore(str(home / "log")))
        yield from read_records(home)


def _folded(store: DeltaStore) -> Iterator[dict[str, Any]]:
    """What was folded, as it was logged."""
    others = set[str]()  # decisions of an engine that has the same log
    for rows in store.parts("decision", ("decision_id", "said")):
        for id_, said in rows.iter_rows():
            if said is None:
                others.add(id_)
            else:
                yield json.loads(said)
    for kind in KINDS[1:]:
        for rows in store.parts(kind, tuple(columns(kind))):
            for row in rows.iter_rows(named=True):
                if row["decision_id"] not in others:
                    at_s = -math.inf if row["at_s"] is None else row["at_s"]
                    yield {"kind": kind} | row | {"at_s": at_s}


@contextmanager
def _still(home: Path, how: int) -> Iterator[None]:
    """While this holds, segments stay (LOCK_SH), or are moved by nobody else (LOCK_EX)."""
    if not (home / FOLDER).is_dir():
        yield
        return
    folder = os.open(home / FOLDER, os.O_RDONLY)
    try:
        fcntl.flock(folder, how)
        yield
    finally:
        os.close(folder)


def _unwanted(home: Path, now_s: float) -> list[tuple[Path, os.stat_result]]:
    """Segments that nothing is added to and nobody looks at, oldest first."""
    found: list[tuple[Path, os.stat_result]] = []
    latest_s = -math.inf
    for journal in sorted((home / FOLDER).glob("*/")):
        mine = list(with_status(sorted(journal.glob("[0-9]*.log"))))
        latest_s = max([latest_s, *(status.st_mtime for _, status in mine)])
        found += mine[:-1]
    begun_s = min((r.started_s for r in read_rollouts(home) if r.is_open), default=math.inf)
    until_s, again = min(now_s - EXPIRES_S, latest_s - EXPIRES_S, begun_s), set(newest(home))
    old = [one for one in found if one[1].st_mtime < until_s and one[0] not in again]
    return sorted(old, key=lambda one: one[1].st_mtime)


def _moved(store: DeltaStore, path: Path, size: int) -> dict[str, int] | None:
    """New rows of each kind, of a segment that is gone now; None = it stays, or went before."""
    records = list(records_of(path))
    if not records:
        return None
    if sum(HEAD.size + len(record) for record in records) < size:
        log.warning("%s is damaged and stays: what follows in it would be lost", path)
        return None
    try:
        tables = _tables(records)
    except (pl.exceptions.PolarsError, KeyError, TypeError, ValueError, OverflowError) as error:
        log.warning("%s stays: a record in it is no row: %r", path, error)
        return None
    added = {kind: store.append(kind, tables[kind]).stored for kind in KINDS}
    with plainly(f"remove {path}"):
        path.unlink(missing_ok=True)
        sync(path.parent)
    return added


def _tables(records: list[bytes]) -> dict[str, list[pl.DataFrame]]:
    """The records of each kind as tables."""
    waiting: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    tables: dict[str, list[pl.DataFrame]] = {kind: [] for kind in KINDS}
    for record in records:
        said = json.loads(record)
        kind = said["kind"]
        waiting[kind].append(_row(kind, said))
        if len(waiting[kind]) == ROWS:
            tables[kind].append(frame(kind, waiting[kind]))
            waiting[kind] = []
    for kind, rows in waiting.items():
        if rows:
            tables[kind].append(frame(kind, rows))
    return tables


def _row(kind: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """A record as a row; of a decision with all that was logged but the features in words."""
    words = {key: value for key, value in said.items() if key != "features"}
    row = {name: _storable(words.get(name), to) for name, to in columns(kind).items()}
    if kind == "decision":
        row |= {"features": features_of(said).tolist(), "said": json.dumps(words)}
    return row


def _storable(value: Any, to: str) -> Any:
    """A value as its column can hold it: NaN is no integer, half a character is no text."""
    if to == "int" and isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
