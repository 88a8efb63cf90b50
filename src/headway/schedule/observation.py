"""What a learned policy sees of a queue: features of each waiting task and of the whole cluster.

A task's features do not depend on where it stands among the others, so that a policy that scores
each alone is the same for every order of the queue. Everything is known at that moment. Times are
natural logarithms of seconds over ten, widths of processors over ten: "smallest area first" is then
minus the sum of two features, on a machine of any size.

    FEATURES  of each task
    log_runtime       predicted runtime, moved by what siblings took while it waited, ln s / 10
    log_spread        ln of its upper quantile over its median
    log_request       requested runtime, ln s / 10
    log_procs         ln processors / 10
    share             processors / those of the machine, (0, 1]
    log_wait          ln (1 + seconds waited) / 10
    slowdown          ln (1 + waited / runtime) / 5
    fits              1 if it could start now, else 0
    log_until         ln (1 + seconds until it is believed to fit) / 10
    left              free processors after its start / those of the machine; < 0: does not fit
    user_running      processors that its user's tasks run on / those of the machine
    user_waiting      ln (1 + tasks of its user that wait) / 5
    over_runtime      ln runtime over the queue's mean ln runtime, / 10
    over_area         the same for runtime x processors
    age               share of the queue that came before it, [0, 1)
    outlasts          in backfilling: 1 if its upper quantile ends after the head's reservation

    COMMON    to all tasks
    free              free processors / those of the machine
    log_queue         ln (1 + tasks that wait) / 5
    log_work          ln (1 + seconds that what waits would take on the whole machine) / 10
    log_rest          ln (1 + the same for the rest of what runs) / 10
    is_backfill       1 while backfilling, 0 while the head is chosen
    mean_runtime      mean ln runtime of the queue / 10
    log_machine       ln processors of the machine / 10
    mean_area         mean ln runtime x processors of the queue / 10
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import bare, compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

VERSION: Final = "1"
FEATURES: Final = (
    "log_runtime", "log_spread", "log_request", "log_procs", "share", "log_wait", "slowdown",
    "fits", "log_until", "left", "user_running", "user_waiting", "over_runtime", "over_area",
    "age", "outlasts",
)  # fmt: skip
COMMON: Final = (
    "free", "log_queue", "log_work", "log_rest", "is_backfill", "mean_runtime", "log_machine",
    "mean_area",
)  # fmt: skip


class View(NamedTuple):
    """A queue and what runs, as `observe` reads it; arrays may be longer than what they hold."""

    log_runtime: Floats  # (k,) of waiting tasks in order of arrival: ln s, as believed now
    log_spread: Floats  # (k,) ln of upper quantile over median
    log_request: Floats  # (k,) ln s
    log_procs: Floats  # (k,) ln processors
    procs: Ints  # (k,)
    submit_s: Floats  # (k,)
    upper_s: Floats  # (k,) by which a task may go before the reservation
    user: Ints  # (k,) codes in [0, users), -1 = not known
    end_s: Floats  # (m,) believed ends of what runs, increasing
    end_procs: Ints  # (m,)
    end_user: Ints  # (m,)
    free_by: Ints  # (m + 1,) room for processors free after each end
    per_user: Ints  # (users, 2) room for processors running and tasks waiting; zero between calls


@compiled
def view_of(waiting: int, running: int, users: int) -> View:
    """An empty view with room for so many."""
    return View(
        np.empty(waiting), np.empty(waiting), np.empty(waiting), np.empty(waiting),
        np.empty(waiting, np.int64), np.empty(waiting), np.empty(waiting),
        np.empty(waiting, np.int64), np.empty(running), np.empty(running, np.int64),
        np.empty(running, np.int64), np.empty(running + 1, np.int64),
        np.zeros((max(users, 1), 2), np.int64),
    )  # fmt: skip


@bare
def observe_all(
    view: View, k: int, m: int, free: int, total: int, now_s: float, reserved_s: float,
    common: Floats,
) -> None:  # fmt: skip
    """Write COMMON of a view with k waiting and m running tasks; sums that `observe_task` reads.

    reserved_s: when the head is believed to start; < 0 while the head is chosen.
    """
    log_runtime, log_area, work_s = 0.0, 0.0, 0.0
    for i in range(k):
        log_runtime += view.log_runtime[i]
        log_area += view.log_runtime[i] + view.log_procs[i]
        work_s += math.exp(view.log_runtime[i]) * view.procs[i]
        if view.user[i] >= 0:
            view.per_user[view.user[i], 1] += 1
    rest_s = 0.0
    view.free_by[0] = free
    for i in range(m):
        rest_s += max(view.end_s[i] - now_s, 1.0) * view.end_procs[i]
        view.free_by[i + 1] = view.free_by[i] + view.end_procs[i]
        if view.end_user[i] >= 0:
            view.per_user[view.end_user[i], 0] += view.end_procs[i]
    common[0] = free / total
    common[1] = math.log1p(k) / 5.0
    common[2] = math.log1p(work_s / total) / 10.0
    common[3] = math.log1p(rest_s / total) / 10.0
    common[4] = 1.0 if reserved_s >= 0.0 else 0.0
    common[5] = log_runtime / max(k, 1) / 10.0
    common[6] = math.log(total) / 10.0
    common[7] = log_area / max(k, 1) / 10.0


@bare
def observe_task(
    view: View, i: int, k: int, m: int, free: int, total: int, now_s: float, reserved_s: float,
    common: Floats, x: Floats,
) -> None:  # fmt: skip
    """Write FEATURES of the i-th waiting task into x, after `observe_all`."""
    log_runtime, procs, user = view.log_runtime[i], view.procs[i], view.user[i]
    waited_s = max(now_s - view.submit_s[i], 0.0)
    x[0] = log_runtime / 10.0
    x[1] = view.log_spread[i]
    x[2] = view.log_request[i] / 10.0
    x[3] = view.log_procs[i] / 10.0
    x[4] = procs / total
    x[5] = math.log1p(waited_s) / 10.0
    x[6] = math.log1p(waited_s / max(math.exp(log_runtime), 10.0)) / 5.0
    x[7] = 1.0 if procs <= free else 0.0
    x[8] = 0.0
    if procs > free:
        low, high = 0, m  # the first end after which enough are free
        while low < high:
            middle = (low + high) >> 1
            if view.free_by[middle] < procs:
                low = middle + 1
            else:
                high = middle
        x[8] = math.log1p(max(view.end_s[max(low - 1, 0)] - now_s, 1.0)) / 10.0
    x[9] = (free - procs) / total
    x[10] = 0.0 if user < 0 else view.per_user[user, 0] / total
    x[11] = math.log1p(0.0 if user < 0 else view.per_user[user, 1]) / 5.0
    x[12] = log_runtime / 10.0 - common[5]
    x[13] = (log_runtime + view.log_procs[i]) / 10.0 - common[7]
    x[14] = i / k
    x[15] = 1.0 if reserved_s >= 0.0 and view.upper_s[i] > reserved_s - now_s else 0.0


@bare
def forget_users(view: View, k: int, m: int) -> None:
    """Make the counts per user zero again."""
    for i in range(k):
        if view.user[i] >= 0:
            view.per_user[view.user[i], 1] = 0
    for i in range(m):
        if view.end_user[i] >= 0:
            view.per_user[view.end_user[i], 0] = 0
