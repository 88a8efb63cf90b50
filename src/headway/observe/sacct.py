"""Slurm's accounting as `sacct -P` prints it: any columns that hold an id and a submission.

Job steps (123.batch, 123.0) are folded into their job: its peak memory is the largest MaxRSS of
a step, which Slurm measures per node, so that a job on many nodes may have used more in all.
Lines of one JobID with different submissions or starts, as `sacct -D` prints a requeued job, are
its attempts. Times are local without a zone: they are read as UTC unless they state one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from headway.errors import InputError
from headway.observe.fields import (
    clock_s,
    doubt_zone,
    duration_s,
    moment_s,
    number,
    per,
    positive,
    size_bytes,
    state,
    unread,
)
from headway.observe.rows import Rows, header_of, read_rows
from headway.observe.source import Chunk, Claims, Source

_COLUMNS: Final = {
    name.lower(): name
    for name in (
        "JobID", "JobIDRaw", "User", "Group", "Account", "JobName", "Partition", "NodeList",
        "Submit", "Start", "End", "Elapsed", "ElapsedRaw", "ReqCPUS", "NCPUS", "AllocCPUS",
        "NNodes", "ReqNodes", "AllocNodes", "Timelimit", "TimelimitRaw", "ReqMem", "MaxRSS",
        "TotalCPU", "State", "ExitCode", "ReqTRES", "AllocTRES", "Container", "Restarts", "UID",
    )
}  # fmt: skip
_TRIED_AGAIN: Final = r"(?i)^(?:REQUEUED|PREEMPTED|NODE_FAIL|BOOT_FAIL|FAILED|CANCELLED|TIMEOUT)"
MOST_STEPS: Final = 1_000_000


def read_sacct(source: Source, claims: Claims) -> Iterator[Chunk]:
    """The jobs of a `sacct -P` table, each with its steps folded in."""
    names = [_COLUMNS.get(name.lower(), name) for name in header_of(source, "|")]
    names = [f"?{i}" if name in names[:i] else name for i, name in enumerate(names)]
    if not {"JobID", "JobIDRaw"} & set(names) or not {"Submit", "Start"} & set(names):
        raise InputError(
            f"{source.path} needs the columns JobID and Submit to be read as sacct:"
            " run sacct -P with --format=JobID,User,JobName,Submit,Start,End,State,.."
        )
    attempts, held = Attempts(), None
    submit = "Submit" if "Submit" in names else "Start"
    for rows in read_rows(source, names, "|"):
        doubt_zone(rows.columns[submit], claims.doubts)
        ready, held = _split(rows, held, source)
        yield from _chunks(ready, names, attempts)
    if held is not None:
        yield from _chunks([held], names, attempts)


def _split(rows: Rows, held: Rows | None, source: Source) -> tuple[list[Rows], Rows | None]:
    """What can be folded now, and the last job, whose steps may go on in the next block."""
    is_job = ~_step(rows.columns)
    first = next(iter(is_job.arg_true()), None)
    if first is None and held is not None:  # nothing but steps of the job held
        if held.columns.height + rows.columns.height > MOST_STEPS:
            raise InputError(f"{source.path} has a job with more than {MOST_STEPS:,} steps")
        return [], _joined(held, rows)
    if first is None:
        return [rows], None
    last = int(is_job.arg_true()[-1])
    line = rows.columns["line"][last]
    before = Rows(
        rows.columns[:last], {n: r for n, r in rows.broken.items() if n < line}, rows.texts
    )
    after = Rows(
        rows.columns[last:], {n: r for n, r in rows.broken.items() if n > line}, rows.texts
    )
    return [before if held is None else _joined(held, before)], after


def _joined(a: Rows, b: Rows) -> Rows:
    lines = {*a.columns["line"].to_list(), *a.broken}

    def texts(wanted: list[int]) -> list[str]:
        ours = [n for n in wanted if n in lines]
        theirs = [n for n in wanted if n not in lines]
        found = dict(zip(ours, a.texts(ours), strict=True))
        found |= dict(zip(theirs, b.texts(theirs), strict=True))
        return [found[n] for n in wanted]

    return Rows(pl.concat([a.columns, b.columns]), {**a.broken, **b.broken}, texts)


def _step(rows: pl.DataFrame) -> pl.Series:
    return rows.select(_id(rows).str.contains(r"^[^.]*\.").fill_null(False)).to_series()


def _id(rows: pl.DataFrame) -> pl.Expr:
    return pl.col("JobID" if "JobID" in rows.columns else "JobIDRaw")


def _chunks(ready: list[Rows], names: list[str], attempts: Attempts) -> Iterator[Chunk]:
    for rows in ready:
        if rows.columns.height or rows.broken:
            jobs = attempts.numbered(_folded(rows.columns))
            yield rows.chunk(_tasks(jobs, names))


def _folded(rows: pl.DataFrame) -> pl.DataFrame:
    """One row a job, with `peak` and `orphan` (a step that follows no job of its id)."""
    is_step = _step(rows)
    peak = size_bytes(pl.col("MaxRSS")) if "MaxRSS" in rows.columns else pl.lit(None, pl.Float64)
    rows = rows.with_columns(peak=peak, base=_id(rows).str.extract(r"^([^.]*)"), is_step=is_step)
    if not is_step.any():
        return rows.with_columns(orphan=pl.lit(False))
    rows = rows.with_columns(job=(~pl.col("is_step")).cum_sum())
    of_job = pl.col("base").first().over("job") == pl.col("base")
    rows = rows.with_columns(orphan=(pl.col("is_step") & ((pl.col("job") == 0) | ~of_job)))
    peaks = (
        rows.filter("is_step", ~pl.col("orphan"))
        .group_by("job")
        .agg(step_peak=pl.col("peak").max(), step_cpu=_most("TotalCPU", rows))
    )
    jobs = rows.filter(~pl.col("is_step") | pl.col("orphan")).join(
        peaks, on="job", how="left", maintain_order="left"
    )
    return jobs.with_columns(
        peak=pl.when(pl.col("orphan"))
        .then("peak")
        .otherwise(pl.max_horizontal("peak", "step_peak"))
    )


def _most(name: str, rows: pl.DataFrame) -> pl.Expr:
    value = clock_s(pl.col(name)) if name in rows.columns else pl.lit(None, pl.Float64)
    return value.sum()


class Attempts:
    """Which attempt of its job a line is, counted over the whole file."""

    def __init__(self) -> None:
        self._tries: dict[str, list[tuple[str | None, ...]]] = {}

    def numbered(self, jobs: pl.DataFrame) -> pl.DataFrame:
        """The rows with `attempt`: 1, or one more for each other submission or start before.

        Only the lines that ended in a way after which Slurm may try again are remembered, so that
        ten million completed jobs cost nothing.
        """
        times = [name for name in ("Submit", "Start") if name in jobs.columns]
        may_repeat = pl.Series([base in self._tries for base in jobs["base"]], dtype=pl.Boolean)
        if "State" in jobs.columns:
            may_repeat |= jobs["State"].str.contains(_TRIED_AGAIN).fill_null(False)
        again = jobs.filter(may_repeat)["base"].unique()
        marked = jobs.with_columns(at=pl.col("base").is_in(again.implode()))
        attempt = [1] * jobs.height
        rows = marked.with_row_index("row").filter("at").select("row", "base", *times)
        for row, base, *moments in rows.iter_rows():
            tries = self._tries.setdefault(base or "", [])
            if tuple(moments) not in tries:
                tries.append(tuple(moments))
            attempt[row] = tries.index(tuple(moments)) + 1
        return jobs.with_columns(attempt=pl.Series(attempt, dtype=pl.Int64))


def _tasks(jobs: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    def c(name: str) -> pl.Expr:
        return pl.col(name) if name in names else pl.lit(None, pl.String)

    jobs = jobs.with_columns(  # each once: an expression used twice is computed twice
        **{f"={name}": moment_s(c(name)) for name in ("Submit", "Start", "End")},
        **{"=Elapsed": pl.coalesce(number(c("ElapsedRaw")), clock_s(c("Elapsed")))},
        **{"=Limit": pl.coalesce(number(c("TimelimitRaw")) * 60, clock_s(c("Timelimit")))},
        **{"=ReqMem": size_bytes(c("ReqMem"), 2.0**20), "=State": state(c("State"))},
    )
    submitted, start, end, elapsed, limit, mem, told = (
        pl.col(f"={n}") for n in ("Submit", "Start", "End", "Elapsed", "Limit", "ReqMem", "State")
    )
    asked = pl.coalesce(number(c("ReqCPUS")), _tres(c("ReqTRES"), "cpu"))
    given = positive(
        pl.coalesce(*(number(c(n)) for n in ("AllocCPUS", "NCPUS")), _tres(c("AllocTRES"), "cpu"))
    )
    nodes = positive(pl.coalesce(*(number(c(n)) for n in ("NNodes", "AllocNodes", "ReqNodes"))))
    times = {"c": pl.coalesce(given, asked), "n": nodes.fill_null(1.0)}
    in_all = mem * pl.coalesce(
        *(pl.when(per(c("ReqMem")) == letter).then(n) for letter, n in times.items()), pl.lit(1.0)
    )
    is_live = told.is_in(["pending", "running"])
    code = c("ExitCode").str.extract_groups(r"^(\d+)(?::(\d+))?$")
    first, signal = (code.struct.field(i).cast(pl.Float64, strict=False) for i in ("1", "2"))
    checked = [
        ("Submit", c("Submit"), submitted), ("Start", c("Start"), start), ("End", c("End"), end),
        ("Elapsed", c("Elapsed"), elapsed), ("Timelimit", c("Timelimit"), limit),
        ("State", c("State"), told), ("ReqMem", c("ReqMem"), mem),
        ("MaxRSS", c("MaxRSS"), size_bytes(c("MaxRSS"))), ("ReqCPUS", c("ReqCPUS"), asked),
    ]  # fmt: skip
    return jobs.select(
        "line",
        "attempt",
        reason=pl.when("orphan").then(pl.lit("a step without its job")).otherwise(unread(checked)),
        id=_id(jobs),
        user=pl.coalesce(c("User"), c("UID")),
        group=c("Group"),
        project=c("Account"),
        name=c("JobName"),
        queue=c("Partition"),
        node=c("NodeList"),
        container=c("Container"),
        submitted_s=pl.coalesce(submitted, start),
        started_s=start,
        ended_s=pl.when(~is_live | is_live.is_null()).then(pl.coalesce(end, start + elapsed)),
        cpus_requested=positive(asked),
        cpus_allocated=given,
        nodes=nodes,
        gpus=pl.coalesce(_tres(c("AllocTRES"), "gres/gpu"), _tres(c("ReqTRES"), "gres/gpu")),
        limit_s=limit,
        memory_requested_bytes=positive(
            pl.coalesce(in_all, size_bytes(_part(c("ReqTRES"), "mem")))
        ),
        memory_peak_bytes=positive(pl.col("peak")),
        cpu_s=duration_s(c("TotalCPU")),
        state=told,
        exit_code=pl.when((first == 0) & (signal > 0)).then(128 + signal).otherwise(first),
    )


def _part(tres: pl.Expr, name: str) -> pl.Expr:
    """The value of one name in `cpu=4,mem=16G,gres/gpu=1`."""
    return tres.str.extract(rf"(?:^|,){name}=([^,]+)")


def _tres(tres: pl.Expr, name: str) -> pl.Expr:
    return number(_part(tres, name))
