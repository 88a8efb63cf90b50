"""A policy of two levels for workflows: a manager picks the stage, a worker the job's width.

    worker      log of the width for a stage, as a share of all executors = w . y
    manager     score of a stage = v . x; the highest goes next, if it is above 0

x and y are features of a stage and its job; see MANAGER and WORKER. They are logarithms for the
most part, so that the levels are products of powers: shares by work^alpha and "least work left
first" are settings of them. A job at its width gets no further executors, but keeps its free ones.
Weights are one flat array, which is all that is saved; no library is needed to serve it.
Source: two levels as in Mao et al. (2019), "Learning scheduling algorithms for data processing
clusters" (a stage and the job's limit of executors); features in place of its graph network.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.archive import read_archive, write_archive
from headway.errors import ConfigError, InputError
from headway.schedule.compiled import bare
from headway.schedule.dag_features import (
    MANAGER,
    STAGE_FROM,
    VERSION,
    WIDTH_FROM,
    WORKER,
    look_at_job,
    look_at_stage,
    look_at_width,
    sums,
)  # fmt: skip
from headway.schedule.dag_view import BUSY, EXECUTORS, FREE, JOBS, LOCAL, STAGES, TASKS, View

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

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
    said = np.array(list(facts.items()), str).reshape(-1, 2)
    names = np.array([*WORKER, *MANAGER])
    write_archive(path, {"weights": weights, "version": VERSION, "names": names, "facts": said})


def load_levels(path: Path) -> tuple[Levels, dict[str, str]]:
    """A policy that was kept.

    InputError if the file is not one; ConfigError if it was trained on other features.
    """
    needed = ("weights", "version", "names", "facts")
    kept, _ = read_archive(path, "a policy for workflows", needed)
    version, names = int(kept["version"]), kept["names"].tolist()
    weights, facts = kept["weights"].astype(np.float64), dict(kept["facts"].tolist())
    if version != VERSION or names != [*WORKER, *MANAGER] or weights.shape != (SIZE,):
        raise ConfigError(
            f"{path.name} was trained on features of version {version}, this is version {VERSION}: "
            "train it again with `headway train scheduler --algo hierarchical`"
        )
    if not np.isfinite(weights).all():
        raise InputError(f"{path} holds weights that are not numbers")
    return levels_of(weights), facts


@bare
def choose_by_levels(view: View, levels: Levels, x: Floats) -> tuple[int, int]:
    """The row of a stage and how many executors it gets; row -1: let the rest be idle.

    x (MANAGER,) is scratch.
    """
    best, best_score, most, at = -1, 0.0, 0, 0
    mean_log, all_left, total = sums(view)
    for j in range(view.counts[JOBS]):
        end = at
        while end < view.counts[STAGES] and view.row[end] == j:
            end += 1
        if end == at:
            continue
        look_at_job(view, j, at, end, mean_log, all_left, total, x)
        wide, good = _dot(levels.width, x, 0, STAGE_FROM), _dot(levels.score, x, 0, STAGE_FROM)
        for row in range(at, end):
            look_at_stage(view, row, x)
            width = _width(wide + _dot(levels.width, x, STAGE_FROM, WIDTH_FROM), view)
            if view.jobs[j, BUSY] < width or view.jobs[j, LOCAL] > 0.0:
                look_at_width(view, j, width, x)
                scored = good + _dot(levels.score, x, STAGE_FROM, len(x))
                if scored > best_score:
                    best, best_score = row, scored
                    most = int(max(width - view.jobs[j, BUSY], view.jobs[j, LOCAL]))
        at = end
    if best < 0:
        return -1, 0
    return best, min(most, int(view.stages[best, TASKS]), view.counts[FREE])


@bare
def _dot(weights: Floats, x: Floats, at: int, end: int) -> float:
    total = 0.0
    for i in range(at, end):
        total += weights[i] * x[i]
    return total


@bare
def _width(log_share: float, view: View) -> int:
    """How many executors that share of all is, at least 1."""
    return max(math.ceil(view.counts[EXECUTORS] * math.exp(min(log_share, 0.0)) - 1e-9), 1)
