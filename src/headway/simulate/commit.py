"""The commit-and-reserve simulator of RLScheduler: a rule picks one task and waits until it fits.

The rule picks among what waits; a task that does not fit is committed to, and time moves, one event
at a time, an arrival before an end on a tie, until it does. With backfilling, one reservation is
computed at the commitment; before every move those that wait are walked in order of arrival, and
each that fits and is sure to end before the reservation starts. Time does not move while something
waits and fits, so an arrival of this very moment may not be seen yet.
Source: Zhang et al. (2020), "RLScheduler: an automated HPC batch job scheduler using reinforcement
learning", as its published environment runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headway.schedule.backfill import reservation
from headway.schedule.compiled import bare, compiled
from headway.schedule.rules import key_of
from headway.simulate.structures import Running, release, run, running_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.simulate.structures import Jobs

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


WAITING, ARRIVED, FREE = 0, 1, 2


class Line(NamedTuple):
    """What changes while the simulation runs."""

    waiting: Ints  # (n,) tasks in order of arrival, in [0, counts[0])
    counts: Ints  # (3,) how many wait, have arrived, are free processors
    running: Running  # by the end that is believed
    start_s: Floats  # (n,) NaN = has not started
    now_s: Floats  # (1,)


@compiled
def line_of(n: int, total_procs: int) -> Line:
    """An empty line on an empty machine, before the first of n tasks."""
    return Line(
        np.empty(n, np.int64),
        np.array([0, 0, total_procs]),
        running_of(min(n, total_procs), n),
        np.full(n, np.nan),
        np.zeros(1),
    )


@compiled
def simulate_commit(
    jobs: Jobs, total_procs: int, number: int, is_static: bool, backfills: bool
) -> Floats:
    """Start of each task, (n,)."""
    n = len(jobs.submit_s)
    line = line_of(n, total_procs)
    while line.counts[ARRIVED] < n or line.counts[WAITING] > 0:
        while line.counts[WAITING] == 0:
            move(jobs, line)
        place = _pick(jobs, line, number, is_static)
        j = line.waiting[place]
        if jobs.procs[j] > line.counts[FREE]:
            place = make_room(jobs, line, j, backfills)
        start(jobs, line, place)
    return line.start_s


@bare
def _pick(jobs: Jobs, line: Line, number: int, is_static: bool) -> int:
    """The place of the first by the rule."""
    best, best_key = 0, np.inf
    for place in range(line.counts[WAITING]):
        j = line.waiting[place]
        key = jobs.key[j]
        if not is_static:
            waited_s = line.now_s[0] - jobs.submit_s[j]
            key = key_of(number, jobs.order_s[j], float(jobs.procs[j]), jobs.submit_s[j], waited_s)
        if key < best_key:
            best, best_key = place, key
    return best


@bare
def make_room(jobs: Jobs, line: Line, committed: int, backfills: bool) -> int:
    """Move time until the committed task fits; its place then."""
    counts, running, needed = line.counts, line.running, jobs.procs[committed]
    # -inf: an end is believed even where it is already past, as in the source
    at_s, _, _ = reservation(
        running.end_s, running.procs, running.size[0], counts[FREE], needed, -np.inf
    )
    while counts[FREE] < needed:
        place = 0
        while backfills and place < counts[WAITING]:
            j = line.waiting[place]
            if jobs.procs[j] <= counts[FREE] and line.now_s[0] + jobs.backfill_s[j] < at_s:
                start(jobs, line, place)
            else:
                place += 1
        move(jobs, line)
    place = 0
    while line.waiting[place] != committed:
        place += 1
    return place


@bare
def move(jobs: Jobs, line: Line) -> None:
    """Move time to the next event and take it: one arrival or one end."""
    j = line.counts[ARRIVED]
    ending, end_s = _next_end(jobs, line)
    if j < len(jobs.submit_s) and jobs.submit_s[j] <= end_s:
        line.now_s[0] = max(line.now_s[0], jobs.submit_s[j])
        line.waiting[line.counts[WAITING]] = j
        line.counts[WAITING] += 1
        line.counts[ARRIVED] += 1
        return
    line.now_s[0] = max(line.now_s[0], end_s)
    release(line.running, ending)
    line.counts[FREE] += jobs.procs[ending]


@bare
def _next_end(jobs: Jobs, line: Line) -> tuple[int, float]:
    """The running task that ends first, the one in the lowest slot on a tie, and when."""
    ending, first_s = -1, np.inf
    for slot in range(line.running.size[0]):
        j = line.running.slot_task[slot]
        end_s = line.start_s[j] + jobs.runtime_s[j]
        if end_s < first_s:
            ending, first_s = j, end_s
    return ending, first_s


@bare
def start(jobs: Jobs, line: Line, place: int) -> None:
    """Let the task at a place of the queue run."""
    j, now_s, counts = line.waiting[place], line.now_s[0], line.counts
    counts[WAITING] -= 1
    for i in range(place, counts[WAITING]):
        line.waiting[i] = line.waiting[i + 1]
    line.start_s[j] = now_s
    counts[FREE] -= jobs.procs[j]
    run(line.running, now_s + jobs.reserve_s[j], j, jobs.procs[j])
