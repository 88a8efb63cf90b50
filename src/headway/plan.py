"""How many processors the next weeks need: forecast demand, played on the cluster's own past.

Demand is what is submitted, in processors that it would keep busy; unlike what runs, no machine
limits it. Its sum over the horizon is forecast, and how far off such forecasts were at past origins
says how far off this one may be. Windows of the past, their arrivals made denser or thinner so that
their sum is one that may come, are then played on machines of many sizes: what comes out is a wait
for each size and each future, from which a size is chosen.

The construction is our own; that waits come from simulating forecast demand, and not from a share
of utilisation, is what it is for. Measured in "Capacity plan".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.forecast import LEVELS, forecaster
from headway.forecast.mixture import Mixture
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
TESTED: Final = 12  # past origins at which sums were forecast, half a horizon apart
LEAST: Final = 4  # of them, with which a plan can be made
WINDOWS: Final = 10  # of the past that are played, half a horizon apart
DRAWN: Final = (0.1, 0.3, 0.5, 0.7, 0.9)  # levels of the sums that may come
SIZES: Final = 24  # machines that are tried
DENSEST: Final = 4.0  # times that arrivals are made denser, or thinner, at the most


@dataclass(frozen=True, slots=True)
class Outlook:
    """Daily demand in processors: past (t,), what may come by day, sums that may come (s,)."""

    past: Floats
    days: Estimate  # value (h, 1), quantiles (h, 1, q)
    sums: Floats  # processor-days of the whole horizon, at the levels DRAWN
    errors: Floats  # logs of what came over what was said, at past origins


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

    def size_for(self, wait_s: float, level: float | None = None) -> int:
        """The smallest size from which on waits, expected or at a level, are at most wait_s; else
        the largest that was tried.
        """
        waits = self.expected() if level is None else self.at(level)
        is_enough = np.logical_and.accumulate((waits <= wait_s)[::-1])[::-1]
        enough = np.flatnonzero(is_enough)
        return int(self.sizes[enough[0]] if len(enough) else self.sizes[-1])


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
    errors, known = [], 0
    for end in ends:
        _tell(mixture, demand, known, end)
        known = end
        said = float(mixture.forecast(horizon_days).value.sum())
        came = float(demand[end : end + horizon_days].sum())
        errors.append(np.log(max(came, 1e-9) / max(said, 1e-9)))
    _tell(mixture, demand, known, len(demand))
    days = mixture.forecast(horizon_days)
    sums = float(days.value.sum()) * np.exp(np.quantile(errors, DRAWN))
    return Outlook(demand, days, sums, np.array(errors))


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
    machine, and a task that is wider than a machine counts as wide as it.
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
    """Mean wait on a machine of so many processors, arrivals made so many times denser."""
    if procs < 1:
        raise ConfigError(f"procs must be at least 1, got {procs}")
    other = replace(
        workload,
        submit_s=(workload.submit_s - workload.submit_s[0]) / denser,
        procs=np.minimum(workload.procs, procs),
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


def plan(
    workload: Workload,
    end_s: float,
    *,
    horizon_days: int,
    wait_s: float,
    level: float,
    price_core_hour: float,
    policy: str = "fcfs",
    progress: Progress,
) -> dict[str, Any]:
    """The document of `headway plan` but for its names: demand, sizes, what to add and when."""
    if horizon_days < 1 or wait_s < 0.0 or not 0.0 < level < 1.0:
        raise ConfigError(
            "horizon-days must be at least 1, wait at least 0 and level in (0, 1), got"
            f" {horizon_days}, {wait_s} and {level}"
        )
    outlook = look_ahead(daily_demand(workload, end_s), horizon_days)
    waits = play(workload, end_s, outlook, policy=policy, progress=progress)
    now = workload.total_procs
    needed = waits.size_for(wait_s, level)
    at_level = outlook.days.quantiles[:, 0, _nearest(level)]
    full = np.flatnonzero(at_level > now)
    hours = horizon_days * 24.0
    expected, careful = waits.expected(), waits.at(level)
    return {
        "horizon_days": horizon_days,
        "procs": now,
        "wait_s": wait_s,
        "level": level,
        "policy": policy,
        "needed_procs": needed,
        "add_procs": needed - now,
        "full_after_days": int(full[0]) + 1 if len(full) else None,
        "cost": {"now": now * hours * price_core_hour, "needed": needed * hours * price_core_hour},
        "forecast_error": float(np.exp(np.std(outlook.errors)) - 1.0),
        "made_by": str(outlook.days.made_by[0]),
        "demand": _fan(outlook),
        "capacity": steps_of(np.minimum(at_level, needed), float(now)).round().tolist(),
        "sizes": [
            {
                "procs": int(size), "expected_wait_s": float(expected[i]),
                "wait_s_at_level": float(careful[i]), "cost": size * hours * price_core_hour,
            }
            for i, size in enumerate(waits.sizes)
        ],
    }  # fmt: skip


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
    """Sizes from half of the mean demand that may come to four times the most, and today's."""
    mean = outlook.sums / len(outlook.days.value)
    low, high = max(0.5 * float(mean.min()), 1.0), max(4.0 * float(mean.max()), 2.0)
    sizes = np.geomspace(low, high, SIZES).round().astype(np.int64)
    return np.unique(np.append(sizes, workload.total_procs))


def _nearest(level: float) -> int:
    return int(np.argmin(np.abs(np.array(LEVELS) - level)))


def _fan(outlook: Outlook) -> list[dict[str, float]]:
    """What daily demand may be, a row a day from tomorrow."""
    ends = {"low_95": 0.025, "low_80": 0.1, "high_80": 0.9, "high_95": 0.975}
    quantiles = outlook.days.quantiles[:, 0]
    return [
        {"day": day + 1, "value": float(outlook.days.value[day, 0])}
        | {name: float(row[LEVELS.index(level)]) for name, level in ends.items()}
        for day, row in enumerate(quantiles)
    ]
