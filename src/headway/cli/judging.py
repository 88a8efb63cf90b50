"""Commands that take a history in, or judge by it: import, optimize, simulate, replay."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from headway.cli.answers import answer, progress_bars
from headway.cli.options import (
    HOME,
    Cluster,
    Columns,
    Format,
    Histories,
    Home,
    Json,
    Mlflow,
    Procs,
    Seed,
    columns,
    make_writable,
    mirror_models,
    models_of,
    names,
    numbers_of,
    open_histories,
    prices_of,
    store_of,
)
from headway.errors import ConfigError


def import_(
    history: Histories,
    format: Format = "",
    map: Columns = "",
    procs: Procs = 0,
    cluster: Cluster = "",
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Take history files into the log; the same file again adds nothing."""
    from headway.history import take_in
    from headway.report.screen import records_screen

    with progress_bars() as progress:
        traces = open_histories(history, format, map, procs, cluster)
        records = take_in(traces, store_of(home), time.time(), progress)
    answer({"records": records, "home": str(home)}, as_json, lambda d: records_screen(d["records"]))


def optimize(
    history: Histories,
    format: Format = "",
    map: Columns = "",
    procs: Procs = 0,
    cluster: Cluster = "",
    price_core_hour: Annotated[float | None, typer.Option(help="Price of a core-hour.")] = None,
    price_gb_hour: Annotated[float | None, typer.Option(help="Price of a GB-hour.")] = None,
    currency: Annotated[str, typer.Option(help="What prices are in.")] = "",
    home: Home = HOME,
    report: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
    mlflow: Mlflow = "",
    as_json: Json = False,
) -> None:
    """Show what a history would have saved, and leave trained models behind."""
    from headway.history import history_of, take_in
    from headway.optimize import keep_models
    from headway.optimize import optimize as judge
    from headway.report.page import write_report
    from headway.report.screen import summary_screen

    began = time.perf_counter()
    make_writable(report)
    prices, coverage = prices_of(home, price_core_hour, price_gb_hour, currency)
    with progress_bars() as progress:
        store = store_of(home)
        traces = open_histories(history, format, map, procs, cluster)
        records = take_in(traces, store, time.time(), progress)
        tasks, facts = history_of(traces, store)
        done = judge(tasks, facts, prices=prices, coverage=coverage, progress=progress)
        versions = keep_models(done, models_of(home), time.time())
        if "history" in versions:
            mirror_models(home, mlflow)
    document = {
        "records": records,
        **done.summary,
        "models": versions,
        "home": str(home),
        "report": str(report / "index.html"),
        "seconds": time.perf_counter() - began,
    }
    write_report(document, report)
    answer(document, as_json, summary_screen)


def simulate(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A history file.")],
    procs: Procs = 0,
    policy: Annotated[
        str, typer.Option(help="Names joined by commas, learned:PATH, or all rules.")
    ] = "all",
    runtimes: Annotated[
        str, typer.Option(help="requested, predicted, true, joined by commas.")
    ] = "requested",
    protocol: Annotated[str, typer.Option(help="whole or rlscheduler.")] = "whole",
    backfill: Annotated[str, typer.Option(help="easy, reserve or none.")] = "",
    start: Annotated[int, typer.Option(help="First job of a slice, from 0.")] = 0,
    jobs: Annotated[int, typer.Option(help="Jobs of a slice; 0 = all.")] = 0,
    prefer: Annotated[
        str, typer.Option(metavar="NAME=WEIGHT,..", help="What counts to learned:preferences.")
    ] = "",
    format: Format = "",
    map: Columns = "",
    as_json: Json = False,
) -> None:
    """Replay a trace under scheduling policies; one row for each policy and kind of runtimes."""
    from headway.history import workflows_of
    from headway.observe.workflows import is_tpch
    from headway.optimize import simulate_trace
    from headway.report.screen import table_screen
    from headway.simulate.dag_compare import is_for_workflows, play_workflows

    if is_tpch(trace) or is_for_workflows(names(policy)):
        if start or prefer or backfill or (runtimes, protocol) != ("requested", "whole"):
            raise ConfigError("workflows are simulated with policy, procs, jobs, format, map alone")
        with progress_bars() as progress:
            found = workflows_of([trace], progress, format=format, column_map=columns(map))
            (kinds,) = found.values()
            rows = play_workflows(
                kinds, names(policy), clock=time.perf_counter, executors=procs, jobs=jobs,
                progress=progress,
            )  # fmt: skip
        answer(rows, as_json, table_screen)
        return
    with progress_bars() as progress:
        opened = open_histories([trace], format, map, procs, "")[0]
        rows = simulate_trace(
            opened,
            policies=names(policy),
            runtimes=names(runtimes),
            protocol=protocol,
            backfill=backfill,
            start=start,
            jobs=jobs,
            prefer=numbers_of("prefer", prefer),
            progress=progress,
        )
    answer(rows, as_json, table_screen)


def replay(
    history: Histories,
    target: Annotated[str, typer.Option(help="runtime, memory or failure; default: memory.")] = "",
    protocol: Annotated[str, typer.Option(help="causal, causal-at-start or sizey.")] = "causal",
    months: Annotated[
        bool, typer.Option("--months", help="Each month from an empty engine; with target: rows.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for a page of the months.")] = None,
    members: Annotated[
        str, typer.Option(help="More of xgboosted, neural, stream, online, gaussian.")
    ] = "",
    seed: Seed = 1996,
    probes: Annotated[int, typer.Option(help="Tasks of a new kind that run before the rest.")] = 0,
    procs: Procs = 0,
    format: Format = "",
    map: Columns = "",
    as_json: Json = False,
) -> None:
    """Predict every task of a history at its submission, beside the published methods.

    Memory: how often the first allocation is enough and what it wastes; runtime: how far off.
    With --months and no target: what memory, time limits and the queue would have been each month.
    """
    if months and not target:
        if (protocol, members, probes) != ("causal", "", 0):
            raise ConfigError("months of memory, time and queue are causal, with usual members")
        _replay_months(open_histories(history, format, map, procs, ""), report, as_json)
        return
    if report is not None:
        raise ConfigError("a report is made of --months without --target")
    from headway.optimize import replay_histories
    from headway.report.replay_screen import replay_screen

    with progress_bars() as progress:
        traces = open_histories(history, format, map, procs, "")
        rows = replay_histories(
            traces, target=target or "memory", protocol=protocol, months=months, seed=seed,
            probes=probes, progress=progress, extras=names(members) if members else (),
        )  # fmt: skip
    answer(rows, as_json, replay_screen)


def _replay_months(traces: list[Any], report: Path | None, as_json: bool) -> None:
    """The document and the page of `headway replay --months`."""
    from headway.months import replay_months
    from headway.report.months import months_screen, write_months

    if report is not None:
        make_writable(report)
    with progress_bars() as progress:
        rows = replay_months(traces, progress=progress)
    if report is not None:
        write_months(rows, report)
    answer(rows, as_json, months_screen)


def tradeoffs(
    history: Annotated[Path, typer.Argument(metavar="HISTORY", help="A history file.")],
    policy: Annotated[
        str, typer.Option(help="learned:PATH of a policy that takes preferences.")
    ] = "learned:preferences",
    report: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
    format: Format = "",
    map: Columns = "",
    procs: Procs = 0,
    as_json: Json = False,
) -> None:
    """Show what a cluster can have more of and what that costs: wait, fairness, energy and others.

    Plays the later part of a history under the standard rules and one policy at many preferences.
    """
    from headway.report.tradeoffs import tradeoffs_screen, write_tradeoffs
    from headway.schedule.learned import learned_named
    from headway.tradeoffs import tradeoffs as weigh

    began = time.perf_counter()
    make_writable(report)
    with progress_bars() as progress:
        trace = open_histories([history], format, map, procs, "")[0]
        document = weigh(trace, learned_named(policy), progress=progress)
    document |= {
        "report": str(report / "index.html"),
        "seconds": time.perf_counter() - began,
    }
    write_tradeoffs(document, report)
    answer(document, as_json, tradeoffs_screen)
