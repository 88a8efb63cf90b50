"""Whole simulations of workflows in which a rule or a policy chooses, at machine speed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from headway.schedule.compiled import bare, compiled
from headway.schedule.dag_features import MANAGER
from headway.schedule.dag_network import Levels, choose_by_levels
from headway.schedule.dag_rules import Rule, choose_by_rule
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
    STAGES,
    SWELLS,
    TAIL_S,
    TASKS,
    TOTAL_S,
    WAIT_S,
    View,
    view_of,
)  # fmt: skip
from headway.simulate import dags
from headway.simulate.dags import Cluster, advance, assign, cluster_of, rest, wanted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.simulate.catalog import Arrivals, Catalog

    Floats = NDArray[np.float64]

ARRIVED, FREE_NOW, IDLE, PRESENT = dags.ARRIVED, dags.FREE, dags.IDLE, dags.PRESENT


@compiled
def play_rule(
    catalog: Catalog, arrivals: Arrivals, executors: int, seed: int, rule: Rule
) -> tuple[Floats, int]:
    """When each job ended (n,) if a rule chooses, and how often it was asked."""
    cluster = cluster_of(catalog, arrivals, executors, seed)
    view = view_of(len(arrivals.kind), len(cluster.started))
    decisions, level = 0, level_of(catalog, executors)
    while advance(cluster):
        look(cluster, view, level)
        row, width = choose_by_rule(view, rule)
        decisions += 1
        if row < 0:
            rest(cluster)
        else:
            assign(cluster, view.number[row], width)
    return cluster.end_s, decisions


@compiled
def play_levels(
    catalog: Catalog, arrivals: Arrivals, executors: int, seed: int, levels: Levels
) -> tuple[Floats, int]:
    """The same if a manager and a worker choose."""
    cluster = cluster_of(catalog, arrivals, executors, seed)
    view = view_of(len(arrivals.kind), len(cluster.started))
    x = np.empty(len(MANAGER))
    decisions, level = 0, level_of(catalog, executors)
    while advance(cluster):
        look(cluster, view, level)
        row, width = choose_by_levels(view, levels, x)
        decisions += 1
        if row < 0:
            rest(cluster)
        else:
            assign(cluster, view.number[row], width)
    return cluster.end_s, decisions


@bare
def level_of(catalog: Catalog, executors: int) -> int:
    """The place of the most executors of the catalog that are not more than these; 0 at least."""
    level = 0
    while level < len(catalog.levels) - 1 and catalog.levels[level + 1] <= executors:
        level += 1
    return level


@bare
def look(cluster: Cluster, view: View, level: int) -> None:
    """Fill a view with a cluster as it stands; level: of the catalog, for all executors."""
    counts, k, m = cluster.counts, 0, 0
    for i in range(counts[PRESENT]):
        j = cluster.present[i]
        before = m
        _look_at_job(cluster, view, j, k, level)
        for stage in range(cluster.stage_at[j], cluster.stage_at[j + 1]):
            tasks = wanted(cluster, stage)
            if tasks > 0:
                _look_at_stage(cluster, view, stage, m, level)
                view.stages[m, TASKS] = tasks
                view.row[m], view.number[m] = k, stage
                m += 1
        for row in range(before, m):
            kind = cluster.stage_kind[view.number[row]]
            view.jobs[k, PATH_S] = max(view.jobs[k, PATH_S], view.stages[row, STAGE_PATH_S])
            view.jobs[k, FLOOR_S] = max(view.jobs[k, FLOOR_S], cluster.catalog.floor_s[kind])
        k += 1
    for executor in range(len(cluster.state)):
        if cluster.state[executor] == IDLE and cluster.job[executor] >= 0:
            for i in range(k):
                if cluster.present[i] == cluster.job[executor]:
                    view.jobs[i, LOCAL] += 1.0
    view.counts[JOBS], view.counts[STAGES] = k, m
    view.counts[FREE], view.counts[EXECUTORS] = counts[FREE_NOW], len(cluster.state)
    view.past_s[0] = max(cluster.come_s[0] / max(counts[ARRIVED], 1), 1e-3)


@bare
def _look_at_stage(cluster: Cluster, view: View, stage: int, m: int, level: int) -> None:
    kind, catalog = cluster.stage_kind[stage], cluster.catalog
    mean_s, tasks = catalog.mean_s[kind], catalog.tasks[kind]
    tail_s = catalog.path_s[kind] - mean_s * tasks
    view.stages[m, MEAN_S] = mean_s
    view.stages[m, TAIL_S] = tail_s
    view.stages[m, STAGE_PATH_S] = tail_s + mean_s * (tasks - cluster.started[stage])
    view.stages[m, IS_READY] = 1.0 if cluster.waits[stage] == 0 else 0.0
    view.stages[m, STAGE_SWELLS] = math.log(catalog.level_s[kind, level] / catalog.level_s[kind, 0])
    view.stages[m, WAIT_S] = 0.0
    if cluster.waits[stage] > 0:
        view.stages[m, WAIT_S] = max(cluster.ready_s[stage] - cluster.now_s[0], 0.0)


@bare
def _look_at_job(cluster: Cluster, view: View, j: int, k: int, level: int) -> None:
    kind, catalog = cluster.arrivals.kind[j], cluster.catalog
    few_s, many_s = 1e-9, 1e-9
    for stage in range(cluster.stage_at[j], cluster.stage_at[j + 1]):
        of_kind = cluster.stage_kind[stage]
        left = catalog.tasks[of_kind] - cluster.started[stage]
        few_s += left * catalog.level_s[of_kind, 0]
        many_s += left * catalog.level_s[of_kind, level]
    view.jobs[k, AGE_S] = cluster.now_s[0] - cluster.arrivals.submit_s[j]
    view.jobs[k, LEFT_S] = cluster.left_s[j]
    view.jobs[k, PATH_S] = 0.0
    view.jobs[k, BUSY] = cluster.busy[j]
    view.jobs[k, LOCAL] = 0.0
    view.jobs[k, TOTAL_S] = catalog.work_s[kind]
    view.jobs[k, SWELLS] = math.log(many_s / few_s)
    view.jobs[k, FLOOR_S] = 0.0
