"""Lists of nodes and pods with GPUs, as Alibaba publishes them (cluster-trace-gpu-v2023).

Nodes: sn, cpu_milli, memory_mib, gpu, model. Pods: name, cpu_milli, memory_mib, num_gpu, gpu_milli
(thousandths of each GPU), gpu_spec (models, joined by |; empty = any) and, for a replay,
creation_time and deletion_time in seconds. Comma-separated, gzip or plain, a header first.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import polars as pl

from headway.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NODE: Final = {"cpu_milli": pl.Int64, "memory_mib": pl.Int64, "gpu": pl.Int64, "model": pl.String}
POD: Final = {
    "cpu_milli": pl.Int64,
    "memory_mib": pl.Int64,
    "num_gpu": pl.Int64,
    "gpu_milli": pl.Int64,
    "gpu_spec": pl.String,
}
TIMES: Final = {"creation_time": pl.Float64, "deletion_time": pl.Float64}


def read_nodes(path: Path) -> pl.DataFrame:
    """The columns of NODE, a row per node in the order of the file."""
    return _read(path, NODE, "a list of nodes")


def read_pods(path: Path) -> pl.DataFrame:
    """The columns of POD and, where the file has them, of TIMES; a row per pod, in its order."""
    return _read(path, POD, "a list of pods", TIMES)


def _read(
    path: Path,
    needed: Mapping[str, type[pl.DataType]],
    what: str,
    more: Mapping[str, type[pl.DataType]] = MappingProxyType({}),
) -> pl.DataFrame:
    try:
        raw = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path} cannot be read as {what}: {error}") from error
    missing = [name for name in needed if name not in raw.columns]
    if missing:
        raise InputError(f"{path} cannot be read as {what}: it has no column {missing[0]}")
    wanted = {**needed, **{name: kind for name, kind in more.items() if name in raw.columns}}
    table = raw.select(pl.col(name).cast(kind, strict=False) for name, kind in wanted.items())
    table = table.with_columns(pl.col(pl.String).fill_null(""))
    for name, kind in wanted.items():
        column = table[name]
        if kind is not pl.String and (column.null_count() or bool((column < 0).any())):
            raise InputError(f"{path}: {name} must be a number of 0 or more in every row")
    return table
