"""A history lived through again: what was asked, what could be known, what could be saved.

The same parts as in the live engine, driven by the events of a history; the answer is one document,
whose keys the command line promises.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
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
from headway.store.fingerprint import fingerprint
from headway.store.models import ModelMeta
from headway.store.revision import revision
from headway.verify import recommend
from headway.verify.advice import recommendations
from headway.verify.answers import answers
from headway.verify.failure import failure_rows
from headway.verify.judge import rows, sized
from headway.verify.probes import probed
from headway.verify.replay import Replayed, replay
from headway.verify.requests import compare_requests
from headway.verify.schedules import compare_schedules
from headway.verify.summary import prediction_summary, taught_on

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
    taught_on: Mapping[str, float]  # outcomes, and newest_s: the last end of the history
    data_version: str = ""  # of the tasks: the same for the same ones, in any order


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
    compared = compare_schedules(tasks, facts, replays.get("runtime_s"), silent, progress)
    summary = {
        "history": _history(tasks, facts),
        "requests": requests,
        "prediction": prediction,
        "schedules": compared["schedules"],
        "gain": compared["gain"],
        "learned": compared["learned"],
        "machine": compared["machine"],
        "prices": {
            "core_hour": prices.core_hour, "gb_hour": prices.gb_hour, "currency": prices.currency,
        },
        "could_not_judge": silent,
    }  # fmt: skip
    summary["recommendations"] = recommendations(summary)
    memory = replays.get("memory_bytes")
    sizer = None if memory is None or memory.refused else sized(memory, tasks, coverage)[0]
    return Optimized(
        summary=summary, replays=replays, sizer=sizer, data_version=version_of(tasks),
        taught_on=taught_on(tasks),
    )  # fmt: skip


def version_of(tasks: pl.DataFrame) -> str:
    """The version of a history: of so many tasks, whatever their order, these."""
    columns = [name for name in tasks.columns if not tasks[name].is_null().all()]
    total = int(fingerprint(tasks, columns).sum(dtype=np.uint64))
    return f"{tasks.height}-{total:016x}"


def keep_models(done: Optimized, models: ModelStore, now_s: float) -> dict[str, str]:
    """Publish the trained predictors with the history of features; their versions by name."""
    versions = {}
    for target, replayed in done.replays.items():
        name = target.removesuffix("_s").removesuffix("_bytes")
        said = done.summary["prediction"][name]
        metrics = {
            key: float(value) for key, value in said.items()
            if isinstance(value, int | float) and np.isfinite(value)
        }  # fmt: skip
        metrics |= {key: float(done.taught_on[key]) for key in done.taught_on}
        meta = ModelMeta(
            created_s=now_s, features_version=replayed.features.version, metrics=metrics,
            data_version=done.data_version, git_revision=revision(),
        )  # fmt: skip
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
    prefer: Mapping[str, float] | None = None,
    progress: Progress,
) -> list[dict[str, Any]]:
    """The rows of `headway simulate`: policies beside each other on one trace."""
    backfills = (backfill,) if backfill else ()
    compare.checked(policies, runtimes, protocol, backfills, prefer)  # before what takes long
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
        backfills=backfills,
        predicted_s=predicted_s,
        backfill_s=backfill_s,
        start=start,
        jobs=jobs,
        prefer=prefer,
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
