"""What it would have cost to send a task elsewhere, played out from the moment of the decision.

For some tasks of a window the simulation is copied, the task sent to each cluster that it fits, and
the next tasks are sent as the policy does; then nothing comes any more and all that waits is let
start. The difference between destinations is what the decision was worth, without the noise of
what others did before and long after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headway.schedule.compiled import compiled
from headway.schedule.routing import FLOOR_S
from headway.schedule.routing_network import Router, lane_scores
from headway.simulate.grid import Grid, advance, grid_of, send
from headway.simulate.grid_play import MANY, SHIFTS, WIDE, Room, best_route, look, room_of, turn
from headway.simulate.kernel import Machine
from headway.simulate.structures import Heap, Queue, Running

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.simulate.structures import Jobs

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]


class Weighed(NamedTuple):
    """What was seen of m tasks, and what each destination cost."""

    x: Floats  # (m, c, FEATURES)
    common: Floats  # (m, COMMON)
    is_allowed: Bools  # (m, c)
    cost: Floats  # (m, c) slowdown gained by waiting, of all until the last that was played


@compiled
def copied(grid: Grid, last: int) -> Grid:
    """The same simulation apart, that ends with the task before the last."""
    machines = grid.machines
    queue, heads, ends, running = machines.queue, machines.heads, machines.ends, machines.running
    return Grid(
        grid.jobs,  # keys of tasks are written when they are sent, of earlier ones never
        grid.home[:last],
        grid.total,
        Machine(
            Queue(
                queue.key.copy(), queue.task.copy(), queue.procs.copy(), queue.backfill_s.copy(),
                queue.bounds.copy(),
            ),
            heads,
            Heap(ends.key.copy(), ends.task.copy(), ends.size.copy()),
            Running(
                running.end_s.copy(), running.procs.copy(), running.task.copy(),
                running.slot_end_s.copy(), running.slot_procs.copy(), running.slot_task.copy(),
                running.slot.copy(), running.size.copy(),
            ),
            machines.grown,
            machines.start_s.copy(),
            machines.free.copy(),
        ),
        grid.sent.copy(),
        grid.arrived.copy(),
        grid.is_touched.copy(),
        grid.now_s.copy(),
    )  # fmt: skip


@compiled
def weigh(
    jobs: Jobs, home: Ints, total: Ints, keys: Floats, router: Router, runtime_s: Floats,
    chosen: Ints, ahead: int,
) -> Weighed:  # fmt: skip
    """What each destination costs the tasks chosen (m,), increasing, and all until `ahead` later.

    runtime_s (n,) are those by which waiting is counted.
    """
    n, c, m = len(home), len(total), len(chosen)
    grid, room, other = grid_of(jobs, home, total), room_of(n, total), room_of(n, total)
    found = Weighed(
        np.zeros((m, c, WIDE)), np.zeros((m, MANY)), np.zeros((m, c), np.bool_), np.zeros((m, c))
    )
    at = 0
    while at < m and advance(grid, router.gate):
        j = grid.arrived[0]
        look(grid, keys[j], router, room.site, room.shown)
        if j == chosen[at]:
            found.x[at], found.common[at] = room.shown.x, room.shown.common
            found.is_allowed[at] = room.shown.is_allowed
            for to in range(c):
                if room.shown.is_allowed[to]:
                    branch = copied(grid, min(j + ahead, n))
                    _sent(branch, keys, router, room, to)
                    found.cost[at, to] = _played_out(branch, keys, router, other, runtime_s)
            at += 1
        _sent(grid, keys, router, room, best_route(router, room, home[j]))
    return found


@compiled
def _sent(grid: Grid, keys: Floats, router: Router, room: Room, to: int) -> None:
    """Send the task that was looked at."""
    j, shown = grid.arrived[0], room.shown
    lane_scores(router, shown.x[to], shown.common, room.units, room.lanes)
    lane = SHIFTS[np.argmax(room.lanes)]
    send(grid, to, turn(router, shown.common, keys[j], grid.jobs.submit_s[j], lane))


@compiled
def _played_out(grid: Grid, keys: Floats, router: Router, room: Room, runtime_s: Floats) -> float:
    """Go on to the end; what waiting cost."""
    while advance(grid, router.gate):
        j = grid.arrived[0]
        look(grid, keys[j], router, room.site, room.shown)
        _sent(grid, keys, router, room, best_route(router, room, grid.home[j]))
    total = 0.0
    for j in range(len(grid.home)):
        waited_s = grid.machines.start_s[0, j] - grid.jobs.submit_s[j]
        total += waited_s / max(runtime_s[j], FLOOR_S)
    return total
