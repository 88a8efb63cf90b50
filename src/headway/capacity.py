"""How many processors a cluster needs next, by when, and what that costs against waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.forecast import LEVELS
from headway.forecasting import iso
from headway.history import tasks_of
from headway.plan import DAY_S, WEEK, Waits, daily_demand, look_ahead, play, steps_of
from headway.schedule.rules import rule_named
from headway.simulate.workload import workload_from

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.history import Progress
    from headway.observe.trace import Trace
    from headway.plan import Outlook
    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]

BETWEEN: Final = 5  # sizes that are tried more on each side of the one that is named
DOUBLED: Final = 3  # times that the largest size is, where waits are too long on it
SHOWN: Final = 4  # horizons of the past that the document holds
BOUNDS: Final = {"low_95": 0.025, "low_80": 0.1, "high_80": 0.9, "high_95": 0.975}


def plan_history(
    trace: Trace,
    *,
    horizon_days: int,
    wait_s: float,
    level: float,
    price_core_hour: float,
    policy: str = "fcfs",
    progress: Progress,
) -> dict[str, Any]:
    """The document of `headway plan` for what follows the last submission of a history.

    NotEnoughData where processors are not known or the history is too short.
    """
    if horizon_days < 1 or wait_s < 0.0 or not 0.0 < level < 1.0:
        raise ConfigError(
            "horizon-days must be at least 1, wait at least 0 and level in (0, 1), got"
            f" {horizon_days}, {wait_s} and {level}"
        )
    rule_named(policy)
    tasks, facts = tasks_of([trace], progress)
    if facts[0].total_cpus is None:
        raise NotEnoughData(
            f"{trace.path.name} does not say how many processors there are: give --procs"
        )
    workload = workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))
    end_s = float(workload.submit_s[-1])
    outlook = look_ahead(daily_demand(workload, end_s), horizon_days)
    waits = tried(workload, end_s, outlook, wait_s, level, policy, progress)
    first_s = facts[0].zero_s + float(workload.submit_s[0])
    said = {"history": trace.path.name, "tasks": len(workload), "policy": policy}
    asked = {"wait_s": wait_s, "level": level, "price_core_hour": price_core_hour}
    return said | asked | plan(outlook, waits, workload.total_procs, first_s, **asked)


def tried(
    workload: Workload, end_s: float, outlook: Outlook, wait_s: float, level: float, policy: str,
    progress: Progress,
) -> Waits:  # fmt: skip
    """Waits on machines of many sizes, more of them about the one that is needed."""
    coarse = play(workload, end_s, outlook, policy=policy, progress=progress)
    for _ in range(DOUBLED):
        if coarse.at(level)[-1] <= wait_s:
            break
        more = np.geomspace(1.25, 2.0, 4) * coarse.sizes[-1]
        sizes = np.ceil(more).astype(np.int64).tolist()
        coarse = coarse.and_more(
            play(workload, end_s, outlook, policy=policy, sizes=sizes, progress=progress)
        )
    at = int(np.searchsorted(coarse.sizes, coarse.size_for(wait_s, level)))
    low, high = coarse.sizes[max(at - 1, 0)], coarse.sizes[min(at + 1, len(coarse.sizes) - 1)]
    sizes = np.unique(np.linspace(low, high, 2 * BETWEEN + 1).round().astype(np.int64))
    waits = coarse.and_more(
        play(workload, end_s, outlook, policy=policy, sizes=sizes.tolist(), progress=progress)
    )
    named = [waits.size_for(wait_s, level)]
    return waits.and_more(
        play(workload, end_s, outlook, policy=policy, sizes=named, progress=progress)
    )


def plan(
    outlook: Outlook,
    waits: Waits,
    procs: int,
    first_s: float,
    *,
    wait_s: float,
    level: float,
    price_core_hour: float,
) -> dict[str, Any]:
    """What is needed, by when and at what cost; first_s: epoch of the first day of the past."""
    days, horizon_days = len(outlook.past), len(outlook.days.value)
    needed = waits.size_for(wait_s, level)
    expected, careful = waits.expected(), waits.at(level)
    load = ahead_means(outlook.days.quantiles[:, 0, _nearest(level)])
    capacity = np.ceil(steps_of(needed * load / max(float(load.max()), 1e-9), float(procs)) - 1e-9)
    day_price = 24.0 * price_core_hour
    rows = [
        {
            "procs": int(size), "expected_wait_s": float(expected[i]),
            "wait_s_at_level": float(careful[i]),
            "cost": float(size) * horizon_days * day_price,
        }
        for i, size in enumerate(waits.sizes)
    ]  # fmt: skip
    by_size = {row["procs"]: row for row in rows}
    shown = range(max(days - SHOWN * horizon_days, 0), days)
    return {
        "days": days,
        "horizon_days": horizon_days,
        "from": iso(first_s + days * DAY_S),
        "procs": procs,
        "needed_procs": needed,
        "is_enough": bool(by_size[needed]["wait_s_at_level"] <= max(wait_s, 1.0)),
        "add_procs": needed - procs,
        "add_by_day": _first(capacity > procs),
        "full_after_days": _first(load > procs),
        "now": by_size[procs],
        "needed": by_size[needed],
        "cost_of_steps": float(capacity.sum()) * day_price,
        "forecast_error": float(np.exp(np.std(outlook.errors)) - 1.0),
        "origins": len(outlook.errors),
        "futures": waits.wait_s.shape[1],
        "made_by": str(outlook.days.made_by[0]),
        "sums_by": outlook.sums_by,
        "past": [{"at": iso(first_s + i * DAY_S), "value": float(outlook.past[i])} for i in shown],
        "demand": fan(outlook, first_s + days * DAY_S),
        "capacity": capacity.tolist(),
        "sizes": rows,
    }


def ahead_means(values: Floats) -> Floats:
    """The mean of each value and the six that follow it, (h,): the week that begins there."""
    return np.array([values[i : i + WEEK].mean() for i in range(len(values))])


def fan(outlook: Outlook, first_s: float) -> list[dict[str, Any]]:
    """What daily demand may be, a row a day; first_s: epoch of the first of them."""
    quantiles = outlook.days.quantiles[:, 0]
    return [
        {"at": iso(first_s + day * DAY_S), "value": float(outlook.days.value[day, 0])}
        | {name: float(row[LEVELS.index(level)]) for name, level in BOUNDS.items()}
        for day, row in enumerate(quantiles)
    ]


def _first(is_so: NDArray[np.bool_]) -> int | None:
    """The first day, from 1, on which something is so."""
    days = np.flatnonzero(is_so)
    return int(days[0]) + 1 if len(days) else None


def _nearest(level: float) -> int:
    return int(np.argmin(np.abs(np.array(LEVELS) - level)))
