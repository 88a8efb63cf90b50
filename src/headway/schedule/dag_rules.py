"""Rules for workflows: which stage gets the free executors, and how many.

    fifo        the job that came first
    shortest    the job with the least work left
    critical    the job with the shortest critical path left
    fair        every job its equal share of the executors
    weighted    a share by work^alpha; tuned, alpha < 0: small jobs get more

Stages of one job go by the longest path to its end.
Source: Mao et al. (2019), "Learning scheduling algorithms for data processing clusters", 7.1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import bare
from headway.schedule.dag_view import (
    BUSY,
    EXECUTORS,
    FREE,
    IS_READY,
    JOBS,
    LEFT_S,
    LOCAL,
    PATH_S,
    STAGE_PATH_S,
    STAGES,
    TASKS,
    TOTAL_S,
    View,
)  # fmt: skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ARRIVAL, WORK, PATH = 0, 1, 2


class Rule(NamedTuple):
    """What a rule does; flags are 0 or 1."""

    key: int  # ARRIVAL, WORK or PATH: the job that goes first
    alpha: float  # shares are by work^alpha
    shares: int  # no job gets more than its share ..
    spills: int  # .. unless executors would be idle
    stays: int  # an executor goes on with its own job while that has stages
    holds: int  # executors may wait for a stage that is not ready


RULES: Final = {
    "fifo": Rule(ARRIVAL, 0.0, 0, 0, 0, 0),
    "shortest": Rule(WORK, 0.0, 0, 0, 0, 0),
    "critical": Rule(PATH, 0.0, 0, 0, 0, 0),
    "fair": Rule(ARRIVAL, 0.0, 1, 0, 1, 1),
    "weighted": Rule(ARRIVAL, -1.0, 1, 0, 1, 1),
}
"""Rules by name; shares with the flags of Decima's code. Flags and alpha may be tuned."""


@bare
def choose_by_rule(view: View, rule: Rule) -> tuple[int, int]:
    """The row of a stage and how many executors it gets; row -1: let the rest be idle."""
    counts, total = view.counts, 0.0
    for j in range(counts[JOBS]):
        total += max(view.jobs[j, TOTAL_S], 1e-3) ** rule.alpha
    best, most, best_tier, best_key, best_path = -1, 0, 4.0, 0.0, 0.0
    for row in range(counts[STAGES]):
        if view.stages[row, IS_READY] == 0.0 and rule.holds == 0:
            continue
        tier, room = _room(view, rule, view.row[row], total)
        if room <= 0:
            continue
        tier += 0.5 * (1.0 - view.stages[row, IS_READY])
        key, path = _key(view, rule, view.row[row]), view.stages[row, STAGE_PATH_S]
        is_before = tier < best_tier or (
            tier == best_tier and (key < best_key or (key == best_key and path > best_path))
        )
        if is_before:
            best, most, best_tier, best_key, best_path = row, room, tier, key, path
    if best < 0:
        return -1, 0
    return best, min(most, int(view.stages[best, TASKS]), counts[FREE])


@bare
def _room(view: View, rule: Rule, j: int, total: float) -> tuple[float, int]:
    """How soon it is a job's turn, lower first, and how many executors it may have then."""
    executors, busy, local = view.counts[EXECUTORS], view.jobs[j, BUSY], view.jobs[j, LOCAL]
    if rule.stays == 1 and local > 0.0:
        return 0.0, int(local)
    if rule.shares == 0:
        return 1.0, executors
    weight = max(view.jobs[j, TOTAL_S], 1e-3) ** rule.alpha
    room = int(math.ceil(executors * weight / total) - busy)
    if room <= 0 and rule.spills == 1:
        return 2.0, executors
    return 1.0, room


@bare
def _key(view: View, rule: Rule, j: int) -> float:
    if rule.key == WORK:
        return view.jobs[j, LEFT_S]
    if rule.key == PATH:
        return view.jobs[j, PATH_S]
    return float(j)
