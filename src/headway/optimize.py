"""A history lived through again: what was asked, what could be known, what could be saved.

The same parts as in the live engine, driven by the events of a history; the answer is one document,
whose keys the command line promises.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.errors import ConfigError, NotEnoughData
from headway.history import tasks_of
from headway.predict import save
from headway.schedule.learned import BACKFILL_LEVEL
from headway.simulate import compare
from headway.simulate.workload import Workload, workload_from
from headway.store.models import ModelMeta
from headway.verify import recommend
from headway.verify.advice import recommendations
from headway.verify.answers import answers
from headway.verify.failure import failure_rows
from headway.verify.judge import rows, sized
from headway.verify.probes import probed
from headway.verify.replay import Replayed, replay
from headway.verify.requests import compare_requests
from headway.verify.summary import prediction_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headway.observe.trace import Trace
    from headway.predict.sizing import RightSizer
    from headway.records import ClusterFacts
    from headway.store import ModelStore
    from headway.verify.answers import Answers

    Progress = Callable[[str, float], None]  # what is being done, share done in [0, 1]

log = logging.getLogger(__name__)

TARGETS: Final = {"runtime": "runtime_s", "memory": "memory_bytes"}
LEAST_TASKS: Final = 50  # fewer cannot be split into a part to choose on and one to judge on
GRAPHLESS: Final = (
    "schedules: this format does not say which task waits for which, so tasks are simulated as if "
    "none did; the gain of another order is doubtful"
)
MONTH_S: Final = 30 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What is paid for an hour of a core and of a GB of memory that is held."""

    core_hour: float
    gb_hour: float
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimized:
    """The document of a history, and the replays that hold the trained models by target."""

    summary: dict[str, Any]
    replays: Mapping[str, Replayed]
    sizer: RightSizer | None  # None = no peak memory was known


def optimize(
    tasks: pl.DataFrame,
    facts: Sequence[ClusterFacts],
    *,
    prices: Prices,
    coverage: float,
    progress: Progress,
) -> Optimized:
    """What a history shows: requests against use, what could be predicted, what could be saved.

    A part that the columns do not allow says so in `could_not_judge`; NotEnoughData only if there
    is no task at all.
    """
    if tasks.is_empty():
        raise NotEnoughData("the history holds no task that can be believed; see its quarantine")
    silent: list[str] = []
    requests = compare_requests(tasks, prices.core_hour, prices.gb_hour)
    replays, prediction = _predict(tasks, prices, coverage, silent, progress)
    compared = _compare(tasks, facts, replays.get("runtime_s"), silent, progress)
    summary = {
        "history": _history(tasks, facts),
        "requests": requests,
        "prediction": prediction,
        "schedules": compared["schedules"],
        "gain": compared["gain"],
        "machine": compared["machine"],
        "prices": {
            "core_hour": prices.core_hour, "gb_hour": prices.gb_hour, "currency": prices.currency,
        },
        "could_not_judge": silent,
    }  # fmt: skip
    summary["recommendations"] = recommendations(summary)
    memory = replays.get("memory_bytes")
    sizer = None if memory is None or memory.refused else sized(memory, tasks, coverage)[0]
    return Optimized(summary=summary, replays=replays, sizer=sizer)


def keep_models(done: Optimized, models: ModelStore, now_s: float) -> dict[str, str]:
    """Publish the trained predictors with the history of features; their versions by name."""
    versions = {}
    for target, replayed in done.replays.items():
        name = target.removesuffix("_s").removesuffix("_bytes")
        said = done.summary["prediction"][name]
        metrics = {key: float(said[key]) for key in said if key.startswith("coverage_")}
        meta = ModelMeta(
            created_s=now_s, features_version=replayed.features.version, metrics=metrics
        )
        versions[name] = models.publish(name, save(replayed.predictor), meta)
        if target == "memory_bytes" and done.sizer is not None:
            versions["sizing"] = models.publish("sizing", done.sizer.save(), meta)
        if target == "runtime_s":
            versions["history"] = models.publish("history", replayed.history.save(), meta)
    return versions


def simulate_trace(
    trace: Trace,
    *,
    policies: Sequence[str],
    runtimes: Sequence[str],
    protocol: str,
    backfill: str,
    start: int,
    jobs: int,
    progress: Progress,
) -> list[dict[str, Any]]:
    """The rows of `headway simulate`: policies beside each other on one trace."""
    tasks, facts = tasks_of([trace], progress)
    if facts[0].total_cpus is None:
        raise NotEnoughData(f"{trace.path.name} does not say how many processors tasks took")
    if protocol == "rlscheduler" and facts[0].format == "swf":
        tasks = tasks.head(10_000)  # as published: the first 10,000 lines of a trace
    workload = workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))
    _say_what_was_assumed(facts[0], tasks, workload)
    predicted_s, backfill_s = None, None
    if "predicted" in runtimes:
        what = "Replaying runtimes"
        replayed = replay(tasks, "runtime_s", orders=True, progress=partial(progress, what))
        predicted_s = recommend.value_of(workload, replayed.estimate)
        backfill_s = recommend.quantile_of(workload, replayed.estimate, BACKFILL_LEVEL)
    return compare.rows(
        workload,
        policies,
        runtimes,
        clock=time.perf_counter,
        protocol=protocol,
        backfills=(backfill,) if backfill else (),
        predicted_s=predicted_s,
        backfill_s=backfill_s,
        start=start,
        jobs=jobs,
        progress=lambda _, share: progress("Simulating", share),
    )


def _say_what_was_assumed(facts: ClusterFacts, tasks: pl.DataFrame, workload: Workload) -> None:
    """Warn of what was guessed and of tasks that were left out."""
    for doubt in facts.doubts:
        log.warning("%s", doubt)
    if workload.too_wide:
        log.warning(
            "%d tasks want more than %d processors and were left out",
            workload.too_wide, workload.total_procs,
        )  # fmt: skip
    if tasks["parents"].list.len().max():
        log.warning("tasks wait for others in this history; they are simulated as if none did")


def replay_histories(
    traces: Sequence[Trace],
    *,
    target: str,
    protocol: str,
    months: bool,
    seed: int,
    progress: Progress,
    probes: int = 0,
    extras: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The rows of `headway replay`: predictions of every task beside the plain methods.

    probes: how many tasks of each new kind run before the others may start; 0 = all start as they
    did. What that cost in time stands in `probing` of the rows.
    """
    targets = {**TARGETS, "failure": "failure"}
    if target not in targets:
        raise ConfigError(f"target must be one of {', '.join(targets)}, got {target!r}")
    tasks, _ = tasks_of(traces, progress, in_order=protocol != "sizey")
    cost: dict[str, Any] = {}
    if probes:
        if protocol != "causal-at-start":
            message = f"probes need the protocol causal-at-start, got {protocol!r}"
            raise ConfigError(message)
        held = probed(tasks, probes)
        tasks, cost = held.tasks, {"probing": {"probes": probes} | held.cost()}
    what = f"Replaying {target}"
    began = time.perf_counter()
    replayed = replay(
        tasks,
        targets[target],
        protocol=protocol,
        seed=seed,
        extras=extras,
        progress=partial(progress, what),
    )
    took_us = 1e6 * (time.perf_counter() - began) / max(tasks.height, 1)
    if replayed.refused:
        raise NotEnoughData(replayed.refused)
    if target == "failure":
        return failure_rows(replayed, tasks, months=months, us_per_prediction=took_us)
    said = answers(replayed, tasks, headway_us=took_us, clock=time.perf_counter, progress=progress)
    found = rows(replayed, tasks, said)
    if months:
        found = _rows_by_month(replayed, tasks, said) + found
    return [row | cost for row in found]


def _rows_by_month(replayed: Replayed, tasks: pl.DataFrame, said: Answers) -> list[dict[str, Any]]:
    """The rows of all workflows for each month of 30 days from the first submission, from 1."""
    at_s = tasks["submitted_s"].to_numpy()
    month = ((at_s - at_s.min()) // MONTH_S).astype(np.int64) + 1
    found = []
    for number in np.unique(month):
        mine = rows(replayed, tasks, said, month == number)
        found += [{"month": int(number)} | row for row in mine if row["workflow"] == "all"]
    return found


def _predict(
    tasks: pl.DataFrame, prices: Prices, coverage: float, silent: list[str], progress: Progress
) -> tuple[dict[str, Replayed], dict[str, Any]]:
    """Replays of runtime and memory, and what they show."""
    replays: dict[str, Replayed] = {}
    shown = {}
    for name, target in TARGETS.items():
        what = f"Replaying {name} causally"
        progress(what, 0.0)
        replayed = replay(
            tasks, target, described=replays.get("runtime_s"), orders=True,
            progress=partial(progress, what),
        )  # fmt: skip
        shown[name] = prediction_summary(replayed, tasks, coverage, prices.gb_hour)
        if "why" in shown[name]:
            silent.append(f"{name}: {shown[name]['why']}")
        else:
            replays[target] = replayed
        progress(what, 1.0)
    return replays, shown


def _compare(
    tasks: pl.DataFrame,
    facts: Sequence[ClusterFacts],
    runtimes: Replayed | None,
    silent: list[str],
    progress: Progress,
) -> dict[str, Any]:
    """What the cluster would have done under each rule, and what Headway would have made of it."""
    empty: dict[str, Any] = {"schedules": [], "gain": {}, "machine": {}}
    workload, reason = _workload(tasks, facts)
    if workload is None:
        silent.append(reason)
        return empty
    if reason:
        silent.append(reason)
    requested = recommend.requested_plans(workload)
    clairvoyant = recommend.clairvoyant_plan(workload)
    learned = []
    if runtimes is not None:
        learned = recommend.predicted_plans(workload, runtimes.estimate)
        user = runtimes.features.column("user")[workload.rows].astype(np.int64)
        learned += recommend.headway_plans(workload, runtimes.estimate, user)
    else:
        silent.append("schedules with predicted runtimes: no runtime could be predicted")
    steps, what = _Steps(progress, 2 * len(requested) + len(learned) + 3), "Simulating schedules"
    chosen = recommend.choose(workload, [*requested, *learned], progress=lambda: steps.next(what))
    plans = [*requested, *[p for p in learned if p.policy != "headway" or p is chosen], clairvoyant]
    judged = []
    for plan in plans:
        judged.append(recommend.judge(workload, plan))
        steps.next(what)
    taken = next(j for j in judged if j.plan is chosen)
    gain = recommend.gain(workload, judged[0], taken, judged[-1])
    machine = {
        "total_cpus": workload.total_procs,
        "tasks_simulated": len(workload),
        "without_runtime": workload.without_runtime,
        "without_cpus": workload.without_procs,
        "too_wide": workload.too_wide,
    }
    return {
        "schedules": [recommend.row(workload, j) for j in judged],
        "gain": gain,
        "machine": machine,
    }


def _workload(tasks: pl.DataFrame, facts: Sequence[ClusterFacts]) -> tuple[Workload | None, str]:
    """The largest cluster's tasks as a workload; else None. The reason says what was left out."""
    clusters = tasks["cluster"].value_counts(sort=True)["cluster"]
    first = clusters[0]
    mine_facts = [f for f in facts if f.cluster == first]
    fact = max(mine_facts, key=lambda f: f.total_cpus or 0.0)
    zero_s = min(f.zero_s for f in mine_facts)
    reason = f"only {first} was simulated of {len(clusters)} clusters" if len(clusters) > 1 else ""
    if fact.total_cpus is None:
        return None, "schedules: no column says how many processors tasks took"
    mine = tasks.with_row_index("row").filter(
        (pl.col("cluster") == first) & (pl.col("ended_s").is_not_null())
    )
    if mine.is_empty():
        return None, "schedules: no column says when tasks started or how long they ran"
    if mine["parents"].list.len().max():
        reason = "schedules: tasks that wait for others (a workflow graph) are not simulated yet"
        return None, reason
    try:
        workload = workload_from(mine, zero_s, int(fact.total_cpus))
    except NotEnoughData as error:
        return None, f"schedules: {error}"
    if len(workload) < LEAST_TASKS or workload.submit_s[-1] <= workload.submit_s[0]:
        return None, f"schedules: {len(workload)} tasks are too few, {LEAST_TASKS} are needed"
    workload, guessed = _without_foresight(workload, mine)
    reasons = [reason, guessed, GRAPHLESS if fact.format == "nextflow" else ""]
    reason = "; ".join(sentence for sentence in reasons if sentence)
    at = mine["row"].to_numpy().astype(np.int64)[workload.rows]
    left_out = int((tasks["cluster"] == first).sum()) - mine.height
    return replace(workload, rows=at, without_runtime=workload.without_runtime + left_out), reason


def _without_foresight(workload: Workload, tasks: pl.DataFrame) -> tuple[Workload, str]:
    """The workload with a request for each task that made none, and a sentence if there are any.

    Such a task is taken to ask for the longest runtime of the first part of the history: its own
    runtime, which the simulator would take, is what nobody knew.
    """
    asked = tasks["limit_s"].fill_null(0.0).to_numpy()[workload.rows]
    is_silent = asked <= 0.0
    if not is_silent.any():
        return workload, ""
    longest_s = float(workload.runtime_s[recommend.is_early(workload)].max())
    requested_s = np.where(is_silent, longest_s, workload.requested_s)
    sentence = (
        f"requested runtimes of {is_silent.sum():,} simulated tasks: none is known, so each is "
        f"taken to ask for {longest_s:,.0f} s, the longest of the first {recommend.SHARE:.0%}"
    )
    return replace(workload, requested_s=requested_s), sentence


class _Steps:
    """Counts steps of a known number for a progress bar."""

    def __init__(self, progress: Progress, of: int) -> None:
        self._progress, self._of, self._done = progress, of, 0

    def next(self, what: str) -> None:
        self._done += 1
        self._progress(what, min(1.0, self._done / self._of))


def _history(tasks: pl.DataFrame, facts: Sequence[ClusterFacts]) -> dict[str, Any]:
    """What the history is: from when to when, how many tasks and users."""
    first, last = tasks.select(
        pl.col("submitted_s").min(), pl.max_horizontal("ended_s", "submitted_s").max().alias("e")
    ).row(0)
    return {
        "files": [f.source for f in facts],
        "formats": sorted({f.format for f in facts}),
        "clusters": sorted({f.cluster for f in facts}),
        "tasks": tasks.height,
        "users": tasks["user"].drop_nulls().n_unique(),
        "first_s": first,
        "last_s": last,
        "months": (last - first) / MONTH_S,
    }
