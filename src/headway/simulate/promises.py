"""A bound on starvation that holds: no start is later than under first come + EASY, plus a bound.

Whoever goes ahead of others must not take what was promised to them. Beside the real schedule runs
a shadow: first come, first served with EASY backfilling. When the shadow starts a task, it is
promised a start at the latest `bound` later, for as long as it asked for. The shadow moved by the
bound is a schedule that fits the machine; so all promises can be kept if a task starts early only
where it leaves room for every promise that falls due before it ends:

- a task of which the shadow has not started yet runs at most `bound`, since what will be promised
  later is not known;
- at the moment when a promise falls due, what runs then by its request, what else was promised and
  the new task must fit the machine;
- a task whose promise falls due starts then, before all others.

What may be assumed: no task outlives its request. One that does may delay others by as much.
The construction is our own; the idea of a first-come schedule run beside the real one as the
measure of fairness is that of Sabin et al. (2004), "Unfairness metrics for space-shared parallel
job schedulers".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import bare, compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.simulate.commit import Line
    from headway.simulate.structures import Jobs

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

DAY_S: Final = 86400.0


class Promises(NamedTuple):
    """When each of n tasks starts in the shadow, and what is promised now; empty = no bound."""

    shadow_s: Floats  # (n,) looked at only once it has come
    bound_s: Floats  # (1,)
    due_s: Floats  # (n,) of the promises now, increasing, in [0, count)
    task: Ints  # (n,) of each
    room: Ints  # (n,) processors left at the earliest dues, the least up to each
    made: Ints  # (2,) promises, processors of the machine


@compiled
def promises_of(shadow_s: Floats, bound_s: float, total_procs: int) -> Promises:
    """Promises of the starts (n,) that a shadow gives, none of them made yet."""
    n = len(shadow_s)
    return Promises(
        shadow_s, np.full(1, bound_s), np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64),
        np.array([0, total_procs]),
    )  # fmt: skip


@bare
def renew(promises: Promises, jobs: Jobs, line: Line, waiting: int) -> None:
    """Bring the promises to those that wait now, with what is left beside them."""
    now_s, bound_s = line.now_s[0], promises.bound_s[0]
    due_s, task = promises.due_s, promises.task
    count = 0
    for place in range(waiting):
        j = line.waiting[place]
        if promises.shadow_s[j] > now_s:
            continue
        at = count
        while at > 0 and due_s[at - 1] > promises.shadow_s[j] + bound_s:
            due_s[at], task[at] = due_s[at - 1], task[at - 1]
            at -= 1
        due_s[at], task[at] = promises.shadow_s[j] + bound_s, j
        count += 1
    promises.made[0] = count
    least = promises.made[1]
    for i in range(count):
        least = min(least, promises.made[1] - _taken(promises, jobs, line, i))
        promises.room[i] = least


@bare
def _taken(promises: Promises, jobs: Jobs, line: Line, i: int) -> int:
    """Processors held when the i-th promise falls due, it included."""
    at_s, taken = promises.due_s[i], 0
    for slot in range(line.running.size[0]):
        j = line.running.slot_task[slot]
        if line.start_s[j] + jobs.limit_s[j] > at_s:
            taken += jobs.procs[j]
    for other in range(promises.made[0]):
        j = promises.task[other]
        if promises.due_s[other] <= at_s and promises.due_s[other] + jobs.limit_s[j] > at_s:
            taken += jobs.procs[j]
    return taken


@bare
def allows(promises: Promises, jobs: Jobs, now_s: float, j: int) -> bool:
    """Whether a task may start now without breaking a promise, after `renew`."""
    end_s = now_s + jobs.limit_s[j]
    if promises.shadow_s[j] <= now_s:
        end_s = min(end_s, promises.shadow_s[j] + promises.bound_s[0])
    elif jobs.limit_s[j] > promises.bound_s[0]:
        return False
    low, high = 0, promises.made[0]  # the first promise that falls due at its end or later
    while low < high:
        middle = (low + high) >> 1
        if promises.due_s[middle] < end_s:
            low = middle + 1
        else:
            high = middle
    return low == 0 or jobs.procs[j] <= promises.room[low - 1]


@bare
def next_due(promises: Promises, line: Line, waiting: int) -> float:
    """When the next shadow start or promise of those that wait comes, after now."""
    now_s, found_s = line.now_s[0], np.inf
    for place in range(waiting):
        start_s = promises.shadow_s[line.waiting[place]]
        at_s = start_s if start_s > now_s else start_s + promises.bound_s[0]
        if at_s > now_s:
            found_s = min(found_s, at_s)
    return found_s


@bare
def overdue(promises: Promises, line: Line, waiting: int) -> int:
    """The place of a task whose promise has fallen due, the longest ago; -1 = there is none."""
    found, earliest_s = -1, line.now_s[0] - promises.bound_s[0]
    for place in range(waiting):
        start_s = promises.shadow_s[line.waiting[place]]
        if start_s <= earliest_s and (
            found < 0 or start_s < promises.shadow_s[line.waiting[found]]
        ):
            found = place
    return found
