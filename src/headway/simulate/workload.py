"""A workload: what the simulator needs to know of the tasks of a history."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from headway.errors import ConfigError, NotEnoughData

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


ASSUMED_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """n tasks in order of submission on a machine of total_procs equal processors.

    submit_s (n,) from the zero of the source, runtime_s (n,) > 0 as it came, requested_s (n,) > 0,
    procs (n,) in [1, total_procs], rows (n,) = the row of each task in the table it came from,
    user (n,) = a code in [0, users) or -1, empty where nobody is known.
    """

    submit_s: Floats
    runtime_s: Floats
    requested_s: Floats
    procs: Ints
    rows: Ints
    total_procs: int
    user: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    assumed_runtime: int = 0  # tasks of unknown runtime that count as ASSUMED_S
    without_runtime: int = 0  # rows left out: it ran 0 s, or is not over
    without_procs: int = 0  # rows left out: processors not known or 0
    too_wide: int = 0  # rows left out: more processors than there are

    def __len__(self) -> int:
        return len(self.submit_s)

    def part(self, start: int, jobs: int) -> Workload:
        """`jobs` consecutive tasks from `start` (0-based); ConfigError if there are fewer."""
        if start < 0 or jobs < 1 or start + jobs > len(self):
            raise ConfigError(
                f"start and jobs must name tasks of 0..{len(self) - 1}, got {start} and {jobs}"
            )
        kept = slice(start, start + jobs)
        return replace(
            self,
            submit_s=self.submit_s[kept],
            runtime_s=self.runtime_s[kept],
            requested_s=self.requested_s[kept],
            procs=self.procs[kept],
            rows=self.rows[kept],
            user=self.user[kept],
        )


def workload_from(tasks: pl.DataFrame, zero_s: float, total_procs: int) -> Workload:
    """The tasks that can be simulated, of a table with the columns of a Task.

    Processors are the larger of allocated and requested; a request that is not known is the true
    runtime; a task that started and ended but not known when counts as ASSUMED_S. Left out: tasks
    that wait or run still, ran 0 s, have no processors or are wider than the machine.
    Source: Zhang et al. (2020), "RLScheduler", for the filter; the known figures use it too.
    """
    is_over = pl.lit(True)
    if "state" in tasks.columns:
        is_over = ~pl.col("state").is_in(["pending", "running"])
    is_assumed = is_over & pl.col("started_s").is_not_null() & pl.col("ended_s").is_null()
    all_jobs = (
        tasks.lazy()
        .select(
            submit_s=pl.col("submitted_s") - zero_s,
            runtime_s=pl.when(is_assumed)
            .then(ASSUMED_S)
            .when(is_over)
            .then(pl.col("ended_s") - pl.col("started_s")),
            is_assumed=is_assumed,
            requested_s=pl.col("limit_s"),
            procs=pl.max_horizontal("cpus_allocated", "cpus_requested").ceil().cast(pl.Int64),
            rows=pl.int_range(pl.len(), dtype=pl.Int64),
            user=_user_codes(tasks),
        )
        .collect()
    )
    has_runtime = all_jobs["runtime_s"].fill_null(0.0) > 0.0
    has_procs = all_jobs["procs"].fill_null(0) > 0
    fits = all_jobs["procs"].fill_null(0) <= total_procs
    jobs = all_jobs.filter(has_runtime & has_procs & fits).sort("submit_s", maintain_order=True)
    if jobs.is_empty():
        raise NotEnoughData("no task has a runtime and processors: there is nothing to simulate")
    asked = jobs["requested_s"]
    requested = jobs.select(
        pl.when(asked > 0.0).then(asked).otherwise(pl.col("runtime_s")).alias("requested_s")
    )["requested_s"]
    return Workload(
        submit_s=jobs["submit_s"].to_numpy().astype(np.float64),
        runtime_s=jobs["runtime_s"].to_numpy().astype(np.float64),
        requested_s=requested.to_numpy().astype(np.float64),
        procs=jobs["procs"].to_numpy().astype(np.int64),
        rows=jobs["rows"].to_numpy().astype(np.int64),
        user=jobs["user"].to_numpy().astype(np.int64),
        total_procs=total_procs,
        assumed_runtime=int(jobs["is_assumed"].sum()),
        without_runtime=int((~has_runtime).sum()),
        without_procs=int((has_runtime & ~has_procs).sum()),
        too_wide=int((has_runtime & ~fits).sum()),
    )


def _user_codes(tasks: pl.DataFrame) -> pl.Expr:
    """A code for each user, in order of their names; -1 = not known."""
    if "user" not in tasks.columns:
        return pl.lit(-1, dtype=pl.Int64)
    return pl.col("user").rank("dense").cast(pl.Int64).sub(1).fill_null(-1)
