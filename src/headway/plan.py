"""What a plan of capacity is made of: demand and its forecast, waits on a machine, steps.

Demand is what is submitted, in processors that it would keep busy; unlike what runs, no machine
limits it. How large a machine it needs is learned in `sizing`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.forecast import forecaster
from headway.forecast.mixture import Mixture
from headway.schedule.rules import order_by, rule_named
from headway.simulate.kernel import simulate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.records import Estimate
    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

DAY_S: Final = 86400.0
WEEK: Final = 7
HOUR_S: Final = 3600.0
MEMBERS: Final = ("naive", "seasonal_naive", "theta")
LEAST_S: Final = 1.0  # waits below it are alike


@dataclass(frozen=True, slots=True)
class Outlook:
    """Daily demand in processors: past (t,), what may come by day."""

    past: Floats
    days: Estimate  # value (h, 1), quantiles (h, 1, q)


@dataclass(frozen=True, slots=True)
class Waits:
    """Mean waits (sizes, windows) in seconds of windows of so many tasks (windows,), on machines
    of sizes (sizes,) processors now, and ones as generous then.
    """

    sizes: Ints
    wait_s: Floats
    tasks: Ints

    def at(self, level: float) -> Floats:
        """The wait (sizes,) that so large a share of windows stays below."""
        return np.quantile(self.wait_s, level, axis=1)

    def expected(self) -> Floats:
        """The mean wait (sizes,) of the tasks of all windows."""
        return self.wait_s @ self.tasks / max(float(self.tasks.sum()), 1.0)

    def size_for(self, wait_s: float, level: float | None = None) -> int:
        """The smallest size from which on waits, expected or at a level, are at most wait_s; else
        the largest that was tried.
        """
        waits = self.expected() if level is None else self.at(level)
        too_long = np.flatnonzero(waits > max(wait_s, LEAST_S))
        first = int(too_long[-1]) + 1 if len(too_long) else 0
        return int(self.sizes[min(first, len(self.sizes) - 1)])


def daily_demand(workload: Workload, end_s: float) -> Floats:
    """Processors that the tasks submitted on each day would keep busy for a day, (t,).

    Whole days from the first submission to end_s; seconds as in the workload.
    """
    start_s = float(workload.submit_s[0])
    days = int((end_s - start_s) // DAY_S)
    day = ((workload.submit_s - start_s) // DAY_S).astype(np.int64)
    work = workload.runtime_s * workload.procs / DAY_S
    return np.bincount(day, weights=work, minlength=days + 1)[:days].astype(np.float64)


def hourly_demand(workload: Workload, start_s: float, hours: int) -> Floats:
    """Mean processors in use in each hour from start_s if nothing waited, (hours,)."""
    edges = start_s + HOUR_S * np.arange(hours + 1)
    held = np.zeros(hours + 1)
    for at_s, sign in ((workload.submit_s, 1.0), (workload.submit_s + workload.runtime_s, -1.0)):
        order = np.argsort(at_s, kind="stable")
        t, procs = at_s[order], workload.procs[order]
        before = np.searchsorted(t, edges)
        count, moment = (np.append(0.0, np.cumsum(x)) for x in (procs, procs * t))
        held += sign * (edges * count[before] - moment[before])
    return np.diff(held) / HOUR_S


def look_ahead(demand: Floats, horizon_days: int) -> Outlook:
    """What daily demand (t,) may be over the next days."""
    mixture = Mixture(
        [forecaster(name, (WEEK,), step_s=DAY_S) for name in MEMBERS], horizon_days, step_s=DAY_S
    )
    mixture.learn(DAY_S * np.arange(len(demand), dtype=np.float64), demand[:, None])
    return Outlook(demand, mixture.forecast(horizon_days))


def mean_wait_s(workload: Workload, procs: int, policy: str = "fcfs") -> float:
    """Mean wait in seconds on a machine of so many processors, empty at first.

    A task that is wider than the machine takes all of it, for as much longer.
    """
    if procs < 1:
        raise ConfigError(f"procs must be at least 1, got {procs}")
    narrow = np.minimum(workload.procs, procs)
    longer = workload.procs / narrow
    other = replace(
        workload,
        submit_s=workload.submit_s - workload.submit_s[0],
        runtime_s=workload.runtime_s * longer,
        requested_s=workload.requested_s * longer,
        procs=narrow,
        total_procs=procs,
    )
    order = order_by(rule_named(policy), other.requested_s, other.procs, other.submit_s)
    return float((simulate(other, order, other.requested_s) - other.submit_s).mean())


def steps_of(wanted: Floats, now: float, *, lower_by: float = 0.05) -> Floats:
    """Capacity by step (h,) that follows what is wanted (h,): up at once, down slowly.

    `lower_by`: share of the capacity that may go at each step; never below what is wanted.
    """
    if not 0.0 < lower_by <= 1.0:
        raise ConfigError(f"lower_by must be in (0, 1], got {lower_by}")
    capacity = np.empty_like(wanted)
    for i, need in enumerate(wanted):
        now = max(float(need), now * (1.0 - lower_by))
        capacity[i] = now
    return capacity
