"""Execution reports of Lotaru: a row per task of one workflow on one machine, without times.

The rows of a file are taken to run one after another, those of the reduced inputs (labels train-..)
before the others, from a made-up zero. The size of the input is the one known before the run; the
machine, which is chosen before it, is the queue. Source: Bader et al. (2022, 2023), Lotaru.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from headway.errors import InputError
from headway.observe.fields import number, positive, unread
from headway.observe.rows import header_of, read_rows
from headway.observe.source import Chunk, Claims, Source

MARKS: Final = {"label", "machine", "task", "taskinputsize", "realtime"}
"""Columns, in lower case, by which such a report is known."""

_ZERO_S: Final = 946_684_800.0  # 2000-01-01
_SIZES: Final = ("TaskInputSizeUncompressed", "TaskInputSize")


def read_lotaru(source: Source, claims: Claims) -> Iterator[Chunk]:
    """The tasks of a report; it must fit into one block, since its rows are put in order."""
    names = header_of(source, ",")
    if not {name.lower() for name in names} >= MARKS:
        raise InputError(
            f"{source.path} cannot be read as lotaru: its header needs {', '.join(sorted(MARKS))}"
        )
    claims.doubts.append("no column says when a task ran: one after another is taken")
    claims.zero_s, claims.is_timed = _ZERO_S, False
    for count, rows in enumerate(read_rows(source, names, ",")):
        if count:
            raise InputError(f"{source.path} is too long for a report of Lotaru; split the file")
        yield rows.chunk(_tasks(rows.columns, names))


def _tasks(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    def c(name: str) -> pl.Expr:
        return pl.col(name) if name in names else pl.lit(None, pl.String)

    runtime = number(c("Realtime")) * 1e-3
    checked = {name: number(c(name)) for name in ("Realtime", "cpus", "memory", *_SIZES)}
    ordered = rows.with_columns(
        is_full=~c("Label").fill_null("").str.starts_with("train"), runtime=runtime
    ).sort("is_full", maintain_order=True)
    before = pl.col("runtime").fill_null(0.0).cum_sum().shift(1, fill_value=0.0)
    return ordered.select(
        "line",
        reason=unread((name, c(name), value) for name, value in checked.items()),
        id=pl.concat_str(
            c("Workflow").fill_null(""), pl.col("line").cast(pl.String), separator="-"
        ),
        workflow=c("Workflow"),
        name=c("Task"),
        tag=c("Label"),
        queue=c("Machine"),
        submitted_s=_ZERO_S + before,
        started_s=_ZERO_S + before,
        ended_s=_ZERO_S + before + pl.col("runtime"),
        cpus_requested=number(c("cpus")),
        cpus_allocated=number(c("cpus")),
        memory_requested_bytes=positive(number(c("memory"))),
        memory_peak_bytes=positive(number(c("peak_rss"))),
        input_bytes=pl.coalesce(positive(number(c(name))) for name in _SIZES),
        state=pl.lit("completed"),
    )
