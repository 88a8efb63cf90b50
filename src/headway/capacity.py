"""How many processors a cluster needs next, by when, and what that costs against waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.forecast import LEVELS
from headway.forecasting import iso
from headway.history import tasks_of
from headway.plan import DAY_S, LEAST_S, WEEK, daily_demand, look_ahead, steps_of
from headway.schedule.rules import rule_named
from headway.simulate.workload import workload_from
from headway.sizing import outcomes_of, replay, sized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.history import Progress
    from headway.observe.trace import Trace
    from headway.plan import Outlook
    from headway.sizing import Replay, Sizing

    Floats = NDArray[np.float64]

NAMED: Final = 20  # sizes that the document holds, beside the one needed and the one there is
ABOUT: Final = 2.5  # times the one needed, that they reach up and down
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
    known = replay(workload, end_s, horizon_days, policy=policy, progress=progress)
    outlook = look_ahead(daily_demand(workload, end_s), horizon_days)
    first_s = facts[0].zero_s + float(workload.submit_s[0])
    said = {"history": trace.path.name, "tasks": len(workload), "policy": policy}
    asked = {"wait_s": wait_s, "level": level, "price_core_hour": price_core_hour}
    return said | asked | plan(outlook, known, workload.total_procs, first_s, **asked)


def plan(
    outlook: Outlook,
    known: Replay,
    procs: int,
    first_s: float,
    *,
    wait_s: float,
    level: float,
    price_core_hour: float,
) -> dict[str, Any]:
    """What is needed, by when and at what cost; first_s: epoch of the first day of the past."""
    days, horizon_days = len(outlook.past), len(outlook.days.value)
    sizing = sized(known, wait_s)
    needed = sizing.waits.size_for(wait_s, level)
    load = ahead_means(outlook.days.quantiles[:, 0, _nearest(level)])
    capacity = np.ceil(steps_of(needed * load / max(float(load.max()), 1e-9), float(procs)) - 1e-9)
    day_price = 24.0 * price_core_hour
    rows = size_rows(sizing, needed, procs, level, horizon_days * day_price)
    by_size = {row["procs"]: row for row in rows}
    shown = range(max(days - SHOWN * horizon_days, 0), days)
    return {
        "days": days,
        "horizon_days": horizon_days,
        "from": iso(first_s + days * DAY_S),
        "procs": procs,
        "needed_procs": needed,
        "is_enough": by_size[needed]["wait_s_at_level"] <= max(wait_s, LEAST_S),
        "add_procs": needed - procs,
        "add_by_day": _first(capacity > procs),
        "full_after_days": _first(load > procs),
        "now": by_size[procs],
        "needed": by_size[needed],
        "cost_of_steps": float(capacity.sum()) * day_price,
        "windows": len(known.tasks),
        "tested": tested_plans(known, wait_s, level),
        "made_by": str(outlook.days.made_by[0]),
        "sized_by": sizing.made_by,
        "past": [{"at": iso(first_s + i * DAY_S), "value": float(outlook.past[i])} for i in shown],
        "demand": fan(outlook, first_s + days * DAY_S),
        "capacity": capacity.tolist(),
        "sizes": rows,
    }


def size_rows(
    sizing: Sizing, needed: int, procs: int, level: float, price: float
) -> list[dict[str, Any]]:
    """Waits and costs of the size needed, of the one there is and of some about both.

    price: of a processor over the horizon.
    """
    about = np.geomspace(needed / ABOUT, needed * ABOUT, NAMED).round()
    sizes = np.unique(np.append(about, [needed, procs]).astype(np.int64))
    waits = sizing.on(sizes[sizes > 0])
    expected, careful = waits.expected(), waits.at(level)
    return [
        {
            "procs": int(size), "expected_wait_s": float(expected[i]),
            "wait_s_at_level": float(careful[i]), "cost": float(size) * price,
        }
        for i, size in enumerate(waits.sizes)
    ]  # fmt: skip


def tested_plans(known: Replay, wait_s: float, level: float) -> dict[str, Any]:
    """What came of plans made in the past from what was known then: how many there were, in what
    share the wait was kept to, the mean wait over all tasks and the one in nine of ten windows.
    """
    came = outcomes_of(known, wait_s, level)
    if not len(came):
        return {"plans": 0, "kept_share": None, "wait_s": None, "high_wait_s": None}
    return {
        "plans": len(came),
        "kept_share": float((came[:, 0] <= max(wait_s, LEAST_S)).mean()),
        "wait_s": float(came[:, 0] @ came[:, 1] / came[:, 1].sum()),
        "high_wait_s": float(np.quantile(came[:, 0], 0.9)),
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
