"""Whole simulations in which a network chooses what goes next, at the speed of the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.schedule.compiled import bare, compiled
from headway.schedule.network import FIRST, Network, best_of
from headway.schedule.observation import COMMON, FEATURES, View, view_of  # fmt: skip
from headway.schedule.rules import order_by, rule_named
from headway.schedule.siblings import nobody, shift_of, siblings_of
from headway.simulate.commit import FREE, WAITING
from headway.simulate.episode import (
    BACKFILL,
    COMMIT,
    EASY,
    HEADS,
    PHASE,
    RESERVE,
    Episode,
    advance,
    choose,
    episode_of,
    may_start,
)  # fmt: skip
from headway.simulate.kernel import simulate
from headway.simulate.promises import Promises, promises_of
from headway.simulate.structures import Jobs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.schedule.siblings import Siblings
    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

WIDE, MANY = len(FEATURES), len(COMMON)
MODES: Final = {"easy": EASY, "reserve": RESERVE, "commit": COMMIT, "none": HEADS}
"""The modes of an episode by the kernel's names of backfilling."""


def simulate_network(
    workload: Workload,
    network: Network,
    order_s: Floats,
    reserve_s: Floats,
    *,
    backfill_s: Floats | None = None,
    backfill: str = "easy",
    bound_s: float | None = None,
) -> Floats:
    """When each task would have started, (n,), if a network chooses what goes next.

    order_s (n,) are the runtimes that it is told, moved by what siblings turn out to take; the
    others are those of `kernel.simulate`. bound_s: no task starts later than this after its start
    under first come + EASY of the same workload (see simulate.promises); None = no bound.
    """
    jobs, siblings, users, mode, promises = prepared(
        workload, order_s, reserve_s, backfill_s, backfill, bound_s
    )
    return play_bound(jobs, siblings, users, workload.total_procs, mode, network, promises)[0]


def prepared(
    workload: Workload,
    order_s: Floats,
    reserve_s: Floats,
    backfill_s: Floats | None,
    backfill: str,
    bound_s: float | None,
) -> tuple[Jobs, Siblings, int, int, Promises]:
    """What a simulation of a workload reads: tasks, who is whose sibling, how many users, the mode
    and what is promised; arguments as above.
    """
    if backfill not in MODES:
        raise ConfigError(f"backfill must be one of {', '.join(MODES)}, got {backfill}")
    backfill_s = reserve_s if backfill_s is None else backfill_s
    jobs = Jobs(
        workload.submit_s, workload.runtime_s, workload.procs, order_s, reserve_s, backfill_s,
        workload.requested_s, workload.submit_s,
    )  # fmt: skip
    siblings, users = nobody(), 0
    if len(workload.user):
        siblings = siblings_of(workload.user, workload.procs, workload.requested_s, order_s)
        users = int(workload.user.max()) + 1
    mode, procs = MODES[backfill], workload.total_procs
    if bound_s is None:
        return jobs, siblings, users, mode, promises_of(np.empty(0), np.inf, procs)
    if backfill not in ("easy", "none") or not bound_s >= 0.0:
        raise ConfigError(f"a bound needs EASY and at least 0 s, got {backfill} and {bound_s}")
    shadow = order_by(rule_named("fcfs"), order_s, workload.procs, workload.submit_s)
    promises = promises_of(simulate(workload, shadow, workload.requested_s), bound_s, procs)
    return jobs, siblings, users, mode, promises


@compiled
def play(
    jobs: Jobs, siblings: Siblings, users: int, total_procs: int, mode: int, network: Network
) -> tuple[Floats, int]:
    """Start of each task (n,) if the highest score always goes next, and how many were chosen."""
    promises = promises_of(np.empty(0), np.inf, total_procs)
    return play_bound(jobs, siblings, users, total_procs, mode, network, promises)


@compiled
def play_bound(
    jobs: Jobs,
    siblings: Siblings,
    users: int,
    total_procs: int,
    mode: int,
    network: Network,
    promises: Promises,
) -> tuple[Floats, int]:
    """The same with a bound on starvation."""
    episode = episode_of(jobs, siblings, promises, total_procs, mode)
    n = len(jobs.submit_s)
    view = view_of(n, min(n, total_procs), users)
    logs = logs_of(jobs)
    common, x, room = np.empty(MANY), np.empty(WIDE), np.empty((3, FIRST))
    is_allowed = np.empty(n, np.bool_)
    decisions = 0
    while advance(episode):
        choose(
            episode, best(episode, view, logs, total_procs, network, is_allowed, common, x, room)
        )
        decisions += 1
    return episode.line.start_s, decisions


@compiled
def logs_of(jobs: Jobs) -> Floats:
    """Logarithms (n, 4) that do not change: runtime, spread, request, processors."""
    logs = np.empty((len(jobs.submit_s), 4))
    logs[:, 0] = np.log(np.maximum(jobs.order_s, 1.0))
    logs[:, 1] = np.log(np.maximum(jobs.backfill_s, 1.0)) - logs[:, 0]
    logs[:, 2] = np.log(np.maximum(jobs.limit_s, 1.0))
    logs[:, 3] = np.log(jobs.procs.astype(np.float64))
    return logs


@bare
def best(
    episode: Episode, view: View, logs: Floats, total_procs: int, network: Network,
    is_allowed: Bools, common: Floats, x: Floats, room: Floats,
) -> int:  # fmt: skip
    """The place of the highest score among those that may start; the first of equals."""
    k, m = look(episode, view, logs)
    free, now_s, reserved_s = moment(episode)
    for place in range(k):
        is_allowed[place] = may_start(episode, place)
    return best_of(
        network, view, is_allowed, k, m, free, total_procs, now_s, reserved_s, common, x, room
    )


@bare
def moment(episode: Episode) -> tuple[int, float, float]:
    """Free processors, the time, and when the head is believed to start (< 0: none is chosen)."""
    reserved_s = episode.reserved_s[0] if episode.stand[PHASE] == BACKFILL else -1.0
    return episode.line.counts[FREE], episode.line.now_s[0], reserved_s


@bare
def look(episode: Episode, view: View, logs: Floats) -> tuple[int, int]:
    """Fill a view with an episode as it stands; how many wait and run."""
    jobs, line, siblings = episode.jobs, episode.line, episode.siblings
    k, m = line.counts[WAITING], line.running.size[0]
    is_known = len(siblings.user) > 0
    for place in range(k):
        j = line.waiting[place]
        view.log_runtime[place] = logs[j, 0]
        if is_known and episode.learned[j, 0] > 0.0:
            weight, total = episode.learned[j]
            view.log_runtime[place] += shift_of(siblings, j, weight, total)
        view.log_spread[place] = logs[j, 1]
        view.log_request[place] = logs[j, 2]
        view.log_procs[place] = logs[j, 3]
        view.procs[place] = jobs.procs[j]
        view.submit_s[place] = jobs.submit_s[j]
        view.upper_s[place] = jobs.backfill_s[j]
        view.user[place] = siblings.user[j] if is_known else -1
    running = line.running
    for i in range(m):
        view.end_s[i] = running.end_s[i]
        view.end_procs[i] = running.procs[i]
        view.end_user[i] = siblings.user[running.task[i]] if is_known else -1
    return k, m
