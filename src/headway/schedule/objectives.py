"""What a schedule is worth to those whom it serves and who pays: objectives, lower is better.

    wait         mean wait, s
    slowdown     mean bounded slowdown (floor 10 s)
    tail         mean of the longest 5 % of the waits, s
    fairness     1 / Jain's index of the mean slowdowns of users: 1 = all fare alike
    deadlines    share of tasks that end later than PATIENCE times their request after submission
    utilisation  processor-hours idle while tasks waited that could have used them, an hour of work
    energy       watt-hours that the machine takes, a processor-hour of work
    cost         price of the processors that are powered, a processor-hour of work

The last three are counted from the first submission to the last end; see schedule.power for which
processors are powered. None depends on the order in which tasks are listed.
Source: Jain, Chiu, Hawe (1984), "A quantitative measure of fairness", for its index; Zhang et al.
(2003), "An integrated approach to parallel scheduling using gang-scheduling, backfilling, and
migration", for the loss of capacity, which we bound by what waited. That users are compared by mean
slowdowns, and PATIENCE, are our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.power import power_of
from headway.stats import bounded_slowdown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.signedinteger[Any]]

PATIENCE: Final = 2.0  # requests within which a task should have ended
TAIL: Final = 0.05  # of the waits
HOUR_S: Final = 3600.0


class Schedule(NamedTuple):
    """n tasks, (n,) each, and when they started on a machine of total_procs processors."""

    submit_s: Floats
    runtime_s: Floats
    requested_s: Floats
    procs: Ints
    user: Ints  # codes from 0, -1 = not known; empty where nobody is known
    start_s: Floats
    total_procs: int

    @property
    def wait_s(self) -> Floats:
        """How long each waited."""
        return self.start_s - self.submit_s

    @property
    def work_s(self) -> float:
        """Processor-seconds that all tasks ran."""
        return float(np.dot(self.runtime_s, self.procs))


def mean_wait(schedule: Schedule) -> float:
    """Mean wait, s."""
    return float(schedule.wait_s.mean())


def slowdown(schedule: Schedule) -> float:
    """Mean bounded slowdown."""
    return float(bounded_slowdown(schedule.wait_s, schedule.runtime_s).mean())


def tail(schedule: Schedule) -> float:
    """Mean of the longest 5 % of the waits, of one wait at the least, s."""
    worst = max(1, round(TAIL * len(schedule.start_s)))
    return float(np.partition(schedule.wait_s, -worst)[-worst:].mean())


def unfairness(schedule: Schedule) -> float:
    """1 / Jain's index of the mean slowdowns of users; NotEnoughData if no user is known."""
    is_known = schedule.user >= 0
    if not is_known.any():
        raise NotEnoughData("users are not known: fairness between them cannot be measured")
    each = bounded_slowdown(schedule.wait_s, schedule.runtime_s)[is_known]
    _, user, tasks = np.unique(schedule.user[is_known], return_inverse=True, return_counts=True)
    means = np.bincount(user, weights=each) / tasks
    return float(len(means) * (means**2).sum() / means.sum() ** 2)


def deadlines_missed(schedule: Schedule) -> float:
    """Share of tasks that end later than PATIENCE times their request after submission."""
    allowed_s = PATIENCE * schedule.requested_s
    return float((schedule.wait_s + schedule.runtime_s > allowed_s).mean())


def capacity_lost(schedule: Schedule) -> float:
    """Processor time idle while tasks waited that could have used it, over processor time used."""
    submit_s, start_s, procs = schedule.submit_s, schedule.start_s, schedule.procs
    at_s = np.concatenate([submit_s, start_s, start_s + schedule.runtime_s])
    waits = np.concatenate([procs, -procs, np.zeros_like(procs)])
    runs = np.concatenate([np.zeros_like(procs), procs, -procs])
    order = np.argsort(at_s)
    waiting, busy = np.cumsum(waits[order])[:-1], np.cumsum(runs[order])[:-1]
    lost = np.minimum(waiting, schedule.total_procs - busy)
    return float(np.dot(lost, np.diff(at_s[order]))) / schedule.work_s


def energy(schedule: Schedule) -> float:
    """Watt-hours a processor-hour of work."""
    used = power_of(schedule.start_s, schedule.runtime_s, schedule.procs)
    span_s = float((schedule.start_s + schedule.runtime_s).max() - schedule.submit_s.min())
    return used.watt_s(span_s * schedule.total_procs) / schedule.work_s


def cost(schedule: Schedule) -> float:
    """Price of what is powered, a processor-hour of work."""
    used = power_of(schedule.start_s, schedule.runtime_s, schedule.procs)
    return used.price() * HOUR_S / schedule.work_s


class Objective(NamedTuple):
    """Something to have less of."""

    name: str
    unit: str
    value: Callable[[Schedule], float]
    floor: float  # added before logarithms are taken, since a value may be 0


_ALL: Final = (
    Objective("wait", "s", mean_wait, 60.0),
    Objective("slowdown", "", slowdown, 0.0),
    Objective("tail", "s", tail, 60.0),
    Objective("fairness", "1 / Jain's index", unfairness, 0.0),
    Objective("deadlines", "share missed", deadlines_missed, 0.01),
    Objective("utilisation", "idle h / h of work", capacity_lost, 0.01),
    Objective("energy", "Wh / h of work", energy, 0.0),
    Objective("cost", "price / h of work", cost, 0.0),
)
OBJECTIVES: Final[dict[str, Objective]] = {one.name: one for one in _ALL}
"""Every objective by its name in a preference."""


def measured(schedule: Schedule, names: Sequence[str]) -> Floats:
    """The values (k,) of named objectives; ConfigError for a name that is none."""
    unknown = [name for name in names if name not in OBJECTIVES]
    if unknown:
        raise ConfigError(f"objectives are {', '.join(OBJECTIVES)}, got {unknown[0]!r}")
    return np.array([OBJECTIVES[name].value(schedule) for name in names])


def logs(schedule: Schedule, names: Sequence[str]) -> Floats:
    """Logarithms (k,) of named objectives, with their floors, which differ by what counts."""
    floors = np.array([OBJECTIVES[name].floor for name in names])
    return np.log(measured(schedule, names) + floors)
