"""The commands about what is served: status, decisions."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from headway.cli.answers import answer
from headway.cli.options import HOME, Home, Json

Expires = Annotated[
    float, typer.Option(min=0.001, help="Days after which no outcome is waited for any more.")
]


def decisions(expires_days: Expires = 14.0, home: Home = HOME, as_json: Json = False) -> None:
    """Count the answers that were given and what became of them, by model version."""
    from headway.report.decisions import decisions_screen
    from headway.serve.status import decisions_of

    document = decisions_of(home, time.time(), expires_s=86400.0 * expires_days)
    answer(document, as_json, decisions_screen)


def status(home: Home = HOME, as_json: Json = False) -> None:
    """Show which models a home's answers are made of, and what became of the answers."""
    from headway.report.decisions import status_screen
    from headway.serve.status import status_of

    answer(status_of(home, time.time()), as_json, status_screen)
