"""The command about trained models: models."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from headway.cli.answers import answer
from headway.cli.options import HOME, By, Home, Json, who

ACTIONS = ("list", "promote", "rollback", "prune", "mirror")


def models(
    action: Annotated[
        str, typer.Argument(metavar="[ACTION]", help="list, promote, rollback, prune, mirror.")
    ] = "list",
    version: Annotated[
        str, typer.Argument(metavar="[VERSION]", show_default=False, help="Of the training.")
    ] = "",
    keep: Annotated[int, typer.Option(min=1, help="prune: so many of the newest stay.")] = 10,
    why: Annotated[str, typer.Option(help="Kept with the switch.")] = "",
    mlflow: Annotated[str, typer.Option(help="mirror: to this server; default: the home.")] = "",
    by: By = "",
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """List the trainings of a home; make one current, go back, throw old ones away."""
    from headway.errors import ConfigError
    from headway.report.versions import versions_screen
    from headway.serve.versions import promote, prune, roll_back, versions_of

    if action not in ACTIONS:
        raise ConfigError(f"action must be one of {', '.join(ACTIONS)}, got {action!r}")
    if version and action not in ("promote", "rollback"):
        raise ConfigError(f"headway models {action} takes no version, got {version!r}")
    removed = prune(home, keep) if action == "prune" else []
    if action in ("promote", "rollback"):
        do = promote if action == "promote" else roll_back
        do(home, version, by=by or who(), why=why, now_s=time.time())
    document = versions_of(home) | {"removed": removed}
    if action == "mirror":
        from headway.serve.mirror import mirror

        document["mlflow"] = mirror(home, mlflow)
    answer(document, as_json, versions_screen)
