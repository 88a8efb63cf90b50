"""How what tasks asked for compares with what they used, in core-hours and GB-hours."""

from __future__ import annotations

from typing import Any

import polars as pl

_RUNTIME_S = pl.col("ended_s") - pl.col("started_s")
_CPUS = pl.max_horizontal("cpus_allocated", "cpus_requested")
_GB = 1e9


def compare_requests(
    tasks: pl.DataFrame, price_core_hour: float, price_gb_hour: float
) -> dict[str, Any]:
    """Requests against use of a task table: `time`, `cores`, `memory`, each with what is wasted.

    A part whose columns the history lacks has `known_tasks` 0 and a `why`. Shares are in [0, 1];
    waste is what was held and not used; cost is waste times the price.
    """
    ended = tasks.lazy().filter(_RUNTIME_S > 0.0).with_columns(runtime_s=_RUNTIME_S, cpus=_CPUS)
    known = ended.select(
        "runtime_s", "cpus", "limit_s", "cpu_s", "memory_requested_bytes", "memory_peak_bytes"
    ).collect()
    return {
        "time": _time(known),
        "cores": _cores(known, price_core_hour),
        "memory": _memory(known, price_gb_hour),
    }


def _time(known: pl.DataFrame) -> dict[str, Any]:
    """Requested against real runtimes; core-hours that plans kept blocked for nothing."""
    known = known.filter((pl.col("limit_s") > 0.0) & (pl.col("cpus") > 0.0))
    if known.is_empty():
        return {"known_tasks": 0, "why": "no task has a requested runtime and a runtime"}
    row = known.select(
        requested_core_h=(pl.col("limit_s") * pl.col("cpus")).sum() / 3600.0,
        used_core_h=(pl.col("runtime_s") * pl.col("cpus")).sum() / 3600.0,
        median_used_share=(pl.col("runtime_s") / pl.col("limit_s")).median(),
        share_under_a_tenth=(pl.col("runtime_s") < 0.1 * pl.col("limit_s")).mean(),
        share_over=(pl.col("runtime_s") > pl.col("limit_s")).mean(),
    ).row(0, named=True)
    blocked = row["requested_core_h"] - row["used_core_h"]
    return {"known_tasks": known.height, **row, "over_requested_core_h": blocked}


def _cores(known: pl.DataFrame, price: float) -> dict[str, Any]:
    """Cores held against processor time used."""
    known = known.filter((pl.col("cpu_s") > 0.0) & (pl.col("cpus") > 0.0))
    if known.is_empty():
        return {"known_tasks": 0, "why": "no task has its processor time"}
    held = pl.col("runtime_s") * pl.col("cpus")
    row = known.select(
        held_core_h=held.sum() / 3600.0,
        used_core_h=pl.min_horizontal("cpu_s", held).sum() / 3600.0,
        median_used_share=(pl.min_horizontal("cpu_s", held) / held).median(),
    ).row(0, named=True)
    waste = row["held_core_h"] - row["used_core_h"]
    return {"known_tasks": known.height, **row, "wasted_core_h": waste, "cost": waste * price}


def _memory(known: pl.DataFrame, price: float) -> dict[str, Any]:
    """Memory asked for against its peak, over the runtime."""
    known = known.filter(
        (pl.col("memory_requested_bytes") > 0) & (pl.col("memory_peak_bytes") > 0)
    ).with_columns(
        asked=pl.col("memory_requested_bytes") / _GB, peak=pl.col("memory_peak_bytes") / _GB
    )
    if known.is_empty():
        return {"known_tasks": 0, "why": "no task has both requested and used memory"}
    hours = pl.col("runtime_s") / 3600.0
    over = pl.max_horizontal(pl.col("asked") - pl.col("peak"), pl.lit(0.0))
    row = known.select(
        requested_gb_h=(pl.col("asked") * hours).sum(),
        used_gb_h=(pl.col("peak") * hours).sum(),
        wasted_gb_h=(over * hours).sum(),
        median_used_share=(pl.col("peak") / pl.col("asked")).median(),
        share_over=(pl.col("peak") > pl.col("asked")).mean(),
    ).row(0, named=True)
    return {"known_tasks": known.height, **row, "cost": row["wasted_gb_h"] * price}
