"""The event-driven simulator: when would each task of a workload have started.

Textbook EASY: at every event first add arrivals, then release ends; start heads of the order while
they fit; compute one reservation for the first that does not; start of the others, in the order of
backfilling, each that fits now and delays it not. With backfill "none" only heads start.

How it stays fast: the queue is kept sorted, so nothing is sorted at an event; an event after which
nothing can start that could not before is left at once; and scans are over compact arrays, in
blocks that compile to vector instructions. How it will grow: what a task takes is one number here
(`procs`); several resources make it a row, which changes `structures.Queue`, the two scans of
`schedule.backfill` and `start_at` / `release_due`. A graph of tasks makes "arrivals" the tasks
whose parents have ended: `release_due` then feeds `arrive`. Keys that change while tasks wait are
what the dynamic rules have: `_head` asks for them anew at every event. Several clusters are several
machines: see `simulate.grid`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.schedule import backfill as easy
from headway.schedule.compiled import bare, compiled
from headway.schedule.rules import key_of
from headway.schedule.siblings import KEPT, Siblings, nobody, shift_of, weight_of
from headway.simulate import structures
from headway.simulate.commit import simulate_commit
from headway.simulate.structures import Jobs, Queue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.schedule.rules import Order
    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

enqueue, dequeue, place_of = structures.enqueue, structures.dequeue, structures.place_of
rekey = structures.rekey
push, pop = structures.push, structures.pop
run, release, believe = structures.run, structures.release, structures.believe
release_ended = structures.release_ended
next_backfill, next_narrow = easy.next_backfill, easy.next_narrow
reservation, spare_at = easy.reservation, easy.spare_at

BACKFILLS = ("easy", "none", "reserve", "commit")
BY_QUEUE, BY_KEY, BY_RULE = 0, 1, 2  # how the head is found: front of queue, heap, evaluated anew
STEPS_S = np.array(
    [60, 300, 900, 1800, 3600, 7200, 18000, 36000, 72000, 180000, 360000], dtype=np.float64
)
"""Growth of an outlived estimate. Source: Tsafrir, Etsion, Feitelson (2007), "Backfilling using
system-generated predictions rather than user runtime estimates"."""


class Machine(NamedTuple):
    """What changes while the simulation runs."""

    queue: structures.Queue  # in order of backfilling
    heads: structures.Heap  # in order of the rule, where that is another; started ones linger
    ends: structures.Heap  # running tasks by their true end
    running: structures.Running  # by the end that is believed
    grown: Ints  # (n,) how often a believed end was moved
    start_s: Floats  # (n,) NaN = has not started
    free: Ints  # (1,)


def simulate(
    workload: Workload,
    order: Order,
    reserve_s: Floats,
    *,
    backfill_s: Floats | None = None,
    backfill: str = "easy",
    correction: str = "second",
) -> Floats:
    """When each task would have started, (n,) in seconds from the zero of the source.

    reserve_s (n,) are the runtimes by which running tasks are believed to end; one that outlives
    its own is believed to end a second from now (correction "second") or is given more by growing
    steps, up to what was requested ("steps"). backfill_s (n,), by default the same, are those by
    which a waiting task may go before the reservation.
    backfill: "easy" textbook, "none" the same without backfilling, "reserve" RLScheduler's with
    its backfilling, "commit" the same without.
    """
    if backfill not in BACKFILLS:
        raise ConfigError(f"backfill must be one of {', '.join(BACKFILLS)}, got {backfill}")
    if correction not in ("second", "steps"):
        raise ConfigError(f"correction must be second or steps, got {correction}")
    n = len(workload)
    backfill_s = reserve_s if backfill_s is None else backfill_s
    for name, values in (
        ("keys", order.key), ("order_s", order.order_s), ("reserve_s", reserve_s),
        ("backfill_s", backfill_s),
    ):  # fmt: skip
        if values.shape != (n,) or np.isnan(values).any():
            raise ConfigError(f"{name} must be {n} numbers without NaN, one for each task")
    jobs = Jobs(
        workload.submit_s, workload.runtime_s, workload.procs, order.order_s, reserve_s, backfill_s,
        workload.requested_s, order.key,
    )  # fmt: skip
    if backfill in ("reserve", "commit"):
        return simulate_commit(
            jobs, workload.total_procs, order.number, order.is_static, backfill == "reserve"
        )
    by = BY_KEY if order.is_static else BY_RULE
    is_queue_sorted = order.backfills_by_key or bool(np.all(np.diff(order.key) >= 0.0))
    if order.is_static and is_queue_sorted:
        by = BY_QUEUE
    siblings = nobody() if order.siblings is None else order.siblings
    if len(siblings.user) and not (by == BY_QUEUE and order.backfills_by_key):
        raise ConfigError("siblings need an order with static keys that also backfills by them")
    return simulate_easy(
        jobs, siblings, workload.total_procs, order.number, by, order.backfills_by_key,
        backfill == "easy", correction == "steps",
    )  # fmt: skip


@compiled
def simulate_easy(
    jobs: Jobs,
    siblings: Siblings,
    total_procs: int,
    number: int,
    by: int,
    by_key: bool,
    backfills: bool,
    grows: bool,
) -> Floats:
    """Start of each task, (n,).

    number: the rule, where it is dynamic; by: how heads are found; by_key: backfill in the order
    of the key, else of arrival; grows: an outlived estimate grows by steps, else is now + 1.
    """
    n = len(jobs.submit_s)
    machine = _empty(n, total_procs)
    learned = np.zeros((len(siblings.user), 2))  # weight and weighted sum of outcomes seen waiting
    arrived = 0
    while arrived < n or machine.ends.size[0] > 0:
        now_s = np.inf if arrived == n else jobs.submit_s[arrived]
        if machine.ends.size[0] > 0:
            now_s = min(now_s, machine.ends.key[0])
        while arrived < n and jobs.submit_s[arrived] <= now_s:
            arrive(jobs, machine, arrived, by, by_key)
            arrived += 1
        if machine.ends.size[0] > 0 and machine.ends.key[0] <= now_s:
            release_due(jobs, machine, now_s, siblings, learned)
        if machine.queue.bounds[0] == machine.queue.bounds[1]:
            continue
        schedule(jobs, machine, now_s, number, by, by_key, backfills, grows)
    return machine.start_s


@compiled
def _empty(n: int, total_procs: int) -> Machine:
    room = min(n, total_procs)
    return Machine(
        structures.queue_of(n),
        structures.heap_of(n),
        structures.heap_of(room),
        structures.running_of(room, n),
        np.zeros(n, np.int64),
        np.full(n, np.nan),
        np.full(1, total_procs),
    )


@bare
def arrive(jobs: Jobs, machine: Machine, j: int, by: int, by_key: bool) -> None:
    """Let a task wait."""
    key = jobs.key[j] if by_key else float(j)
    enqueue(machine.queue, key, j, jobs.procs[j], jobs.backfill_s[j])
    if by == BY_KEY:
        push(machine.heads, jobs.key[j], j)


@compiled
def release_due(
    jobs: Jobs, machine: Machine, now_s: float, siblings: Siblings, learned: Floats
) -> None:
    """Free what ends now; of several tasks, the one in the lowest slot first."""
    ended = 0
    while machine.ends.size[0] > 0 and machine.ends.key[0] <= now_s:
        j = pop(machine.ends)
        if len(learned) > 0:
            _teach(jobs, machine.queue, siblings, learned, j)
        machine.free[0] += jobs.procs[j]
        ended += 1
    if ended == 1:
        release(machine.running, j)
    else:
        release_ended(machine.running, machine.start_s, jobs.runtime_s, now_s, ended)


@compiled
def _teach(jobs: Jobs, queue: Queue, siblings: Siblings, learned: Floats, ended: int) -> None:
    """Move the siblings of a task that ended to where they now belong in the queue."""
    first, last = queue.bounds
    keys = queue.key[first:last].copy()
    is_moved = np.zeros(len(keys), np.bool_)
    log_runtime = np.log(max(jobs.runtime_s[ended], 1.0))
    for i in range(len(keys)):
        j = queue.task[first + i]
        weight = weight_of(siblings, ended, j)
        if weight > 0.0:
            learned[j, 0] = KEPT * learned[j, 0] + weight
            learned[j, 1] = KEPT * learned[j, 1] + weight * log_runtime
            keys[i] = jobs.key[j] + shift_of(siblings, j, learned[j, 0], learned[j, 1])
            is_moved[i] = True
    if is_moved.any():
        rekey(queue, is_moved, keys)


@bare
def start_at(jobs: Jobs, machine: Machine, place: int, now_s: float) -> None:
    """Start the task at a place of the queue."""
    j = machine.queue.task[place]
    dequeue(machine.queue, place)
    machine.start_s[j] = now_s
    machine.free[0] -= jobs.procs[j]
    push(machine.ends, now_s + jobs.runtime_s[j], j)
    run(machine.running, now_s + jobs.reserve_s[j], j, jobs.procs[j])


@bare
def _head(jobs: Jobs, machine: Machine, now_s: float, number: int, by: int, by_key: bool) -> int:
    """The place in the queue, which is not empty, of the first by the rule."""
    queue = machine.queue
    first, last = queue.bounds
    if by == BY_QUEUE:
        return first
    if by == BY_KEY:
        heads = machine.heads
        while not np.isnan(machine.start_s[heads.task[0]]):
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


@bare
def schedule(
    jobs: Jobs,
    machine: Machine,
    now_s: float,
    number: int,
    by: int,
    by_key: bool,
    backfills: bool,
    grows: bool,
) -> None:
    """Start what may start now; something waits."""
    queue, free = machine.queue, machine.free
    if free[0] == 0:
        return
    while True:
        head = _head(jobs, machine, now_s, number, by, by_key)
        if queue.procs[head] > free[0]:
            break
        start_at(jobs, machine, head, now_s)
        if queue.bounds[0] == queue.bounds[1]:
            return
    if not backfills:
        return
    place = next_narrow(queue.procs, queue.bounds[0], queue.bounds[1], free[0])
    if place == queue.bounds[1]:
        return
    if grows:
        _grow(jobs, machine, now_s)
    running, needed = machine.running, queue.procs[head]
    size = running.size[0]
    at_s, spare, is_sure = reservation(running.end_s, running.procs, size, free[0], needed, now_s)
    if not is_sure:
        spare = spare_at(at_s, running.slot_end_s, running.slot_procs, size, free[0], needed, now_s)
    _walk(jobs, machine, place, at_s, spare, now_s)


@bare
def _walk(jobs: Jobs, machine: Machine, place: int, at_s: float, spare: int, now_s: float) -> None:
    """Start each from `place` on that does not delay the reservation at at_s."""
    queue, free = machine.queue, machine.free
    window_s = at_s - now_s
    while True:
        place = next_backfill(
            queue.procs, queue.backfill_s, place, queue.bounds[1], free[0], spare, window_s
        )
        if place >= queue.bounds[1]:
            return
        if queue.backfill_s[place] > window_s:
            spare -= queue.procs[place]
        was_first = place == queue.bounds[0]
        start_at(jobs, machine, place, now_s)
        place += was_first


@bare
def _grow(jobs: Jobs, machine: Machine, now_s: float) -> None:
    """Move the believed end of each task that outlived it, by steps and up to its limit."""
    running = machine.running
    i = 0
    while i < running.size[0] and running.end_s[i] <= now_s:
        j, end_s = running.task[i], running.end_s[i]
        limit_s = machine.start_s[j] + jobs.limit_s[j]
        while end_s <= now_s and end_s < limit_s:
            step = min(machine.grown[j], len(STEPS_S) - 1)
            end_s = min(end_s + STEPS_S[step], limit_s)
            machine.grown[j] += 1
        if end_s == running.end_s[i]:
            i += 1
        else:
            believe(running, j, end_s)
            i += end_s <= now_s
