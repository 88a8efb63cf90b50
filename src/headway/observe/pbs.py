"""PBS and Torque accounting logs: `date;type;job;key=value ..` lines, of which E ends an attempt.

Memory is compared like with like: where a job asked for vmem alone, its peak is its vmem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import polars as pl

from headway.observe.fields import duration_s, number, positive, size_bytes, unread
from headway.observe.rows import texts_of
from headway.observe.source import Block, Chunk, Claims, Source

_RECORD: Final = re.compile(rb"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d;([A-Za-z]+);")


def read_pbs(source: Source, claims: Claims) -> Iterator[Chunk]:
    """The ended jobs of an accounting log; other types of lines are counted and left out."""
    other = 0
    for block in source.blocks():
        lines, ends, broken, n_other = _sorted(block)
        other += n_other
        tasks = _tasks(pl.DataFrame({"line": lines, "text": ends}, schema=_TEXT))
        bad = pl.DataFrame(
            {"line": list(broken), "reason": list(broken.values())},
            schema={"line": pl.Int64, "reason": pl.String},
        )
        if tasks.height or bad.height:
            yield Chunk(pl.concat([tasks, bad], how="diagonal_relaxed"), texts_of(block))
    if other:
        claims.doubts.append(f"{other:,} lines are not of type E (ended) and were left out")


_TEXT: Final = {"line": pl.Int64, "text": pl.String}


def _sorted(block: Block) -> tuple[list[int], list[str], dict[int, str], int]:
    """Line numbers and texts of ended jobs, broken lines with a reason, how many others."""
    lines, ends, other = [], [], 0
    broken = dict.fromkeys(block.too_long, "line too long")
    for i, raw in enumerate(block.data.split(b"\n"), start=block.line):
        if not raw.strip():
            continue
        found = _RECORD.match(raw)
        if found is None:
            broken[i] = "not an accounting line"
        elif found[1] == b"E":
            lines.append(i)
            ends.append(raw.decode("utf-8", "replace"))
        else:
            other += 1
    return lines, ends, broken, other


def _tasks(rows: pl.DataFrame) -> pl.DataFrame:
    text = pl.col("text")

    def c(key: str) -> pl.Expr:
        return text.str.extract(rf"[; ]{re.escape(key)}=(\S+)")

    asked = {kind: size_bytes(c(f"Resource_List.{kind}")) for kind in ("mem", "vmem")}
    used = {kind: size_bytes(c(f"resources_used.{kind}")) for kind in ("mem", "vmem")}
    is_virtual = asked["mem"].is_null() & asked["vmem"].is_not_null()
    peak = pl.when(is_virtual).then(used["vmem"]).otherwise(used["mem"])
    start, limit = number(c("start")), duration_s(c("Resource_List.walltime"))
    ended, walltime = number(c("end")), duration_s(c("resources_used.walltime"))
    submitted = pl.coalesce(number(c("ctime")), number(c("qtime")), number(c("etime")))
    wanted = c("Resource_List.nodes")
    chunks = pl.coalesce(wanted, c("Resource_List.select"))
    count = number(chunks.str.extract(r"^(\d+)(?:[:+]|$)")).fill_null(1.0)
    ppn = number(chunks.str.extract(r"(?:ppn|ncpus)=(\d+)"))
    slots = pl.coalesce(number(c("total_execution_slots")), number(c("resources_used.ncpus")))
    listed = pl.coalesce(number(c("Resource_List.ncpus")), count * ppn.fill_null(1.0))
    code = number(c("Exit_status"))
    checked = [
        (key, c(key), number(c(key))) for key in ("ctime", "qtime", "start", "end", "Exit_status")
    ]
    return rows.select(
        "line",
        reason=unread(checked),
        id=text.str.extract(r"^[^;]*;[^;]*;([^;]+);"),
        attempt=pl.max_horizontal(number(c("run_count")), 1.0).cast(pl.Int64, strict=False),
        user=c("user"),
        group=c("group"),
        project=pl.coalesce(c("account"), c("project")).str.strip_chars('"'),
        name=c("jobname"),
        queue=c("queue"),
        node=c("exec_host").str.extract(r"^([^/+]+)"),
        submitted_s=submitted,
        started_s=start,
        ended_s=pl.coalesce(ended, start + walltime),
        cpus_requested=pl.when(chunks.is_not_null() | c("Resource_List.ncpus").is_not_null()).then(
            listed
        ),
        cpus_allocated=positive(pl.coalesce(slots, listed)),
        nodes=positive(
            pl.coalesce(number(c("unique_node_count")), number(c("Resource_List.nodect")))
        ),
        gpus=number(c("Resource_List.ngpus")),
        limit_s=limit,
        memory_requested_bytes=positive(pl.coalesce(asked["mem"], asked["vmem"])),
        memory_peak_bytes=positive(peak),
        cpu_s=duration_s(c("resources_used.cput")),
        state=end_state(code, pl.coalesce(walltime, ended - start), limit),
        exit_code=code,
    )


def end_state(code: pl.Expr, ran_s: pl.Expr, limit_s: pl.Expr) -> pl.Expr:
    """The state that a PBS exit status tells: 0 is success, 271 was killed by a signal 15."""
    return (
        pl.when(code == 0)
        .then(pl.lit("completed"))
        .when(ran_s >= limit_s)
        .then(pl.lit("timeout"))
        .when(code == 271)
        .then(pl.lit("cancelled"))
        .when(code.is_not_null())
        .then(pl.lit("failed"))
        .otherwise(pl.lit("unknown"))
    )
