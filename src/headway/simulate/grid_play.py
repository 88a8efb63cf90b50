"""Whole simulations of several clusters in which one policy sends and queues every task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headway.schedule.compiled import bare, compiled
from headway.schedule.routing import (
    COMMON,
    FEATURES,
    FLOOR_S,
    Site,
    Task,
    believed_end,
    observe_common,
    observe_site,
    site_of,
)
from headway.schedule.routing_network import (
    LANES,
    UNITS,
    Router,
    lane_scores,
    route_scores,
    tilt_of,
)
from headway.simulate.grid import Grid, advance, grid_of, machine_at, send

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.simulate.structures import Jobs

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

WIDE, MANY, MOVES = len(FEATURES), len(COMMON), len(LANES)
SHIFTS = np.array(LANES)


class Shown(NamedTuple):
    """What is seen of the task that is asked for, among c clusters."""

    x: Floats  # (c, FEATURES)
    common: Floats  # (COMMON,)
    is_allowed: Bools  # (c,) where it fits


class Played(NamedTuple):
    """What was seen and chosen for each of n tasks, and when they started."""

    x: Floats  # (n, c, FEATURES)
    common: Floats  # (n, COMMON)
    is_allowed: Bools  # (n, c)
    sent: Ints  # (n,)
    lane: Ints  # (n,)
    start_s: Floats  # (n,)


@compiled
def shown_of(c: int) -> Shown:
    """Room for c clusters."""
    return Shown(np.zeros((c, WIDE)), np.zeros(MANY), np.zeros(c, np.bool_))


@compiled
def look(grid: Grid, keys: Floats, router: Router, site: Site, shown: Shown) -> None:
    """Write what is seen of the task that is asked for, whose rule gives it keys (2,)."""
    jobs, j, now_s = grid.jobs, grid.arrived[0], grid.now_s[0]
    value_s, upper_s, asked_s, procs = (
        jobs.order_s[j], jobs.backfill_s[j], jobs.reserve_s[j], jobs.procs[j],
    )  # fmt: skip
    observe_common(value_s, upper_s, asked_s, procs, shown.common)
    key = turn(router, shown.common, keys, jobs.submit_s[j], 0.0)
    task = Task(value_s, upper_s, asked_s, procs, key)
    for c in range(len(grid.total)):
        shown.is_allowed[c] = task.procs <= grid.total[c]
        if not shown.is_allowed[c]:
            shown.x[c] = 0.0
            continue
        machine = machine_at(grid, c)
        queue, running = machine.queue, machine.running
        first, k, m = queue.bounds[0], queue.bounds[1] - queue.bounds[0], running.size[0]
        for i in range(k):
            site.key[i] = queue.key[first + i]
            site.value_s[i] = jobs.order_s[queue.task[first + i]]
            site.procs[i] = queue.procs[first + i]
        for i in range(m):
            runs = running.task[i]
            site.end_s[i] = max(running.end_s[i], now_s + 1.0)
            site.end_value_s[i] = believed_end(machine.start_s[runs], jobs.order_s[runs], now_s)
            site.end_procs[i] = running.procs[i]
        is_home = grid.home[j] == c
        free, total = machine.free[0], grid.total[c]
        observe_site(site, task, k, m, free, total, is_home, now_s, shown.x[c])


@bare
def turn(router: Router, common: Floats, keys: Floats, submit_s: float, lane: float) -> float:
    """The key of a task: keys (2,) of its local rule, tilted and in a lane."""
    product = math.exp(min(keys[0] + tilt_of(router, common) + lane, 700.0))
    return product + keys[1] + router.patience[0] * submit_s


@compiled
def play(jobs: Jobs, home: Ints, total: Ints, keys: Floats, router: Router) -> tuple[Floats, Ints]:
    """Start of each task (n,), and the cluster where it ran (n,), if the highest score decides.

    keys (n, 2): of a local rule, see merged.local_keys.
    """
    grid = grid_of(jobs, home, total)
    room = room_of(len(home), total)
    while advance(grid, router.gate):
        j = grid.arrived[0]
        look(grid, keys[j], router, room.site, room.shown)
        c = best_route(router, room, home[j])
        lane_scores(router, room.shown.x[c], room.shown.common, room.units, room.lanes)
        lane = SHIFTS[np.argmax(room.lanes)]
        send(grid, c, turn(router, room.shown.common, keys[j], jobs.submit_s[j], lane))
    return grid.machines.start_s[0], grid.sent


class Room(NamedTuple):
    """Arrays that are written at every decision."""

    site: Site
    shown: Shown
    units: Floats
    routes: Floats
    lanes: Floats


@compiled
def room_of(n: int, total: Ints) -> Room:
    """Room for the decisions about n tasks."""
    c = len(total)
    return Room(
        site_of(n, min(n, total.max())), shown_of(c), np.empty(UNITS), np.empty(c), np.empty(MOVES)
    )


@compiled
def best_route(router: Router, room: Room, home: int) -> int:
    """The destination of the highest score, the home cluster of equals."""
    shown = room.shown
    route_scores(router, shown.x, shown.common, shown.is_allowed, room.units, room.routes)
    best = int(np.argmax(room.routes))
    return home if room.routes[home] == room.routes[best] else best


@compiled
def roll(
    jobs: Jobs, home: Ints, total: Ints, keys: Floats, router: Router, sharpness: float,
    drawn: Floats,
) -> Played:  # fmt: skip
    """The same if chances decide: softmax of sharpness x scores, by noise drawn (n, c + LANES) from
    Gumbel's distribution.
    """
    n, c = len(home), len(total)
    grid, room = grid_of(jobs, home, total), room_of(n, total)
    shown = room.shown
    played = Played(
        np.zeros((n, c, WIDE)), np.zeros((n, MANY)), np.zeros((n, c), np.bool_),
        np.zeros(n, np.int64), np.zeros(n, np.int64), grid.machines.start_s[0],
    )  # fmt: skip
    while advance(grid, router.gate):
        j = grid.arrived[0]
        look(grid, keys[j], router, room.site, shown)
        route_scores(router, shown.x, shown.common, shown.is_allowed, room.units, room.routes)
        to = int(np.argmax(sharpness * room.routes + drawn[j, :c]))
        lane_scores(router, shown.x[to], shown.common, room.units, room.lanes)
        lane = int(np.argmax(sharpness * room.lanes + drawn[j, c:]))
        played.x[j], played.common[j], played.is_allowed[j] = (
            shown.x,
            shown.common,
            shown.is_allowed,
        )
        played.sent[j], played.lane[j] = to, lane
        send(grid, to, turn(router, shown.common, keys[j], jobs.submit_s[j], SHIFTS[lane]))
    return played


@bare
def spread_cost(jobs: Jobs, start_s: Floats, cost: Floats) -> None:
    """Add to cost (n,) the slowdown that tasks gained by waiting while the j-th was the last."""
    n = len(start_s)
    for j in range(n):
        rate = 1.0 / max(jobs.runtime_s[j], FLOOR_S)
        i = j
        while i < n and jobs.submit_s[i] < start_s[j]:
            until_s = start_s[j] if i + 1 == n else min(start_s[j], jobs.submit_s[i + 1])
            cost[i] += (until_s - jobs.submit_s[i]) * rate
            i += 1
