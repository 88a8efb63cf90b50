"""The event-driven simulator: when would each task of a workload have started.

Textbook EASY: at every event first add arrivals, then release ends; start heads of the order while
they fit; compute one reservation for the first that does not; start of the others, in the order of
backfilling, each that fits now and delays it not. With backfill "none" only heads start.

How it stays fast: the queue is kept sorted, so nothing is sorted at an event; an event after which
nothing can start that could not before is left at once; and scans are over compact arrays, in
blocks that compile to vector instructions. How it will grow: what a task takes is one number here
(`procs`); several resources make it a row, which changes `structures.Queue`, the two scans of
`schedule.backfill` and `_start` / `_release`. A graph of tasks makes "arrivals" the tasks whose
parents have ended: `_release` then feeds `_arrive`. Keys that change while tasks wait are what the
dynamic rules have: `_head` asks for them anew at every event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from headway.errors import ConfigError
from headway.schedule import backfill as easy
from headway.schedule.rules import key_of
from headway.simulate import structures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.schedule.rules import Order
    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

enqueue, dequeue, place_of = structures.enqueue, structures.dequeue, structures.place_of
push, pop = structures.push, structures.pop
run, release = structures.run, structures.release
next_backfill, next_narrow, reservation = (
    easy.next_backfill, easy.next_narrow, easy.reservation,
)  # fmt: skip

BY_QUEUE, BY_KEY, BY_RULE = 0, 1, 2  # how the head is found: front of queue, heap, evaluated anew
STEPS_S = np.array(
    [60, 300, 900, 1800, 3600, 7200, 18000, 36000, 72000, 180000, 360000], dtype=np.float64
)
"""Growth of an outlived estimate. Source: Tsafrir, Etsion, Feitelson (2007), "Backfilling using
system-generated predictions rather than user runtime estimates"."""


class Jobs(NamedTuple):
    """What the kernel reads of n tasks in order of arrival, (n,) each."""

    submit_s: Floats
    runtime_s: Floats
    procs: Ints
    order_s: Floats  # estimate by which a dynamic rule orders
    reserve_s: Floats  # estimate by which room is reserved
    limit_s: Floats  # to which an outlived estimate may grow
    key: Floats  # of a static order


class Cluster(NamedTuple):
    """What changes while the simulation runs."""

    queue: structures.Queue  # in order of backfilling
    heads: structures.Heap  # in order of the rule, where that is another; started ones linger
    ends: structures.Heap  # running tasks by their true end
    running: structures.Running  # by the end that is believed
    believed_end_s: Floats  # (n,)
    grown: Ints  # (n,) how often a believed end was moved
    start_s: Floats  # (n,) NaN = has not started
    free: Ints  # (1,)
    rejected: Floats  # (3,) free, spare, window at which all that wait were last refused


def simulate(
    workload: Workload,
    order: Order,
    reserve_s: Floats,
    *,
    backfill: str = "easy",
    correction: str = "second",
) -> Floats:
    """When each task would have started, (n,) in seconds from the zero of the source.

    reserve_s (n,) are the runtimes by which room is reserved and backfilling is judged; a running
    task that outlives its own is believed to end a second from now (correction "second") or is
    given more by growing steps, up to what was requested ("steps").
    """
    if backfill not in ("easy", "none"):
        raise ConfigError(f"backfill must be easy or none, got {backfill}")
    if correction not in ("second", "steps"):
        raise ConfigError(f"correction must be second or steps, got {correction}")
    n = len(workload)
    for name, values in (("keys", order.key), ("reserve_s", reserve_s), ("order_s", order.order_s)):
        if values.shape != (n,) or np.isnan(values).any():
            raise ConfigError(f"{name} must be {n} numbers without NaN, one for each task")
    jobs = Jobs(
        workload.submit_s, workload.runtime_s, workload.procs, order.order_s, reserve_s,
        workload.requested_s, order.key,
    )  # fmt: skip
    by = BY_KEY if order.is_static else BY_RULE
    is_queue_sorted = order.backfills_by_key or bool(np.all(np.diff(order.key) >= 0.0))
    if order.is_static and is_queue_sorted:
        by = BY_QUEUE
    return simulate_easy(
        jobs, workload.total_procs, order.number, by, order.backfills_by_key, backfill == "easy",
        correction == "steps",
    )  # fmt: skip


@njit(cache=True)
def simulate_easy(
    jobs: Jobs, total_procs: int, number: int, by: int, by_key: bool, backfills: bool, grows: bool
) -> Floats:
    """Start of each task, (n,).

    number: the rule, where it is dynamic; by: how heads are found; by_key: backfill in the order
    of the key, else of arrival; grows: an outlived estimate grows by steps, else is now + 1.
    """
    n = len(jobs.submit_s)
    cluster = _empty(n, total_procs)
    arrived = 0
    while arrived < n or cluster.ends.size[0] > 0:
        now_s = np.inf if arrived == n else jobs.submit_s[arrived]
        if cluster.ends.size[0] > 0:
            now_s = min(now_s, cluster.ends.key[0])
        before = arrived
        while arrived < n and jobs.submit_s[arrived] <= now_s:
            _arrive(jobs, cluster, arrived, by, by_key)
            arrived += 1
        while cluster.ends.size[0] > 0 and cluster.ends.key[0] <= now_s:
            _release(jobs, cluster)
        if cluster.queue.bounds[0] == cluster.queue.bounds[1]:
            continue
        newcomer = before if arrived == before + 1 else -1
        _schedule(jobs, cluster, now_s, newcomer, number, by, by_key, backfills, grows)
    return cluster.start_s


@njit(cache=True)
def _empty(n: int, total_procs: int) -> Cluster:
    room = min(n, total_procs)
    return Cluster(
        structures.queue_of(n), structures.heap_of(n), structures.heap_of(room),
        structures.running_of(room), np.empty(n), np.zeros(n, np.int64), np.full(n, np.nan),
        np.full(1, total_procs), np.zeros(3),
    )  # fmt: skip


@njit(cache=True)
def _arrive(jobs: Jobs, cluster: Cluster, j: int, by: int, by_key: bool) -> None:
    key = jobs.key[j] if by_key else float(j)
    enqueue(cluster.queue, key, j, jobs.procs[j], jobs.reserve_s[j])
    if by == BY_KEY:
        push(cluster.heads, jobs.key[j], j)


@njit(cache=True)
def _release(jobs: Jobs, cluster: Cluster) -> None:
    j = pop(cluster.ends)
    release(cluster.running, cluster.believed_end_s[j], j)
    cluster.free[0] += jobs.procs[j]


@njit(cache=True)
def _start(jobs: Jobs, cluster: Cluster, place: int, now_s: float) -> None:
    j = cluster.queue.task[place]
    dequeue(cluster.queue, place)
    cluster.start_s[j] = now_s
    cluster.free[0] -= jobs.procs[j]
    push(cluster.ends, now_s + jobs.runtime_s[j], j)
    cluster.believed_end_s[j] = now_s + jobs.reserve_s[j]
    run(cluster.running, cluster.believed_end_s[j], j, jobs.procs[j])


@njit(cache=True)
def _head(jobs: Jobs, cluster: Cluster, now_s: float, number: int, by: int, by_key: bool) -> int:
    """The place in the queue, which is not empty, of the first by the rule."""
    queue = cluster.queue
    first, last = queue.bounds
    if by == BY_QUEUE:
        return first
    if by == BY_KEY:
        heads = cluster.heads
        while not np.isnan(cluster.start_s[heads.task[0]]):
            pop(heads)
        j = heads.task[0]
        return place_of(queue, jobs.key[j] if by_key else float(j), j)
    best, best_key = first, np.inf
    for place in range(first, last):
        j = queue.task[place]
        waited_s = now_s - jobs.submit_s[j]
        key = key_of(number, jobs.order_s[j], float(jobs.procs[j]), jobs.submit_s[j], waited_s)
        if key < best_key:
            best, best_key = place, key
    return best


@njit(cache=True)
def _schedule(
    jobs: Jobs, cluster: Cluster, now_s: float, newcomer: int, number: int, by: int, by_key: bool,
    backfills: bool, grows: bool,
) -> None:  # fmt: skip
    """Start what may start now. newcomer: the only arrival of this event, or -1."""
    queue, free, rejected = cluster.queue, cluster.free, cluster.rejected
    if free[0] == 0:
        rejected[:] = 0.0
        return
    while True:
        head = _head(jobs, cluster, now_s, number, by, by_key)
        if queue.procs[head] > free[0]:
            break
        _start(jobs, cluster, head, now_s)
        if queue.bounds[0] == queue.bounds[1]:
            return
    if not backfills:
        return
    place = next_narrow(queue.procs, queue.bounds[0], queue.bounds[1], free[0])
    if place == queue.bounds[1]:
        rejected[0] = min(rejected[0], free[0])
        return
    if grows:
        _grow(jobs, cluster, now_s)
    running = cluster.running
    at_s, spare = reservation(
        running.end_s, running.procs, running.size[0], free[0], queue.procs[head], now_s
    )
    _walk(jobs, cluster, place, at_s, spare, now_s)


@njit(cache=True)
def _walk(jobs: Jobs, cluster: Cluster, place: int, at_s: float, spare: int, now_s: float) -> None:
    """Start each from `place` on that does not delay the reservation at at_s."""
    queue, free = cluster.queue, cluster.free
    window_s = at_s - now_s
    while True:
        place = next_backfill(
            queue.procs, queue.reserve_s, place, queue.bounds[1], free[0], spare, window_s
        )
        if place >= queue.bounds[1]:
            return
        if queue.reserve_s[place] > window_s:
            spare -= queue.procs[place]
        was_first = place == queue.bounds[0]
        _start(jobs, cluster, place, now_s)
        place += was_first


@njit(cache=True)
def _grow(jobs: Jobs, cluster: Cluster, now_s: float) -> None:
    """Move the believed end of each task that outlived it, by steps and up to its limit."""
    running = cluster.running
    i = 0
    while i < running.size[0] and running.end_s[i] <= now_s:
        j = running.task[i]
        limit_s = cluster.start_s[j] + jobs.limit_s[j]
        end_s = cluster.believed_end_s[j]
        while end_s <= now_s and end_s < limit_s:
            step = min(cluster.grown[j], len(STEPS_S) - 1)
            end_s = min(end_s + STEPS_S[step], limit_s)
            cluster.grown[j] += 1
        if end_s == cluster.believed_end_s[j]:
            i += 1
            continue
        release(running, cluster.believed_end_s[j], j)
        cluster.believed_end_s[j] = end_s
        run(running, end_s, j, jobs.procs[j])
