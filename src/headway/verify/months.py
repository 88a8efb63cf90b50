"""What each month of a history would have been given by models that stop learning, and by a bound.

Months are of 30 days from the first submission. A model of a month has learned what ended before
the month began and nothing that ended in it; the first one that had learned enough is also kept for
ever: the static start. What is submitted later changes nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.predict import load, save
from headway.predict.sizing import RightSizer
from headway.verify.baselines import Given
from headway.verify.baselines.hindsight import best_constant
from headway.verify.replay import replay
from headway.verify.score import MONTH_S

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl
    from numpy.typing import NDArray

    from headway.predict import Conformal, Risk
    from headway.protocols import Features
    from headway.records import Estimate
    from headway.verify.baselines import Seen
    from headway.verify.replay import Replayed

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

LEAST_OUTCOMES: Final = 50  # before a model is kept as the static start
WAYS: Final = ("monthly", "static")
"""Models that are taught at the beginning of each month, and those of the first such month."""
HINDSIGHT: Final = "hindsight"
CHEAPEST: Final = "headway, least waste"
MOST_CONSTANTS: Final = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """A replay that learned after every outcome, and the answers of models kept since some month.

    by_way: an Estimate (n,) for each of WAYS, NaN where there was no model yet; static_from: the
    month (from 1) from which on the static start answers, 0 = never.
    """

    replayed: Replayed
    by_way: dict[str, Estimate]
    static_from: int


def month_of(tasks: pl.DataFrame) -> Integers:
    """The month (n,) of each task's submission, from 1."""
    at_s = tasks["submitted_s"].to_numpy()
    return ((at_s - at_s.min()) // MONTH_S).astype(np.int64) + 1


def month_starts(tasks: pl.DataFrame) -> list[float]:
    """When the second month and every later one that has tasks begin."""
    first_s = float(tasks["submitted_s"].to_numpy().min())
    months = np.unique(month_of(tasks))
    return [first_s + (int(month) - 1) * MONTH_S for month in months[1:]]


def replay_by_month(
    tasks: pl.DataFrame,
    target: str,
    *,
    described: Replayed | None = None,
    progress: Callable[[float], None] | None = None,
) -> Kept:
    """Predict every task by an engine that learns on, by last month's model and by the first one.

    target: runtime_s or memory_bytes; tasks in order of submission.
    """
    month = month_of(tasks)
    numbers = np.unique(month)[1:]
    answers: dict[str, list[tuple[NDArray[np.intp], Estimate]]] = {way: [] for way in WAYS}
    static: list[tuple[int, Conformal | Risk]] = []

    def paused(pause: int, predictor: Conformal, x: Features, learned: int) -> None:
        if not static and learned >= LEAST_OUTCOMES:
            static.append((int(numbers[pause]), load(save(predictor))))
        if static:
            rows = np.flatnonzero(month == numbers[pause])
            mine = x.take(rows)
            answers["monthly"].append((rows, predictor.predict(mine)))
            answers["static"].append((rows, static[0][1].predict(mine)))

    replayed = replay(
        tasks, target, described=described, orders=True, progress=progress,
        pauses_s=month_starts(tasks), paused=paused,
    )  # fmt: skip
    by_way = {way: _joined(replayed.estimate, answers[way]) for way in WAYS}
    return Kept(replayed, by_way, static[0][0] if static else 0)


def _joined(like: Estimate, parts: list[tuple[NDArray[np.intp], Estimate]]) -> Estimate:
    """One Estimate (n,) of answers about some rows; the others are refused."""
    n, q = like.quantiles.shape
    value, quantiles = np.full(n, np.nan), np.full((n, q), np.nan)
    made_by, refused = np.full(n, "", "U64"), np.full(n, "no model yet", "U128")
    for rows, part in parts:
        value[rows], quantiles[rows] = part.value, part.quantiles
        made_by[rows], refused[rows] = part.made_by, part.refused
    return replace(like, value=value, quantiles=quantiles, made_by=made_by, refused=refused)


def sizes_by_month(kept: Kept, tasks: pl.DataFrame, seen: Seen, coverage: float) -> dict[str, Any]:
    """Memory for each task: Given by `headway`, WAYS, `request` and HINDSIGHT; `law` of Headway's.

    Where there is no model yet, or it says nothing, a task keeps its request. The bound is the
    constant that would have wasted least in that month, for each kind of task.
    """
    replayed, month = kept.replayed, month_of(tasks)
    numbers = np.unique(month)[1:]
    sizer, n = RightSizer(coverage), tasks.height
    first = {way: seen.request.copy() for way in WAYS}
    largest = {way: np.zeros(n) for way in WAYS}
    static: list[RightSizer] = []

    def paused(pause: int) -> None:
        if kept.static_from == 0 or numbers[pause] < kept.static_from:
            return
        if not static:
            static.append(RightSizer.load(sizer.save()))
        rows = np.flatnonzero(month == numbers[pause])
        for way, asked in (("monthly", sizer), ("static", static[0])):
            said = asked.size(replayed.features.take(rows), kept.by_way[way].value[rows, None])
            first[way][rows] = np.where(np.isnan(said.first), first[way][rows], said.first)
            largest[way][rows] = said.largest

    own = sizer.follow(
        replayed.features, replayed.estimate.value[:, None], replayed.kinds, replayed.rows,
        replayed.outcome, seen.runtime_s, pauses=pauses_of(replayed, tasks), paused=paused,
    )  # fmt: skip
    own_first = np.where(np.isnan(own.first), seen.request, own.first)
    given = {"headway": Given(own_first, largest=own.largest)}
    given |= {way: Given(first[way], largest=largest[way]) for way in WAYS}
    by_month = replace(seen, kind=seen.kind * (int(month.max()) + 1) + month)
    given |= {"request": Given(seen.request.copy()), HINDSIGHT: best_constant(by_month)}
    return {"given": given, "law": own.law}


def pauses_of(replayed: Replayed, tasks: pl.DataFrame) -> list[int]:
    """The places, in the order of a replay's events, at which the months after the first begin."""
    submitted_s = tasks["submitted_s"].to_numpy().astype(np.float64)
    ended_s = tasks["ended_s"].fill_null(np.nan).to_numpy()
    ended_s = np.fmax(ended_s, submitted_s)
    at_s = np.where(replayed.kinds == 0, submitted_s[replayed.rows], ended_s[replayed.rows])
    return [int(place) for place in np.searchsorted(at_s, month_starts(tasks))]


def limits_by_month(
    kept: Kept, seen: Seen, month: Integers, cpus: Floats, coverage: float
) -> dict[str, Floats]:
    """A time limit (n,) for each task by `headway`, WAYS, `request` and HINDSIGHT, in seconds.

    The smallest served quantile of at least `coverage`, at most the request, which stands where
    nothing is predicted; CHEAPEST is the quantile, or the request, of least expected waste however
    often it cuts. The bound is a constant as in `sizes_by_month`.
    """
    levels = kept.replayed.estimate.levels
    column = int(np.argmax(levels >= coverage - 1e-9))
    asked = {"headway": kept.replayed.estimate} | kept.by_way
    given = {way: _within(said.quantiles[:, column], seen.request) for way, said in asked.items()}
    given |= {CHEAPEST: cheapest_limits(kept.replayed.estimate, seen.request)}
    return given | {"request": seen.request.copy(), HINDSIGHT: best_limits(seen, month, cpus)}


def cheapest_limits(estimate: Estimate, request_s: Floats) -> Floats:
    """The served quantile, or the request, that is expected to hold least time, (n,) seconds.

    A limit L that is enough with probability p holds L, and (1 - p) times the request in the mean
    for the second attempt; the request holds itself.
    """
    offers = _within(estimate.quantiles, request_s[:, None])
    cost = offers + (1.0 - estimate.levels) * request_s[:, None]
    best = np.argmin(np.where(np.isnan(cost), np.inf, cost), axis=1)
    at = np.arange(len(request_s))
    return np.where(cost[at, best] < request_s, offers[at, best], request_s)


def _within(limit_s: Floats, request_s: Floats) -> Floats:
    """Limits between 1 s and the request, which stands where there is none."""
    kept = np.minimum(np.maximum(limit_s, 1.0), request_s)
    return np.where(np.isfinite(limit_s), kept, request_s)


def best_limits(seen: Seen, month: Integers, cpus: Floats) -> Floats:
    """For each kind of task in each month the limit that, given to all, wastes least, (n,).

    Waste counts by cpus (n,).
    """
    limit_s = np.full(len(seen.y), np.nan)
    runtime_s = np.minimum(seen.y, seen.request)
    known = np.flatnonzero(np.isfinite(runtime_s))
    group = seen.kind[known] * (int(month.max()) + 1) + month[known]
    order = known[np.argsort(group, kind="stable")]
    edges = np.flatnonzero(np.diff(np.sort(group, kind="stable"))) + 1
    grid = np.linspace(0.0, 1.0, MOST_CONSTANTS)
    for rows in np.split(order, edges):
        if len(rows):
            found = np.unique(np.quantile(runtime_s[rows], grid, method="higher"))
            each = np.minimum(found[:, None], seen.request[rows])
            cost = seconds_in_vain(each, runtime_s[rows], seen.request[rows])
            limit_s[rows] = each[int(np.argmin((cost * cpus[rows]).sum(axis=1)))]
    return limit_s


def seconds_in_vain(limit_s: Floats, runtime_s: Floats, request_s: Floats) -> Floats:
    """Seconds that a task's limits held beyond its runtime; a task that is cut runs in vain.

    A limit below the runtime takes the whole limit, then the request, which the cluster let the
    task keep (runtime_s at most request_s).
    """
    cut = limit_s < runtime_s
    return np.where(cut, limit_s + request_s - runtime_s, limit_s - runtime_s)
