"""Several clusters, each with its own queue, whose tasks may be sent to one another.

A task arrives where its user submitted it. There it is asked for, once, by which cluster it is
queued (`advance` stops, `send` goes on); a task that is wider than a cluster cannot go there. Each
cluster then runs textbook EASY in the order of its own queue: the events, reservations and
backfilling of `simulate.kernel`, with one Machine for each cluster. A task that waits is moved only
if another cluster would start it at once and its own offers it (`schedule.offers`); nothing that
waits there is delayed. With one cluster it is the kernel, start by start.

What may be known at a decision are estimates: the runtimes that order (`order_s`), those by which
room is reserved (`reserve_s`) and backfilling is judged (`backfill_s`); never the true ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headway.schedule.backfill import reservation, spare_at
from headway.schedule.compiled import compiled
from headway.schedule.offers import Offer, are_offered, offer_score
from headway.schedule.siblings import Siblings
from headway.simulate.kernel import BY_QUEUE, Machine, arrive, release_due, schedule, start_at
from headway.simulate.structures import Heap, Jobs, Queue, Running, dequeue, enqueue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]


class Grid(NamedTuple):
    """One simulation of c clusters and n tasks, and where it stands."""

    jobs: Jobs  # in order of arrival; key (n,) is written when a task is sent
    home: Ints  # (n,) where it was submitted
    total: Ints  # (c,) processors
    machines: Machine  # of every array one row for each cluster, but `grown` and `start_s` (n,)
    sent: Ints  # (n,) the cluster that a task was sent to, -1 = not yet
    arrived: Ints  # (1,) tasks that were sent
    is_touched: Bools  # (c,) something arrived or ended that is not scheduled yet
    now_s: Floats  # (1,)


@compiled
def grid_of(jobs: Jobs, home: Ints, total: Ints) -> Grid:
    """Empty clusters of so many processors, before the first of n tasks."""
    n, c = len(home), len(total)
    room = min(n, total.max())
    machines = Machine(
        Queue(
            np.empty((c, n)), np.empty((c, n), np.int64), np.empty((c, n), np.int32),
            np.empty((c, n)), np.zeros((c, 2), np.int64),
        ),
        Heap(np.empty((c, 1)), np.empty((c, 1), np.int64), np.zeros((c, 1), np.int64)),
        Heap(np.empty((c, room)), np.empty((c, room), np.int64), np.zeros((c, 1), np.int64)),
        Running(
            np.empty((c, room)), np.empty((c, room), np.int64), np.empty((c, room), np.int64),
            np.empty((c, room)), np.empty((c, room), np.int64), np.empty((c, room), np.int64),
            np.empty((c, n), np.int64), np.zeros((c, 1), np.int64),
        ),
        np.zeros((1, n), np.int64),
        np.full((1, n), np.nan),
        total.copy().reshape(c, 1),
    )  # fmt: skip
    return Grid(
        jobs, home, total, machines, np.full(n, -1), np.zeros(1, np.int64), np.zeros(c, np.bool_),
        np.zeros(1),
    )  # fmt: skip


@compiled
def machine_at(grid: Grid, c: int) -> Machine:
    """The machine of one cluster."""
    queue, heads, ends = grid.machines.queue, grid.machines.heads, grid.machines.ends
    running = grid.machines.running
    return Machine(
        Queue(queue.key[c], queue.task[c], queue.procs[c], queue.backfill_s[c], queue.bounds[c]),
        Heap(heads.key[c], heads.task[c], heads.size[c]),
        Heap(ends.key[c], ends.task[c], ends.size[c]),
        Running(
            running.end_s[c], running.procs[c], running.task[c], running.slot_end_s[c],
            running.slot_procs[c], running.slot_task[c], running.slot[c], running.size[c],
        ),
        grid.machines.grown[0],
        grid.machines.start_s[0],
        grid.machines.free[c],
    )  # fmt: skip


@compiled
def advance(grid: Grid, gate: Floats) -> bool:
    """Go on until a task (`arrived[0]`) has to be sent; False if all have ended.

    gate: weights (OFFERED,) by which tasks that wait are offered to others.
    """
    jobs, n = grid.jobs, len(grid.home)
    nobody = np.empty(0, np.int64)
    siblings = Siblings(nobody, nobody, nobody, np.empty(0), 3.0)
    learned = np.zeros((0, 2))
    while True:
        at = grid.arrived[0]
        if at < n and jobs.submit_s[at] <= grid.now_s[0]:
            return True
        _settle(grid, gate)
        now_s = jobs.submit_s[at] if at < n else np.inf
        for c in range(len(grid.total)):
            if grid.machines.ends.size[c, 0] > 0:
                now_s = min(now_s, grid.machines.ends.key[c, 0])
        if now_s == np.inf:
            return False
        grid.now_s[0] = now_s
        for c in range(len(grid.total)):
            if grid.machines.ends.size[c, 0] > 0 and grid.machines.ends.key[c, 0] <= now_s:
                release_due(jobs, machine_at(grid, c), now_s, siblings, learned)
                grid.is_touched[c] = True


@compiled
def _settle(grid: Grid, gate: Floats) -> None:
    """Start what may start now where something changed, then what others offer."""
    offers = are_offered(gate)
    is_left = np.zeros(len(grid.total), np.bool_)  # where it is not asked yet what others offer
    while True:
        for c in range(len(grid.total)):
            if grid.is_touched[c]:
                grid.is_touched[c] = False
                is_left[c] = offers
                machine = machine_at(grid, c)
                if machine.queue.bounds[0] < machine.queue.bounds[1]:
                    schedule(grid.jobs, machine, grid.now_s[0], -1, BY_QUEUE, True, True, False)
        if not is_left.any():
            return
        for c in range(len(grid.total)):
            if is_left[c]:
                is_left[c] = False
                while _take(grid, gate, c):
                    pass


@compiled
def _take(grid: Grid, gate: Floats, c: int) -> bool:
    """Start the task that others offer most gladly, if it delays nothing here; whether there is."""
    jobs, here, now_s = grid.jobs, machine_at(grid, c), grid.now_s[0]
    free, waiting = here.free[0], here.queue.bounds[1] - here.queue.bounds[0]
    if free == 0:
        return False
    window_s, spare = np.inf, free
    if waiting > 0:
        at_s, spare = _reserved(here, now_s)
        window_s = at_s - now_s
    best, source, place = 0.0, -1, -1
    for a in range(len(grid.total)):
        first, last = grid.machines.queue.bounds[a]
        for i in range(first, last if a != c else first):
            procs = grid.machines.queue.procs[a, i]
            if procs > free or (procs > spare and grid.machines.queue.backfill_s[a, i] > window_s):
                continue
            j = grid.machines.queue.task[a, i]
            offer = Offer(
                jobs.order_s[j], jobs.reserve_s[j], now_s - jobs.submit_s[j], procs, i - first,
                last - 1 - i, waiting, free, grid.total[c],
            )  # fmt: skip
            score = offer_score(gate, offer)
            if score > best:
                best, source, place = score, a, i
    if source < 0:
        return False
    j = grid.machines.queue.task[source, place]
    dequeue(machine_at(grid, source).queue, place)
    grid.is_touched[source] = True
    grid.sent[j] = c
    place = enqueue(here.queue, jobs.key[j], j, jobs.procs[j], jobs.backfill_s[j])
    start_at(jobs, here, place, now_s)
    return True


@compiled
def _reserved(machine: Machine, now_s: float) -> tuple[float, int]:
    """When the head of a queue, which does not fit, is to start, and what is spare then."""
    running, needed = machine.running, machine.queue.procs[machine.queue.bounds[0]]
    size, free = running.size[0], machine.free[0]
    at_s, spare, is_sure = reservation(running.end_s, running.procs, size, free, needed, now_s)
    if not is_sure:
        spare = spare_at(at_s, running.slot_end_s, running.slot_procs, size, free, needed, now_s)
    return at_s, spare


@compiled
def send(grid: Grid, c: int, key: float) -> None:
    """Queue the task that is asked for at a cluster, which it fits, by a key (lower first)."""
    j = grid.arrived[0]
    grid.jobs.key[j] = key
    arrive(grid.jobs, machine_at(grid, c), j, BY_QUEUE, True)
    grid.sent[j] = c
    grid.arrived[0] = j + 1
    grid.is_touched[c] = True
