"""Commands that learn from a history or from runs: configure, tune, train, demo."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headway.cli.answers import answer, progress_bars
from headway.cli.options import (
    HOME,
    Columns,
    Format,
    Histories,
    Home,
    Json,
    Procs,
    Seed,
    columns,
    make_file_writable,
    numbers_of,
    open_histories,
    prices_of,
)

if TYPE_CHECKING:
    from headway.observe.trace import Trace


def configure(
    history: Histories,
    task: Annotated[str, typer.Option(help="Name of the recurring task.")],
    deadline: Annotated[float, typer.Option(help="Seconds that a run may take.")],
    input: Annotated[float, typer.Option(help="Bytes of the next input; 0 = not known.")] = 0.0,
    trials: Annotated[int, typer.Option(min=1, max=32, help="Runs to suggest at once.")] = 1,
    node_by: Annotated[str, typer.Option(help="Type of node: queue, node or none.")] = "queue",
    node_prices: Annotated[str, typer.Option(help="NODE=PRICE_HOUR,.. of node types.")] = "",
    price_core_hour: Annotated[float | None, typer.Option(help="Price of a core-hour.")] = None,
    price_gb_hour: Annotated[float | None, typer.Option(help="Price of a GB-hour.")] = None,
    currency: Annotated[str, typer.Option(help="What prices are in.")] = "",
    format: Format = "",
    map: Columns = "",
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Suggest cores, memory and node type for a task: the cheapest in time, and what to try."""
    from headway.configuration import configure_task
    from headway.history import tasks_of
    from headway.report.suggestions import configuration_screen

    with progress_bars() as progress:
        tasks, _ = tasks_of(open_histories(history, format, map, 0, ""), progress)
        prices, _ = prices_of(home, price_core_hour, price_gb_hour, currency)
        document = configure_task(
            tasks,
            task,
            deadline,
            prices,
            node_prices=numbers_of("node-prices", node_prices),
            node_field=node_by,
            input_bytes=input or None,
            trials=trials,
        )
    answer(document, as_json, configuration_screen)


def tune(
    history: Histories,
    target: Annotated[str, typer.Option(help="runtime or memory.")] = "runtime",
    minutes: Annotated[float, typer.Option(help="How long to search.")] = 10.0,
    member: Annotated[str, typer.Option(help="boosted or xgboosted.")] = "boosted",
    out: Annotated[Path, typer.Option(help="File for the settings found.")] = Path("tuned.json"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped search.")] = False,
    seed: Seed = 0,
    format: Format = "",
    map: Columns = "",
    as_json: Json = False,
) -> None:
    """Search settings of training on the earlier part of a history; show what they bring later."""
    from headway.report.tuned import tuned_screen
    from headway.tuning import tune_histories

    with progress_bars() as progress:
        document = tune_histories(
            open_histories(history, format, map, 0, ""),
            target=target,
            member=member,
            minutes=minutes,
            resume=resume,
            out=out,
            seed=seed,
            progress=progress,
        )
    answer(document, as_json, tuned_screen)


def demo(
    home: Home = HOME,
    report: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Run real tasks on this machine as a user would, learn, and measure the difference."""
    from headway.demo import run_demo
    from headway.report.demo_page import write_demo_report
    from headway.report.screen import demo_screen

    with progress_bars() as progress:
        document = run_demo(home=home, report_dir=report, seed=seed, progress=progress)
    write_demo_report(document, report)
    answer(document, as_json, demo_screen)


def train_scheduler(
    history: Histories,
    algo: Annotated[
        str,
        typer.Option(
            help="search, preferences, ppo, dqn, ppo-weights, constant-weights; "
            "hierarchical: workflows; multi-agent: a history of each cluster."
        ),
    ] = "search",
    minutes: Annotated[float, typer.Option(min=0.0, help="Of training; 0 = no limit.")] = 0.0,
    decisions: Annotated[int, typer.Option(min=0, help="To train on; 0 = 20 million.")] = 0,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")] = False,
    out: Annotated[Path, typer.Option(help="File for the policy.")] = Path("policy.npz"),
    format: Format = "",
    map: Columns = "",
    procs: Procs = 0,
    as_json: Json = False,
) -> None:
    """Learn an order of the queue from the first 60 % of histories' time.

    Use it with `headway simulate --policy learned:PATH`.
    """
    make_file_writable(out)
    if algo == "hierarchical":
        limits = (minutes, decisions, seed, resume)
        _train_workflows(history, out, limits, format, map, procs, as_json)
        return
    if algo == "multi-agent":
        limits = (minutes, decisions, seed, resume)
        _train_clusters(open_histories(history, format, map, procs, ""), out, limits, as_json)
        return
    from headway.report.trained import trained_screen
    from headway.training import train_scheduler as train

    with progress_bars() as progress:
        document = train(
            open_histories(history, format, map, procs, ""),
            out,
            algo=algo,
            clock=time.perf_counter,
            minutes=minutes,
            decisions=decisions,
            seed=seed,
            resume=resume,
            progress=progress,
        )
    answer(document, as_json, trained_screen)


def _train_workflows(
    history: list[Path], out: Path, limits: tuple[float, int, int, bool], format: str, map: str,
    procs: int, as_json: bool,
) -> None:  # fmt: skip
    """Learn who gets the executors of a cluster that runs workflows (of tasks with parents)."""
    from headway.history import workflows_of
    from headway.report.trained_workflows import trained_workflows_screen
    from headway.train.workflows import train_workflows

    minutes, decisions, seed, resume = limits
    with progress_bars() as progress:
        histories = workflows_of(history, progress, format=format, column_map=columns(map))
        document = train_workflows(
            histories, out, clock=time.perf_counter, executors=procs, minutes=minutes,
            decisions=decisions, seed=seed, resume=resume, progress=progress,
        )  # fmt: skip
    answer(document, as_json, trained_workflows_screen)


def _train_clusters(
    traces: list[Trace], out: Path, limits: tuple[float, int, int, bool], as_json: bool
) -> None:
    """Learn where several clusters send tasks and how they order them."""
    from headway.clusters import train_clusters
    from headway.report.trained_clusters import trained_clusters_screen

    minutes, decisions, seed, resume = limits
    with progress_bars() as progress:
        document = train_clusters(
            traces, out, clock=time.perf_counter, minutes=minutes, decisions=decisions, seed=seed,
            resume=resume, progress=progress,
        )  # fmt: skip
    answer(document, as_json, trained_clusters_screen)
