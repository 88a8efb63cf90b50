"""Training schedulers on histories: predict runtimes as they would have been, then learn to order.

Only the first SHARE of the time of each history is looked at: what was learned can be judged on the
rest. Of that part, the last fifth chooses among weights, the rest teaches.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.errors import ConfigError, NotEnoughData
from headway.history import tasks_of
from headway.schedule.learned import BACKFILL_LEVEL, Learned, save_learned
from headway.simulate.batch import Course, course_of
from headway.simulate.episode import EASY
from headway.simulate.workload import workload_from
from headway.train.dqn import train_dqn
from headway.train.ppo import train_ppo
from headway.train.search import search
from headway.verify import recommend
from headway.verify.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from headway.history import Progress
    from headway.observe.trace import Trace
    from headway.simulate.workload import Workload

SHARE: Final = 0.6  # of the time of a history that may teach or choose
TAUGHT: Final = 0.8  # of that, which teaches
LEAST_TASKS: Final = 500
LONGEST: Final = 4000  # tasks of a window, where whole windows judge
SHORT: Final = 256  # where each decision is paid
WINDOWS: Final = 8  # of a history at the least
ALGORITHMS: Final = {"search": search, "ppo": train_ppo, "dqn": train_dqn}
DECISIONS: Final = 20_000_000


def train_scheduler(
    traces: Sequence[Trace],
    out: Path,
    *,
    algo: str,
    clock: Callable[[], float],
    minutes: float = 0.0,
    decisions: int = 0,
    seed: int = 0,
    resume: bool = False,
    progress: Progress,
) -> dict[str, Any]:
    """Learn an order from histories and write it to `out`; the document of `headway train`.

    Stops after `decisions` (0 = DECISIONS) or `minutes` (0 = no limit) of training; the same seed
    and decisions give the same weights. With resume, goes on from where an earlier run with the
    same `out` stopped.
    """
    if algo not in ALGORITHMS:
        raise ConfigError(f"algo must be one of {', '.join(ALGORITHMS)}, got {algo!r}")
    if minutes < 0.0 or decisions < 0:
        raise ConfigError(f"minutes and decisions must be positive, got {minutes}, {decisions}")
    longest = LONGEST if algo == "search" else SHORT
    taught, chosen, jobs = courses_of(traces, progress, longest)
    journal = out.with_name(f"{out.name}.{algo}.npz")
    if journal.exists() and not resume:
        journal.unlink()
    began = clock()

    def goes_on(share: float) -> bool:
        used = (clock() - began) / (60.0 * minutes) if minutes else 0.0
        progress("Training", min(max(share, used), 1.0))
        return used < 1.0

    found = ALGORITHMS[algo](
        taught, chosen, jobs, mode=EASY, decisions=decisions or DECISIONS, seed=seed,
        resume=journal, progress=goes_on,
    )  # fmt: skip
    validation = {
        "against": "smallest predicted area first", "ratio": found.validation,
        "windows": sum(len(course.windows) for course in chosen), "curve": found.curve,
    }  # fmt: skip
    save_learned(
        Learned(
            weights=found.weights, algo=algo, seed=seed, decisions=found.decisions,
            backfill="easy", trained_on=", ".join(trace.path.name for trace in traces),
            validation=validation,
        ),
        out,
    )  # fmt: skip
    return {
        "algo": algo, "decisions": found.decisions, "seconds": clock() - began,
        "validation": validation, "policy": str(out),
    }  # fmt: skip


def courses_of(
    traces: Sequence[Trace], progress: Progress, longest: int = LONGEST
) -> tuple[list[Course], list[Course], int]:
    """Courses that teach, courses that choose, and how many tasks a window has."""
    parts = [_early(trace, progress) for trace in traces]
    jobs = min(longest, min(len(workload) for workload, _ in parts) // WINDOWS)
    taught, chosen = [], []
    for workload, estimate in parts:
        value_s = recommend.value_of(workload, estimate)
        upper_s = recommend.quantile_of(workload, estimate, BACKFILL_LEVEL)
        span_s = workload.submit_s[-1] - workload.submit_s[0]
        cut = int(np.searchsorted(workload.submit_s, workload.submit_s[0] + TAUGHT * span_s))
        cut = min(max(cut, jobs), len(workload) - jobs)
        first = np.arange(0, cut - jobs + 1, max(jobs // 20, 1))
        taught.append(course_of(workload, value_s, upper_s, first))
        chosen.append(
            course_of(workload, value_s, upper_s, np.arange(cut, len(workload) - jobs + 1, jobs))
        )
    return taught, chosen, jobs


def _early(trace: Trace, progress: Progress) -> tuple[Workload, Any]:
    """The first SHARE of a history as a workload, with what was predicted at each submission."""
    tasks, facts = tasks_of([trace], progress)
    if facts[0].total_cpus is None:
        raise NotEnoughData(f"{trace.path.name} does not say how many processors tasks took")
    at_s = tasks["submitted_s"]
    first_s, last_s = float(at_s.min()), float(at_s.max())  # type: ignore[arg-type]
    tasks = tasks.filter(pl.col("submitted_s") <= first_s + SHARE * (last_s - first_s))
    what = f"Replaying {trace.path.name}"
    replayed = replay(tasks, "runtime_s", orders=True, progress=partial(progress, what))
    workload = workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))
    if len(workload) < LEAST_TASKS:
        raise NotEnoughData(
            f"{trace.path.name} has {len(workload)} tasks in its first {SHARE:.0%}: "
            f"training needs {LEAST_TASKS}"
        )
    return workload, replayed.estimate
