"""What a cluster knows of every cluster to which it could send a task, and what it makes of that.

A destination's features are the same whichever number it has, so that one policy serves any number
of clusters of any size. Everything is known when the task is submitted: runtimes are estimates.

    FEATURES  of each destination
    is_home           1 where the task was submitted, else 0
    starts            1 if it would start there at once under EASY, else 0
    log_wait          ln (1 + expected wait in s) / 10: those before it in the order start one after
                      the other, in that order, as running tasks end by their predicted runtimes
    log_wait_asked    the same where running tasks end by their requested runtimes
    slowdown          ln (1 + expected wait / runtime) / 5
    delays            ln (1 + slowdown that its work adds to those behind it) / 5
    log_ahead         ln (1 + seconds that the work before it takes on the whole machine) / 10
    log_load          the same for all that waits and the rest of what runs
    log_queue         ln (1 + tasks that wait) / 5
    hurry             ln (1 + slowdown that those who wait gain in an hour) / 10
    free              free processors / those of the machine
    share             its processors / those of the machine, (0, 1]
    log_machine       ln processors of the machine / 10

    COMMON    to all destinations
    log_runtime       predicted runtime, ln s / 10
    log_spread        ln of its upper quantile over its median
    log_request       requested runtime, ln s / 10
    log_procs         ln processors / 10
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.backfill import reservation
from headway.schedule.compiled import bare, compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

VERSION: Final = "2"
FEATURES: Final = (
    "is_home", "starts", "log_wait", "log_wait_asked", "slowdown", "delays", "log_ahead",
    "log_load", "log_queue", "hurry", "free", "share", "log_machine",
)  # fmt: skip
COMMON: Final = ("log_runtime", "log_spread", "log_request", "log_procs")
FLOOR_S: Final = 10.0  # of the runtime in a slowdown
LEAST_S: Final = 60.0  # that a running task is believed to go on at the least
LATE: Final = 0.2  # of the time that it has run, the same


class Task(NamedTuple):
    """The task that is to be sent."""

    value_s: float  # predicted runtime
    upper_s: float  # by which it may go before a reservation
    asked_s: float
    procs: int
    key: float  # in the order of a queue


class Site(NamedTuple):
    """What a cluster shows: k tasks that wait, in its order, and m that run; room for more."""

    key: Floats  # (k,)
    value_s: Floats  # (k,) predicted runtimes
    procs: Ints  # (k,)
    end_s: Floats  # (m,) by request, increasing
    end_value_s: Floats  # (m,) of the same by prediction
    end_procs: Ints  # (m,)
    room_s: Floats  # (m + k,) for ends in order
    room: Ints  # (m + k,)


@compiled
def site_of(waiting: int, running: int) -> Site:
    """Room for so many."""
    return Site(
        np.empty(waiting), np.empty(waiting), np.empty(waiting, np.int64), np.empty(running),
        np.empty(running), np.empty(running, np.int64), np.empty(waiting + running),
        np.empty(waiting + running, np.int64),
    )  # fmt: skip


@bare
def believed_end(start_s: float, value_s: float, now_s: float) -> float:
    """When a running task is believed to end; one that outlived its prediction goes on a while."""
    return max(start_s + value_s, now_s + max(LEAST_S, LATE * (now_s - start_s)))


@bare
def starts_at_once(site: Site, task: Task, k: int, m: int, free: int, now_s: float) -> bool:
    """Whether EASY would start a task that arrives now."""
    if task.procs > free:
        return False
    if k == 0 or task.key < site.key[0]:
        return True
    if site.procs[0] <= free:
        return False
    at_s, spare, _ = reservation(site.end_s, site.end_procs, m, free, site.procs[0], now_s)
    return task.upper_s <= at_s - now_s or task.procs <= spare


@bare
def expected_wait(
    site: Site, ends_s: Floats, task: Task, ahead: int, m: int, free: int, now_s: float
) -> float:
    """Seconds until a task starts if the first `ahead` that wait start before it, in order."""
    for i in range(m):
        _insert(site, 0, i, ends_s[i], site.end_procs[i])
    at_s, first, last = now_s, 0, m
    for place in range(ahead + 1):
        needed = site.procs[place] if place < ahead else task.procs
        while free < needed:
            at_s = max(at_s, site.room_s[first])
            free += site.room[first]
            first += 1
        if place < ahead:
            free -= needed
            _insert(site, first, last, at_s + site.value_s[place], needed)
            last += 1
    return at_s - now_s


@bare
def _insert(site: Site, first: int, last: int, end_s: float, procs: int) -> None:
    """Put an end among those in [first, last), which are in order."""
    i = last
    while i > first and site.room_s[i - 1] > end_s:
        site.room_s[i] = site.room_s[i - 1]
        site.room[i] = site.room[i - 1]
        i -= 1
    site.room_s[i] = end_s
    site.room[i] = procs


@bare
def observe_site(
    site: Site, task: Task, k: int, m: int, free: int, total: int, is_home: bool, now_s: float,
    x: Floats,
) -> None:  # fmt: skip
    """Write FEATURES of a destination with k tasks waiting and m running into x."""
    ahead, before_s, work_s, hurry, behind = 0, 0.0, 0.0, 0.0, 0.0
    for i in range(k):
        area_s = site.value_s[i] * site.procs[i]
        pressing = 1.0 / max(site.value_s[i], FLOOR_S)
        work_s += area_s
        hurry += pressing
        if site.key[i] <= task.key:
            before_s += area_s
            ahead += 1
        else:
            behind += pressing
    for i in range(m):
        work_s += (site.end_value_s[i] - now_s) * site.end_procs[i]
    wait_s, asked_s = 0.0, 0.0
    starts = starts_at_once(site, task, k, m, free, now_s)
    if not starts:
        wait_s = expected_wait(site, site.end_value_s, task, ahead, m, free, now_s)
        asked_s = expected_wait(site, site.end_s, task, ahead, m, free, now_s)
    x[0] = 1.0 if is_home else 0.0
    x[1] = 1.0 if starts else 0.0
    x[2] = math.log1p(wait_s) / 10.0
    x[3] = math.log1p(asked_s) / 10.0
    x[4] = math.log1p(wait_s / max(task.value_s, FLOOR_S)) / 5.0
    x[5] = math.log1p(task.value_s * task.procs / total * behind) / 5.0
    x[6] = math.log1p(before_s / total) / 10.0
    x[7] = math.log1p(work_s / total) / 10.0
    x[8] = math.log1p(k) / 5.0
    x[9] = math.log1p(3600.0 * hurry) / 10.0
    x[10] = free / total
    x[11] = task.procs / total
    x[12] = math.log(total) / 10.0


@bare
def observe_common(
    value_s: float, upper_s: float, asked_s: float, procs: int, common: Floats
) -> None:
    """Write COMMON of a task."""
    log_value = math.log(max(value_s, 1.0))
    common[0] = log_value / 10.0
    common[1] = math.log(max(upper_s, 1.0)) - log_value
    common[2] = math.log(max(asked_s, 1.0)) / 10.0
    common[3] = math.log(procs) / 10.0
