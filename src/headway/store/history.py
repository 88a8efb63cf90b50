"""Tasks that a store knows, as records."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import polars as pl

from headway.records import Task, task_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headway.protocols import Store


def ended_tasks(store: Store, cluster: str) -> Iterator[Task]:
    """The tasks of a cluster that have ended, in order of their ends."""
    rows = store.read("task", -inf, inf)
    rows = rows.filter(pl.col("cluster") == cluster, pl.col("ended_s").is_not_null())
    for row in rows.sort("ended_s").select(task_fields()).iter_rows(named=True):
        yield Task(**{**row, "parents": tuple(row["parents"] or ())})
