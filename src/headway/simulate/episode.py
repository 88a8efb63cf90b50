"""A simulation that stops at every decision: which waiting task goes next.

The same events, reservations and backfilling as `simulate.kernel` and `simulate.commit`; but what
goes next is asked of whoever calls, one task at a time, so that a policy may look at everything
that is known then. Nothing is asked where nothing can start, or where one answer is possible.

    HEAD        any task that waits may be chosen; one that does not fit becomes the head of the
                queue, for which room is reserved (mode EASY) or for which time moves (COMMIT)
    BACKFILL    those that fit and do not delay the head may be chosen, until there are none
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headway.schedule import backfill as easy
from headway.schedule.compiled import bare, compiled
from headway.schedule.siblings import KEPT, weight_of
from headway.simulate import structures
from headway.simulate.commit import ARRIVED, FREE, WAITING, Line, line_of, make_room, move, start
from headway.simulate.promises import Promises, allows, next_due, overdue, renew
from headway.simulate.structures import Jobs, pop, push, release_ended

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.schedule.siblings import Siblings

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

reservation, spare_at = easy.reservation, easy.spare_at

EASY, RESERVE, COMMIT, HEADS = 0, 1, 2, 3
"""Modes: textbook EASY; as RLScheduler backfills, or does not; EASY's heads without backfilling."""
HEAD, BACKFILL, OVER = 0, 1, 2  # what is asked for
PHASE, CHOSEN, SPARE, MODE = 0, 1, 2, 3


class Episode(NamedTuple):
    """One simulation and where it stands; made by `episode_of`, changed by `advance`, `choose`."""

    jobs: Jobs  # n tasks in order of arrival
    siblings: Siblings  # of the same n, or of nobody
    line: Line  # who waits, in order of arrival, and who runs
    ends: structures.Heap  # running tasks by their true end
    learned: Floats  # (n, 2) weight and weighted sum of log runtimes of siblings seen while waiting
    stand: Ints  # (4,) phase, the head, processors spare at its reservation, mode
    reserved_s: Floats  # (1,) when the head is believed to start
    promises: Promises  # the bound on starvation, in mode EASY and HEADS


@compiled
def episode_of(
    jobs: Jobs, siblings: Siblings, promises: Promises, total_procs: int, mode: int
) -> Episode:
    """A simulation of n tasks on an empty machine, before its first event."""
    n = len(jobs.submit_s)
    ends = structures.heap_of(min(n, total_procs))
    return Episode(
        jobs, siblings, line_of(n, total_procs), ends, np.zeros((len(siblings.user), 2)),
        np.array([HEAD, -1, 0, mode]), np.zeros(1), promises,
    )  # fmt: skip


@bare
def restart(episode: Episode, total_procs: int) -> None:
    """Back to before the first event."""
    line = episode.line
    line.counts[WAITING], line.counts[ARRIVED], line.counts[FREE] = 0, 0, total_procs
    line.running.size[0] = 0
    line.now_s[0] = 0.0
    line.start_s[:] = np.nan
    episode.ends.size[0] = 0
    episode.learned[:] = 0.0
    episode.stand[PHASE] = HEAD
    episode.promises.made[0] = 0


@bare
def may_start(episode: Episode, place: int) -> bool:
    """Whether the task at a place of the queue may be chosen in this phase."""
    jobs, line, j = episode.jobs, episode.line, episode.line.waiting[place]
    if episode.stand[PHASE] == HEAD:
        return jobs.procs[j] > line.counts[FREE] or _could_run(episode, j)
    if j == episode.stand[CHOSEN] or not _could_run(episode, j):
        return False
    window_s = episode.reserved_s[0] - line.now_s[0]
    return jobs.backfill_s[j] <= window_s or jobs.procs[j] <= episode.stand[SPARE]


@bare
def advance(episode: Episode) -> bool:
    """Go on until there is something to choose; whether there is, else all has started."""
    stand, line = episode.stand, episode.line
    n = len(episode.jobs.submit_s)
    if stand[MODE] == RESERVE or stand[MODE] == COMMIT:
        return _advance_line(episode)
    while True:
        _keep_promises(episode)
        only, found = -1, 0
        if stand[PHASE] == BACKFILL or _something_fits(episode):
            for place in range(line.counts[WAITING]):
                if may_start(episode, place):
                    only, found = place, found + 1
        if found > 1:
            return True
        if found == 1:
            choose(episode, only)
            continue
        if line.counts[ARRIVED] == n and line.counts[WAITING] == 0 and episode.ends.size[0] == 0:
            stand[PHASE] = OVER
            return False
        _next_event(episode)


@bare
def choose(episode: Episode, place: int) -> None:
    """Let the task at a place of the queue go next, which `may_start` allows."""
    stand, line, jobs = episode.stand, episode.line, episode.jobs
    j = line.waiting[place]
    if stand[MODE] == RESERVE or stand[MODE] == COMMIT:
        if jobs.procs[j] > line.counts[FREE]:
            place = make_room(jobs, line, j, stand[MODE] == RESERVE)
        start(jobs, line, place)
    elif stand[PHASE] == BACKFILL:
        if jobs.backfill_s[j] > episode.reserved_s[0] - line.now_s[0]:
            stand[SPARE] -= jobs.procs[j]
        _start(episode, place)
    elif jobs.procs[j] <= line.counts[FREE]:
        _start(episode, place)
    else:
        _reserve(episode, j)


@bare
def _advance_line(episode: Episode) -> bool:
    """The same for RLScheduler's modes, in which every start is chosen."""
    line, jobs = episode.line, episode.jobs
    while True:
        if line.counts[WAITING] > 1:
            return True
        if line.counts[WAITING] == 1:
            choose(episode, 0)
        elif line.counts[ARRIVED] == len(jobs.submit_s):
            episode.stand[PHASE] = OVER
            return False
        else:
            move(jobs, line)


@bare
def _is_bound(episode: Episode) -> bool:
    """Whether there is a bound on starvation."""
    return len(episode.promises.shadow_s) > 0


@bare
def _keep_promises(episode: Episode) -> None:
    """Start what was promised to start by now; one that does not fit becomes the head."""
    line, stand = episode.line, episode.stand
    while _is_bound(episode) and stand[PHASE] == HEAD:
        place = overdue(episode.promises, line, line.counts[WAITING])
        if place < 0:
            return
        choose(episode, place)


@bare
def _could_run(episode: Episode, j: int) -> bool:
    """Whether a task could start now, as far as processors and promises go."""
    line, jobs = episode.line, episode.jobs
    return jobs.procs[j] <= line.counts[FREE] and (
        not _is_bound(episode) or allows(episode.promises, jobs, line.now_s[0], j)
    )


@bare
def _something_fits(episode: Episode) -> bool:
    """Whether a task that waits could start."""
    line, place = episode.line, 0
    while place < line.counts[WAITING] and not _could_run(episode, line.waiting[place]):
        place += 1
    return bool(place < line.counts[WAITING])


@bare
def _next_event(episode: Episode) -> None:
    """Add what arrives at the next moment, then release what ends at it."""
    jobs, line, ends = episode.jobs, episode.line, episode.ends
    n = len(jobs.submit_s)
    now_s = np.inf if line.counts[ARRIVED] == n else jobs.submit_s[line.counts[ARRIVED]]
    if ends.size[0] > 0:
        now_s = min(now_s, ends.key[0])
    if _is_bound(episode):
        now_s = min(now_s, next_due(episode.promises, line, line.counts[WAITING]))
    line.now_s[0] = now_s
    episode.stand[PHASE] = HEAD
    while line.counts[ARRIVED] < n and jobs.submit_s[line.counts[ARRIVED]] <= now_s:
        line.waiting[line.counts[WAITING]] = line.counts[ARRIVED]
        line.counts[WAITING] += 1
        line.counts[ARRIVED] += 1
    ended = 0
    while ends.size[0] > 0 and ends.key[0] <= now_s:
        j = pop(ends)
        line.counts[FREE] += jobs.procs[j]
        ended += 1
        if len(episode.learned) > 0:
            _teach(episode, j)
    release_ended(line.running, line.start_s, jobs.runtime_s, now_s, ended)
    if _is_bound(episode):
        renew(episode.promises, jobs, line, line.counts[WAITING])


@bare
def _teach(episode: Episode, ended: int) -> None:
    """Tell those that wait what a sibling took."""
    log_runtime = np.log(max(episode.jobs.runtime_s[ended], 1.0))
    for place in range(episode.line.counts[WAITING]):
        j = episode.line.waiting[place]
        weight = weight_of(episode.siblings, ended, j)
        if weight > 0.0:
            episode.learned[j, 0] = KEPT * episode.learned[j, 0] + weight
            episode.learned[j, 1] = KEPT * episode.learned[j, 1] + weight * log_runtime


@bare
def _start(episode: Episode, place: int) -> None:
    line, jobs = episode.line, episode.jobs
    j = line.waiting[place]
    push(episode.ends, line.now_s[0] + jobs.runtime_s[j], j)
    start(jobs, line, place)
    if _is_bound(episode):
        renew(episode.promises, jobs, line, line.counts[WAITING])


@bare
def _reserve(episode: Episode, head: int) -> None:
    """Reserve room for a task that does not fit."""
    line, stand = episode.line, episode.stand
    running, free, needed = line.running, line.counts[FREE], episode.jobs.procs[head]
    now_s, size = line.now_s[0], line.running.size[0]
    stand[PHASE], stand[CHOSEN], stand[SPARE] = BACKFILL, head, 0
    episode.reserved_s[0] = now_s  # nothing ends in no time: nobody may go before
    if stand[MODE] == HEADS:
        return
    at_s, spare, is_sure = reservation(running.end_s, running.procs, size, free, needed, now_s)
    if not is_sure:
        spare = spare_at(at_s, running.slot_end_s, running.slot_procs, size, free, needed, now_s)
    episode.reserved_s[0] = at_s
    stand[SPARE] = spare
