"""What a scheduler of workflows sees when executors are free: the jobs that are there and stages.

Nothing of it is of the future: work and paths are expected from what such stages took before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

JOB: Final = ("age_s", "left_s", "path_s", "busy", "local", "total_s", "swells", "floor_s")
"""Columns of a job: since its arrival; expected work of tasks that have not started, all and on the
longest path; executors that work for it or will; its free ones; work it came with; log of the work
left with all executors over that with the fewest; what is left at least takes, on any number."""
STAGE: Final = ("tasks", "mean_s", "path_s", "is_ready", "tail_s", "swells", "wait_s")
"""Columns of a stage: tasks that nobody is meant for; expected duration of one; expected work from
it to the end; whether it may start now; that path without the stage itself; log of a task's
duration with all executors over that with the fewest; until its parents are expected to end."""
AGE_S, LEFT_S, PATH_S, BUSY, LOCAL, TOTAL_S, SWELLS, FLOOR_S = range(len(JOB))
TASKS, MEAN_S, STAGE_PATH_S, IS_READY, TAIL_S, STAGE_SWELLS, WAIT_S = range(len(STAGE))
JOBS, STAGES, FREE, EXECUTORS = range(4)


class View(NamedTuple):
    """k jobs in order of arrival and their m stages that may be chosen."""

    jobs: Floats  # (>= k, JOB)
    stages: Floats  # (>= m, STAGE)
    row: Ints  # (>= m,) of a stage's job
    number: Ints  # (>= m,) by which the cluster knows a stage
    counts: Ints  # (4,) k, m, free executors, all executors
    past_s: Floats  # (1,) mean work of the jobs that came so far


@compiled
def view_of(jobs: int, stages: int) -> View:
    """An empty view with room for that many."""
    return View(
        np.empty((jobs, len(JOB))), np.empty((stages, len(STAGE))), np.empty(stages, np.int64),
        np.empty(stages, np.int64), np.zeros(4, np.int64), np.ones(1),
    )  # fmt: skip
