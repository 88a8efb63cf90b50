"""Any table of tasks: CSV, TSV, `|`-separated or Parquet, its columns mapped to fields.

What is missing is derived where it can be: an end from start and runtime, a start from submission
and wait; a run without either is taken to start at its submission, which a doubt says. Where a
Slurm table gives processor time but not the elapsed time, elapsed = CPUTimeRAW / ReqCPUS, at most
the limit: what is above it shows that more processors were allocated than requested.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import polars as pl

from headway.errors import InputError
from headway.observe.fields import doubt_zone, per, positive, unread
from headway.observe.mapping import NUMBERS, Mapped, map_columns
from headway.observe.pbs import end_state
from headway.observe.rows import Rows, header_of, parsed, read_rows
from headway.observe.source import Chunk, Claims, Source

if TYPE_CHECKING:
    import pyarrow.parquet as pq

SEPARATORS: Final = ("\t", "|", ",", ";")
ROWS: Final = 200_000
SAMPLE_BYTES: Final = 1 << 20


def read_table(source: Source, claims: Claims, column_map: Mapping[str, str]) -> Iterator[Chunk]:
    """The tasks of a table; column_map {column: field} overrules what the names suggest."""
    is_parquet = source.head(4) == b"PAR1"
    sample, blocks = _parquet(source) if is_parquet else _delimited(source)
    mapped = map_columns(sample, column_map)
    if "submitted_s" not in mapped.column and "started_s" not in mapped.column:
        raise InputError(
            f"{source.path} has no column that is a time of submission (its columns:"
            f" {', '.join(sample.columns[:30])}); say which: --map COLUMN=submitted_s"
        )
    claims.doubts += _doubts(mapped)
    doubt_zone(sample[mapped.column.get("submitted_s", sample.columns[0])], claims.doubts)
    claims.is_timed = bool({"started_s", "wait_s", "allocated_wait_s"} & set(mapped.column))
    for rows in blocks:
        if rows.columns.height or rows.broken:
            yield rows.chunk(_tasks(rows.columns, mapped))


def separator_of(line: str) -> str:
    """The separator that a header has most of; '' if it has none."""
    best = max(SEPARATORS, key=line.count)
    return best if best in line else ""


def _delimited(source: Source) -> tuple[pl.DataFrame, Iterator[Rows]]:
    head = source.head(SAMPLE_BYTES).removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    lines = [x for x in head.split(b"\n") if x.strip()]
    separator = separator_of(lines[0].decode("utf-8", "replace")) if lines else ""
    if not separator:
        raise InputError(f"{source.path} has only one column: it is no table of tasks")
    names = header_of(source, separator)
    if len(lines) > 2 and len(head) == SAMPLE_BYTES:
        lines.pop()  # cut in the middle
    whole = [x for x in lines[1:] if x.count(separator.encode()) == len(names) - 1 or b'"' in x]
    data = b"".join(x + b"\n" for x in whole)
    line = pl.Series("line", range(len(whole)), pl.Int64)
    sample = parsed(data, names, separator, line).select(names)
    return sample, read_rows(source, names, separator)


def _parquet(source: Source) -> tuple[pl.DataFrame, Iterator[Rows]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source.path)
        first = next(file.iter_batches(batch_size=1000), None)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{source.path} is not a readable Parquet file: {error}") from error
    if first is None:
        raise InputError(f"{source.path} holds no records; export the history again")
    return as_text(pl.from_arrow(first)), _batches(source, file)


def _batches(source: Source, file: pq.ParquetFile) -> Iterator[Rows]:
    import pyarrow as pa

    row = 1
    try:
        for batch in file.iter_batches(batch_size=ROWS):
            columns = as_text(pl.from_arrow(batch))
            yield _as_rows(columns, row)
            row += columns.height
            source.advance(row / max(file.metadata.num_rows, 1))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{source.path} is a damaged Parquet file: {error}") from error


def _as_rows(columns: pl.DataFrame, first: int) -> Rows:
    def texts(rows: list[int]) -> list[str]:
        return [json.dumps(columns.row(n - first, named=True))[:2000] for n in rows]

    line = pl.Series("line", range(first, first + columns.height), pl.Int64)
    return Rows(columns.with_columns(line), {}, texts)


def as_text(columns: pl.DataFrame | pl.Series) -> pl.DataFrame:
    """Typed columns as the texts that a CSV file would have; times are epoch seconds."""
    assert isinstance(columns, pl.DataFrame)
    wanted = []
    for name, dtype in columns.schema.items():
        c = pl.col(name)
        if dtype in (pl.Datetime, pl.Date):
            c = c.cast(pl.Datetime("us")).dt.epoch("us") / 1e6
        elif dtype == pl.Duration:
            c = c.dt.total_microseconds() / 1e6
        elif isinstance(dtype, pl.List):
            c = c.cast(pl.List(pl.String)).list.join(" ")
        elif dtype.is_nested() or dtype in (pl.Binary, pl.Object):
            continue
        wanted.append(c.cast(pl.String))
    return columns.select(wanted)


def _doubts(mapped: Mapped) -> list[str]:
    doubts, has = [], mapped.column
    if "submitted_s" not in has:
        doubts.append("no column says when a task was submitted: its start is taken")
    elif not {"started_s", "wait_s", "allocated_wait_s"} & set(has):
        doubts.append("no column says when a task started: its submission is taken")
    if not {"ended_s", "runtime_s", "allocated_cpu_s"} & set(has):
        doubts.append("no column says how long a task ran")
    elif not {"ended_s", "runtime_s"} & set(has):
        doubts.append("runtimes are CPUTimeRAW / ReqCPUS, at most the limit: a best effort")
    if "id" not in has:
        doubts.append("no column is an id: the line number is taken")
    return doubts


def _tasks(rows: pl.DataFrame, mapped: Mapped) -> pl.DataFrame:
    known = mapped.column
    rows = rows.with_columns(mapped.value(name).alias(f"={name}") for name in known)

    def v(name: str) -> pl.Expr:
        return pl.col(f"={name}") if name in known else mapped.value(name)

    asked = positive(v("cpus_requested"))
    over_cpus = v("allocated_cpu_s") / asked
    limit = v("limit_s")
    ran = pl.coalesce(v("runtime_s"), pl.min_horizontal(over_cpus, limit))
    wait = pl.coalesce(v("wait_s"), v("allocated_wait_s") / asked)
    submitted = pl.coalesce(v("submitted_s"), v("started_s"))
    begun = v("started_s")
    if "started_s" not in known:
        begun = pl.coalesce(submitted + wait, pl.when(ran.is_not_null()).then(submitted))
    ended = pl.coalesce(v("ended_s"), begun + ran)
    given = positive(v("cpus_allocated"))
    if "cpus_allocated" not in known and "allocated_cpu_s" in known:
        given = positive(pl.when(ran > 0).then(v("allocated_cpu_s") / ran))
    numeric = [n for n in known if n in NUMBERS or n.endswith(("_s", "_bytes"))]
    checked = [(known[n], pl.col(known[n]), v(n)) for n in numeric]
    texts = ("user", "group", "project", "workflow", "name", "tag", "queue", "node", "container")
    parents = v("parents").str.strip_chars("[]").str.extract_all(r"[^\s,;:'\"]+")
    return rows.select(
        "line",
        reason=unread(checked) if checked else pl.lit(None, pl.String),
        id=v("id") if "id" in known else pl.col("line").cast(pl.String),
        attempt=v("attempt").cast(pl.Int64, strict=False),
        parents=parents if "parents" in known else pl.lit([], pl.List(pl.String)),
        submitted_s=submitted,
        started_s=begun,
        ended_s=ended,
        cpus_requested=asked,
        cpus_allocated=given,
        nodes=positive(v("nodes")),
        gpus=v("gpus"),
        limit_s=limit,
        memory_requested_bytes=positive(
            _in_all(mapped, v, _cpus_known_before(mapped, given, asked))
        ),
        memory_peak_bytes=positive(v("memory_peak_bytes")),
        memory_sampled_bytes=positive(v("memory_sampled_bytes")),
        cpu_s=v("cpu_s"),
        read_bytes=v("read_bytes"),
        input_bytes=v("input_bytes"),
        state=_state(mapped, v, ended, pl.coalesce(ran, ended - begun)),
        exit_code=v("exit_code"),
        **{name: v(name) for name in texts},
    )


def _cpus_known_before(mapped: Mapped, given: pl.Expr, asked: pl.Expr) -> pl.Expr:
    """The processors a request per processor is for: those that were worked out of the processor
    time used say how the run went, so they count only where nothing was asked for.
    """
    is_worked_out = "cpus_allocated" not in mapped.column
    return pl.coalesce(asked, given) if is_worked_out else pl.coalesce(given, asked)


def _in_all(mapped: Mapped, v: Callable[[str], pl.Expr], cpus: pl.Expr) -> pl.Expr:
    """Requested memory; what Slurm gives per processor (c) or node (n) is multiplied out."""
    name = "memory_requested_bytes"
    if name not in mapped.column or mapped.is_plain[name]:
        return v(name)
    letter, nodes = per(pl.col(mapped.column[name])), positive(v("nodes")).fill_null(1.0)
    return v(name) * pl.when(letter == "c").then(cpus).when(letter == "n").then(nodes).otherwise(
        1.0
    )


def _state(mapped: Mapped, v: Callable[[str], pl.Expr], ended: pl.Expr, ran: pl.Expr) -> pl.Expr:
    """What the table says, else what the exit code tells; a task that has ended is not running."""
    by_code = end_state(v("exit_code"), ran, v("limit_s"))
    if "state" not in mapped.column:
        return by_code
    told = v("state")
    is_stale = ended.is_not_null() & told.is_in(["pending", "running"])
    return pl.when(is_stale).then(pl.lit("unknown")).otherwise(pl.coalesce(told, by_code))
