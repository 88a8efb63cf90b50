"""What a learned scheduler of workflows looks at: features of a stage and of its job.

Work counts in mean works of the jobs that came so far, so that they mean the same on a cluster
whose jobs are larger; a duration of tasks counts in seconds, as a move does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from headway.schedule.compiled import bare
from headway.schedule.dag_view import (
    AGE_S,
    BUSY,
    EXECUTORS,
    FLOOR_S,
    FREE,
    IS_READY,
    JOBS,
    LEFT_S,
    LOCAL,
    MEAN_S,
    PATH_S,
    STAGE_PATH_S,
    STAGE_SWELLS,
    SWELLS,
    TAIL_S,
    TASKS,
    TOTAL_S,
    WAIT_S,
    View,
)  # fmt: skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VERSION: Final = 2  # of the features; weights of another version mean something else
OF_JOB: Final = (
    "one", "log_jobs", "log_left", "log_left_to_mean", "log_path_to_left", "swells", "log_share",
    "log_all_left", "share_done", "log_tasks", "log_mean_s", "log_parallel", "share_before",
    "free", "log_age",
)  # fmt: skip
"""Features of a job: 1; log jobs there; log work left; the same less its mean over jobs; log of
the path left over it; log of how what is left swells with all executors; log of its share by
work^-1; log of the work left of all jobs; share of its work that has started; log of tasks that are
wanted now and of their mean duration (s); log of the work left over the time it takes at least;
share of all work left that is of jobs with less left; share of executors that are free; log of the
executors' time since it came."""
OF_STAGE: Final = (
    "log_stage_tasks", "log_stage_mean_s", "is_ready", "path_share", "tail_share", "stage_swells",
    "log_wait",
)  # fmt: skip
"""Features of a stage: log of its wanted tasks and of their mean duration (s); whether it may start
now; its path to the end and what comes after it, over the job's longest; log of how its tasks swell
with all executors; log of the seconds until it may start."""
OF_WIDTH: Final = (
    "log_busy", "log_room", "has_local", "is_over", "local_mean_s", "local_wait",
)  # fmt: skip
"""Features once the width is known: log of executors that work for the job and that it may still
get; whether free ones are its own; whether it is at its width; the stage's log mean duration and
log wait where free ones are the job's own."""
WORKER: Final = (*OF_JOB, *OF_STAGE)
MANAGER: Final = (*WORKER, *OF_WIDTH)
STAGE_FROM: Final = len(OF_JOB)
WIDTH_FROM: Final = len(WORKER)


@bare
def sums(view: View) -> tuple[float, float, float]:
    """Mean of log work left, all work left (s), and the sum of 1 / work, over jobs."""
    k, mean_log, all_left, total = view.counts[JOBS], 0.0, 0.0, 0.0
    for j in range(k):
        mean_log += math.log(max(view.jobs[j, LEFT_S], 1.0))
        all_left += view.jobs[j, LEFT_S]
        total += 1.0 / max(view.jobs[j, TOTAL_S], 1.0)
    return mean_log / max(k, 1), max(all_left, 1.0), total


@bare
def look_at_job(
    view: View, j: int, at: int, end: int, mean_log: float, all_left: float, total: float,
    x: Floats,
) -> None:  # fmt: skip
    """Features of a job with the stages [at, end)."""
    left_s, total_s = max(view.jobs[j, LEFT_S], 1.0), max(view.jobs[j, TOTAL_S], 1.0)
    unit_s, log_left = view.past_s[0], math.log(left_s)
    tasks, work_s, before_s = 0.0, 0.0, 0.0
    for row in range(at, end):
        tasks += view.stages[row, TASKS]
        work_s += view.stages[row, TASKS] * view.stages[row, MEAN_S]
    for other in range(view.counts[JOBS]):
        if view.jobs[other, LEFT_S] < view.jobs[j, LEFT_S]:
            before_s += view.jobs[other, LEFT_S]
    x[0] = 1.0
    x[1] = math.log(view.counts[JOBS])
    x[2] = log_left - math.log(unit_s)
    x[3] = log_left - mean_log
    x[4] = math.log(max(view.jobs[j, PATH_S], 1.0)) - log_left
    x[5] = view.jobs[j, SWELLS]
    x[6] = -math.log(total_s * total)
    x[7] = math.log(all_left / unit_s)
    x[8] = 1.0 - left_s / total_s
    x[9] = math.log(tasks)
    x[10] = math.log(max(work_s / tasks, 1e-2))
    x[11] = log_left - math.log(max(view.jobs[j, FLOOR_S], 0.1))
    x[12] = before_s / all_left
    x[13] = view.counts[FREE] / view.counts[EXECUTORS]
    x[14] = math.log(1.0 + view.jobs[j, AGE_S] * view.counts[EXECUTORS] / unit_s)


@bare
def look_at_stage(view: View, row: int, x: Floats) -> None:
    """Features of a stage."""
    path_s = max(view.jobs[view.row[row], PATH_S], 1e-3)
    x[STAGE_FROM] = math.log(view.stages[row, TASKS])
    x[STAGE_FROM + 1] = math.log(max(view.stages[row, MEAN_S], 1e-2))
    x[STAGE_FROM + 2] = view.stages[row, IS_READY]
    x[STAGE_FROM + 3] = view.stages[row, STAGE_PATH_S] / path_s
    x[STAGE_FROM + 4] = view.stages[row, TAIL_S] / path_s
    x[STAGE_FROM + 5] = view.stages[row, STAGE_SWELLS]
    x[STAGE_FROM + 6] = math.log(1.0 + view.stages[row, WAIT_S])


@bare
def look_at_width(view: View, j: int, width: int, x: Floats) -> None:
    """Features of a job that may have that many executors for the stage in x."""
    busy, is_local = view.jobs[j, BUSY], 1.0 if view.jobs[j, LOCAL] > 0.0 else 0.0
    x[WIDTH_FROM] = math.log(1.0 + busy)
    x[WIDTH_FROM + 1] = math.log(1.0 + max(width - busy, 0.0))
    x[WIDTH_FROM + 2] = is_local
    x[WIDTH_FROM + 3] = 1.0 if busy >= width else 0.0
    x[WIDTH_FROM + 4] = is_local * x[STAGE_FROM + 1]
    x[WIDTH_FROM + 5] = is_local * x[STAGE_FROM + 6]
