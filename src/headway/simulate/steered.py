"""Whole simulations whose priority a controller moves every few hours, at the kernel's speed.

Between two controls the weights stand still, and the highest priority always goes next. Control is
due at the first decision after CONTROL_S: where nothing is to be chosen, nothing is controlled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headway.schedule.compiled import bare, compiled
from headway.schedule.controller import (
    ACTIONS,
    CONTROL_S,
    HIDDEN,
    REACH,
    STATE,
    Controller,
    act,
    controller_of,
    first_by,
    observe_load,
)
from headway.schedule.observation import COMMON, FEATURES, View, forget_users, observe_all, view_of
from headway.simulate.commit import ARRIVED, FREE
from headway.simulate.episode import Episode, advance, choose, episode_of, may_start
from headway.simulate.play import logs_of, look, moment, prepared, simulate_network
from headway.simulate.promises import Promises
from headway.simulate.structures import Jobs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.schedule.learned import Learned
    from headway.schedule.siblings import Siblings
    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]

KEPT = 0.98  # of what earlier ended tasks count, with each that ends later
WIDE, MANY = len(FEATURES), len(COMMON)
SUM, ABSOLUTE, WEIGHT = 0, 1, 2


class Steps(NamedTuple):
    """Room for T controls: what was seen, when, and what was added to the answer."""

    noise: Floats  # (T, ACTIONS) in units of REACH; read, the rest is written
    state: Floats  # (T, STATE)
    at_s: Floats  # (T,)


def simulate_learned(
    workload: Workload,
    learned: Learned,
    order_s: Floats,
    reserve_s: Floats,
    *,
    backfill_s: Floats | None = None,
    backfill: str = "easy",
    bound_s: float | None = None,
) -> Floats:
    """When each task would have started, (n,), under a policy, whether a controller moves its
    weights or not; the rest is as for `play.simulate_network`.
    """
    if len(learned.controller) == 0:
        return simulate_network(
            workload, learned.network, order_s, reserve_s, backfill_s=backfill_s,
            backfill=backfill, bound_s=bound_s,
        )  # fmt: skip
    jobs, siblings, users, mode, promises = prepared(
        workload, order_s, reserve_s, backfill_s, backfill, bound_s
    )
    return play_steered(
        jobs, siblings, users, workload.total_procs, mode, controller_of(learned.controller),
        promises, steps_of(np.empty((0, len(ACTIONS)))),
    )[0]  # fmt: skip


def steps_of(noise: Floats) -> Steps:
    """Room for as many controls as there are rows of noise (T, ACTIONS)."""
    return Steps(noise, np.empty((len(noise), len(STATE))), np.empty(len(noise)))


@compiled
def play_steered(
    jobs: Jobs,
    siblings: Siblings,
    users: int,
    total_procs: int,
    mode: int,
    controller: Controller,
    promises: Promises,
    steps: Steps,
) -> tuple[Floats, int, int]:
    """Start of each task (n,), how many were chosen, and how many controls there were.

    Controls beyond the room of `steps` are neither shaken nor written down.
    """
    n = len(jobs.submit_s)
    own = Jobs(
        jobs.submit_s, jobs.runtime_s, jobs.procs, jobs.order_s, jobs.reserve_s,
        jobs.backfill_s.copy(), jobs.limit_s, jobs.key,
    )  # fmt: skip
    episode = episode_of(own, siblings, promises, total_procs, mode)
    view = view_of(n, min(n, total_procs), users)
    logs = logs_of(jobs)
    common, x, is_allowed = np.empty(MANY), np.empty(WIDE), np.empty(n, np.bool_)
    state, hidden, actions = np.empty(len(STATE)), np.empty(HIDDEN), np.zeros(len(ACTIONS))
    memory = np.zeros(3)
    decisions, controls, last_s, due_s = 0, 0, -CONTROL_S, -np.inf
    while advance(episode):
        now_s = episode.line.now_s[0]
        if now_s >= due_s:
            _observe(episode, view, logs, total_procs, last_s, memory, common, state)
            act(controller, state, hidden, actions)
            if controls < len(steps.at_s):
                actions += REACH * steps.noise[controls]
                steps.state[controls] = state
                steps.at_s[controls] = now_s
            _trust(episode, logs, actions[-1])
            controls += 1
            last_s, due_s = now_s, now_s + CONTROL_S
        choose(episode, _first(episode, view, logs, total_procs, actions, is_allowed, common, x))
        decisions += 1
    return episode.line.start_s, decisions, controls


@bare
def _first(
    episode: Episode, view: View, logs: Floats, total_procs: int, actions: Floats,
    is_allowed: NDArray[np.bool_], common: Floats, x: Floats,
) -> int:  # fmt: skip
    """The place of the highest priority among those that may start; the first of equals."""
    k, m = look(episode, view, logs)
    free, now_s, reserved_s = moment(episode)
    for place in range(k):
        is_allowed[place] = may_start(episode, place)
    observe_all(view, k, m, free, total_procs, now_s, reserved_s, common)
    place = first_by(
        actions, view, is_allowed, k, m, free, total_procs, now_s, reserved_s, common, x
    )
    forget_users(view, k, m)
    return place


@bare
def _trust(episode: Episode, logs: Floats, safety: float) -> None:
    """Let tasks go before a reservation by their prediction and so many of its log spreads."""
    jobs = episode.jobs
    for j in range(len(jobs.limit_s)):
        jobs.backfill_s[j] = min(np.exp(logs[j, 0] + safety * logs[j, 1]), jobs.limit_s[j])


@bare
def _observe(
    episode: Episode, view: View, logs: Floats, total_procs: int, last_s: float, memory: Floats,
    common: Floats, state: Floats,
) -> None:  # fmt: skip
    """Write the state of the cluster; memory (3,) goes on from the last control, at last_s."""
    jobs, line = episode.jobs, episode.line
    now_s = line.now_s[0]
    arrived, work, overdue = 0, 0.0, 0.0
    for j in range(line.counts[ARRIVED]):
        if jobs.submit_s[j] > last_s:
            arrived += 1
            work += jobs.order_s[j] * jobs.procs[j]
        end_s = line.start_s[j] + jobs.runtime_s[j]  # NaN, if it waits: no comparison is true
        if end_s > now_s and now_s - line.start_s[j] > jobs.order_s[j]:
            overdue += jobs.procs[j]
        if end_s <= now_s and end_s > last_s:
            off = np.log(max(jobs.runtime_s[j], 1.0)) - logs[j, 0]
            memory[SUM] = KEPT * memory[SUM] + off
            memory[ABSOLUTE] = KEPT * memory[ABSOLUTE] + abs(off)
            memory[WEIGHT] = KEPT * memory[WEIGHT] + 1.0
    weight = max(memory[WEIGHT], 1.0)
    recent = (
        np.log1p(arrived) / 5.0,
        np.log1p(work / (total_procs * max(now_s - last_s, CONTROL_S))),
        memory[SUM] / weight,
        memory[ABSOLUTE] / weight,
    )
    k, m = look(episode, view, logs)
    observe_load(view, k, m, line.counts[FREE], total_procs, now_s, overdue, recent, common, state)
    forget_users(view, k, m)
