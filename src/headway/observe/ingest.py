"""A history taken into the store once: what was kept, known already, or set aside and why."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from headway.errors import StoreError
from headway.observe.source import Progress
from headway.observe.trace import Trace
from headway.protocols import Store
from headway.records import KEYS, as_row
from headway.stats import population_stability
from headway.tables import frame

log = logging.getLogger(__name__)

EXAMPLES: Final = 3
JUMP_PSI: Final = 0.25
JUMP_MISSING: Final = 0.2
SAMPLE: Final = 100_000
_AMOUNTS: Final = (
    "cpus_requested", "cpus_allocated", "nodes", "gpus", "limit_s", "memory_requested_bytes",
    "memory_peak_bytes", "cpu_s", "read_bytes", "input_bytes", "wait_s", "runtime_s",
)  # fmt: skip
_WORDS: Final = ("user", "group", "project", "name", "queue", "state")


@dataclass(slots=True)
class Ingested:
    """What became of a file: read = stored + duplicate + quarantined, after folding job steps."""

    read: int = 0
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)  # 'line 7: <the record>'
    warnings: tuple[str, ...] = ()
    distribution: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


def ingest(
    trace: Trace,
    store: Store,
    now_s: float,
    earlier: pl.DataFrame | None = None,
    progress: Progress | None = None,
) -> Ingested:
    """Keep all believable tasks of a trace, or none if it breaks off; a second time adds nothing.

    `earlier` are tasks to hold the new ones against. InputError if the file cannot be read to its
    end, StoreError if it cannot be kept; nothing is kept then.
    """
    began = time.perf_counter()
    if progress is not None:
        trace.progress = progress
    result, sample = Ingested(), Sample()
    with tempfile.TemporaryFile() as file:
        spool = Spool(file)

        def tasks() -> Iterator[pl.DataFrame]:
            for good, bad in trace:
                result.read += good.height + bad.height
                _count(bad, result)
                spool.write(bad)
                sample.add(good)
                if good.height:
                    yield good

        appended = store.append("task", tasks())
        result.stored, result.duplicate = appended.stored, appended.duplicate
        _keep_quarantine(spool, store, now_s, result)
    store.append("cluster", [frame("cluster", [as_row(trace.facts)])])
    if result.stored and earlier is not None and earlier.height:
        result.distribution = distribution(earlier, sample.tasks())
    jumps = [x["column"] for x in result.distribution if x["flagged"]]
    jumped = (f"unlike the earlier history: {', '.join(jumps)}",) if jumps else ()
    result.warnings = (*trace.facts.doubts, *jumped)
    result.seconds = time.perf_counter() - began
    log.info(
        "%s: read %d, stored %d, duplicate %d, quarantined %d, %d warnings, %.1f s",
        trace.path.name, result.read, result.stored, result.duplicate, result.quarantined,
        len(result.warnings), result.seconds,
    )  # fmt: skip
    return result


def distribution(earlier: pl.DataFrame, new: pl.DataFrame) -> list[dict[str, Any]]:
    """How far each column of two task tables lies apart, and whether that is a jump.

    One {column, psi, missing_before, missing_now, flagged} a column that either has; psi None
    where one side has no value. Users, names and queues are compared by how frequent they were.
    """
    found: list[dict[str, Any]] = []
    if not earlier.height or not new.height:
        return found
    for column in (*_AMOUNTS, *_WORDS):
        before, now = _values(earlier, column, earlier), _values(new, column, earlier)
        gone, goes = float(np.isnan(before).mean()), float(np.isnan(now).mean())
        if gone == goes == 1.0:
            continue
        psi = population_stability(before, now)
        is_jump = bool(psi > JUMP_PSI) or abs(goes - gone) > JUMP_MISSING
        found.append(
            {
                "column": column,
                "psi": None if np.isnan(psi) else psi,
                "missing_before": gone,
                "missing_now": goes,
                "flagged": is_jump,
            }
        )
    return found


def _values(tasks: pl.DataFrame, column: str, earlier: pl.DataFrame) -> np.ndarray:
    """A column as floats (n,), NaN = not known; words as their rank by frequency earlier."""
    c = pl.col
    if column in ("wait_s", "runtime_s"):
        first, last = ("submitted", "started") if column == "wait_s" else ("started", "ended")
        values = tasks.select(c(f"{last}_s") - c(f"{first}_s")).to_series()
    elif column in _WORDS:
        counts = earlier[column].drop_nulls().value_counts()
        ranked = counts.sort("count", column, descending=[True, False])[column]
        rank = pl.Series(range(ranked.len()), dtype=pl.Float64)
        known = tasks[column].replace_strict(ranked, rank, default=float(ranked.len()))
        values = tasks.select(pl.when(c(column).is_not_null()).then(known)).to_series()
    else:
        values = tasks[column]
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()


class Sample:
    """Evenly spread rows of a long table, at most SAMPLE of them and at least half as many."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []
        self._stride, self._next, self._height = 1, 0, 0

    def add(self, tasks: pl.DataFrame) -> None:
        """Take in the next rows."""
        if self._next < tasks.height:
            part = tasks.gather_every(self._stride, self._next)
            self._parts.append(part)
            self._height += part.height
            self._next += part.height * self._stride
        self._next -= tasks.height
        while self._height > SAMPLE:
            self._parts = [self.tasks().gather_every(2)]
            self._next += self._stride if self._height % 2 else 0
            self._stride *= 2
            self._height = self._parts[0].height

    def tasks(self) -> pl.DataFrame:
        """The rows so far."""
        return pl.concat(self._parts) if self._parts else frame("task")


class Spool:
    """Frames of one kind written aside and read back in order, in bounded memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._writer: Any = None

    def write(self, part: pl.DataFrame) -> None:
        """Add rows at the end; StoreError if there is no room."""
        if not part.height:
            return
        try:
            table = part.to_arrow()
            if self._writer is None:
                self._writer = pa.ipc.new_stream(self._file, table.schema)
            self._writer.write_table(table)
        except OSError as error:
            raise StoreError(f"no room for temporary files ({error}); free some space") from error

    def read(self) -> Iterator[pl.DataFrame]:
        """All rows; nothing can be written afterwards."""
        if self._writer is None:
            return
        self._writer.close()
        self._file.seek(0)
        for batch in pa.ipc.open_stream(self._file):
            part = pl.from_arrow(batch)
            assert isinstance(part, pl.DataFrame)
            yield part


def _count(bad: pl.DataFrame, result: Ingested) -> None:
    result.quarantined += bad.height
    for reason, line, text in bad.select("reason", "line", "text").iter_rows():
        result.reasons[reason] = result.reasons.get(reason, 0) + 1
        examples = result.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES:
            examples.append(f"line {line}: {text[:200]}")


def _keep_quarantine(spool: Spool, store: Store, now_s: float, result: Ingested) -> None:
    """Set aside what is not yet there: the moment of reading alone makes no new record."""
    if not result.quarantined:
        return
    known = store.read("quarantine", -np.inf, np.inf).select(KEYS["quarantine"])
    fresh = (
        part.join(known, on=list(KEYS["quarantine"]), how="anti").with_columns(at_s=pl.lit(now_s))
        for part in spool.read()
    )
    store.append("quarantine", (part for part in fresh if part.height))
