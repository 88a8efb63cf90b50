"""Schedulers of workflows beside each other: the rows of `headway simulate` for such histories."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.dag_network import load_levels
from headway.schedule.dag_rules import RULES
from headway.schedule.learned import PREFIX
from headway.simulate.catalog import catalog_of
from headway.simulate.dag_tuning import Course, completion_s, load_interval_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headway.observe.workflows import Workflow
    from headway.schedule.dag_network import Levels
    from headway.schedule.dag_rules import Rule

EXECUTORS: Final = 50
LOAD: Final = 0.9  # expected work that arrives, as a share of all executors
SEQUENCES: Final = 8
MOST: Final = 10_000  # executors, and jobs of a sequence


def play_workflows(
    workflows: Sequence[Workflow],
    policies: Sequence[str],
    *,
    clock: Callable[[], float],
    executors: int = 0,
    jobs: int = 0,
    progress: Callable[[str, float], None],
) -> list[dict[str, Any]]:
    """One row for each policy: means over the same SEQUENCES of generated arrivals at LOAD.

    policies: names of rules for workflows, learned:PATH, or "all" rules; executors: 0 = EXECUTORS;
    jobs of a sequence: 0 = 200. mean_turnaround_s: from a job's arrival until its end.
    """
    if not workflows:
        raise NotEnoughData("these policies schedule workflows, but no task names its parents")
    names = list(RULES) if "all" in policies else list(policies)
    choosers = {name: _chooser(name) for name in names}
    catalog, executors = catalog_of(workflows), executors_of(executors)
    if not 0 <= jobs <= MOST:
        raise ConfigError(f"jobs must be in 1..{MOST:,}, or 0 for 200, got {jobs}")
    kinds = np.arange(len(workflows))
    interval_s = load_interval_s(catalog, kinds, executors, LOAD)
    seeds = [(4, i) for i in range(SEQUENCES)]
    course = Course(catalog, kinds, interval_s, executors, seeds, jobs or 200)
    rows: list[dict[str, Any]] = []
    for name, chooser in choosers.items():
        progress(f"simulate {name}", len(rows) / len(names))
        completion_s(Course(catalog, kinds, interval_s, executors, seeds[:1], 1), chooser)
        began_s = clock()
        found_s, _ = completion_s(course, chooser)
        took_s = max(clock() - began_s, 1e-9)
        rows.append({
            "policy": name, "runtimes": "expected", "protocol": "workflows",
            "jobs": found_s.size, "mean_turnaround_s": float(found_s.mean()),
            "mean_turnaround_s_each": found_s.mean(axis=1).tolist(),
            "p95_turnaround_s": float(np.quantile(found_s, 0.95)),
            "executors": executors, "interval_s": interval_s, "jobs_per_s": found_s.size / took_s,
        })  # fmt: skip
    return rows


def executors_of(executors: int) -> int:
    """How many executors a cluster of workflows has: 0 = EXECUTORS."""
    if not 0 <= executors <= MOST:
        raise ConfigError(f"procs must be in 1..{MOST:,}, or 0 for {EXECUTORS}, got {executors}")
    return executors or EXECUTORS


def is_for_workflows(policies: Sequence[str]) -> bool:
    """Whether a policy among them is one for workflows."""
    return any(name in RULES or _is_learned(name) for name in policies)


def _is_learned(name: str) -> bool:
    path = Path(name.removeprefix(PREFIX))
    try:
        with np.load(path, allow_pickle=False) as kept:
            return name.startswith(PREFIX) and "names" in kept
    except (OSError, EOFError, ValueError):
        return False


def _chooser(name: str) -> Rule | Levels:
    if name.startswith(PREFIX):
        return load_levels(Path(name.removeprefix(PREFIX)))[0]
    if name not in RULES:
        raise ConfigError(f"policy must be of {', '.join(RULES)} or learned:PATH, got {name!r}")
    return RULES[name]
