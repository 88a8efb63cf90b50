"""Nextflow's trace: a row per task, tab-separated with human units or comma-separated raw.

A task runs from `start` for its `realtime` (what its script took, without staging), as published
evaluations count it. Raw traces give milliseconds and bytes; `start` has whole seconds there, so
that it may seem to lie up to a second before `submit`.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from headway.observe.fields import (
    doubt_zone,
    duration_s,
    moment_s,
    number,
    positive,
    size_bytes,
    state,
    unread,
)
from headway.observe.rows import header_of, read_rows
from headway.observe.source import Chunk, Claims, Source


def read_nextflow(source: Source, claims: Claims, workflow: str) -> Iterator[Chunk]:
    """The tasks of a trace of one run of a pipeline."""
    separator = separator_of(source)
    names = header_of(source, separator)
    for rows in read_rows(source, names, separator):
        if "submit" in names:
            doubt_zone(rows.columns["submit"], claims.doubts)
        yield rows.chunk(_tasks(rows.columns, names, workflow))


def separator_of(source: Source) -> str:
    """Tab or comma, whichever the header has more of."""
    first = source.head(1 << 16).split(b"\n")[0]
    return "\t" if first.count(b"\t") >= first.count(b",") else ","


def _tasks(rows: pl.DataFrame, names: list[str], workflow: str) -> pl.DataFrame:
    def c(name: str) -> pl.Expr:
        return pl.col(name) if name in names else pl.lit(None, pl.String)

    submitted, realtime = moment_s(c("submit"), 1e-3), duration_s(c("realtime"), 1e-3)
    duration, given = duration_s(c("duration"), 1e-3), moment_s(c("start"), 1e-3)
    complete = pl.coalesce(moment_s(c("complete"), 1e-3), submitted + duration)
    begun = pl.coalesce(given, complete - realtime)
    started = pl.when((begun < submitted) & (begun > submitted - 1.0)).then(submitted).otherwise(
        begun
    )  # fmt: skip
    process = pl.coalesce(c("process"), c("name").str.replace(r"\s*\(.*\)\s*$", ""))
    used = number(c("%cpu").str.strip_chars_end("%")) / 100
    checked = {
        "submit": submitted, "start": given, "complete": complete, "realtime": realtime,
        "memory": size_bytes(c("memory")), "peak_rss": size_bytes(c("peak_rss")),
        "cpus": number(c("cpus")),
    }  # fmt: skip
    return rows.select(
        "line",
        reason=unread((name, c(name), value) for name, value in checked.items()),
        id=pl.coalesce(c("task_id"), c("hash"), c("native_id")),
        attempt=number(c("attempt")).cast(pl.Int64, strict=False),
        workflow=pl.lit(workflow),
        name=process,
        tag=pl.coalesce(c("tag"), c("name").str.extract(r"\((.*)\)\s*$")),
        queue=c("queue"),
        node=c("hostname"),
        container=c("container"),
        submitted_s=submitted,
        started_s=started,
        ended_s=pl.coalesce(started + realtime, complete),
        cpus_requested=number(c("cpus")),
        cpus_allocated=number(c("cpus")),
        limit_s=duration_s(c("time"), 1e-3),
        memory_requested_bytes=size_bytes(c("memory")),
        memory_peak_bytes=positive(pl.coalesce(size_bytes(c("peak_rss")), size_bytes(c("rss")))),
        memory_sampled_bytes=positive(size_bytes(c("rss"))),
        cpu_s=used * realtime,
        read_bytes=size_bytes(c("rchar")),
        state=state(c("status")),
        exit_code=_exit(c("exit")),
    )


def _exit(text: pl.Expr) -> pl.Expr:
    code = number(text)
    return pl.when(code < 2.0**31 - 1).then(code)  # Nextflow's largest integer means none
