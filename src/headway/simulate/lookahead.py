"""Whole simulations in which the first few of an order are tried out before one goes next.

At a decision the scores of a network give an order. Each of the first few of it, and of those of it
that fit, is put first in turn and the rest follows as it stands, as if nothing else arrived; the
one with which waiting costs the least goes next. Known are believed runtimes and who waits; of what
will arrive only the rate until now, which prices the time in which a task that does not fit blocks
the queue. Without arrivals this is never worse than the order itself; with backfilling it can be,
for there arrivals count in ways that the price does not say.
Source: Bertsekas, Castanon (1999), "Rollout algorithms for stochastic scheduling problems"; the
price of blocking is our own.
"""

from __future__ import annotations

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
from headway.simulate.commit import ARRIVED
from headway.simulate.episode import MODE, RESERVE, Episode, advance, choose, episode_of
from headway.simulate.play import logs_of, look, moment
from headway.simulate.promises import promises_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.schedule.siblings import Siblings
    from headway.simulate.structures import Jobs

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

WIDE, MANY = len(FEATURES), len(COMMON)
FLOOR_S: Final = 10.0  # of the runtime in a slowdown
LEAST_SPAN_S: Final = 3600.0  # over which the rate of arrivals is taken at the least


class Trial(NamedTuple):
    """What the trials of a decision start from, and room for one."""

    order: Ints  # (k,) places of the queue, the highest score first
    runtime_s: Floats  # (k,) as believed
    worth: Floats  # (k,) slowdown that a second of waiting adds
    is_started: NDArray[np.bool_]  # (k,)
    end_s: Floats  # (m + k,) of what runs, increasing
    end_procs: Ints  # (m + k,)
    at: Ints  # (3,) how many ends are past and how many are known, free processors


PAST, KNOWN, FREE = 0, 1, 2


@compiled
def play_ahead(
    jobs: Jobs, siblings: Siblings, users: int, total_procs: int, mode: int, network: Network,
    tried: int, price: float,
) -> tuple[Floats, int]:  # fmt: skip
    """Start of each task (n,) if the best of the trials always goes next, and how many were chosen.

    Modes RESERVE and COMMIT. tried: of the order and of those that fit, how many are tried each.
    price: slowdown for blocking the queue for a second, squared, over the slowdown that the tasks
    which arrive in a second would gain in a second of waiting; 0.5 if all that arrive go first.
    """
    promises = promises_of(np.empty(0), np.inf, total_procs)
    episode = episode_of(jobs, siblings, promises, total_procs, mode)
    n = len(jobs.submit_s)
    view, logs = view_of(n, min(n, total_procs), users), logs_of(jobs)
    common, x, room = np.empty(MANY), np.empty(WIDE), np.empty((3, FIRST))
    scored, runtime_s, worth = np.empty(n), np.empty(n), np.empty(n)
    is_started = np.empty(n, np.bool_)
    end_s, end_procs, at = np.empty(2 * n), np.empty(2 * n, np.int64), np.empty(3, np.int64)
    decisions, arrived, arrived_worth = 0, 0, 0.0
    while advance(episode):
        while arrived < episode.line.counts[ARRIVED]:
            arrived_worth += 1.0 / max(jobs.order_s[arrived], FLOOR_S)
            arrived += 1
        span_s = max(episode.line.now_s[0] - jobs.submit_s[0], LEAST_SPAN_S)
        k, m = _scores(episode, view, logs, total_procs, network, common, x, room, scored)
        order = np.argsort(scored[:k])
        trial = Trial(order, runtime_s, worth, is_started, end_s, end_procs, at)
        choose(episode, _best(episode, view, trial, m, tried, price * arrived_worth / span_s))
        decisions += 1
    return episode.line.start_s, decisions


@bare
def _scores(
    episode: Episode, view: View, logs: Floats, total_procs: int, network: Network,
    common: Floats, x: Floats, room: Floats, scored: Floats,
) -> tuple[int, int]:  # fmt: skip
    """Write minus the score of each waiting task into scored; how many wait and run."""
    k, m = look(episode, view, logs)
    free, now_s, reserved_s = moment(episode)
    observe_all(view, k, m, free, total_procs, now_s, reserved_s, common)
    shared(network, common, room[0])
    for place in range(k):
        observe_task(view, place, k, m, free, total_procs, now_s, reserved_s, common, x)
        scored[place] = -score(network, x, room)
    forget_users(view, k, m)
    return k, m


@bare
def _best(episode: Episode, view: View, trial: Trial, m: int, tried: int, price: float) -> int:
    """The place of the task that is best put first."""
    free, now_s, _ = moment(episode)
    backfills, k = episode.stand[MODE] == RESERVE, len(trial.order)
    for place in range(k):
        trial.runtime_s[place] = np.exp(view.log_runtime[place])
        trial.worth[place] = 1.0 / max(trial.runtime_s[place], FLOOR_S)
    best, least, fitting = trial.order[0], np.inf, 0
    for i in range(k):
        place = trial.order[i]
        fits = view.procs[place] <= free
        if i < tried or (fits and fitting < tried):
            fitting += fits
            _begin(view, trial, m, free, now_s)
            cost = _cost(view, trial, place, now_s, price, least, backfills)
            if cost < least:
                best, least = place, cost
        if i >= tried and fitting >= tried:
            break
    return best


@bare
def _begin(view: View, trial: Trial, m: int, free: int, now_s: float) -> None:
    """Put a trial back to the present."""
    for i in range(m):
        trial.end_s[i] = max(view.end_s[i], now_s + 1.0)
        trial.end_procs[i] = view.end_procs[i]
    for place in range(len(trial.order)):
        trial.is_started[place] = False
    trial.at[PAST], trial.at[KNOWN], trial.at[FREE] = 0, m, free


@bare
def _cost(
    view: View, trial: Trial, first: int, now_s: float, price: float, least: float, backfills: bool
) -> float:
    """What waiting costs with one task first, then the order; inf as soon as it is not below."""
    cost, at_s = 0.0, now_s
    for i in range(-1, len(trial.order)):
        place = first if i < 0 else trial.order[i]
        if trial.is_started[place]:
            continue
        before_s = at_s
        reserved_s = _room_at(view, trial, place, at_s)
        while trial.at[FREE] < view.procs[place]:
            if backfills:
                cost += (at_s - now_s) * _backfill(view, trial, at_s, reserved_s)
            at_s = trial.end_s[trial.at[PAST]]
            trial.at[FREE] += trial.end_procs[trial.at[PAST]]
            trial.at[PAST] += 1
        _run(view, trial, place, at_s)
        cost += (at_s - now_s) * trial.worth[place] + price * (at_s - before_s) ** 2
        if cost >= least:
            return np.inf
    return cost


@bare
def _room_at(view: View, trial: Trial, place: int, at_s: float) -> float:
    """When a task is believed to fit."""
    room, end = trial.at[FREE], trial.at[PAST]
    while room < view.procs[place]:
        room += trial.end_procs[end]
        at_s = trial.end_s[end]
        end += 1
    return at_s


@bare
def _backfill(view: View, trial: Trial, at_s: float, reserved_s: float) -> float:
    """Start those that fit and end before the reservation; what a second is worth to them."""
    worth = 0.0
    for place in range(len(trial.order)):
        is_narrow = not trial.is_started[place] and view.procs[place] <= trial.at[FREE]
        if is_narrow and at_s + trial.runtime_s[place] < reserved_s:
            _run(view, trial, place, at_s)
            worth += trial.worth[place]
    return worth


@bare
def _run(view: View, trial: Trial, place: int, at_s: float) -> None:
    """Start a task, and put its end in its place."""
    end_s, i = at_s + trial.runtime_s[place], trial.at[KNOWN]
    while i > trial.at[PAST] and trial.end_s[i - 1] > end_s:
        trial.end_s[i] = trial.end_s[i - 1]
        trial.end_procs[i] = trial.end_procs[i - 1]
        i -= 1
    trial.end_s[i] = end_s
    trial.end_procs[i] = view.procs[place]
    trial.at[KNOWN] += 1
    trial.at[FREE] -= view.procs[place]
    trial.is_started[place] = True
