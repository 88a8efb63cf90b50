"""An elastic cluster: nodes boot, cost money while they are up, and are released when idle.

Tasks take whole nodes and run first come (or by any static key) with EASY backfilling over the
nodes that are up or booting. Every few minutes a controller adds or releases nodes. A task that
runs keeps its nodes: only idle ones go, the longest idle first. Booting nodes are paid for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.schedule import backfill as easy
from headway.schedule.compiled import bare, compiled
from headway.schedule.elastic import FEATURES, HIDDEN, LEVERS, Controller, pull
from headway.simulate import structures
from headway.simulate.structures import Heap, Queue, Running

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

enqueue, dequeue, push, pop = (
    structures.enqueue, structures.dequeue, structures.push, structures.pop,
)  # fmt: skip
run, release = structures.run, structures.release
next_backfill, reservation = easy.next_backfill, easy.reservation

ARRIVED, IDLE, BUSY, BOOTING, BATCHES = range(5)
"""Places of counts: tasks that have arrived, nodes by what they do, batches ever booted."""
RUN, SPARE, BOOT, WAIT = range(4)
"""Places of spent: node-seconds busy, idle and booting, task-seconds waited."""
HOUR_S: Final = 3600.0
DAY_S: Final = 86400.0
WIDE, MANY = len(FEATURES), len(LEVERS)


class Terms(NamedTuple):
    """What the cluster is: times in seconds, nodes, and when its zero is."""

    boot_s: float = 240.0
    every_s: float = 300.0  # between decisions
    patience_s: float = 1800.0  # after which the first of the queue is given what it lacks
    least: int = 0  # nodes
    most: int = 1
    zero_s: float = 0.0  # UTC epoch of the load's time 0


class Load(NamedTuple):
    """n tasks in order of arrival, (n,) each."""

    submit_s: Floats
    runtime_s: Floats
    nodes: Ints
    expected_s: Floats  # runtime as it was predicted at submission
    limit_s: Floats  # by which room is reserved
    key: Floats  # of the order of the queue, lower first; ties by arrival


class Site(NamedTuple):
    """What changes while the simulation runs."""

    queue: Queue
    ends: Heap  # of running tasks, and of batches of booting nodes: n + a number
    running: Running  # both, by the end that is believed
    start_s: Floats  # (n,) NaN = has not started
    idle_since_s: Floats  # (most,) of idle nodes, the longest idle first
    boots: Ints  # (b,) nodes of each batch that may be booting
    counts: Ints  # (5,)
    spent: Floats  # (4,)
    now_s: Floats  # (1,)
    recent: Floats  # (4,) tasks and nodes that arrived, fading over an hour and half a day


def load_of(workload: Workload, per_node: int, expected_s: Floats) -> Load:
    """The load of a workload on nodes of per_node processors, first come."""
    if per_node < 1 or expected_s.shape != (len(workload),):
        raise ConfigError(
            f"per_node must be positive, expected_s of {len(workload)} tasks, got {per_node} and "
            f"{expected_s.shape}"
        )
    nodes = -(-workload.procs // per_node)
    return Load(
        workload.submit_s - workload.submit_s[0], workload.runtime_s, nodes, expected_s,
        workload.requested_s, np.zeros(len(nodes)),
    )  # fmt: skip


def part_of(load: Load, start_s: float, end_s: float) -> Load:
    """The tasks that arrive in [start_s, end_s), from start_s on."""
    kept = slice(*np.searchsorted(load.submit_s, [start_s, end_s]))
    part = Load._make(values[kept] for values in load)
    return part._replace(submit_s=part.submit_s - start_s)


def play(
    load: Load, controller: Controller, terms: Terms, span_s: float
) -> tuple[Floats, Floats, Ints]:
    """Starts (n,), what was spent by each decision (k + 1, 4), nodes that are up or booting (k,).

    Begins with `least` nodes at time 0; decides at 0, every_s, ... as long as that is below span_s;
    tasks that have not started by the end are NaN.
    """
    if not (0 <= terms.least <= terms.most and int(load.nodes.max(initial=0)) <= terms.most):
        raise ConfigError(
            f"least <= most nodes, as wide as the widest task, got {terms.least}, {terms.most}"
        )
    if not (terms.boot_s > 0.0 and terms.every_s > 0.0):
        raise ConfigError(f"boot_s, every_s must be > 0, got {terms.boot_s}, {terms.every_s}")
    return _play(load, controller, terms, math.ceil(span_s / terms.every_s))


@compiled
def _play(
    load: Load, controller: Controller, terms: Terms, steps: int
) -> tuple[Floats, Floats, Ints]:
    site = site_of(len(load.submit_s), terms)
    restart(site, terms, 0.0)
    spent, sizes = np.zeros((steps + 1, 4)), np.zeros(steps, np.int64)
    x, room, levers = np.empty(WIDE), np.empty((2, HIDDEN)), np.empty(MANY)
    for step in range(steps):
        observe(load, site, terms, x)
        pull(controller, x, room, levers)
        control(load, site, terms, levers)
        sizes[step] = site.counts[IDLE] + site.counts[BUSY] + site.counts[BOOTING]
        run_until(load, site, (step + 1) * terms.every_s)
        fade(load, site, terms)
        spent[step + 1] = site.spent
    return site.start_s, spent, sizes


@compiled
def site_of(n: int, terms: Terms) -> Site:
    """A site with room for n tasks; call `restart`."""
    batches = int(terms.boot_s / terms.every_s) + 2
    room = min(n, terms.most) + batches
    return Site(
        structures.queue_of(n), structures.heap_of(room), structures.running_of(room, n + batches),
        np.empty(n), np.empty(terms.most), np.zeros(batches, np.int64), np.zeros(5, np.int64),
        np.zeros(4), np.zeros(1), np.zeros(4),
    )  # fmt: skip


@bare
def restart(site: Site, terms: Terms, now_s: float) -> None:
    """Begin with `least` idle nodes and no tasks."""
    site.queue.bounds[:] = 0
    site.ends.size[0] = 0
    site.running.size[0] = 0
    site.start_s[:] = np.nan
    site.boots[:] = 0
    site.counts[:] = 0
    site.counts[IDLE] = terms.least
    site.idle_since_s[: terms.least] = now_s
    site.spent[:] = 0.0
    site.recent[:] = 0.0
    site.now_s[0] = now_s


@bare
def run_until(load: Load, site: Site, until_s: float) -> None:
    """All that happens up to a moment."""
    counts, ends, n = site.counts, site.ends, len(load.submit_s)
    while True:
        now_s = np.inf if counts[ARRIVED] == n else load.submit_s[counts[ARRIVED]]
        if ends.size[0] > 0:
            now_s = min(now_s, ends.key[0])
        if now_s > until_s:
            break
        _pass(site, now_s)
        while counts[ARRIVED] < n and load.submit_s[counts[ARRIVED]] <= now_s:
            j = counts[ARRIVED]
            enqueue(site.queue, load.key[j], j, load.nodes[j], load.limit_s[j])
            counts[ARRIVED] += 1
            for i in range(2):
                site.recent[i] += 1.0
                site.recent[2 + i] += load.nodes[j]
        while ends.size[0] > 0 and ends.key[0] <= now_s:
            _free(load, site, pop(ends), now_s)
        _schedule(load, site, now_s)
    _pass(site, until_s)


@bare
def _pass(site: Site, now_s: float) -> None:
    """Let time go by: it is paid for."""
    took_s = now_s - site.now_s[0]
    site.spent[RUN] += took_s * site.counts[BUSY]
    site.spent[SPARE] += took_s * site.counts[IDLE]
    site.spent[BOOT] += took_s * site.counts[BOOTING]
    site.spent[WAIT] += took_s * (site.queue.bounds[1] - site.queue.bounds[0])
    site.now_s[0] = now_s


@bare
def _free(load: Load, site: Site, j: int, now_s: float) -> None:
    """The nodes of a task that ended, or of a batch that is up, are idle."""
    counts, n = site.counts, len(load.submit_s)
    if j < n:
        nodes = load.nodes[j]
        counts[BUSY] -= nodes
    else:
        nodes = site.boots[j - n]
        counts[BOOTING] -= nodes
        site.boots[j - n] = 0
    release(site.running, j)
    for _ in range(nodes):
        site.idle_since_s[counts[IDLE]] = now_s
        counts[IDLE] += 1


@bare
def _start(load: Load, site: Site, place: int, now_s: float) -> None:
    j = site.queue.task[place]
    dequeue(site.queue, place)
    site.start_s[j] = now_s
    site.counts[IDLE] -= load.nodes[j]  # the last that became idle
    site.counts[BUSY] += load.nodes[j]
    push(site.ends, now_s + load.runtime_s[j], j)
    run(site.running, now_s + load.limit_s[j], j, load.nodes[j])


@bare
def _schedule(load: Load, site: Site, now_s: float) -> None:
    """Start what may start on the nodes that are up.

    Where all nodes together are too few for the first, it waits for others to boot, and whatever
    fits may go.
    """
    queue, counts, running = site.queue, site.counts, site.running
    while queue.bounds[0] < queue.bounds[1] and queue.procs[queue.bounds[0]] <= counts[IDLE]:
        _start(load, site, queue.bounds[0], now_s)
    if queue.bounds[0] == queue.bounds[1] or counts[IDLE] == 0:
        return
    needed = queue.procs[queue.bounds[0]]
    at_s, spare, _ = reservation(
        running.end_s, running.procs, running.size[0], counts[IDLE], needed, now_s
    )
    if spare < 0:
        at_s, spare = np.inf, counts[IDLE]
    place = queue.bounds[0] + 1
    while True:
        place = next_backfill(
            queue.procs, queue.backfill_s, place, queue.bounds[1], counts[IDLE], spare, at_s - now_s
        )
        if place >= queue.bounds[1]:
            return
        if queue.backfill_s[place] > at_s - now_s:
            spare -= queue.procs[place]
        _start(load, site, place, now_s)


@bare
def control(load: Load, site: Site, terms: Terms, levers: Floats) -> int:
    """Add (> 0) or release (< 0) nodes as the levers say; how many."""
    counts, queue, now_s = site.counts, site.queue, site.now_s[0]
    horizon_s = math.exp(min(levers[1], 30.0))
    demand = 0.0
    for place in range(queue.bounds[0], queue.bounds[1]):
        part = min(load.expected_s[queue.task[place]] / horizon_s, 1.0)
        demand += queue.procs[place] * part
    wanted = math.exp(min(levers[0], 0.0)) * demand
    if queue.bounds[0] < queue.bounds[1]:
        first = queue.task[queue.bounds[0]]
        if now_s - load.submit_s[first] >= terms.patience_s:
            wanted = max(wanted, load.nodes[first])
    wanted += max(levers[3], 0.0) * (counts[BUSY] + demand)
    wanted = max(wanted, terms.least - counts[BUSY])
    more = math.ceil(min(wanted, float(terms.most)) - 1e-9) - counts[IDLE] - counts[BOOTING]
    size = counts[BUSY] + counts[IDLE] + counts[BOOTING]
    if more > 0:
        more = min(more, terms.most - size)
        _boot(load, site, terms, more)
        return more
    timeout_s = math.expm1(min(max(levers[2], 0.0), 30.0))
    gone = 0
    while gone < min(-more, counts[IDLE]) and site.idle_since_s[gone] <= now_s - timeout_s:
        gone += 1
    counts[IDLE] -= gone
    for i in range(counts[IDLE]):
        site.idle_since_s[i] = site.idle_since_s[i + gone]
    return -gone


@bare
def _boot(load: Load, site: Site, terms: Terms, nodes: int) -> None:
    if nodes == 0:
        return
    batch = site.counts[BATCHES] % len(site.boots)
    j = len(load.submit_s) + batch
    site.boots[batch] = nodes
    site.counts[BATCHES] += 1
    site.counts[BOOTING] += nodes
    push(site.ends, site.now_s[0] + terms.boot_s, j)
    run(site.running, site.now_s[0] + terms.boot_s, j, nodes)


@bare
def fade(load: Load, site: Site, terms: Terms) -> None:
    """Forget some of what arrived, once a decision."""
    for i in range(2):
        kept = math.exp(-terms.every_s / (HOUR_S if i == 0 else 12.0 * HOUR_S))
        site.recent[i] *= kept
        site.recent[2 + i] *= kept


@bare
def observe(load: Load, site: Site, terms: Terms, x: Floats) -> None:
    """What is known at a decision into x (FEATURES,)."""
    counts, queue, now_s = site.counts, site.queue, site.now_s[0]
    first, last = queue.bounds[0], queue.bounds[1]
    demand, work = 0.0, 0.0
    for place in range(first, last):
        demand += queue.procs[place]
        work += queue.procs[place] * load.expected_s[queue.task[place]]
    for i in range(3):
        x[i] = counts[(BUSY, IDLE, BOOTING)[i]] / terms.most
    x[3], x[4] = _log(counts[BUSY]), _log(counts[IDLE])
    x[5], x[6], x[7] = _log(last - first), _log(demand), _log(work / HOUR_S)
    x[8] = math.log1p(work / max(demand, 1.0)) / 10.0
    x[9] = x[10] = 0.0
    if first < last:
        x[9] = _log(queue.procs[first])
        x[10] = math.log1p(now_s - load.submit_s[queue.task[first]]) / 10.0
    x[11] = _log(max(demand - counts[IDLE] - counts[BOOTING], 0.0))
    _observe_ends(load, site, terms, x)
    for i in range(4):
        x[15 + i] = _log(site.recent[i])
    x[19] = math.log1p(now_s - site.idle_since_s[0]) / 10.0 if counts[IDLE] > 0 else 0.0
    day = 2.0 * math.pi * (terms.zero_s + now_s) / DAY_S
    x[20], x[21], x[22], x[23] = math.sin(day), math.cos(day), math.sin(day / 7), math.cos(day / 7)


@bare
def _observe_ends(load: Load, site: Site, terms: Terms, x: Floats) -> None:
    """Nodes that should be free when a node could have booted, in an hour, and by now."""
    soon, hour, overdue = 0.0, 0.0, 0.0
    for slot in range(site.running.size[0]):
        j = site.running.slot_task[slot]
        if j < len(load.submit_s):
            rest_s = site.start_s[j] + load.expected_s[j] - site.now_s[0]
            overdue += load.nodes[j] * (rest_s < 0.0)
            soon += load.nodes[j] * (0.0 <= rest_s <= terms.boot_s)
            hour += load.nodes[j] * (0.0 <= rest_s <= HOUR_S)
    x[12], x[13], x[14] = _log(soon), _log(hour), _log(overdue)


@bare
def _log(x: float) -> float:
    return math.log1p(x) / 5.0
