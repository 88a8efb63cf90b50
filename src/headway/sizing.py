"""How large a machine demand needs, learned by playing the cluster's own past.

A way to plan names a level from what is known: a mean of past demand, a quantile of it, or no
demand at all (one machine for ever). What it stands for is the size that is so many times its
level. Windows of the past are played on machines of many sizes, so for each way it is known by how
much to multiply it for a wait, and what that would have cost. Ways count by how cheap they would
have been; their sizes are mixed in logs. So plain practice is among them, and is followed where it
was cheapest.

The construction is our own; measured in "Capacity plan".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import NotEnoughData
from headway.forecast.mixture import signatures
from headway.plan import DAY_S, HOUR_S, LEAST_S, Waits, daily_demand, hourly_demand, mean_wait_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Progress = Callable[[str, float], None]

WINDOWS: Final = 48  # of the past that are played at the most, half a horizon apart
LEAST: Final = 4  # of them, with which a plan can be made
BEFORE: Final = 2  # horizons that must be known where a window begins
SMALLEST, LARGEST, APART = 0.4, 20.0, 1.15  # sizes played, times mean demand, and their ratio
FINE: Final = 400  # sizes that are told apart in what was played
SHARPNESS: Final = 20.0  # at which a way that was dearer by a share counts less: exp(-20 share)
FACTORS: Final = np.arange(-3.0, 4.0, 0.02)  # logs of what levels are multiplied by
LEAST_LEVEL: Final = 1e-3
HORIZONS: Final = (1, 2, 4)  # half-lives of means, lengths of pasts for quantiles
WAYS: Final = (
    *(f"mean, half-life {many}" for many in HORIZONS),
    *(f"80 % of days, last {many}" for many in HORIZONS),
    "mean of all", "mean of last 1", "last week 95 %", "one size",
)  # fmt: skip
"""Names of the ways; lengths in horizons."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Windows of the past (k,), the oldest first, as they waited on machines of sizes (s,).

    levels (k, ways) as each way named them where the window began, now (ways,) at the end; sizes
    and levels in processors.
    """

    begin_s: Floats
    horizon_s: float
    tasks: Ints
    sizes: Ints
    wait_s: Floats  # (k, s)
    levels: Floats
    now: Floats

    def before(self, i: int) -> Replay:
        """What was known where window i began: windows that had ended, levels of that moment."""
        known = self.begin_s + self.horizon_s <= self.begin_s[i] + 1e-6
        return replace(
            self, begin_s=self.begin_s[known], tasks=self.tasks[known], wait_s=self.wait_s[known],
            levels=self.levels[known], now=self.levels[i],
        )  # fmt: skip

    def waits(self, logs: Floats) -> Floats:
        """Waits (k, ...) of the windows on machines of so large logs (k, ...), between sizes that
        were played.
        """
        known, waits = np.log(self.sizes), np.log(np.maximum(self.wait_s, LEAST_S))
        found = [np.interp(log, known, wait) for log, wait in zip(logs, waits, strict=True)]
        return np.asarray(np.exp(found))


@dataclass(frozen=True, slots=True)
class Sizing:
    """How much each way counts, (ways,), and what their mixture is at the wait that was asked for:
    logs of processors in past windows (k,) and now.
    """

    known: Replay
    shares: Floats
    then: Floats
    at_now: float

    def on(self, sizes: Ints) -> Waits:
        """Waits on machines of sizes now, by past windows that were served as generously."""
        logs = self.then[:, None] + np.log(sizes) - self.at_now
        return Waits(sizes, self.known.waits(logs).T, self.known.tasks)

    @property
    def waits(self) -> Waits:
        """Waits on machines of all sizes that were played."""
        low, high = np.exp(self.at_now - self.then.mean()) * self.known.sizes[[0, -1]]
        sizes = np.geomspace(max(low, 1.0), max(high, 2.0), FINE).round().astype(np.int64)
        return self.on(np.unique(sizes))

    @property
    def made_by(self) -> str:
        """The ways whose share counts."""
        return str(signatures(WAYS, self.shares[:, None])[0])


def replay(
    workload: Workload, end_s: float, horizon_days: int, *, policy: str, progress: Progress
) -> Replay:
    """Windows before end_s as long as the horizon, played by a rule with EASY backfilling.

    workload: tasks submitted before end_s, with what they took; each window begins on an empty
    machine. NotEnoughData where fewer than LEAST windows have enough past and tasks.
    """
    horizon_s, first_s = horizon_days * DAY_S, float(workload.submit_s[0])
    daily = daily_demand(workload, end_s)
    begins = [end_s - horizon_s * (1.0 + many / 2.0) for many in range(WINDOWS)][::-1]
    begins = [at_s for at_s in begins if at_s >= first_s + BEFORE * horizon_s]
    cuts = [np.searchsorted(workload.submit_s, [at_s, at_s + horizon_s]) for at_s in begins]
    found = [(at_s, int(a), int(b - a)) for at_s, (a, b) in zip(begins, cuts, strict=True)]
    found = [(at_s, a, n) for at_s, a, n in found if n > 1]
    if len(found) < LEAST:
        needed = -(-horizon_days * (2 * BEFORE + 1 + LEAST) // 2)
        raise NotEnoughData(
            f"a plan for {horizon_days} days needs {needed} days of history with tasks, got"
            f" {int((end_s - first_s) // DAY_S)}"
        )
    hourly = hourly_demand(workload, first_s, max(int((end_s - first_s) // HOUR_S), 1))
    sizes = _sizes(float(daily.mean()))
    wait_s = np.empty((len(found), len(sizes)))
    for i, (_, start, tasks) in enumerate(found):
        progress("Playing the past on machines of many sizes", i / len(found))
        wait_s[i] = _played(workload.part(start, tasks), sizes, policy)
    ends_s = np.append([at_s for at_s, _, _ in found], end_s) - first_s
    levels = np.array([
        levels_of(daily[: int(end // DAY_S)], hourly[: int(end // HOUR_S)], horizon_days)
        for end in ends_s
    ])  # fmt: skip
    begin_s, tasks_in = (np.array([row[at] for row in found]) for at in (0, 2))
    return Replay(begin_s, horizon_s, tasks_in, sizes, wait_s, levels[:-1], levels[-1])


def levels_of(daily: Floats, hourly: Floats, horizon_days: int) -> Floats:
    """What each way names, (ways,), from demand by day (t,) and by hour so far, in processors."""
    age = np.arange(len(daily))[::-1]
    found = [
        *(np.average(daily, weights=0.5 ** (age / (many * horizon_days))) for many in HORIZONS),
        *(np.quantile(daily[-many * horizon_days :], 0.8) for many in HORIZONS),
        daily.mean(),
        hourly[-24 * horizon_days :].mean(),
        np.quantile(hourly[-24 * 7 :], 0.95),
        1.0,
    ]
    return np.maximum(np.array(found), LEAST_LEVEL)


def sized(known: Replay, wait_s: float) -> Sizing:
    """Sizes now, by the ways that would have been cheapest at a mean wait of so many seconds."""
    levels = np.log(known.levels)
    prices = np.array([_price(known, column, wait_s) for column in levels.T])  # (ways, 2)
    dearer = prices[:, 1] - prices[:, 1].min()
    shares = np.exp(-SHARPNESS * dearer)
    shares /= shares.sum()
    then, now = (levels + prices[:, 0]) @ shares, (np.log(known.now) + prices[:, 0]) @ shares
    return Sizing(known, shares, then, float(now))


def outcomes_of(known: Replay, wait_s: float, level: float | None) -> Floats:
    """What came of plans made at past windows from what was known there: wait and tasks, (k, 2).

    One row for each window before which LEAST others had ended.
    """
    rows = []
    for i in range(len(known.tasks)):
        past = known.before(i)
        if len(past.tasks) >= LEAST:
            size = sized(past, wait_s).waits.size_for(wait_s, level)
            logs = np.full(len(known.tasks), np.log(size))
            rows.append((float(known.waits(logs)[i]), float(known.tasks[i])))
    return np.array(rows).reshape(-1, 2)


def _price(known: Replay, logs: Floats, wait_s: float) -> tuple[float, float]:
    """By how much (log) a way with levels (k,) in logs is to be multiplied so that the mean wait
    over the tasks of all windows is kept to, and the log of its mean size then.
    """
    around = float(np.log(known.sizes).mean() - logs.mean())
    factors = FACTORS + around
    waits = known.tasks @ known.waits(logs[:, None] + factors) / known.tasks.sum()
    too_long = np.flatnonzero(waits > max(wait_s, LEAST_S))
    first = min(int(too_long[-1]) + 1 if len(too_long) else 0, len(factors) - 1)
    return float(factors[first]), float(np.log(np.exp(logs + factors[first]).mean()))


def _sizes(demand: float) -> Ints:
    """Sizes that are played, for so large a mean demand."""
    many = int(np.log(LARGEST / SMALLEST) / np.log(APART)) + 2
    sizes = max(demand, 1.0) * SMALLEST * APART ** np.arange(many)
    return np.unique(np.maximum(sizes.round(), 1).astype(np.int64))


def _played(window: Workload, sizes: Ints, policy: str) -> Floats:
    """The mean wait (sizes,); above a size on which hardly anything waits, nothing does."""
    wait_s = np.zeros(len(sizes))
    for i, size in enumerate(sizes):
        wait_s[i] = mean_wait_s(window, int(size), policy)
        if wait_s[i] <= LEAST_S:
            break
    return wait_s
