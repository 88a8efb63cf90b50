"""Values of text columns as numbers: moments, durations, sizes, states, as many tools write them.

Every function takes and gives a polars expression; what cannot be read is null. Local times
without a zone are read as UTC, since no file says which zone they are of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

NULLS: Final = (
    "", "-", "NA", "N/A", "n/a", "None", "none", "null", "NULL", "Unknown", "UNKNOWN", "unknown",
    "UNLIMITED", "Partition_Limit", "INVALID", "None assigned", "(null)",
)  # fmt: skip
"""Texts that mean: not known."""

_STATES: Final = {
    "completed": "completed", "complete": "completed", "cd": "completed", "ok": "completed",
    "success": "completed", "succeeded": "completed", "done": "completed", "pass": "completed",
    "finished": "completed", "cached": "completed", "passed": "completed", "0": "completed",
    "failed": "failed", "f": "failed", "failure": "failed", "error": "failed", "fail": "failed",
    "node_fail": "failed", "nf": "failed", "boot_fail": "failed", "1": "failed",
    "launch_failed": "failed", "reconfig_fail": "failed",
    "timeout": "timeout", "to": "timeout", "deadline": "timeout", "dl": "timeout",
    "timed_out": "timeout", "out_of_memory": "out_of_memory", "oom": "out_of_memory",
    "oomkilled": "out_of_memory", "cancelled": "cancelled", "canceled": "cancelled",
    "ca": "cancelled", "aborted": "cancelled", "killed": "cancelled", "preempted": "cancelled",
    "pr": "cancelled", "requeued": "cancelled", "rq": "cancelled", "revoked": "cancelled",
    "stopped": "cancelled", "running": "running", "r": "running", "resizing": "running",
    "suspended": "running", "completing": "running", "pending": "pending", "pd": "pending",
    "queued": "pending", "waiting": "pending", "submitted": "pending", "new": "pending",
}  # fmt: skip


def number(text: pl.Expr) -> pl.Expr:
    """Plain numbers."""
    return text.str.strip_chars().cast(pl.Float64, strict=False)


def clock_s(text: pl.Expr) -> pl.Expr:
    """Seconds of `[D-][HH:]MM:SS[.fff]`.

    >>> pl.select(clock_s(pl.lit("1-02:00:30"))).item()
    93630.0
    """
    parts = text.str.extract_groups(
        r"^\s*(?:(\d{1,9})-)?(?:(\d{1,9}):)?(\d{1,9}):(\d+(?:\.\d+)?)\s*$"
    )
    day, hour, minute, second = (
        parts.struct.field(str(i)).cast(pl.Float64, strict=False) for i in (1, 2, 3, 4)
    )
    return day.fill_null(0) * 86400 + hour.fill_null(0) * 3600 + minute * 60 + second


def worded_s(text: pl.Expr) -> pl.Expr:
    """Seconds of `1d 2h 3m 4s` and `250ms`.

    >>> pl.select(worded_s(pl.lit("3m 2s"))).item()
    182.0
    """
    units = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    total = pl.sum_horizontal(
        text.str.extract(rf"(?:^|[\s\d])([\d.]+)\s*{unit}(?:$|[\s\d])").cast(
            pl.Float64, strict=False
        )
        * seconds
        for unit, seconds in units.items()
    )
    is_worded = text.str.contains(r"^\s*(?:\d[\d.]*\s*(?:ms|d|h|m|s)\s*)+$")
    return pl.when(is_worded).then(total)


def duration_s(text: pl.Expr, unit_s: float = 1.0) -> pl.Expr:
    """Seconds of a plain number of units, a clock or words."""
    return pl.coalesce(number(text) * unit_s, clock_s(text), worded_s(text))


def size_bytes(text: pl.Expr, plain: float = 1.0) -> pl.Expr:
    """Bytes of `100M`, `1.2 GB`, `16Gn`, `512kb` (1 K = 1,024); `plain` is a unit without letter.

    >>> pl.select(size_bytes(pl.lit("1.5Gn"))).item()
    1610612736.0
    """
    parts = text.str.extract_groups(
        r"^\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([kKmMgGtTpP]?)i?[bB]?\s*[cn]?\s*$"
    )
    letter = parts.struct.field("2").str.to_uppercase()
    powers = {"": plain, "K": 2.0**10, "M": 2.0**20, "G": 2.0**30, "T": 2.0**40, "P": 2.0**50}
    has_b = text.str.contains(r"\d\s*[bB]\s*$")
    unit = pl.when(has_b).then(1.0).otherwise(letter.replace_strict(powers, default=None))
    return parts.struct.field("1").cast(pl.Float64, strict=False) * unit


def per(text: pl.Expr) -> pl.Expr:
    """The `c` or `n` behind a Slurm size: per processor or per node; null = in all."""
    return text.str.extract(r"\d\s*[kKmMgGtTpP]?([cn])\s*$")


def moment_s(text: pl.Expr, unit_s: float = 1.0) -> pl.Expr:
    """Epoch seconds of `2024-06-24T12:33:26[.fff][Z|+02:00]` (T or blank), or of a plain number.

    >>> pl.select(moment_s(pl.lit("1970-01-02 00:00:01+01:00"))).item()
    82801.0
    """
    head = text.str.slice(0, 19).str.replace(" ", "T", literal=True)
    seconds = head.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False).dt.epoch("s")
    rest = text.str.slice(19)
    fraction = rest.str.extract(r"^(\.\d+)").cast(pl.Float64, strict=False).fill_null(0.0)
    zone = rest.str.extract_groups(r"([+-])(\d\d):?(\d\d)$")
    minutes = (
        zone.struct.field("2").cast(pl.Float64) * 60 + zone.struct.field("3").cast(pl.Float64)
    ).fill_null(0.0)
    ahead = pl.when(zone.struct.field("1") == "-").then(-minutes).otherwise(minutes) * 60
    is_whole = rest.str.contains(r"^(?:\.\d+)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?$")
    written = pl.when(is_whole).then(seconds.cast(pl.Float64) + fraction - ahead)
    return pl.coalesce(number(text) * unit_s, written)


def state(text: pl.Expr) -> pl.Expr:
    """One of STATES for the words of Slurm, PBS, Nextflow and others; null = a word not known."""
    word = text.str.to_lowercase().str.extract(r"^\s*([a-z_0-9]+)")
    return word.replace_strict(_STATES, default=None)


def unread(values: Iterable[tuple[str, pl.Expr, pl.Expr]]) -> pl.Expr:
    """A reason where a text (name, text, value) gave no value; null = all were read."""
    return pl.coalesce(
        pl.when(text.is_not_null() & value.is_null()).then(pl.lit(f"cannot read {name}"))
        for name, text, value in values
    )


def positive(value: pl.Expr) -> pl.Expr:
    """Null for the zeros that mean not measured; a negative value stays, to be refused."""
    return pl.when(value != 0).then(value)


def doubt_zone(moments: pl.Series, doubts: list[str]) -> None:
    """Add, once, that times are read as UTC where one of them states no zone."""
    doubt = "its times state no zone: they are read as UTC"
    local = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?$"
    if doubt not in doubts and moments.head(1000).cast(pl.String).str.contains(local).any():
        doubts.append(doubt)
