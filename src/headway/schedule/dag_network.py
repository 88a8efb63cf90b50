"""A policy of two levels for workflows: a manager picks the stage, a worker the job's width.

    worker      log of the width as a share of all executors = w . y
    manager     score of a stage = v . x; the highest goes next, if it is above 0

x are features of a stage and its job, y of a job; see MANAGER and WORKER. They are logarithms for
the most part, so that the levels are products of powers: shares by work^alpha and "least work left
first" are settings of them. A job at its width gets no further executors, but keeps its free ones.
Weights are one flat array, which is all that is saved; no library is needed to serve it.
Source: two levels as in Mao et al. (2019), "Learning scheduling algorithms for data processing
clusters" (a stage and the job's limit of executors); features in place of its graph network.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.schedule.compiled import bare
from headway.schedule.dag_view import (
    AGE_S,
    BUSY,
    EXECUTORS,
    FREE,
    IS_READY,
    JOBS,
    LEFT_S,
    LOCAL,
    MEAN_S,
    PATH_S,
    STAGE_PATH_S,
    STAGES,
    SWELLS,
    TAIL_S,
    TASKS,
    TOTAL_S,
    View,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VERSION: Final = 1  # of the features; weights of another version mean something else
WORKER: Final = (
    "one", "log_jobs", "log_left", "log_left_to_mean", "log_path_to_left", "swells", "log_share",
    "log_all_left", "share_done", "log_tasks", "log_mean_s",
)  # fmt: skip
"""Features of a job: 1; log jobs there; log work left (s); the same less its mean over jobs; log of
the path left over it; log of how work swells with executors; log of its share by work^-1; log of
the work left of all jobs; share of its work that has started; log of tasks that are wanted now and
of their mean duration (s)."""
MANAGER: Final = (
    *WORKER, "log_busy", "log_room", "has_local", "is_over", "free", "log_age", "log_stage_tasks",
    "log_stage_mean_s", "is_ready", "path_share", "tail_share",
)  # fmt: skip
"""Features of a stage: those of its job; log of executors that work for the job and that it may
still get; whether free ones are its own; whether it is at its width; free executors as a share; log
of the job's age (s); log of the stage's wanted tasks and of their mean duration (s); whether it may
start now; its path to the end and what comes after it, over the job's longest."""
OF_JOB: Final = len(WORKER)  # features of a stage begin with those of its job
STAGE_FROM: Final = MANAGER.index("log_stage_tasks")  # what differs between stages of a job
SIZE: Final = len(WORKER) + len(MANAGER)


class Levels(NamedTuple):
    """Weights of both levels."""

    width: Floats  # (WORKER,)
    score: Floats  # (MANAGER,)


def levels_of(weights: Floats) -> Levels:
    """Both levels of a flat array of weights (SIZE,), the worker's first."""
    return Levels(weights[: len(WORKER)].copy(), weights[len(WORKER) :].copy())


def flat(levels: Levels) -> Floats:
    """The weights of both levels as one array (SIZE,)."""
    return np.concatenate(levels)


def shares_and_shortest() -> Levels:
    """A rule to start from: the least work left first, at most an equal share of the executors."""
    levels = levels_of(np.zeros(SIZE))
    levels.width[WORKER.index("log_jobs")] = -1.0
    for name, weight in (
        ("one", 20.0), ("log_left", -1.0), ("has_local", 1.0), ("is_ready", 3.0),
        ("path_share", 0.1),
    ):  # fmt: skip
        levels.score[MANAGER.index(name)] = weight
    return levels


def save_levels(path: Path, weights: Floats, facts: Mapping[str, str]) -> None:
    """Keep a policy and what there is to say of it (algorithm, seed, data, ..) as a npz file."""
    names = np.array([*WORKER, *MANAGER])
    np.savez(path, weights=weights, version=VERSION, names=names,
             facts=np.array(list(facts.items())).reshape(-1, 2))  # fmt: skip


def load_levels(path: Path) -> tuple[Levels, dict[str, str]]:
    """A policy that was kept; ConfigError if it was trained on other features."""
    with np.load(path) as kept:
        if int(kept["version"]) != VERSION or kept["names"].tolist() != [*WORKER, *MANAGER]:
            raise ConfigError(
                f"{path} was trained on features of version {kept['version']}, this is version"
                f" {VERSION}; train it again"
            )
        return levels_of(kept["weights"]), dict(kept["facts"].tolist())


@bare
def choose_by_levels(view: View, levels: Levels, x: Floats) -> tuple[int, int]:
    """The row of a stage and how many executors it gets; row -1: let the rest be idle.

    x (MANAGER,) is scratch.
    """
    best, best_score, most, at = -1, 0.0, 0, 0
    mean_log, all_left, total = _sums(view)
    for j in range(view.counts[JOBS]):
        end = at
        while end < view.counts[STAGES] and view.row[end] == j:
            end += 1
        if end == at:
            continue
        look_at_job(view, j, at, end, mean_log, all_left, total, x)
        width = width_of(view, levels, x)
        if view.jobs[j, BUSY] < width or view.jobs[j, LOCAL] > 0.0:
            of_job = _score_job(view, levels, j, width, x)
            for row in range(at, end):
                scored = of_job + _score_stage(view, levels, row, x)
                if scored > best_score:
                    best, best_score = row, scored
                    most = int(max(width - view.jobs[j, BUSY], view.jobs[j, LOCAL]))
        at = end
    if best < 0:
        return -1, 0
    return best, min(most, int(view.stages[best, TASKS]), view.counts[FREE])


@bare
def _sums(view: View) -> tuple[float, float, float]:
    """Mean of log work left, log of all work left, and the sum of 1 / work, over jobs."""
    k, mean_log, all_left, total = view.counts[JOBS], 0.0, 0.0, 0.0
    for j in range(k):
        mean_log += math.log(max(view.jobs[j, LEFT_S], 1.0))
        all_left += view.jobs[j, LEFT_S]
        total += 1.0 / max(view.jobs[j, TOTAL_S], 1.0)
    return mean_log / max(k, 1), math.log(max(all_left, 1.0)), total


@bare
def look_at_job(
    view: View, j: int, at: int, end: int, mean_log: float, all_left: float, total: float,
    y: Floats,
) -> None:  # fmt: skip
    """Features (WORKER,) of a job with the stages [at, end)."""
    left_s, total_s = max(view.jobs[j, LEFT_S], 1.0), max(view.jobs[j, TOTAL_S], 1.0)
    tasks, work_s = 0.0, 0.0
    for row in range(at, end):
        tasks += view.stages[row, TASKS]
        work_s += view.stages[row, TASKS] * view.stages[row, MEAN_S]
    y[0] = 1.0
    y[1] = math.log(view.counts[JOBS])
    y[2] = math.log(left_s)
    y[3] = y[2] - mean_log
    y[4] = math.log(max(view.jobs[j, PATH_S], 1.0)) - y[2]
    y[5] = view.jobs[j, SWELLS]
    y[6] = -math.log(total_s * total)
    y[7] = all_left
    y[8] = 1.0 - left_s / total_s
    y[9] = math.log(tasks)
    y[10] = math.log(max(work_s / tasks, 1e-2))


@bare
def width_of(view: View, levels: Levels, y: Floats) -> int:
    """How many executors a job may have, at least 1."""
    z = 0.0
    for i in range(OF_JOB):
        z += levels.width[i] * y[i]
    executors = view.counts[EXECUTORS]
    return max(math.ceil(executors * math.exp(min(z, 0.0)) - 1e-9), 1)


@bare
def _score_job(view: View, levels: Levels, j: int, width: int, x: Floats) -> float:
    """The part of a score that is the same for all stages of a job."""
    busy, executors = view.jobs[j, BUSY], view.counts[EXECUTORS]
    x[OF_JOB] = math.log(1.0 + busy)
    x[OF_JOB + 1] = math.log(1.0 + max(width - busy, 0.0))
    x[OF_JOB + 2] = 1.0 if view.jobs[j, LOCAL] > 0.0 else 0.0
    x[OF_JOB + 3] = 1.0 if busy >= width else 0.0
    x[OF_JOB + 4] = view.counts[FREE] / executors
    x[OF_JOB + 5] = math.log(1.0 + view.jobs[j, AGE_S])
    total = 0.0
    for i in range(STAGE_FROM):
        total += levels.score[i] * x[i]
    return total


@bare
def _score_stage(view: View, levels: Levels, row: int, x: Floats) -> float:
    """The part of a score that is a stage's own."""
    path_s = max(view.jobs[view.row[row], PATH_S], 1e-3)
    x[STAGE_FROM] = math.log(view.stages[row, TASKS])
    x[STAGE_FROM + 1] = math.log(max(view.stages[row, MEAN_S], 1e-2))
    x[STAGE_FROM + 2] = view.stages[row, IS_READY]
    x[STAGE_FROM + 3] = view.stages[row, STAGE_PATH_S] / path_s
    x[STAGE_FROM + 4] = view.stages[row, TAIL_S] / path_s
    total = 0.0
    for i in range(STAGE_FROM, len(x)):
        total += levels.score[i] * x[i]
    return total
