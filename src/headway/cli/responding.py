"""The command that acts on alerts: respond."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from headway.cli.answers import answer
from headway.cli.options import HOME, By, Home, Json, who


def respond(
    verb: Annotated[
        str,
        typer.Argument(
            metavar="[approve|refuse|undo|stop|start]", show_default=False,
            help="What a person decided; nothing = look at the alerts.",
        ),
    ] = "",
    action: Annotated[
        str, typer.Argument(metavar="[ID]", show_default=False, help="Of the action.")
    ] = "",
    mode: Annotated[
        str, typer.Option(help="observe (say what would be done), propose or act.")
    ] = "observe",
    rules: Annotated[
        Path | None, typer.Option(help="Rule file; default: respond.toml in the home folder.")
    ] = None,
    by: By = "",
    home: Home = HOME,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Act on alerts by rules: observe, propose for a person to approve, or act within limits."""
    from headway.report.responses import responses_screen
    from headway.responding import respond_home

    document = respond_home(
        home, verb, action, mode=mode, rules=rules, by=by or who(), now_s=time.time()
    )
    answer(document, as_json, responses_screen)
