"""Many simulations side by side, each stopped at a decision: what a learner trains on.

Every simulation plays a window of consecutive tasks of one of several workloads on an empty
machine. The reward of a decision is minus what waiting cost until the next one, in bounded slowdown
without its floor of 1, over the mean that smallest area first would have had on the same window: a
whole window sums to about -1 if nothing was learned, whatever the load was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.schedule.compiled import bare, compiled
from headway.schedule.network import network_of, smallest_area_first
from headway.schedule.observation import (
    COMMON,
    FEATURES,
    View,
    forget_users,
    observe_all,
    observe_task,
    view_of,
)  # fmt: skip
from headway.schedule.siblings import Siblings, nobody, siblings_of
from headway.simulate.commit import ARRIVED, Line
from headway.simulate.episode import MODE, Episode, advance, choose, may_start, restart
from headway.simulate.play import logs_of, look, moment, play
from headway.simulate.promises import Promises
from headway.simulate.structures import Heap, Jobs, Running

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

VISIBLE: Final = 128
"""Waiting tasks that are shown at most; of more, the smallest by area and the oldest."""
OLDEST: Final = 32  # of those shown
FLOOR_S: Final = 10.0  # of the runtime in a slowdown
LEAST_COST: Final = 1.0  # by which rewards are divided at the least, where nothing had to wait


@dataclass(frozen=True, slots=True)
class Course:
    """A workload to learn from: jobs in order of arrival, who is whose sibling, the machine.

    windows (w,) are the first tasks of the windows that may be drawn.
    """

    jobs: Jobs
    siblings: Siblings  # of the same tasks, or of nobody
    total_procs: int
    windows: Ints

    def window(self, first: int, jobs: int) -> tuple[Jobs, Siblings]:
        """`jobs` tasks from the first on, which is submitted at 0."""
        kept = slice(first, first + jobs)
        part = Jobs._make(values[kept] for values in self.jobs)
        part = part._replace(submit_s=part.submit_s - part.submit_s[0])
        siblings = self.siblings
        if len(siblings.user) == 0:
            return part, siblings
        fields = [values[kept] for values in siblings[:-1]]
        return part, Siblings._make([*fields, siblings.strength])


def course_of(workload: Workload, order_s: Floats, backfill_s: Floats, windows: Ints) -> Course:
    """A course of a workload in which policies are told order_s (n,) and requests are reserved."""
    asked_s = workload.requested_s
    jobs = Jobs(
        workload.submit_s, workload.runtime_s, workload.procs, order_s, asked_s, backfill_s,
        asked_s, workload.submit_s,
    )  # fmt: skip
    siblings = nobody()
    if len(workload.user):
        siblings = siblings_of(workload.user, workload.procs, asked_s, order_s)
    return Course(jobs, siblings, workload.total_procs, windows)


class Seen(NamedTuple):
    """What N simulations show; slots that hold no task are zero and may not be chosen."""

    x: Floats  # (N, VISIBLE, FEATURES)
    common: Floats  # (N, COMMON)
    is_allowed: Bools  # (N, VISIBLE) the first slots, as many as may be chosen among
    place: Ints  # (N, VISIBLE) in the queue


class Batch:
    """N simulations that are stepped together; one that ends begins another window at once."""

    def __init__(
        self, courses: Sequence[Course], n_envs: int, jobs: int, mode: int, seed: int
    ) -> None:
        """Windows of `jobs` tasks, drawn from the courses by turns; mode as in `episode`."""
        for course in courses:
            if course.windows.max(initial=0) + jobs > len(course.jobs.submit_s):
                raise ConfigError(
                    f"a window is longer than its course: jobs must be fewer, got {jobs}"
                )
        if not courses:
            raise ConfigError("courses must name one workload or more, got none")
        if n_envs < 1 or jobs < 2:
            raise ConfigError(f"n_envs and jobs must be positive, got {n_envs} and {jobs}")
        self._courses, self._jobs, self._mode = list(courses), jobs, mode
        self._rng = np.random.default_rng(seed)
        procs = max(course.total_procs for course in courses)
        self._room = min(jobs, procs)
        self._state = _blank(n_envs, jobs, self._room, mode)
        self._logs = np.zeros((n_envs, jobs, 4))
        self._procs = np.ones(n_envs, np.int64)
        self._usual = np.ones(n_envs)
        self._cost = np.zeros(n_envs)
        self._users = 1 + max(int(course.siblings.user.max(initial=0)) for course in courses)
        self._view = view_of(jobs, self._room, self._users)
        self.seen = Seen(
            np.zeros((n_envs, VISIBLE, len(FEATURES))),
            np.zeros((n_envs, len(COMMON))),
            np.zeros((n_envs, VISIBLE), np.bool_),
            np.zeros((n_envs, VISIBLE), np.int64),
        )
        self._rule = network_of(smallest_area_first())
        self._known: dict[tuple[int, int], float] = {}

    def reset(self) -> Seen:
        """Begin N windows."""
        for i in range(len(self._procs)):
            self._begin(i)
        return self.seen

    def step(self, slots: Ints) -> tuple[Seen, Floats, Bools]:
        """Choose a slot (N,) in each; what is seen then, rewards (N,), which ended (N,)."""
        rewards = np.empty(len(slots))
        is_over = np.zeros(len(slots), np.bool_)
        _step_all(
            self._state, self._logs, self._procs, self._view, self.seen, slots, self._usual,
            self._cost, rewards, is_over,
        )  # fmt: skip
        for i in np.flatnonzero(is_over):
            self._begin(int(i))
        return self.seen, rewards, is_over

    def _begin(self, i: int) -> None:
        """Draw windows for the i-th simulation until one asks for a decision."""
        while True:
            number = int(self._rng.integers(len(self._courses)))
            course = self._courses[number]
            first = int(course.windows[self._rng.integers(len(course.windows))])
            jobs, siblings = course.window(first, self._jobs)
            self._usual[i] = self._usual_cost(number, first, jobs, siblings)
            self._procs[i] = course.total_procs
            self._logs[i] = logs_of(jobs)
            _load(self._state, i, jobs, siblings)
            self._cost[i] = 0.0
            if _begin(self._state, self._logs, self._procs, self._view, self.seen, i):
                return

    def _usual_cost(self, number: int, first: int, jobs: Jobs, siblings: Siblings) -> float:
        """What waiting costs in a window under the usual rule; kept, since windows come again."""
        known = self._known.get((number, first))
        if known is None:
            procs = self._courses[number].total_procs
            start_s, _ = play(jobs, siblings, self._users, procs, self._mode, self._rule)
            waited = (start_s - jobs.submit_s) / np.maximum(jobs.runtime_s, FLOOR_S)
            known = max(float(waited.sum()), LEAST_COST)
            self._known[number, first] = known
        return known


def _blank(n_envs: int, jobs: int, room: int, mode: int) -> Episode:
    """An Episode whose every array has one row for each of N simulations."""

    def zeros(*shape: int) -> Floats:
        return np.zeros((n_envs, *shape))

    def whole(*shape: int) -> Ints:
        return np.zeros((n_envs, *shape), np.int64)

    stand = whole(4)
    stand[:, MODE] = mode
    return Episode(
        Jobs(
            zeros(jobs), zeros(jobs), whole(jobs), zeros(jobs), zeros(jobs), zeros(jobs),
            zeros(jobs), zeros(jobs),
        ),
        Siblings(whole(jobs), whole(jobs), whole(jobs), zeros(jobs)),
        Line(
            whole(jobs),
            whole(3),
            Running(
                zeros(room), whole(room), whole(room), zeros(room), whole(room), whole(room),
                whole(jobs), whole(1),
            ),
            zeros(jobs),
            zeros(1),
        ),
        Heap(zeros(room), whole(room), whole(1)),
        zeros(jobs, 2),
        stand,
        zeros(1),
        Promises(zeros(0), zeros(1), zeros(0), whole(0), whole(0), whole(2)),
    )  # fmt: skip


def _load(state: Episode, i: int, jobs: Jobs, siblings: Siblings) -> None:
    """Give the i-th simulation other tasks."""
    for mine, given in zip(state.jobs, jobs, strict=True):
        mine[i] = given
    if len(siblings.user) == 0:
        state.siblings.user[i] = -1
        return
    for mine, given in zip(state.siblings[:-1], siblings[:-1], strict=True):
        mine[i] = given


@compiled
def _at(state: Episode, i: int) -> Episode:
    """The i-th of N simulations."""
    jobs, siblings, line, running = state.jobs, state.siblings, state.line, state.line.running
    promises = state.promises
    return Episode(
        Jobs(
            jobs.submit_s[i], jobs.runtime_s[i], jobs.procs[i], jobs.order_s[i],
            jobs.reserve_s[i], jobs.backfill_s[i], jobs.limit_s[i], jobs.key[i],
        ),
        Siblings(
            siblings.user[i], siblings.width[i], siblings.shape[i], siblings.log_runtime[i],
            siblings.strength,
        ),
        Line(
            line.waiting[i],
            line.counts[i],
            Running(
                running.end_s[i], running.procs[i], running.task[i], running.slot_end_s[i],
                running.slot_procs[i], running.slot_task[i], running.slot[i], running.size[i],
            ),
            line.start_s[i],
            line.now_s[i],
        ),
        Heap(state.ends.key[i], state.ends.task[i], state.ends.size[i]),
        state.learned[i],
        state.stand[i],
        state.reserved_s[i],
        Promises(
            promises.shadow_s[i], promises.bound_s[i], promises.due_s[i], promises.task[i],
            promises.room[i], promises.made[i],
        ),
    )  # fmt: skip


@compiled
def _begin(state: Episode, logs: Floats, procs: Ints, view: View, seen: Seen, i: int) -> bool:
    """Start the i-th from its first event; whether there is something to choose."""
    episode = _at(state, i)
    restart(episode, procs[i])
    if not advance(episode):
        return False
    _show(episode, logs[i], procs[i], view, seen, i)
    return True


@compiled
def _step_all(
    state: Episode, logs: Floats, procs: Ints, view: View, seen: Seen, slots: Ints,
    usual: Floats, cost: Floats, rewards: Floats, is_over: Bools,
) -> None:  # fmt: skip
    for i in range(len(slots)):
        episode = _at(state, i)
        choose(episode, seen.place[i, slots[i]])
        goes_on = advance(episode)
        now = cost_of(episode)
        rewards[i] = (cost[i] - now) / usual[i]
        cost[i] = now
        is_over[i] = not goes_on
        if goes_on:
            _show(episode, logs[i], procs[i], view, seen, i)


@bare
def cost_of(episode: Episode) -> float:
    """What waiting has cost by now: seconds waited over the runtime, summed over tasks."""
    jobs, line = episode.jobs, episode.line
    total = 0.0
    for j in range(line.counts[ARRIVED]):
        start_s = line.start_s[j]
        until_s = line.now_s[0] if np.isnan(start_s) else start_s
        total += (until_s - jobs.submit_s[j]) / max(jobs.runtime_s[j], FLOOR_S)
    return total


@compiled
def _show(episode: Episode, logs: Floats, procs: int, view: View, seen: Seen, i: int) -> None:
    """Write what may be chosen among into the i-th row of what is seen."""
    k, m = look(episode, view, logs)
    free, now_s, reserved_s = moment(episode)
    observe_all(view, k, m, free, procs, now_s, reserved_s, seen.common[i])
    slot = 0
    limit = _area_limit(episode, view, k)
    for place in range(k):
        is_shown = slot < VISIBLE and may_start(episode, place)
        if is_shown and place >= OLDEST:
            is_shown = view.log_runtime[place] + view.log_procs[place] <= limit
        if is_shown:
            seen.place[i, slot] = place
            seen.is_allowed[i, slot] = True
            observe_task(
                view, place, k, m, free, procs, now_s, reserved_s, seen.common[i], seen.x[i, slot]
            )
            slot += 1
    while slot < VISIBLE and seen.is_allowed[i, slot]:
        seen.is_allowed[i, slot] = False
        seen.x[i, slot] = 0.0
        slot += 1
    forget_users(view, k, m)


@compiled
def _area_limit(episode: Episode, view: View, k: int) -> float:
    """The log area up to which tasks are shown where more may be chosen than fit."""
    if k <= VISIBLE:
        return np.inf
    areas = np.full(k, np.inf)
    for place in range(OLDEST, k):
        if may_start(episode, place):
            areas[place] = view.log_runtime[place] + view.log_procs[place]
    return np.partition(areas, VISIBLE - OLDEST - 1)[VISIBLE - OLDEST - 1]
