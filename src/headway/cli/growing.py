"""The command that trains the size of an elastic cluster."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from headway.cli.answers import answer, progress_bars
from headway.cli.options import (
    Columns,
    Format,
    Json,
    Procs,
    Seed,
    make_file_writable,
    open_histories,
)


def train_elastic(
    history: Annotated[Path, typer.Argument(metavar="HISTORY", help="A history file.")],
    node_procs: Annotated[int, typer.Option(min=1, help="Processors of a node.")] = 1,
    boot: Annotated[float, typer.Option(min=1.0, help="Seconds that a node boots.")] = 240.0,
    every: Annotated[float, typer.Option(min=60.0, help="Seconds between decisions.")] = 300.0,
    least: Annotated[int, typer.Option(min=0, help="Nodes that are always up.")] = 0,
    most: Annotated[int, typer.Option(min=0, help="Nodes at most; 0 = 4 times the cluster.")] = 0,
    price_node: Annotated[float, typer.Option(min=0.0, help="Price of a node's hour.")] = 0.05,
    price_wait: Annotated[float, typer.Option(min=0.0, help="Of an hour that a task waits.")] = 2.0,
    minutes: Annotated[float, typer.Option(min=0.0, help="Of training; 0 = no limit.")] = 0.0,
    decisions: Annotated[int, typer.Option(min=0, help="To train on; 0 = 800,000.")] = 0,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")] = False,
    out: Annotated[Path, typer.Option(help="File for the policy.")] = Path("elastic.npz"),
    format: Format = "",
    map: Columns = "",
    procs: Procs = 0,
    as_json: Json = False,
) -> None:
    """Learn when nodes of an elastic cluster should be added or released."""
    from headway.report.trained_elastic import trained_elastic_screen
    from headway.simulate.elastic import Terms
    from headway.simulate.elastic_batch import Prices
    from headway.train.autoscaler import train_autoscaler

    make_file_writable(out)
    with progress_bars() as progress:
        (trace,) = open_histories([history], format, map, procs, "")
        document = train_autoscaler(
            trace, out, per_node=node_procs,
            terms=Terms(boot_s=boot, every_s=every, least=least, most=most),
            prices=Prices(node_hour=price_node, waiting_hour=price_wait), clock=time.perf_counter,
            minutes=minutes, decisions=decisions, seed=seed, resume=resume, progress=progress,
        )  # fmt: skip
    answer(document, as_json, trained_elastic_screen)
