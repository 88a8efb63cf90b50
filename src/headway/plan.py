"""How many processors the next weeks need: forecast demand, played on the cluster's own past.

Demand is what is submitted, in processors that it would keep busy; unlike what runs, no machine
limits it. Its sum over the horizon is forecast, by days and by means of shorter and longer pasts as
each was right before, and how far off such forecasts were at past origins says how far off this one
may be. Windows of the past, their arrivals made denser or thinner so that
their sum is one that may come, are then played on machines of many sizes: what comes out is a wait
for each size and each future, from which a size is chosen.

The construction is our own; that waits come from simulating forecast demand, and not from a share
of utilisation, is what it is for. Measured in "Capacity plan".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.forecast import LEVELS, forecaster
from headway.forecast.mixture import Mixture, signatures
from headway.schedule.rules import order_by, rule_named
from headway.simulate.kernel import simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from headway.records import Estimate
    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Progress = Callable[[str, float], None]

DAY_S: Final = 86400.0
WEEK: Final = 7
MEMBERS: Final = ("naive", "seasonal_naive", "theta")
TESTED: Final = 24  # past origins at which sums were forecast, half a horizon apart
LEAST: Final = 4  # of them, with which a plan can be made
WINDOWS: Final = 10  # of the past that are played, half a horizon apart
DRAWN: Final = (0.1, 0.3, 0.5, 0.7, 0.9)  # levels of the sums that may come
SIZES: Final = 12  # machines that are tried
HORIZONS: Final = (1, 2, 4, 8)  # over which past demand is averaged
SHARPNESS: Final = 4.0  # by which inverse squared errors become shares
TINY: Final = 1e-9
SMALLEST: Final = 0.8  # of mean demand; on less the queue only grows
LEAST_S: Final = 1.0  # waits below it are alike
DENSEST: Final = 4.0  # times that arrivals are made denser, or thinner, at the most


@dataclass(frozen=True, slots=True)
class Outlook:
    """Daily demand in processors: past (t,), what may come by day, sums that may come (s,)."""

    past: Floats
    days: Estimate  # value (h, 1), quantiles (h, 1, q)
    sums: Floats  # processor-days of the whole horizon, at the levels DRAWN
    errors: Floats  # logs of what came over what was said, at past origins
    sums_by: str  # how sums were said: by days, or by means of so long a past


@dataclass(frozen=True, slots=True)
class Waits:
    """Mean waits (sizes, futures) in seconds on machines of sizes (sizes,) processors."""

    sizes: Ints
    wait_s: Floats

    def at(self, level: float) -> Floats:
        """The wait (sizes,) that so large a share of futures stays below."""
        return np.quantile(self.wait_s, level, axis=1)

    def expected(self) -> Floats:
        """The mean wait (sizes,) over futures."""
        return np.asarray(self.wait_s.mean(axis=1))

    def and_more(self, other: Waits) -> Waits:
        """With those of other sizes, in the same futures."""
        sizes, first = np.unique(np.append(self.sizes, other.sizes), return_index=True)
        return Waits(sizes, np.concatenate([self.wait_s, other.wait_s])[first])

    def size_for(self, wait_s: float, level: float | None = None) -> int:
        """The smallest size from which on waits, expected or at a level, are at most wait_s; else
        the largest that was tried.

        Between sizes that were tried the logs of waits and sizes lie on a line.
        """
        logs = np.log(np.maximum(self.expected() if level is None else self.at(level), LEAST_S))
        wanted = np.log(max(wait_s, LEAST_S))
        too_long = np.flatnonzero(logs > wanted)
        if not len(too_long):
            return int(self.sizes[0])
        last = int(too_long[-1])
        if last + 1 == len(self.sizes):
            return int(self.sizes[-1])
        share = (logs[last] - wanted) / (logs[last] - logs[last + 1])
        low, high = np.log(self.sizes[last : last + 2])
        return int(np.ceil(np.exp(low + share * (high - low)) - 1e-9))


def daily_demand(workload: Workload, end_s: float) -> Floats:
    """Processors that the tasks submitted on each day would keep busy for a day, (t,).

    Whole days from the first submission to end_s; seconds as in the workload.
    """
    start_s = float(workload.submit_s[0])
    days = int((end_s - start_s) // DAY_S)
    day = ((workload.submit_s - start_s) // DAY_S).astype(np.int64)
    work = workload.runtime_s * workload.procs / DAY_S
    return np.bincount(day, weights=work, minlength=days + 1)[:days].astype(np.float64)


def look_ahead(demand: Floats, horizon_days: int) -> Outlook:
    """What daily demand (t,) may be over the next days.

    NotEnoughData where fewer than LEAST sums of the past can be held against their forecasts.
    """
    step = max(horizon_days // 2, 1)
    ends = [len(demand) - horizon_days - k * step for k in range(TESTED)]
    ends = [end for end in ends[::-1] if end >= 2 * horizon_days]
    if len(ends) < LEAST:
        needed = 3 * horizon_days + (LEAST - 1) * step
        raise NotEnoughData(
            f"a plan for {horizon_days} days needs {needed} days of history, got {len(demand)}"
        )
    mixture = Mixture(
        [forecaster(name, (WEEK,), step_s=DAY_S) for name in MEMBERS], horizon_days, step_s=DAY_S
    )
    said, known = [], 0
    for end in (*ends, len(demand)):
        _tell(mixture, demand, known, end)
        known, days = end, mixture.forecast(horizon_days)
        said.append(sums_said(demand[:end], days))
    logs = np.log(np.maximum(said, TINY))
    came = np.array([np.log(max(demand[end : end + horizon_days].sum(), TINY)) for end in ends])
    missed = came[:, None] - logs[:-1]  # (origins, ways)
    behind = -(-horizon_days // step)  # origins back, the sum of a horizon has come
    errors = np.array([
        _shares(missed[: max(i - behind + 1, 0)]) @ row for i, row in enumerate(missed)
    ])  # fmt: skip
    now = _shares(missed)
    sums = np.exp(float(now @ logs[-1]) + np.quantile(errors, DRAWN))
    names = ["days", *(f"mean of {many} days" for many in _pasts(horizon_days, len(demand)))]
    return Outlook(demand, days, sums, errors, str(signatures(names, now[:, None])[0]))


def sums_said(past: Floats, days: Estimate) -> Floats:
    """Sums of a horizon as its days say (their means, by quantiles), and as past means do."""
    horizon_days = len(days.value)
    levels = np.array(LEVELS)
    edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2.0, [1.0]])
    of_days = float((days.quantiles[:, 0] * np.diff(edges)).sum())
    pasts = _pasts(horizon_days, len(past))
    return np.array([of_days, *(horizon_days * float(past[-many:].mean()) for many in pasts)])


def _pasts(horizon_days: int, known: int) -> list[int]:
    """Days over which means are taken: horizons, and all."""
    return [*(min(horizon_days * many, known) for many in HORIZONS), known]


def _shares(errors: Floats) -> Floats:
    """How much each way to say a sum counts, by errors (origins, ways) in logs; alike for few."""
    if len(errors) < LEAST - 1:
        return np.full(errors.shape[1], 1.0 / errors.shape[1])
    raw = np.maximum((errors**2).mean(axis=0), TINY) ** -SHARPNESS
    return np.asarray(raw / raw.sum())


def play(
    workload: Workload,
    end_s: float,
    outlook: Outlook,
    *,
    policy: str = "fcfs",
    sizes: Sequence[int] = (),
    progress: Progress,
) -> Waits:
    """Mean waits of what may come on machines of many sizes, by a rule with EASY backfilling.

    workload: tasks submitted before end_s, with what they took; each window begins on an empty
    machine. `sizes`: those to try; () = from most of the mean demand to four times it, and today's.
    """
    horizon_s = len(outlook.days.value) * DAY_S
    windows = _windows(workload, end_s, horizon_s)
    if not windows:
        raise NotEnoughData("no window of the past has tasks: there is nothing to play")
    tried = np.unique(np.asarray(sizes or _sizes(workload, outlook), dtype=np.int64))
    wait_s = np.empty((len(tried), len(windows) * len(outlook.sums)))
    for i, size in enumerate(tried):
        progress("Playing machines of many sizes", i / len(tried))
        column = 0
        for window in windows:
            work = float((window.runtime_s * window.procs).sum()) / DAY_S
            for total in outlook.sums:
                denser = float(np.clip(total / work, 1.0 / DENSEST, DENSEST))
                wait_s[i, column] = mean_wait_s(window, int(size), policy, denser)
                column += 1
    return Waits(tried, wait_s)


def mean_wait_s(workload: Workload, procs: int, policy: str = "fcfs", denser: float = 1.0) -> float:
    """Mean wait on a machine of so many processors, arrivals made so many times denser.

    A task that is wider than the machine takes all of it, for as much longer.
    """
    if procs < 1:
        raise ConfigError(f"procs must be at least 1, got {procs}")
    narrow = np.minimum(workload.procs, procs)
    longer = workload.procs / narrow
    other = replace(
        workload,
        submit_s=(workload.submit_s - workload.submit_s[0]) / denser,
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


def _tell(mixture: Mixture, demand: Floats, start: int, end: int) -> None:
    if end > start:
        mixture.learn(DAY_S * np.arange(start, end, dtype=np.float64), demand[start:end, None])


def _windows(workload: Workload, end_s: float, horizon_s: float) -> list[Workload]:
    """Windows of the past as long as the horizon, the last first; those with tasks."""
    found = []
    for k in range(WINDOWS):
        last_s = end_s - k * horizon_s / 2.0
        first, last = np.searchsorted(workload.submit_s, [last_s - horizon_s, last_s])
        if last_s - horizon_s >= workload.submit_s[0] - DAY_S and last - first > 1:
            found.append(workload.part(int(first), int(last - first)))
    return found


def _sizes(workload: Workload, outlook: Outlook) -> Ints:
    """Sizes from most of the mean demand that may come to four times the most, and today's."""
    mean = outlook.sums / len(outlook.days.value)
    low, high = max(SMALLEST * float(mean.min()), 1.0), max(4.0 * float(mean.max()), 2.0)
    sizes = np.geomspace(low, high, SIZES).round().astype(np.int64)
    return np.unique(np.append(sizes, workload.total_procs))
