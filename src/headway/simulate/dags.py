"""A cluster of executors that run workflows, stopped whenever one is free and a stage wants it.

Decima's model of Spark: a job is a graph of stages of alike tasks; an executor belongs to a job and
takes MOVE_S to get to another; it goes on with a stage while that has tasks, then it is free and
the scheduler says which stage gets how many executors. A stage may be chosen as soon as all tasks
of its parents have started: executors then wait for it. How long a task takes is drawn from what
was seen with as many executors on the job: tasks slow each other down, the first task of an
executor in a job or a stage is slower. Not modelled: memory, failures, executors of several kinds,
where data lies. Draws depend only on the seed, the job, the stage and the task's number, so that
two schedulers meet the same tasks.
Source: Mao et al. (2019), "Learning scheduling algorithms for data processing clusters", 6.2; the
draw between two numbers of executors that were seen is linear here (in its code it is reversed).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import bare, compiled
from headway.simulate.structures import Heap, heap_of, pop, push

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.simulate.catalog import Arrivals, Catalog

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MOVE_S: Final = 2.0
IDLE, MOVING, HELD, RUNNING = 0, 1, 2, 3  # states of an executor
ARRIVED, FREE, ASKED, PRESENT = 0, 1, 2, 3  # counts
FRESH, FIRST, REST = 0, 1, 2  # waves


class Cluster(NamedTuple):
    """One simulation and where it stands, with n jobs, s stages in all and m executors."""

    catalog: Catalog
    arrivals: Arrivals
    seed: Ints  # (1,)
    stage_at: Ints  # (n + 1,) first stage of each job
    stage_job: Ints  # (s,)
    stage_kind: Ints  # (s,) its place in the catalog
    started: Ints  # (s,) tasks
    ended: Ints  # (s,) tasks
    claimed: Ints  # (s,) executors on their way or held for it
    waits: Ints  # (s,) parents that have not ended
    closed: Ints  # (s,) parents that have tasks to start
    ready_s: Floats  # (s,) when those that have none are expected to have ended
    left: Ints  # (n,) stages that have not ended
    left_s: Floats  # (n,) expected work of tasks that have not started
    busy: Ints  # (n,) executors running, held or on their way
    bound: Ints  # (n,) executors that are there
    end_s: Floats  # (n,)
    present: Ints  # (n,) jobs that are there, in order of arrival
    state: Ints  # (m,)
    job: Ints  # (m,) to which an executor belongs, -1 = to none
    stage: Ints  # (m,) of its last task, -1 = none
    target: Ints  # (m,) the stage to which it moves or for which it is held
    events: Heap  # of executors
    now_s: Floats  # (1,)
    come_s: Floats  # (1,) expected work of all jobs that have arrived
    counts: Ints  # (4,) ARRIVED jobs, FREE executors, ASKED = nothing more now, PRESENT jobs


@compiled
def cluster_of(catalog: Catalog, arrivals: Arrivals, executors: int, seed: int) -> Cluster:
    """A cluster before the first arrival."""
    n = len(arrivals.kind)
    stage_at = np.zeros(n + 1, np.int64)
    for j in range(n):
        kind = arrivals.kind[j]
        stage_at[j + 1] = stage_at[j] + catalog.first[kind + 1] - catalog.first[kind]
    s = stage_at[n]
    stage_job, stage_kind = np.empty(s, np.int64), np.empty(s, np.int64)
    for j in range(n):
        for i in range(stage_at[j], stage_at[j + 1]):
            stage_job[i] = j
            stage_kind[i] = catalog.first[arrivals.kind[j]] + i - stage_at[j]
    return Cluster(
        catalog, arrivals, np.array([seed]), stage_at, stage_job, stage_kind,
        np.zeros(s, np.int64), np.zeros(s, np.int64), np.zeros(s, np.int64),
        catalog.parents[stage_kind], catalog.parents[stage_kind], np.zeros(s),
        stage_at[1:] - stage_at[:-1], catalog.work_s[arrivals.kind], np.zeros(n, np.int64),
        np.zeros(n, np.int64), np.full(n, np.nan), np.empty(n, np.int64),
        np.zeros(executors, np.int64), np.full(executors, -1), np.full(executors, -1),
        np.full(executors, -1), heap_of(executors), np.zeros(1), np.zeros(1),
        np.array([0, executors, 0, 0]),
    )  # fmt: skip


@bare
def wanted(cluster: Cluster, stage: int) -> int:
    """Tasks of a stage for which no executor is meant yet; 0 while its parents have such."""
    if cluster.closed[stage] > 0:
        return 0
    tasks = cluster.catalog.tasks[cluster.stage_kind[stage]]
    return max(tasks - cluster.started[stage] - cluster.claimed[stage], 0)


@bare
def advance(cluster: Cluster) -> bool:
    """Go on until an executor is free and a stage wants it; else all jobs have ended."""
    counts, events, submit_s = cluster.counts, cluster.events, cluster.arrivals.submit_s
    while True:
        if counts[FREE] > 0 and counts[ASKED] == 0 and _is_wanted(cluster):
            return True
        if counts[ARRIVED] == len(submit_s) and events.size[0] == 0:
            return False
        now_s = np.inf if counts[ARRIVED] == len(submit_s) else submit_s[counts[ARRIVED]]
        if events.size[0] > 0:
            now_s = min(now_s, events.key[0])
        cluster.now_s[0] = now_s
        counts[ASKED] = 0
        while counts[ARRIVED] < len(submit_s) and submit_s[counts[ARRIVED]] <= now_s:
            cluster.present[counts[PRESENT]] = counts[ARRIVED]
            cluster.come_s[0] += cluster.catalog.work_s[cluster.arrivals.kind[counts[ARRIVED]]]
            counts[PRESENT] += 1
            counts[ARRIVED] += 1
        while events.size[0] > 0 and events.key[0] <= now_s:
            executor = pop(events)
            if cluster.state[executor] == MOVING:
                _arrive(cluster, executor)
            else:
                _end(cluster, executor)


@bare
def _is_wanted(cluster: Cluster) -> bool:
    for i in range(cluster.counts[PRESENT]):
        j = cluster.present[i]
        for stage in range(cluster.stage_at[j], cluster.stage_at[j + 1]):
            if wanted(cluster, stage) > 0:
                return True
    return False


@bare
def rest(cluster: Cluster) -> None:
    """Leave free executors as they are until something happens; if nothing runs, one must go on."""
    cluster.counts[ASKED] = 1
    if cluster.events.size[0] > 0:
        return
    for stage in range(len(cluster.started)):
        j = cluster.stage_job[stage]
        if j < cluster.counts[ARRIVED] and cluster.waits[stage] == 0 and wanted(cluster, stage) > 0:
            assign(cluster, stage, 1)
            return


@bare
def assign(cluster: Cluster, stage: int, width: int) -> None:
    """Give a stage up to `width` of the free executors, those of its job first."""
    j = cluster.stage_job[stage]
    width = min(width, wanted(cluster, stage), cluster.counts[FREE])
    for is_own in (True, False):
        for executor in range(len(cluster.state)):
            if width == 0:
                return
            if cluster.state[executor] == IDLE and (cluster.job[executor] == j) == is_own:
                width -= 1
                _send(cluster, executor, stage)


@bare
def _send(cluster: Cluster, executor: int, stage: int) -> None:
    j = cluster.stage_job[stage]
    cluster.counts[FREE] -= 1
    cluster.busy[j] += 1
    if cluster.job[executor] == j and cluster.waits[stage] == 0:
        _run(cluster, executor, stage)
        return
    cluster.target[executor] = stage
    cluster.claimed[stage] += 1
    cluster.state[executor] = HELD
    if cluster.job[executor] != j:
        if cluster.job[executor] >= 0:
            cluster.bound[cluster.job[executor]] -= 1
        cluster.job[executor] = j
        cluster.state[executor] = MOVING
        push(cluster.events, cluster.now_s[0] + MOVE_S, executor)


@bare
def _arrive(cluster: Cluster, executor: int) -> None:
    """An executor reaches its job, which may have ended meanwhile."""
    stage, j = cluster.target[executor], cluster.job[executor]
    if cluster.left[j] > 0:
        cluster.bound[j] += 1
    if cluster.waits[stage] > 0:
        cluster.state[executor] = HELD
        return
    cluster.claimed[stage] -= 1
    _run_or_rest(cluster, executor, stage)


@bare
def _run_or_rest(cluster: Cluster, executor: int, stage: int) -> None:
    if cluster.started[stage] < cluster.catalog.tasks[cluster.stage_kind[stage]]:
        _run(cluster, executor, stage)
        return
    j = cluster.job[executor]
    cluster.state[executor] = IDLE
    cluster.counts[FREE] += 1
    cluster.busy[j] -= 1
    if cluster.left[j] == 0:
        cluster.job[executor] = -1


@bare
def _run(cluster: Cluster, executor: int, stage: int) -> None:
    """Start the next task of a stage."""
    kind = cluster.stage_kind[stage]
    catalog, j = cluster.catalog, cluster.stage_job[stage]
    last = cluster.stage[executor]
    wave = REST if last == stage else FIRST
    if last < 0 or cluster.stage_job[last] != j:
        wave = FRESH
    push(cluster.events, cluster.now_s[0] + _duration_s(cluster, stage, wave), executor)
    cluster.state[executor], cluster.stage[executor] = RUNNING, stage
    cluster.started[stage] += 1
    cluster.left_s[j] -= catalog.mean_s[kind]
    if cluster.started[stage] == catalog.tasks[kind]:
        for i in range(catalog.child_at[kind], catalog.child_at[kind + 1]):
            child = stage + catalog.child[i] - kind
            cluster.closed[child] -= 1
            ready_s = cluster.now_s[0] + catalog.mean_s[kind]
            cluster.ready_s[child] = max(cluster.ready_s[child], ready_s)


@bare
def _end(cluster: Cluster, executor: int) -> None:
    """A task ends: its executor goes on with the stage if there is more of it."""
    stage = cluster.stage[executor]
    kind = cluster.stage_kind[stage]
    catalog, j = cluster.catalog, cluster.stage_job[stage]
    cluster.ended[stage] += 1
    if cluster.ended[stage] == catalog.tasks[kind]:
        cluster.left[j] -= 1
        if cluster.left[j] == 0:
            _leave(cluster, j)
        for i in range(catalog.child_at[kind], catalog.child_at[kind + 1]):
            child = stage + catalog.child[i] - kind
            cluster.waits[child] -= 1
            if cluster.waits[child] == 0:
                _release(cluster, child)
    _run_or_rest(cluster, executor, stage)


@bare
def _release(cluster: Cluster, stage: int) -> None:
    """Start a stage with the executors that are held for it."""
    for executor in range(len(cluster.state)):
        if cluster.state[executor] == HELD and cluster.target[executor] == stage:
            cluster.claimed[stage] -= 1
            _run_or_rest(cluster, executor, stage)


@bare
def _leave(cluster: Cluster, j: int) -> None:
    """A job has ended: its idle executors belong to none."""
    cluster.end_s[j] = cluster.now_s[0]
    for executor in range(len(cluster.state)):
        if cluster.state[executor] == IDLE and cluster.job[executor] == j:
            cluster.job[executor] = -1
    kept = 0
    for i in range(cluster.counts[PRESENT]):
        if cluster.present[i] != j:
            cluster.present[kept] = cluster.present[i]
            kept += 1
    cluster.counts[PRESENT] = kept


@bare
def _duration_s(cluster: Cluster, stage: int, wave: int) -> float:
    """Draw the duration of the next task by how many executors its job has."""
    catalog, j = cluster.catalog, cluster.stage_job[stage]
    own = stage - cluster.stage_at[j]
    bits = _mixed(_mixed(cluster.seed[0] * 1000003 + j) + own * 65537 + cluster.started[stage])
    levels = catalog.levels
    above, executors = 0, cluster.bound[j]
    while above < len(levels) - 1 and levels[above] < executors:
        above += 1
    level = above
    if above > 0 and levels[above] > executors:
        share = (executors - levels[above - 1]) / (levels[above] - levels[above - 1])
        if (bits & 0xFFFFF) / 1048576.0 >= share:
            level = above - 1
    kind = cluster.stage_kind[stage]
    place, seen = catalog.place[kind, level, wave], catalog.seen[kind, level, wave]
    return catalog.duration_s[place + ((bits >> 20) & 0xFFFFFFFF) % seen]


@bare
def _mixed(x: int) -> int:
    """63 well mixed bits. Source: Steele et al. (2014), "Fast splittable generators" (SplitMix)."""
    z = np.uint64(x) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64((z ^ (z >> np.uint64(31))) >> np.uint64(1))  # type: ignore[return-value]
