"""The command line: reads what was asked, calls one function, prints what came."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from headway import __version__
from headway.cli import (
    following,
    foreseeing,
    growing,
    judging,
    learning,
    responding,
    retraining,
    rolling,
    serving,
    versions,
    watching,
)
from headway.errors import HeadwayError

app = typer.Typer(
    name="headway",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Headway learns from the history of batch tasks; sizes, orders and places the next ones."""
    if version:
        print(__version__)
        raise typer.Exit


app.command("import")(judging.import_)
app.command()(judging.optimize)
app.command()(judging.simulate)
app.command()(judging.replay)
app.command()(judging.tradeoffs)
app.command()(foreseeing.forecast)
app.command()(foreseeing.plan)
app.command()(watching.detect)
app.command()(watching.alerts)
app.command()(following.watch)
app.command()(responding.respond)
app.command()(serving.serve)
app.command()(serving.decisions)
app.command()(serving.status)
app.command()(versions.models)
app.command()(learning.configure)
app.command()(learning.tune)
train = typer.Typer(no_args_is_help=True, help="Train what a cluster may be steered by.")
train.callback()(lambda: None)
train.command("scheduler")(learning.train_scheduler)
train.command("elastic")(growing.train_elastic)
app.add_typer(train, name="train")
app.command()(retraining.retrain)
rollout = typer.Typer(no_args_is_help=True, help="Split traffic between two versions, by proof.")
for verb in (
    rolling.start, rolling.status, rolling.promote, rolling.pause, rolling.resume, rolling.rollback,
):  # fmt: skip
    rollout.command()(verb)
app.add_typer(rollout, name="rollout")
app.command()(learning.demo)


def main() -> None:
    """Run the command line; errors of the user are one sentence and exit status 2."""
    try:
        app(standalone_mode=True)
    except HeadwayError as error:
        print(f"headway: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as left:
        if left.code == 130:  # typer has caught Ctrl-C
            # A compiler that was stopped leaves objects that cannot be deleted, and says so.
            sys.unraisablehook = lambda _: None
            again = "with --resume" if sys.argv[1:2] in (["train"], ["tune"]) else "again"
            print(
                f"headway: stopped; what was stored is whole, run it {again} to go on",
                file=sys.stderr,
            )
        raise
