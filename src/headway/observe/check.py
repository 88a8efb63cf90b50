"""Why a task cannot be believed: one short, countable reason a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

from headway.records import STATES
from headway.tables import schema

LATEST_S: Final = 4_102_444_800.0  # 2100-01-01
MOST_BYTES: Final = 1e15
MOST_CPUS: Final = 1e8
LONGEST_S: Final = 3650 * 86400.0
"""A runtime beyond this is absurd; a limit beyond it is none."""

_TIMES: Final = ("submitted_s", "started_s", "ended_s")
_MEMORY: Final = ("memory_requested_bytes", "memory_peak_bytes", "memory_sampled_bytes")
_READ: Final = ("input_bytes", "read_bytes")
_CPUS: Final = ("cpus_requested", "cpus_allocated")


def check(tasks: pl.DataFrame) -> pl.DataFrame:
    """The same rows with every column of a task and `reason` filled in; null = believable.

    Whole numbers may come as floats: what does not fit an integer has a reason. A time limit of
    more than ten years means that there was none.
    """
    c = pl.col
    tasks = _whole(tasks)
    finite = [n for n, dtype in tasks.schema.items() if dtype == pl.Float64]
    amounts = ("gpus", "nodes", "cpu_s", "limit_s")
    reasons = [
        c("reason"),
        _when(c("id").is_null() | (c("id") == ""), "no id"),
        _when(c("submitted_s").is_null(), "no submission time"),
        _when(_any(~c(n).is_finite() for n in finite), "a value is not finite"),
        _when(_any((c(n) < 0) | (c(n) > LATEST_S) for n in _TIMES), "a time outside 1970 to 2100"),
        _when(c("started_s") < c("submitted_s"), "start before submission"),
        _when(c("ended_s") < c("started_s"), "end before start"),
        _when(c("ended_s") < c("submitted_s"), "end before submission"),
        _when(c("ended_s") - c("started_s") > LONGEST_S, "runtime over ten years"),
        _when(_any(c(n) <= 0 for n in _CPUS), "processors not positive"),
        _when(_any(c(n) > MOST_CPUS for n in _CPUS), "more than 100 million processors"),
        _when(_any(c(n) < 0 for n in (*_MEMORY, *_READ)), "negative memory"),
        _when(_any(c(n) > MOST_BYTES for n in _MEMORY), "memory over 1 PB"),
        _when(_any(c(n) < 0 for n in amounts), "negative amount"),
        _when(_any(c(n) > 1e15 for n in (*amounts, *_READ)), "absurd amount"),
        _when(~c("state").is_in(STATES), "unknown state"),
    ]
    checked = tasks.with_columns(reason=pl.coalesce(reasons))
    return checked.with_columns(
        limit_s=pl.when(c("limit_s") <= LONGEST_S).then(c("limit_s")),
        **{n: c(n).cast(dtype, strict=False) for n, dtype in schema("task").items()
           if dtype == pl.Int64},
    )  # fmt: skip


def _whole(tasks: pl.DataFrame) -> pl.DataFrame:
    """All columns of a task; numbers are floats still, attempt is 1 and parents none by default."""
    defaults = {
        "attempt": pl.lit(1, pl.Int64),
        "parents": pl.lit([], pl.List(pl.String)),
        "state": pl.lit("unknown"),
    }
    wanted = []
    for name, dtype in {**schema("task"), "line": pl.Int64, "reason": pl.String}.items():
        rough = pl.Float64 if dtype == pl.Int64 and name not in ("line", "attempt") else dtype
        if name not in tasks.columns:
            wanted.append(defaults.get(name, pl.lit(None, rough)).alias(name))
        elif name in defaults:
            wanted.append(pl.col(name).cast(rough).fill_null(defaults[name]))
        else:
            wanted.append(pl.col(name).cast(rough, strict=False))
    return tasks.select(wanted)


def _any(claims: Iterable[pl.Expr]) -> pl.Expr:
    return pl.any_horizontal(list(claims))


def _when(is_wrong: pl.Expr, reason: str) -> pl.Expr:
    return pl.when(is_wrong).then(pl.lit(reason))
