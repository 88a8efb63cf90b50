"""Generated courses: workloads of several kinds and loads, for training without any history."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.simulate.batch import Course, course_of
from headway.simulate.lublin import lublin
from headway.simulate.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MIXES: Final = ("all", "separate")
"""The model's parameters of all jobs; those of batch and interactive jobs, as two streams."""
LOADS: Final = (0.7, 1.3)  # offered load of the mix "all"; stretch of arrivals of the other
APART: Final = 32  # tasks between the first tasks of two windows
ASKED: Final = (1.0, 0.8)  # mean and deviation of ln (request / runtime), of which the size counts
SPREADS: Final = (-0.5, 0.4)  # the same of ln of the deviation of ln (predicted / runtime)
UPPER: Final = 0.674  # deviations up to the 75 % quantile


def generated(
    rng: np.random.Generator,
    courses: int,
    total_procs: int,
    *,
    jobs: int,
    window: int,
    mixes: Sequence[str] = MIXES,
) -> list[Course]:
    """Courses of `jobs` tasks with windows of `window` tasks, the mixes by turns.

    >>> courses = generated(np.random.default_rng(0), 4, 64, jobs=200, window=100)
    >>> [len(course.windows) for course in courses]
    [4, 4, 4, 4]
    """
    return [
        requested_course(workload_of(rng, mixes[i % len(mixes)], jobs, total_procs), window)
        for i in range(courses)
    ]


def workload_of(rng: np.random.Generator, mix: str, jobs: int, total_procs: int) -> Workload:
    """One workload of a mix, at a load that is drawn."""
    low, high = LOADS
    drawn = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if mix == "all":
        return lublin(rng, jobs, total_procs, load=drawn)
    batch = lublin(rng, jobs, total_procs, kind="batch")
    interactive = lublin(rng, jobs, total_procs, kind="interactive")
    submit_s = np.concatenate([batch.submit_s, interactive.submit_s])
    order = np.argsort(submit_s, kind="stable")[:jobs]
    runtime_s = np.concatenate([batch.runtime_s, interactive.runtime_s])[order]
    return replace(
        batch,
        submit_s=np.floor(submit_s[order] / drawn),
        runtime_s=runtime_s,
        requested_s=runtime_s.copy(),
        procs=np.concatenate([batch.procs, interactive.procs])[order],
    )


def requested_course(workload: Workload, window: int) -> Course:
    """A course in which nothing is predicted: policies are told what was requested."""
    first: NDArray[np.int64] = np.arange(0, len(workload) - window + 1, APART)
    return course_of(workload, workload.requested_s, workload.requested_s, first)


def predicted_course(
    rng: np.random.Generator, workload: Workload, window: int, apart: int = APART
) -> Course:
    """A course whose users ask for about three times what they need, and whose runtimes are
    predicted with an error, the same in all of it, that is drawn; backfilling is told the 75 %
    quantile of the prediction. Neither is below a second or above the request.
    """
    n, (mean, deviation) = len(workload), ASKED
    asked_s = workload.runtime_s * np.exp(np.abs(rng.normal(mean, deviation, n))) + 60.0
    spread = np.exp(rng.normal(*SPREADS))
    value_s = np.clip(workload.runtime_s * np.exp(rng.normal(0.0, spread, n)), 1.0, asked_s)
    upper_s = np.minimum(value_s * np.exp(UPPER * spread), asked_s)
    first: NDArray[np.int64] = np.arange(0, n - window + 1, apart)
    return course_of(replace(workload, requested_s=asked_s), value_s, upper_s, first)
