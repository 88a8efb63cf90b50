"""What other choices would have led to: simulations that leave the path of a network once.

A window is played by a network; at some of its decisions other tasks are let go in place of the
one with the highest score, and the network goes on. All of it is played with the same tasks, so
that what differs afterwards was done by the choice alone. What a choice does to tasks long after it
is chance more than effect: only waiting up to a horizon counts, in units of the time that what
waits and runs would take on the whole machine.
Source: Schulman et al. (2015), "Trust region policy optimization", its "vine" with common random
numbers; keeping what was better along the way: Bertsekas et al. (1997), "Rollout algorithms for
combinatorial optimization". The horizon and that the network always makes its best choice are ours.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import bare, compiled
from headway.schedule.network import FIRST, Network, score, shared
from headway.schedule.observation import (
    COMMON,
    FEATURES,
    View,
    forget_users,
    observe_all,
    observe_task,
    view_of,
)
from headway.simulate.commit import WAITING
from headway.simulate.episode import Episode, advance, choose, episode_of, may_start
from headway.simulate.play import best, logs_of, look, moment
from headway.simulate.promises import promises_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.schedule.siblings import Siblings
    from headway.simulate.structures import Jobs, Running

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FLOOR_S: Final = 10.0  # of the runtime in a slowdown
WORK, REST = COMMON.index("log_work"), COMMON.index("log_rest")


class Room(NamedTuple):
    """What a network needs to look at an episode, and where it writes."""

    seen: View
    logs: Floats  # (n, 4)
    common: Floats  # (COMMON,)
    x: Floats  # (FEATURES,)
    hidden: Floats  # (3, FIRST)
    is_allowed: NDArray[np.bool_]  # (n,)


class Branches(NamedTuple):
    """B decisions of a window with up to K choices each, the first the one on the path."""

    x: Floats  # (B, K, FEATURES) of the task that each choice lets go
    common: Floats  # (B, COMMON)
    counts: Ints  # (B,) choices of each, the first ones; 0 if there was no decision
    gain: Floats  # (B, K) slowdown summed over tasks, that a choice saves against the first
    decisions: int  # made in all simulations
    start_s: Floats  # (n,) of the path at last


@compiled
def branches(
    jobs: Jobs, siblings: Siblings, users: int, total_procs: int, mode: int, network: Network,
    at: Floats, luck: Floats, sharpness: float, ahead: float, keeps: bool,
) -> Branches:  # fmt: skip
    """Branches of a window at the places `at` (B,), increasing shares of its decisions in [0, 1).

    Choices beside the first are the highest of sharpness x score + luck, luck (B, K - 1, n).
    ahead: the horizon (see above); inf = the end of the window. keeps: the path goes on as the
    best of the choices, so that it is better and better; only with ahead = inf.
    """
    n, many, procs = len(jobs.submit_s), luck.shape[1] + 1, total_procs
    promises = promises_of(np.empty(0), np.inf, procs)
    trunk = episode_of(jobs, siblings, promises, procs, mode)
    episode = episode_of(jobs, siblings, promises, procs, mode)
    room = Room(
        view_of(n, min(n, procs), users), logs_of(jobs), np.empty(len(COMMON)),
        np.empty(len(FEATURES)), np.empty((3, FIRST)), np.empty(n, np.bool_),
    )  # fmt: skip
    path, tried = np.empty(3 * n, np.int64), np.empty(3 * n, np.int64)  # a start each, a head
    made = _go_on(episode, room, procs, network, path, 0, np.inf)  # at each event
    decisions, start_s = made, episode.line.start_s.copy()
    x, common = np.zeros((len(at), many, len(FEATURES))), np.zeros((len(at), len(COMMON)))
    counts, gain = np.zeros(len(at), np.int64), np.zeros((len(at), many))
    places, step = np.empty(many, np.int64), -1
    for b in range(len(at)):
        before, step = step, max(int(at[b] * made), step + 1)
        if step >= made:
            break
        _follow(trunk, path, before, step)
        counts[b] = _options(
            trunk, room, procs, network, path[step], luck[b], sharpness, places, x[b]
        )
        common[b] = room.common
        until_s = trunk.line.now_s[0] + ahead * _drained_s(common[b])
        usual = cost_until(jobs, start_s, until_s)
        for option in range(1, counts[b]):
            _copy(trunk, episode)
            choose(episode, places[option])
            end = _go_on(episode, room, procs, network, tried, step + 1, until_s)
            decisions += end - step
            gain[b, option] = usual - cost_until(jobs, episode.line.start_s, until_s)
            if keeps and gain[b, option] > max(gain[b, :option].max(), 0.0):
                start_s[:] = episode.line.start_s
                path[step], path[step + 1 : end] = places[option], tried[step + 1 : end]
                made = end
    return Branches(x, common, counts, gain, decisions, start_s)


@bare
def _go_on(
    episode: Episode, room: Room, total_procs: int, network: Network, path: Ints, made: int,
    until_s: float,
) -> int:  # fmt: skip
    """Play on until a time, places into the path from `made` on; how many it then holds."""
    while advance(episode) and episode.line.now_s[0] < until_s:
        path[made] = best(
            episode, room.seen, room.logs, total_procs, network, room.is_allowed, room.common,
            room.x, room.hidden,
        )  # fmt: skip
        choose(episode, path[made])
        made += 1
    return made


@bare
def _follow(trunk: Episode, path: Ints, before: int, step: int) -> None:
    """From the decision of a step, -1 = the beginning, to that of another, along a path."""
    if before < 0:
        advance(trunk)
    for made in range(max(before, 0), step):
        choose(trunk, path[made])
        advance(trunk)


@compiled
def _copy(one: Episode, other: Episode) -> None:
    """Let an episode of the same window stand where another does."""
    mine, given = other.line, one.line
    waiting, ends = given.counts[WAITING], one.ends.size[0]
    mine.waiting[:waiting] = given.waiting[:waiting]
    mine.counts[:] = given.counts
    mine.start_s[:] = given.start_s
    mine.now_s[:] = given.now_s
    other.ends.key[:ends] = one.ends.key[:ends]
    other.ends.task[:ends] = one.ends.task[:ends]
    other.ends.size[0] = ends
    _copy_running(given.running, mine.running)
    other.learned[:] = one.learned
    other.stand[:] = one.stand
    other.reserved_s[:] = one.reserved_s


@compiled
def _copy_running(one: Running, other: Running) -> None:
    """The same for what runs."""
    size = one.size[0]
    other.end_s[:size] = one.end_s[:size]
    other.procs[:size] = one.procs[:size]
    other.task[:size] = one.task[:size]
    other.slot_end_s[:size] = one.slot_end_s[:size]
    other.slot_procs[:size] = one.slot_procs[:size]
    other.slot_task[:size] = one.slot_task[:size]
    other.slot[:] = one.slot
    other.size[0] = size


@bare
def _options(
    episode: Episode, room: Room, total_procs: int, network: Network, first: int, luck: Floats,
    sharpness: float, places: Ints, x: Floats,
) -> int:  # fmt: skip
    """Write what each choice looks like into x (K, FEATURES), its place into places; how many."""
    view, common = room.seen, room.common
    k, m = look(episode, view, room.logs)
    free, now_s, reserved_s = moment(episode)
    observe_all(view, k, m, free, total_procs, now_s, reserved_s, common)
    shared(network, common, room.hidden[0])
    for place in range(k):
        room.is_allowed[place] = may_start(episode, place)
    chosen, found = first, 0
    while chosen >= 0:
        observe_task(view, chosen, k, m, free, total_procs, now_s, reserved_s, common, x[found])
        room.is_allowed[chosen] = False
        places[found] = chosen
        found += 1
        chosen, highest = -1, -np.inf
        for place in range(k if found < len(places) else 0):
            if room.is_allowed[place]:
                observe_task(
                    view, place, k, m, free, total_procs, now_s, reserved_s, common, room.x
                )
                drawn = sharpness * score(network, room.x, room.hidden) + luck[found - 1, place]
                if drawn > highest:
                    chosen, highest = place, drawn
    forget_users(view, k, m)
    return found


@bare
def _drained_s(common: Floats) -> float:
    """Seconds that what waits and runs would take on the whole machine."""
    return math.expm1(10.0 * common[WORK]) + math.expm1(10.0 * common[REST])


@bare
def cost_until(jobs: Jobs, start_s: Floats, until_s: float) -> float:
    """Seconds waited until a time over the runtime, summed over tasks; NaN = has not started."""
    total = 0.0
    for j in range(len(start_s)):
        if jobs.submit_s[j] < until_s:
            waits_to = until_s if np.isnan(start_s[j]) else min(start_s[j], until_s)
            total += (waits_to - jobs.submit_s[j]) / max(jobs.runtime_s[j], FLOOR_S)
    return total
