"""The commands about what is served: serve, status, decisions."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from headway.cli.answers import answer, progress_bars
from headway.cli.options import HOME, Home, Json

Expires = Annotated[
    float, typer.Option(min=0.001, help="Days after which no outcome is waited for any more.")
]


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = a free one.")] = 8400,
    token_file: Annotated[
        Path | None, typer.Option(help="Lines 'TOKEN SCOPE,SCOPE'; needed if others can reach it.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate (PEM): serve HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Key of the certificate (PEM).")] = None,
    home: Home = HOME,
) -> None:
    """Answer over HTTP from a home's trained models until stopped."""
    from headway.serve.reach import Reach
    from headway.serve.run import serve as run

    reach = Reach(host=host, port=port, token_file=token_file, certificate=tls_cert, key=tls_key)
    run(home, reach, lambda at: print(f"Serving on {at}", file=sys.stderr))
    logging.shutdown()
    sys.stderr.flush()
    # All is kept and closed. A precaution: a thread of the HTTP library that waits for Python could
    # abort a process that winds it down (status -6). Without this line 60 of 60 ends under load
    # had status 0.
    os._exit(0)


def decisions(
    expires_days: Expires = 14.0,
    check_skew: Annotated[
        bool, typer.Option("--check-skew", help="Make features again from the logs and compare.")
    ] = False,
    is_folding: Annotated[
        bool, typer.Option("--fold", help="Move journals of over two weeks ago into the log.")
    ] = False,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Count the answers that were given and what became of them, by model version."""
    from headway.report.decisions import decisions_screen
    from headway.serve.status import decisions_of

    folded = {}
    if is_folding:
        from headway.serve.folding import fold

        with progress_bars() as progress:
            folded = {"folded": fold(home, time.time(), progress)}
    document = folded | decisions_of(home, time.time(), expires_s=86400.0 * expires_days)
    if check_skew:
        from headway.serve.skew import skew

        document["skew"] = skew(home)
    answer(document, as_json, decisions_screen)


def status(home: Home = HOME, as_json: Json = False) -> None:
    """Show which models a home's answers are made of, and what became of the answers."""
    from headway.report.decisions import status_screen
    from headway.serve.status import status_of

    answer(status_of(home, time.time()), as_json, status_screen)
