"""A history month by month from an empty engine: what was wasted, and what would have been.

Memory and time limits of each month are judged under the request, under models that learned from
what had ended by then (after every outcome, or once a month), under the first model kept for ever
and under the best constants in hindsight; queues under requested, predicted and true runtimes.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.errors import NotEnoughData
from headway.history import tasks_of
from headway.simulate.metrics import metrics
from headway.simulate.workload import Workload
from headway.stats import bounded_slowdown
from headway.verify import months as by_month
from headway.verify import recommend
from headway.verify.answers import Answers, seen_of
from headway.verify.judge import rows
from headway.verify.months import CHEAPEST, HINDSIGHT, WAYS, Kept
from headway.verify.schedules import workload_of
from headway.verify.score import GB_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from headway.observe.trace import Trace
    from headway.records import ClusterFacts, Estimate
    from headway.verify.baselines import Seen

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Progress = Callable[[str, float], None]

WIDTH, LEVEL = 0.5, 0.9  # of the order of the queue, fixed: it is not chosen on the history
LATER: Final = 6  # months after which half of the gap is to be closed
SCORES: Final = {
    "memory_bytes": "waste_per_used", "limit_s": "waste_per_used",
    "slowdown": "mean_bounded_slowdown",
}  # fmt: skip
"""What is compared of each target; lower is better."""


def replay_months(
    traces: Sequence[Trace], *, coverage: float = 0.95, progress: Progress
) -> list[dict[str, Any]]:
    """The rows of `headway replay --months`: of each month, target and method, then the summaries.

    NotEnoughData if there are less than two months, or nothing at all can be judged.
    """
    tasks, facts = tasks_of(traces, progress)
    if tasks.is_empty() or by_month.month_of(tasks).max() < 2:
        raise NotEnoughData("the history must be longer than 30 days to be replayed by months")
    runtime = _replayed(tasks, "runtime_s", None, progress)
    found = _limits(tasks, runtime, coverage) + _schedules(tasks, facts, runtime, progress)
    memory = _replayed(tasks, "memory_bytes", runtime, progress)
    found = _memory(tasks, memory, coverage) + found
    judged = [row for row in found if "month" in row]
    if not any(row["tasks"] for row in judged):
        raise NotEnoughData("no task has a request and its use, so there is no waste to compare")
    return judged + [row for row in found if "month" not in row]


def _replayed(tasks: pl.DataFrame, target: str, described: Kept | None, progress: Progress) -> Kept:
    """A replay with a bar, and what it cost for each task."""
    what = f"Replaying {target.split('_')[0]} by months"
    progress(what, 0.0)
    kept = by_month.replay_by_month(
        tasks, target, described=None if described is None else described.replayed,
        progress=partial(progress, what),
    )  # fmt: skip
    progress(what, 1.0)
    return kept


def _memory(tasks: pl.DataFrame, kept: Kept, coverage: float) -> list[dict[str, Any]]:
    """Rows of memory by month and in all."""
    if kept.replayed.refused:
        return [_silent("memory_bytes", kept.replayed.refused)]
    began = time.process_time()
    seen = seen_of(kept.replayed, tasks)
    judged = np.isfinite(seen.y) & (seen.request > 0.0) & (seen.runtime_s > 0.0)
    if not judged.any():
        return [_silent("memory_bytes", "no task has both requested and used memory")]
    month, said = by_month.month_of(tasks), by_month.sizes_by_month(kept, tasks, seen, coverage)
    took_us = 1e6 * (time.process_time() - began) / tasks.height
    given = Answers(seen, said["given"], dict.fromkeys(said["given"]) | {"headway": took_us})
    used = seen.y * seen.runtime_s / GB_HOUR
    found = []
    for number in [*np.unique(month), None]:
        counted = judged if number is None else judged & (month == number)
        for row in rows(kept.replayed, tasks, given, counted):
            if row["workflow"] != "all" or not row["tasks"]:
                continue
            share = row["wastage_gbh"] / max(float(used[counted].sum()), 1e-9)
            at = {} if number is None else {"month": int(number)}
            found.append(at | row | {"waste_per_used": share})
    first = said["given"]["headway"].first
    wasted = np.where(first < seen.y, first, first - seen.y) * seen.runtime_s
    limits = _limits_of(wasted, first < seen.y, said["law"] < 0, judged)
    return _summed(found, kept.static_from, limits)


def _limits(tasks: pl.DataFrame, kept: Kept, coverage: float) -> list[dict[str, Any]]:
    """Rows of time limits by month and in all."""
    if kept.replayed.refused:
        return [_silent("limit_s", kept.replayed.refused)]
    seen, month = seen_of(kept.replayed, tasks), by_month.month_of(tasks)
    cpus = tasks.select(pl.max_horizontal("cpus_allocated", "cpus_requested").fill_null(1.0))
    weight = np.maximum(cpus.to_series().to_numpy().astype(np.float64), 1.0) / 3600.0
    given = by_month.limits_by_month(kept, seen, month, weight, coverage)
    y = np.minimum(seen.y, seen.request)
    judged = np.isfinite(y) & (seen.request > 0.0)
    if not judged.any():
        return [_silent("limit_s", "no task has both a requested and a real runtime")]
    found = []
    for number in [*np.unique(month), None]:
        counted = judged if number is None else judged & (month == number)
        at = {} if number is None else {"month": int(number)}
        used = float((y * weight)[counted].sum())
        for method, limit_s in given.items():
            vain = by_month.seconds_in_vain(limit_s, y, seen.request) * weight
            wasted = float(vain[counted].sum())
            found.append(at | {
                "workflow": "all", "method": method, "target": "limit_s",
                "tasks": int(counted.sum()), "wasted_core_h": wasted,
                "waste_per_used": wasted / max(used, 1e-9),
                "first_attempt_coverage": float(np.mean((limit_s >= y)[counted])),
            })  # fmt: skip
    own = given["headway"]
    wasted = by_month.seconds_in_vain(own, y, seen.request) * weight
    limits = _limits_of(wasted, own < y, ~_is_known(seen), judged)
    return _summed(found, kept.static_from, limits)


def _schedules(
    tasks: pl.DataFrame, facts: Sequence[ClusterFacts], kept: Kept, progress: Progress
) -> list[dict[str, Any]]:
    """Rows of slowdown: the whole history is played once for each way, tasks counted by month."""
    if kept.replayed.refused:
        return [_silent("slowdown", kept.replayed.refused)]
    workload, why = workload_of(tasks, facts)
    if workload is None:
        return [_silent("slowdown", why.removeprefix("schedules: "))]
    user = kept.replayed.features.column("user")[workload.rows].astype(np.int64)
    plans = {"headway": _plan(workload, kept.replayed.estimate, user)}
    plans |= {way: _plan(workload, kept.by_way[way], user) for way in WAYS}
    plans["request"] = recommend.plan_of(workload, "fcfs", "requested", workload.requested_s)
    plans[HINDSIGHT] = recommend.clairvoyant_plan(workload)
    month = by_month.month_of(tasks)[workload.rows]
    found: list[dict[str, Any]] = []
    for done, (method, plan) in enumerate(plans.items()):
        progress("Simulating schedules", done / len(plans))
        start_s = recommend.judge(workload, plan).start_s
        wait_s = start_s - workload.submit_s
        slowdown = bounded_slowdown(wait_s, workload.runtime_s)
        whole = metrics(workload, start_s)
        for number in [*np.unique(month), None]:
            mine = np.ones(len(month), bool) if number is None else month == number
            at = {} if number is None else {"month": int(number)}
            found.append(at | {
                "workflow": "all", "method": method, "target": "slowdown",
                "tasks": int(mine.sum()), "mean_bounded_slowdown": float(slowdown[mine].mean()),
                "mean_wait_s": float(wait_s[mine].mean()),
            } | ({"utilisation": whole["utilisation"]} if number is None else {}))  # fmt: skip
    progress("Simulating schedules", 1.0)
    return _summed(found, kept.static_from, {})


def _plan(workload: Workload, estimate: Estimate, user: Integers) -> recommend.Plan:
    """The order by predicted runtimes with one fixed exponent and quantile."""
    plans = recommend.headway_plans(workload, estimate, user)
    detail = f"width exponent {WIDTH:g}, backfill by the {LEVEL:.0%} quantile"
    return next(plan for plan in plans if plan.detail == detail)


def _summed(
    found: list[dict[str, Any]], static_from: int, limits: dict[str, float]
) -> list[dict[str, Any]]:
    """The rows with what came of Headway over all months in its last one."""
    for row in found:
        if "month" not in row and row["method"] in ("headway", CHEAPEST, "monthly"):
            row |= {"static_from": static_from}
            row |= months_of(found, row["target"], row["method"], static_from)
        if "month" not in row and row["method"] == "headway":
            row |= {"limits": limits}
    return found


def months_of(
    found: list[dict[str, Any]], target: str, method: str, static_from: int = 1
) -> dict[str, Any]:
    """Of a method: shares of months in which it was better, and of the gap that it closed.

    Better than the request: of the months after the first; than the static start: of those after
    its first one.

    gap_closed: by month, (practice - method) / (practice - bound) of that month; gap_of_first:
    the same with the practice of the first month; each None where the bound is no better. *_later:
    medians over the months after the first LATER.
    """
    score = SCORES[target]
    table: dict[str, dict[int, float]] = {}
    for row in found:
        if "month" in row and row["target"] == target:
            table.setdefault(row["method"], {})[row["month"]] = row[score]
    practice, bound, mine = table["request"], table[HINDSIGHT], table[method]
    first = practice[min(practice)]
    same = {m: _closed(practice[m], mine[m], bound[m]) for m in mine}
    of_first = {m: _closed(first, mine[m], bound[m]) for m in mine}
    later = [m for m in mine if m > LATER]
    static = table["static"]
    judged = [m for m in mine if m > 1]
    after = [m for m in mine if m > max(static_from, 1)] if static_from else []
    return {
        "months": len(mine),
        "better_than_request": _share([mine[m] < practice[m] for m in judged]),
        "better_than_static": _share([mine[m] < static[m] for m in after]),
        "gap_closed": same,
        "gap_of_first": of_first,
        "gap_closed_later": _median([same[m] for m in later]),
        "gap_of_first_later": _median([of_first[m] for m in later]),
        "months_half_closed_later": _share([x >= 0.5 for m in later if (x := same[m]) is not None]),
    }


def _closed(practice: float, mine: float, bound: float) -> float | None:
    return (practice - mine) / (practice - bound) if practice > bound else None


def _share(true: list[bool]) -> float | None:
    return float(np.mean(true)) if true else None


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _limits_of(
    wasted: Floats, failed: NDArray[np.bool_], new: NDArray[np.bool_], judged: NDArray[np.bool_]
) -> dict[str, float]:
    """What Headway's remaining waste is of: first attempts that failed, kinds of task of which
    nothing had ended, and room kept above what known kinds used; shares of it.
    """
    wasted = np.where(judged, wasted, 0.0)
    total = max(float(wasted.sum()), 1e-9)
    parts = {"failed": failed, "new_kinds": ~failed & new, "margin": ~failed & ~new}
    return {name: float(wasted[mask].sum()) / total for name, mask in parts.items()}


def _is_known(seen: Seen) -> NDArray[np.bool_]:
    """Whether a task of the same kind had ended when each task came, (n,)."""
    known = np.zeros(len(seen.y), dtype=bool)
    ended: set[int] = set()
    for event, row in zip(seen.kinds.tolist(), seen.rows.tolist(), strict=True):
        if event == 0:
            known[row] = seen.kind[row] in ended
        else:
            ended.add(int(seen.kind[row]))
    return known


def _silent(target: str, why: str) -> dict[str, Any]:
    """A target that cannot be judged, with the reason."""
    return {"workflow": "all", "method": "headway", "target": target, "tasks": 0, "why_not": why}
