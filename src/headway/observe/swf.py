"""Standard Workload Format: 18 columns of numbers below a header of `; Name: value` lines.

Source: Feitelson, Tsafrir, Krakov (2014), "Experience with using the Parallel Workloads Archive".
The extended form of MetaCentrum has 21: there column 10 is the memory in bytes in all, and the
last three are the processors' nodes, the queue's name and the requested nodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import polars as pl

from headway.observe.source import Block, Chunk, Claims, Source, text_of

NAMES: Final = (
    "id", "submit", "wait", "run", "procs", "cpu", "used_kb", "procs_requested", "limit",
    "requested_kb", "status", "user", "group", "app", "queue", "partition", "before", "think",
)  # fmt: skip
WHOLE: Final = ("id", "status", "user", "group", "app", "queue", "partition", "before")
EXTENDED: Final = ("cpu_nodes", "queue_name", "spec")
SCHEMA: Final = {
    **{name: pl.Int64 if name in WHOLE else pl.Float64 for name in NAMES},
    **dict.fromkeys(EXTENDED, pl.String),
    "rest": pl.String,
}
HEADER: Final = " ".join(SCHEMA).encode() + b"\n"
EARLIEST_S: Final = 5e8
"""Both a header's zero and a submission beyond this are epoch seconds (1985)."""


def read_swf(source: Source, claims: Claims) -> Iterator[Chunk]:
    """The records of an SWF file; the header's claims are noted in `claims`."""
    is_first = True
    for block in source.blocks():
        data = _without_comments(block.data, claims)
        raw, line = parse(data, block.line)
        if raw.height:
            if is_first:
                _doubt_zero(raw, claims)
                is_first = False
            yield Chunk(as_tasks(raw, line, claims.zero_s), _texts(block))
        if block.too_long:
            yield _too_long(block)
    if claims.total_cpus is None and claims.nodes is not None:  # as in the format's first version
        claims.total_cpus = float(claims.nodes)


def parse(data: bytes, first_line: int) -> tuple[pl.DataFrame, pl.Series]:
    """Lines of numbers as a frame of SCHEMA with the line number of each row.

    Null stands where a number could not be read.
    """
    data = data.replace(b"\t", b" ").replace(b"\r", b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    data = data.replace(b"\n ", b"\n").replace(b" \n", b"\n").lstrip(b" ")
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    is_record = np.diff(ends, prepend=-1) > 1
    line = pl.Series("line", np.flatnonzero(is_record) + first_line, pl.Int64)
    if not is_record.all():
        while b"\n\n" in data:
            data = data.replace(b"\n\n", b"\n")
        data = data.lstrip(b"\n")
    if not data:
        return pl.DataFrame(schema=SCHEMA), line
    raw = pl.read_csv(
        HEADER + data, separator=" ", quote_char=None, schema=SCHEMA, ignore_errors=True,
        truncate_ragged_lines=True, encoding="utf8-lossy",
    )  # fmt: skip
    assert raw.height == len(line), (raw.height, len(line))
    return raw, line


def as_tasks(raw: pl.DataFrame, line: pl.Series, zero_s: float) -> pl.DataFrame:
    """Rows of SWF numbers as tasks; -1 is unknown, KB per processor are multiplied out."""
    c = pl.col
    numbers = [c(name) for name in NAMES]
    below = [n for n in NAMES if n not in ("id", "status", "before", "think")]
    procs = _known("procs", 0).fill_null(_known("procs_requested", 0))
    asked = _known("procs_requested", 0).fill_null(_known("procs", 0))
    is_extended = c("spec").is_not_null()
    started = zero_s + c("submit") + pl.max_horizontal(c("wait"), 0.0)
    ran = _known("run")
    return raw.select(
        reason=pl.when(pl.any_horizontal(n.is_null() for n in numbers))
        .then(pl.lit("not 18 numbers"))
        .when(c("rest").is_not_null() | (c("cpu_nodes").is_not_null() & ~is_extended))
        .then(pl.lit("more than 18 numbers"))
        .when(pl.any_horizontal(~c(n).is_finite() for n in NAMES if n not in WHOLE))
        .then(pl.lit("a value is not finite"))
        .when(pl.any_horizontal((c(n) < 0) & (c(n) != -1) for n in below if n != "submit"))
        .then(pl.concat_str(pl.lit("negative "), _first_negative(below))),
        id=c("id").cast(pl.String),
        user=_code("user"),
        group=_code("group"),
        name=_code("app"),
        queue=pl.coalesce("queue_name", _code("queue"), _code("partition")),
        parents=pl.when(c("before") > 0)
        .then(pl.concat_list(c("before").cast(pl.String)))
        .otherwise(pl.lit([], pl.List(pl.String))),
        submitted_s=zero_s + c("submit"),
        started_s=pl.when((c("wait") >= 0) | ran.is_not_null()).then(started),
        ended_s=started + ran,
        cpus_requested=_known("procs_requested"),
        cpus_allocated=_known("procs", 0),
        limit_s=_known("limit", 0),
        memory_requested_bytes=pl.when(is_extended)
        .then(_known("requested_kb", 0))
        .otherwise(_known("requested_kb", 0) * asked * 1024),
        memory_peak_bytes=_known("used_kb", 0) * procs * 1024,
        cpu_s=_known("cpu") * procs,
        state=_state(),
    ).with_columns(line)


def _known(name: str, above: float = -1) -> pl.Expr:
    """A column with null for unknown: -1 always, and 0 too where above is 0."""
    return pl.when(pl.col(name) > above).then(pl.col(name))


def _code(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != -1).then(pl.col(name).cast(pl.String))


def _first_negative(names: list[str]) -> pl.Expr:
    return pl.coalesce(
        pl.when((pl.col(n) < 0) & (pl.col(n) != -1)).then(pl.lit(n)) for n in names if n != "submit"
    )


def _state() -> pl.Expr:
    status, run, limit = pl.col("status"), pl.col("run"), pl.col("limit")
    return (
        pl.when(status.is_in([1, 3]))
        .then(pl.lit("completed"))
        .when((limit > 0) & (run >= limit))
        .then(pl.lit("timeout"))
        .when(status == 5)
        .then(pl.lit("cancelled"))
        .when(status.is_in([0, 4]))
        .then(pl.lit("failed"))
        .otherwise(pl.lit("unknown"))
    )


def _without_comments(data: bytes, claims: Claims) -> bytes:
    """Data with each comment emptied, its line kept; what the comments claim is noted."""
    if b";" not in data:
        return data
    lines = data.split(b"\n")
    for i, raw in enumerate(lines):
        if raw.lstrip()[:1] == b";":
            _note(raw.decode("utf-8", "replace"), claims)
            lines[i] = b""
    return b"\n".join(lines)


def _note(comment: str, claims: Claims) -> None:
    """Take a header line such as `; MaxProcs: 240` into the claims."""
    found = re.match(r"\s*;\s*(\w+)\s*:\s*(-?\d{1,18})", comment)
    if found is None:
        return
    name, value = found[1], int(found[2])
    if name == "UnixStartTime":
        if 0 <= value <= 4_102_444_800:
            claims.zero_s = float(value)
        else:
            claims.doubts.append(
                f"the header says UnixStartTime {value}, which is no time between 1970 and 2100:"
                " times are counted from 1970"
            )
    elif name in ("MaxProcs", "MaxNodes") and value <= 0:
        claims.doubts.append(f"the header says {name} {value}: it is ignored")
    elif name == "MaxProcs":
        claims.total_cpus = float(value)
    elif name == "MaxNodes":
        claims.nodes = value
    elif name == "MaxRecords" or (name == "MaxJobs" and claims.records is None):
        claims.records = value


def _doubt_zero(raw: pl.DataFrame, claims: Claims) -> None:
    """Count from 1970 where the header's zero was added to the submissions already."""
    first = raw["submit"][0]
    if first is not None and claims.zero_s > EARLIEST_S and first > EARLIEST_S:
        claims.doubts.append(
            f"the header says UnixStartTime {claims.zero_s:.0f}, but submissions begin at"
            f" {first:.0f} and so are epoch seconds already: the header is ignored"
        )
        claims.zero_s = 0.0


def _texts(block: Block) -> Callable[[list[int]], list[str]]:
    def texts(lines: list[int]) -> list[str]:
        whole = block.data.split(b"\n")
        return [text_of(whole[line - block.line]) for line in lines]

    return texts


def _too_long(block: Block) -> Chunk:
    lines = list(block.too_long)
    tasks = pl.DataFrame({"line": lines, "reason": ["line too long"] * len(lines)})
    return Chunk(tasks, lambda wanted: [block.too_long[line] for line in wanted])
