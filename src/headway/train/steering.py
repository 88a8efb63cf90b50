"""Controllers judged by whole windows, and the constant priority that evolution finds for them.

The constant one is a controller that always answers the same: the best that can be had without
looking at the load, cheap, and what a controller that looks at it has to beat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.schedule.controller import (
    ACTIONS,
    REACH,
    constant,
    controller_of,
    order_of,
    smallest_area,
)
from headway.simulate.promises import promises_of
from headway.simulate.steered import Steps, play_steered, steps_of
from headway.stats import bounded_slowdown
from headway.train.covariance import evolve
from headway.train.judge import Windows, judge_of
from headway.train.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.simulate.batch import Course
    from headway.train.judge import Judge, Window

    Floats = NDArray[np.float64]

SAFETIES: Final = (1.0, 3.0, 9.0)  # with which evolution may begin; the last is about the request
TRIED: Final = 24  # windows on which it is chosen


def search_constant(
    courses: Sequence[Course],
    validation: Sequence[Course],
    jobs: int,
    *,
    mode: int,
    decisions: int,
    seed: int = 0,
    resume: Path | None = None,
    progress: Callable[[float], bool] | None = None,
) -> Trained:
    """A priority and a safety that never move, found by evolution, which begins at the smallest
    predicted area with the best of SAFETIES; the rest as for `covariance.search_linear`.
    """
    if decisions < 1 or not courses or not validation:
        raise ConfigError("search needs courses, validation windows and decisions of at least 1")
    judge = judge_of(mode, courses, validation)
    state, curve = evolve(
        _start(judge, courses, jobs, seed) / REACH,
        lambda point, window: log_slowdown(judge, constant(REACH * point), window),
        judge, courses, validation, jobs,
        decisions=decisions, seed=seed, resume=resume, progress=progress,
    )  # fmt: skip
    return steered(constant(REACH * state.best), state.decisions, curve)


def _start(judge: Judge, courses: Sequence[Course], jobs: int, seed: int) -> Floats:
    """Smallest area first, with the safety of SAFETIES that serves some windows best."""
    windows = Windows(judge, courses, jobs)
    places, _ = windows.draw(np.random.default_rng(seed), TRIED)
    drawn = [windows.at(place) for place in places]
    starts = []
    for safety in SAFETIES:
        starts.append(smallest_area())
        starts[-1][-1] = safety
    return min(starts, key=lambda start: ratio(judge, constant(start), drawn))


def steered(numbers: Floats, decisions: int, curve: list[tuple[int, float]]) -> Trained:
    """What training a controller gave; the weights beside it are its centre as an order."""
    weights = order_of(controller_of(numbers).centre)
    return Trained(weights=weights, decisions=decisions, curve=curve, controller=numbers)


def log_slowdown(judge: Judge, numbers: Floats, window: Window) -> tuple[float, int]:
    """Log of the mean bounded slowdown of a window under a controller, decisions made."""
    start_s, made, _ = watched(judge, numbers, window, steps_of(np.empty((0, len(ACTIONS)))))
    waited_s = start_s - window.jobs.submit_s
    return float(np.log(bounded_slowdown(waited_s, window.jobs.runtime_s).mean())), made


def watched(judge: Judge, numbers: Floats, window: Window, steps: Steps) -> tuple[Floats, int, int]:
    """Start of each task (n,) of a window under a controller, decisions, and controls."""
    promises = promises_of(np.empty(0), np.inf, window.total_procs)
    return play_steered(
        window.jobs, window.siblings, judge.users, window.total_procs, judge.mode,
        controller_of(numbers), promises, steps,
    )  # fmt: skip


def ratio(judge: Judge, numbers: Floats, windows: Sequence[Window]) -> float:
    """Geometric mean over windows of the slowdown over the usual one; below 1 is better."""
    logs = [log_slowdown(judge, numbers, window)[0] - window.usual for window in windows]
    return float(np.exp(np.mean(logs)))
