"""Which way to schedule would have served a history best, chosen on its first part only.

A plan is an order of the queue with the runtimes by which room is reserved and backfilling is
judged. Plans are chosen on the tasks of the first SHARE of a workload's time and judged on the
rest; the choice never sees what it is judged on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.schedule.rules import RULES, Order, order_by, rule_named
from headway.schedule.siblings import siblings_of
from headway.simulate.kernel import simulate
from headway.simulate.metrics import metrics
from headway.stats import bounded_slowdown

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headway.records import Estimate
    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SHARE: Final = 0.3  # of the time of a workload that plans are chosen on
LEAST_TASKS: Final = 0.1  # of its tasks that they are chosen on at the least
REPLICAS: Final = 6  # of the first part, submissions shaken by up to SHAKE_S, against chance
SHAKE_S: Final = 1800.0
WEEK_S: Final = 7 * 86400.0
LEAST_WEEKS: Final = 4
STANDARD: Final = tuple(name for name in RULES if not name.endswith("-published"))
_WIDTHS: Final = (0.25, 0.5, 1.0)  # exponents of processors in the order of `headway`
_LEVELS: Final = (0.5, 0.75, 0.9)  # quantiles by which `headway` judges a backfill


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One way to schedule n tasks: an order and what is believed of their runtimes, (n,) each."""

    policy: str
    runtimes: str  # requested | predicted | true
    order: Order
    reserve_s: Floats  # when running tasks are believed to end
    backfill_s: Floats  # how long a task that might jump the queue is believed to run
    caution: float = 1.0  # quantile of the prediction that is trusted there; 1 = the request
    detail: str = ""  # what the policy was set to, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A plan and when each task starts under it, (n,) seconds from the zero of the source."""

    plan: Plan
    start_s: Floats


def plan_of(workload: Workload, policy: str, runtimes: str, runtime_s: Floats) -> Plan:
    """A standard rule that orders, reserves and backfills by runtime_s (n,)."""
    order = order_by(rule_named(policy), runtime_s, workload.procs, workload.submit_s)
    return Plan(
        policy=policy, runtimes=runtimes, order=order, reserve_s=runtime_s, backfill_s=runtime_s
    )


def requested_plans(workload: Workload) -> list[Plan]:
    """Every standard rule with the requested runtimes; the first is FCFS, the usual practice."""
    return [plan_of(workload, name, "requested", workload.requested_s) for name in STANDARD]


def clairvoyant_plan(workload: Workload) -> Plan:
    """AREAxT with the true runtimes: a strong reference that nobody can reach, not a bound."""
    return plan_of(workload, "areaxt", "true", workload.runtime_s)


def predicted_plans(workload: Workload, estimate: Estimate) -> list[Plan]:
    """Every standard rule ordered by predicted runtimes, with room reserved by requests."""
    value_s = value_of(workload, estimate)
    plans = []
    for name in STANDARD:
        order = order_by(rule_named(name), value_s, workload.procs, workload.submit_s)
        plans.append(
            Plan(
                policy=name,
                runtimes="predicted",
                order=order,
                reserve_s=workload.requested_s,
                backfill_s=workload.requested_s,
            )
        )
    return plans


def headway_plans(workload: Workload, estimate: Estimate, user: Ints) -> list[Plan]:
    """Orders by predicted area that follow what siblings turn out to take while a task waits.

    The key is procs^a times the predicted runtime, moved by the outcomes of the same user's tasks
    (user (n,) codes, -1 = not known; see schedule.siblings). Running tasks keep their requests as
    reservations; a task may go before the reservation if a quantile of its prediction, not its
    request, ends in time. The exponent and the quantile are what is chosen; both are our own,
    measured in benchmarks/learned_runtimes.py.
    """
    value_s = value_of(workload, estimate)
    siblings = siblings_of(user, workload.procs, workload.requested_s, value_s)
    plans = []
    for width in _WIDTHS:
        key = width * np.log(workload.procs) + siblings.log_runtime
        order = Order(key, value_s, backfills_by_key=True, siblings=siblings)
        for level in _LEVELS:
            plans.append(
                Plan(
                    policy="headway",
                    runtimes="predicted",
                    order=order,
                    reserve_s=workload.requested_s,
                    backfill_s=quantile_of(workload, estimate, level),
                    caution=level,
                    detail=f"width exponent {width:g}, backfill by the {level:.0%} quantile",
                )
            )
    return plans


def value_of(workload: Workload, estimate: Estimate) -> Floats:
    """The predicted runtime of each task (n,), between 1 s and the request, which stands in where
    the prediction was refused.
    """
    return _within_request(workload, estimate.value[workload.rows])


def quantile_of(workload: Workload, estimate: Estimate, level: float) -> Floats:
    """The served quantile nearest to a level, (n,), within the same bounds."""
    column = int(np.argmin(np.abs(estimate.levels - level)))
    return _within_request(workload, estimate.quantiles[workload.rows, column])


def _within_request(workload: Workload, predicted_s: Floats) -> Floats:
    asked_s = workload.requested_s
    return np.where(np.isfinite(predicted_s), np.clip(predicted_s, 1.0, asked_s), asked_s)


def judge(workload: Workload, plan: Plan) -> Judged:
    """What a plan would have made of a workload."""
    start_s = simulate(workload, plan.order, plan.reserve_s, backfill_s=plan.backfill_s)
    return Judged(plan=plan, start_s=start_s)


def choose(
    workload: Workload,
    plans: list[Plan],
    *,
    seed: int = 0,
    progress: Callable[[], None] | None = None,
) -> Plan:
    """The most cautious plan that is as good as the best on the first SHARE of the workload's time.

    As good: its mean bounded slowdown over REPLICAS with shaken submissions, since the slowdown of
    one busy week hangs on chance, is within one standard error of the best plan's. Source of that
    rule: Breiman et al. (1984), "Classification and regression trees", section 3.4.3.
    """
    rng = np.random.default_rng(seed)
    first = np.flatnonzero(is_early(workload))
    replicas = []
    for _ in range(REPLICAS):
        submit_s = workload.submit_s[first] + rng.uniform(0.0, SHAKE_S, len(first))
        arrival = np.argsort(submit_s)
        replicas.append((first[arrival], submit_s[arrival]))
    scores = np.empty((len(plans), REPLICAS))
    for number, plan in enumerate(plans):
        scores[number] = [slowdown_of_part(workload, plan, *part).mean() for part in replicas]
        if progress is not None:
            progress()
    means = scores.mean(axis=1)
    behind = scores - scores[int(np.argmin(means))]
    error = behind.std(axis=1, ddof=1) / np.sqrt(REPLICAS)
    good = np.flatnonzero(behind.mean(axis=1) <= error)
    return plans[min(good, key=lambda i: (-plans[i].caution, means[i]))]


def is_early(workload: Workload) -> NDArray[np.bool_]:
    """Which tasks (n,) plans are chosen on: those of the first SHARE of the workload's time, or of
    its first LEAST_TASKS tasks where that is later.
    """
    submit_s = workload.submit_s
    split_s = submit_s[0] + SHARE * (submit_s[-1] - submit_s[0])
    return submit_s < max(split_s, submit_s[int(LEAST_TASKS * len(submit_s))])


def row(workload: Workload, judged: Judged) -> dict[str, Any]:
    """One line of a comparison: the plan's name and metrics, in all and of the judged part."""
    plan = judged.plan
    return row_of(workload, plan.policy, plan.runtimes, judged.start_s, plan.detail)


def row_of(
    workload: Workload, policy: str, runtimes: str, start_s: Floats, detail: str = ""
) -> dict[str, Any]:
    """The same of any starts (n,)."""
    wait_s = start_s - workload.submit_s
    slowdown = bounded_slowdown(wait_s, workload.runtime_s)
    late = ~is_early(workload)
    return {
        "policy": policy,
        "runtimes": runtimes,
        **metrics(workload, start_s),
        "judged_mean_bounded_slowdown": float(slowdown[late].mean()) if late.any() else None,
        "judged_mean_wait_s": float(wait_s[late].mean()) if late.any() else None,
        "detail": detail,
    }


def gain(
    workload: Workload, incumbent: Judged, chosen: Judged, clairvoyant: Judged, *, seed: int = 0
) -> dict[str, Any]:
    """How much of the possible gain in mean bounded slowdown the chosen plan reached.

    Over the tasks after the first SHARE of the time: means of the three, share_of_possible =
    (incumbent - chosen) / (incumbent - clairvoyant) (None where nothing was possible), and 90 %
    intervals by resampling whole weeks, since tasks of one busy week are not independent (None
    where there are fewer than LEAST_WEEKS).
    """
    late = np.flatnonzero(~is_early(workload))
    submit_s, runtime_s = workload.submit_s[late], workload.runtime_s[late]
    table = np.stack(
        [
            bounded_slowdown(j.start_s[late] - submit_s, runtime_s)
            for j in (incumbent, chosen, clairvoyant)
        ]
    )
    before, after, best = table.mean(axis=1)
    low, high = _weekly_interval(submit_s, table, seed)
    return {
        "share_of_possible": _share(before, after, best),
        "incumbent": float(before),
        "chosen": float(after),
        "clairvoyant": float(best),
        "reduction": float(1.0 - after / before),
        "reduction_low_90": low,
        "reduction_high_90": high,
        "tasks": len(late),
        "judged_on": f"the last {_late_share(workload):.0%} of the time; chosen on the rest",
        "policy": chosen.plan.policy,
        "runtimes": chosen.plan.runtimes,
        "detail": chosen.plan.detail,
    }


def _late_share(workload: Workload) -> float:
    """The share of the time that lies behind the part which plans are chosen on."""
    submit_s = workload.submit_s
    first_late_s = submit_s[~is_early(workload)][0]
    return float((submit_s[-1] - first_late_s) / (submit_s[-1] - submit_s[0]))


def _share(before: float, after: float, best: float) -> float | None:
    return float((before - after) / (before - best)) if before > best else None


def _weekly_interval(
    submit_s: Floats, table: Floats, seed: int
) -> tuple[float | None, float | None]:
    """5 % and 95 % points of the relative reduction over 1,000 resamples of weeks.

    None, None for fewer than LEAST_WEEKS with tasks: they would look more alike than they are.
    """
    weeks = ((submit_s - submit_s[0]) // WEEK_S).astype(np.int64)
    sums = np.stack([np.bincount(weeks, weights=line) for line in table[:2]])
    sums = sums[:, np.bincount(weeks) > 0]
    if sums.shape[1] < LEAST_WEEKS:
        return None, None
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, sums.shape[1], size=(1000, sums.shape[1]))
    totals = sums[:, picks].sum(axis=2)
    low, high = np.quantile(1.0 - totals[1] / totals[0], [0.05, 0.95])
    return float(low), float(high)


def slowdown_of_part(workload: Workload, plan: Plan, rows: Ints, submit_s: Floats) -> Floats:
    """Bounded slowdown (k,) if only the tasks of some rows (k,) had come, at sorted submit_s."""
    part = replace(
        workload,
        submit_s=submit_s,
        runtime_s=workload.runtime_s[rows],
        requested_s=workload.requested_s[rows],
        procs=workload.procs[rows],
        rows=workload.rows[rows],
    )
    order = plan.order
    siblings = order.siblings
    if siblings is not None:
        siblings = siblings._replace(
            user=siblings.user[rows],
            width=siblings.width[rows],
            shape=siblings.shape[rows],
            log_runtime=siblings.log_runtime[rows],
        )
    order = replace(order, key=order.key[rows], order_s=order.order_s[rows], siblings=siblings)
    start_s = simulate(part, order, plan.reserve_s[rows], backfill_s=plan.backfill_s[rows])
    return bounded_slowdown(start_s - submit_s, part.runtime_s)
