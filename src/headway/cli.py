"""The command line: reads what was asked, calls one function, prints what came."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headway import __version__
from headway.errors import ConfigError, HeadwayError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    name="headway",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Histories = Annotated[list[Path], typer.Argument(metavar="HISTORY...", help="History files.")]
Format = Annotated[
    str,
    typer.Option(help="swf, sacct, pbs, nextflow, wfformat or table; default: seen from content."),
]
Columns = Annotated[
    str, typer.Option("--map", metavar="COLUMN=FIELD,..", help="What a table's columns mean.")
]
Procs = Annotated[int, typer.Option(help="Processors of the cluster; default: what the file says.")]
Cluster = Annotated[
    str, typer.Option(help="Name of the cluster all files belong to; default: each file's name.")
]
Home = Annotated[Path, typer.Option(help="Folder of the log and the models.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
HOME = Path(".headway")
MOST_PROCS = 1_000_000_000


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Headway learns from the history of batch tasks; sizes, orders and places the next ones."""
    if version:
        print(__version__)
        raise typer.Exit


@app.command("import")
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
        traces = _open(history, format, map, procs, cluster)
        records = take_in(traces, _store(home), time.time(), progress)
    _answer(
        {"records": records, "home": str(home)}, as_json, lambda d: records_screen(d["records"])
    )


@app.command()
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
    as_json: Json = False,
) -> None:
    """Show what a history would have saved, and leave trained models behind."""
    from headway.history import history_of, take_in
    from headway.optimize import keep_models
    from headway.optimize import optimize as judge
    from headway.report.page import write_report
    from headway.report.screen import summary_screen

    began = time.perf_counter()
    _writable(report)
    prices, coverage = _prices(home, price_core_hour, price_gb_hour, currency)
    with progress_bars() as progress:
        store = _store(home)
        traces = _open(history, format, map, procs, cluster)
        records = take_in(traces, store, time.time(), progress)
        tasks, facts = history_of(traces, store)
        done = judge(tasks, facts, prices=prices, coverage=coverage, progress=progress)
        versions = keep_models(done, _models(home), time.time())
    document = {
        "records": records,
        **done.summary,
        "models": versions,
        "home": str(home),
        "report": str(report / "index.html"),
        "seconds": time.perf_counter() - began,
    }
    write_report(document, report)
    _answer(document, as_json, summary_screen)


@app.command()
def simulate(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A history file.")],
    procs: Procs = 0,
    policy: Annotated[str, typer.Option(help="Names joined by commas, or all.")] = "all",
    runtimes: Annotated[
        str, typer.Option(help="requested, predicted, true, joined by commas.")
    ] = "requested",
    protocol: Annotated[str, typer.Option(help="whole or rlscheduler.")] = "whole",
    backfill: Annotated[str, typer.Option(help="easy, reserve or none.")] = "",
    start: Annotated[int, typer.Option(help="First job of a slice, from 0.")] = 0,
    jobs: Annotated[int, typer.Option(help="Jobs of a slice; 0 = all.")] = 0,
    format: Format = "",
    map: Columns = "",
    as_json: Json = False,
) -> None:
    """Replay a trace under scheduling policies; one row for each policy and kind of runtimes."""
    from headway.optimize import simulate_trace
    from headway.report.screen import table_screen

    with progress_bars() as progress:
        opened = _open([trace], format, map, procs, "")[0]
        rows = simulate_trace(
            opened,
            policies=_names(policy),
            runtimes=_names(runtimes),
            protocol=protocol,
            backfill=backfill,
            start=start,
            jobs=jobs,
            progress=progress,
        )
    _answer(rows, as_json, table_screen)


@app.command()
def replay(
    history: Histories,
    target: Annotated[str, typer.Option(help="runtime, memory or failure.")] = "memory",
    protocol: Annotated[str, typer.Option(help="causal, causal-at-start or sizey.")] = "causal",
    months: Annotated[bool, typer.Option("--months", help="One row for each month too.")] = False,
    members: Annotated[
        str, typer.Option(help="More of xgboosted, neural, stream, online, gaussian.")
    ] = "",
    seed: Seed = 1996,
    probes: Annotated[int, typer.Option(help="Tasks of a new kind that run before the rest.")] = 0,
    format: Format = "",
    map: Columns = "",
    as_json: Json = False,
) -> None:
    """Predict every task of a history at its submission, beside the published methods.

    Memory: how often the first allocation is enough and what it wastes; runtime: how far off.
    """
    from headway.optimize import replay_histories
    from headway.report.replay_screen import replay_screen

    with progress_bars() as progress:
        traces = _open(history, format, map, 0, "")
        rows = replay_histories(
            traces, target=target, protocol=protocol, months=months, seed=seed, probes=probes,
            progress=progress, extras=_names(members) if members else (),
        )  # fmt: skip
    _answer(rows, as_json, replay_screen)


@app.command()
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
        tasks, _ = tasks_of(_open(history, format, map, 0, ""), progress)
        prices, _ = _prices(home, price_core_hour, price_gb_hour, currency)
        document = configure_task(
            tasks,
            task,
            deadline,
            prices,
            node_prices=_node_prices(node_prices),
            node_field=node_by,
            input_bytes=input or None,
            trials=trials,
        )
    _answer(document, as_json, configuration_screen)


@app.command()
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
            _open(history, format, map, 0, ""),
            target=target,
            member=member,
            minutes=minutes,
            resume=resume,
            out=out,
            seed=seed,
            progress=progress,
        )
    _answer(document, as_json, tuned_screen)


@app.command()
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
    _answer(document, as_json, demo_screen)


def progress_bars() -> Any:
    """Bars on stderr for what takes long; see headway.report.progress."""
    from headway.report.progress import bars

    return bars()


def _open(paths: list[Path], format: str, map: str, procs: int, cluster: str) -> list[Any]:
    from headway.history import open_traces

    if not 0 <= procs <= MOST_PROCS:
        raise ConfigError(
            f"procs must be in 1..{MOST_PROCS:,}, or 0 for what the file says, got {procs}"
        )
    return open_traces(
        paths, format=format, column_map=_columns(map), total_cpus=procs or None, cluster=cluster
    )


def _columns(text: str) -> dict[str, str]:
    """'COLUMN=FIELD,..' as a dictionary; ConfigError if it is not of that form."""
    pairs = [pair.split("=") for pair in text.split(",") if pair]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise ConfigError(f"map must be COLUMN=FIELD,COLUMN=FIELD.., got {text!r}")
    columns = {column.strip(): field.strip() for column, field in pairs}
    if len(columns) < len(pairs):
        raise ConfigError(f"map names a column twice; a column means one field, got {text!r}")
    return columns


def _node_prices(text: str) -> dict[str, float]:
    """'NODE=PRICE,..' as a dictionary; ConfigError if a price is none."""
    try:
        return {node: float(price) for node, price in _columns(text).items()}
    except ValueError:
        raise ConfigError(f"node-prices must be NODE=PRICE,.., got {text!r}") from None


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError("a list of names is empty; give names joined by commas")
    return names


def _store(home: Path) -> Any:
    from headway.store import DeltaStore

    return DeltaStore(str(home / "log"))


def _writable(folder: Path) -> None:
    """Make the folder of a report before the work begins; ConfigError if that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(f"report cannot be written to {folder}: {error.strerror}") from error


def _models(home: Path) -> Any:
    from headway.store import ModelStore

    return ModelStore(home)


def _prices(
    home: Path, core_hour: float | None, gb_hour: float | None, currency: str
) -> tuple[Any, float]:
    """Prices and the coverage asked for: the command line over config.toml over defaults."""
    from dataclasses import replace

    from headway.config import load_config
    from headway.optimize import Prices

    config = load_config(home)
    if core_hour is not None:
        config = replace(config, price_core_hour=core_hour)
    if gb_hour is not None:
        config = replace(config, price_gb_hour=gb_hour)
    prices = Prices(
        core_hour=config.price_core_hour,
        gb_hour=config.price_gb_hour,
        currency=currency or config.currency,
    )
    return prices, config.coverage


def _answer(document: Any, as_json: bool, screen: Callable[[Any], Any]) -> None:
    """Print a document as JSON, or as the screen made of it."""
    if as_json:
        from headway.report.numbers import plain

        _put(json.dumps(plain(document), allow_nan=False) + "\n")
        return
    from rich.console import Console

    text = StringIO()
    Console(file=text, force_terminal=sys.stdout.isatty() or None).print(screen(document))
    _put(text.getvalue())


def _put(text: str) -> None:
    """Write to stdout now: whoever reads it may be gone, as in a pipe to head, or its disk full."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(141) from None
        raise StoreError(
            f"the answer could not be written ({error.strerror}); free some space, run it again"
        ) from error


def main() -> None:
    """Run the command line; errors of the user are one sentence and exit status 2."""
    try:
        app(standalone_mode=True)
    except HeadwayError as error:
        print(f"headway: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as left:
        if left.code == 130:  # typer has caught Ctrl-C
            print(
                "headway: stopped; what was stored is whole, run it again to go on",
                file=sys.stderr,
            )
        raise


if __name__ == "__main__":
    main()
