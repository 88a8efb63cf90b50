"""Training schedulers on histories: predict runtimes as they would have been, then learn to order.

Only the first SHARE of the time of each history teaches: of that part, the last fifth chooses among
weights. On the rest, what was learned is held against the best standard rule.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.history import tasks_of
from headway.schedule.learned import BACKFILL_LEVEL, Learned, save_learned
from headway.simulate.batch import course_of
from headway.simulate.episode import EASY
from headway.simulate.promises import DAY_S
from headway.simulate.steered import simulate_learned
from headway.simulate.workload import workload_from
from headway.stats import bounded_slowdown
from headway.train.dqn import train_dqn
from headway.train.limit import within
from headway.train.ppo import train_ppo
from headway.train.ppo_weights import train_ppo_weights
from headway.train.preferences import search_preferences
from headway.train.search import search
from headway.train.steering import search_constant
from headway.verify import recommend
from headway.verify.proof import prove
from headway.verify.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.history import Progress
    from headway.observe.trace import Trace
    from headway.records import Estimate
    from headway.simulate.batch import Course
    from headway.simulate.workload import Workload

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

log = logging.getLogger(__name__)
SHARE: Final = 0.6  # of the time of a history that may teach or choose
TAUGHT: Final = 0.8  # of that, which teaches
LEAST_TASKS: Final = 500
LONGEST: Final = 4000  # tasks of a window, where whole windows judge
MEDIUM: Final = 1000  # where they judge preferences, or weights that follow the load
SHORT: Final = 256  # where each decision is paid
WINDOWS: Final = 8  # of a history at the least
ALGORITHMS: Final = {
    "search": search, "preferences": search_preferences, "ppo": train_ppo, "dqn": train_dqn,
    "constant-weights": search_constant, "ppo-weights": train_ppo_weights,
}  # fmt: skip
LONGEST_OF: Final = {
    "search": LONGEST, "preferences": MEDIUM, "constant-weights": MEDIUM, "ppo-weights": MEDIUM,
}  # fmt: skip
DECISIONS: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """A history of n tasks that can be simulated, and what was predicted of each."""

    name: str
    workload: Workload
    estimate: Estimate  # of the rows of the table that the workload came from
    value_s: Floats  # (n,) that a learned policy orders by
    upper_s: Floats  # (n,) that it backfills by
    is_late: Bools  # (n,) after the first SHARE of the time


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
        names = ", ".join([*ALGORITHMS, "hierarchical", "multi-agent"])
        raise ConfigError(f"algo must be one of {names}, got {algo!r}")
    if minutes < 0.0 or decisions < 0:
        raise ConfigError(f"minutes and decisions must be positive, got {minutes}, {decisions}")
    longest = LONGEST_OF.get(algo, SHORT)
    histories = [known_of(trace, progress) for trace in traces]
    taught, chosen, jobs = courses_of(histories, longest)
    journal = out.with_name(f"{out.name}.{algo}.npz")
    for stale in [] if resume else out.parent.glob(f"{journal.name}*"):
        stale.unlink()
    began = clock()
    found = ALGORITHMS[algo](
        taught, chosen, jobs, mode=EASY, decisions=decisions or DECISIONS, seed=seed,
        resume=journal, progress=within(minutes, clock, progress),
    )  # fmt: skip
    validation = {
        "against": "smallest predicted area first", "ratio": found.validation,
        "of": "what is preferred" if found.objectives else "the mean slowdown",
        "windows": sum(len(course.windows) for course in chosen), "curve": found.curve,
    }  # fmt: skip
    learned = Learned(
        weights=found.weights, algo=algo, seed=seed, decisions=found.decisions, backfill="easy",
        trained_on=", ".join(known.name for known in histories), validation=validation,
        objectives=found.objectives, matrix=found.matrix, controller=found.controller,
    )  # fmt: skip
    seconds = clock() - began
    save_learned(learned, out)
    judged = learned.preferring({"slowdown": 1.0}) if learned.objectives else learned
    proofs: list[dict[str, Any]] = []
    for known in histories:
        progress(f"Proving on {known.name}", len(proofs) / len(histories))
        proofs.append(proof_of(known, judged))
    return {
        "algo": algo, "decisions": found.decisions, "seconds": seconds,
        "validation": validation, "proof": proofs, "policy": str(out),
    }  # fmt: skip


def courses_of(
    histories: Sequence[Known], longest: int = LONGEST
) -> tuple[list[Course], list[Course], int]:
    """Courses that teach, courses that choose, and how many tasks a window has."""
    jobs = min(longest, min(int((~known.is_late).sum()) for known in histories) // WINDOWS)
    taught: list[Course] = []
    chosen: list[Course] = []
    for known in histories:
        end = int((~known.is_late).sum())
        submit_s = known.workload.submit_s
        at_s = submit_s[0] + TAUGHT * (submit_s[end - 1] - submit_s[0])
        cut = min(max(int(np.searchsorted(submit_s, at_s)), jobs), end - jobs)
        first = np.arange(0, cut - jobs + 1, max(jobs // 20, 1))
        later = np.arange(cut, end - jobs + 1, jobs)
        for courses, windows in ((taught, first), (chosen, later)):
            courses.append(course_of(known.workload, known.value_s, known.upper_s, windows))
    return taught, chosen, jobs


def known_of(trace: Trace, progress: Progress) -> Known:
    """A history with what would have been predicted at each submission."""
    tasks, facts = tasks_of([trace], progress)
    if tasks["parents"].list.len().max():
        log.warning(
            "tasks of %s wait for others and are ordered as if none did; `--algo hierarchical` "
            "learns workflows", trace.path.name,
        )  # fmt: skip
    if facts[0].total_cpus is None:
        raise NotEnoughData(f"{trace.path.name} does not say how many processors tasks took")
    workload = workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))
    submit_s = workload.submit_s
    is_late = submit_s > submit_s[0] + SHARE * (submit_s[-1] - submit_s[0])
    if (~is_late).sum() < LEAST_TASKS:
        raise NotEnoughData(
            f"{trace.path.name} has {(~is_late).sum()} tasks in its first {SHARE:.0%}: "
            f"training needs {LEAST_TASKS}"
        )
    what = f"Replaying {trace.path.name}"
    estimate = replay(tasks, "runtime_s", orders=True, progress=partial(progress, what)).estimate
    value_s = recommend.value_of(workload, estimate)
    upper_s = recommend.quantile_of(workload, estimate, BACKFILL_LEVEL)
    return Known(trace.path.name, workload, estimate, value_s, upper_s, is_late)


def proof_of(known: Known, learned: Learned) -> dict[str, Any]:
    """A policy against the best standard rule on the time that neither was chosen on.

    The rule, with requested or predicted runtimes, is the one that was best on the earlier time.
    `bound` says what the bound on starvation of a day costs.
    """
    workload, late = known.workload, known.is_late
    plans = recommend.requested_plans(workload)
    plans += recommend.predicted_plans(workload, known.estimate)
    judged = [recommend.judge(workload, plan) for plan in plans]
    best = min(judged, key=lambda one: float(_slowdown(workload, one.start_s)[~late].mean()))
    starts = [
        simulate_learned(
            workload, learned, known.value_s, workload.requested_s,
            backfill_s=known.upper_s, bound_s=bound_s,
        )
        for bound_s in (None, DAY_S)
    ]  # fmt: skip
    said = prove(workload, starts[0], best.start_s, judged[0].start_s, late)
    with_bound = float(_slowdown(workload, starts[1])[late].mean())
    starved_s = float((starts[1] - judged[0].start_s)[late].max())
    return {
        "history": known.name,
        "rule": f"{best.plan.policy}, {best.plan.runtimes} runtimes",
        **said,
        "bound": {"bound_s": DAY_S, "candidate": with_bound, "starved_s": starved_s},
    }


def _slowdown(workload: Workload, start_s: Floats) -> Floats:
    return bounded_slowdown(start_s - workload.submit_s, workload.runtime_s)
