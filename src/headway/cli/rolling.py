"""The commands about rollouts: start, status, promote, pause, resume, rollback."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from headway.cli.answers import answer
from headway.cli.options import HOME, By, Home, Json, make_writable, numbers_of, who

Id = Annotated[str, typer.Argument(metavar="[ID]", show_default=False, help="Default: the newest.")]
Why = Annotated[str, typer.Option(help="Kept with the decision.")]


def start(
    challenger: Annotated[
        str, typer.Argument(metavar="[VERSION]", show_default=False, help="Default: the newest.")
    ] = "",
    champion: Annotated[str, typer.Option(help="Default: the current version.")] = "",
    shares: Annotated[str, typer.Option(help="Rising shares of traffic; 0 = shadow.")] = (
        "0,0.01,0.05,0.25,0.5"
    ),
    key: Annotated[str, typer.Option(help="What keeps its arm: task, user or workflow.")] = "task",
    metric: Annotated[
        str, typer.Option(help="What decides: failures, uncovered, waste, wait, ..")
    ] = "failures",
    margins: Annotated[
        str, typer.Option(metavar="METRIC=X,..", help="What guardrails may get worse by.")
    ] = "",
    dwell_s: Annotated[float, typer.Option(min=0, help="Least seconds at a share.")] = 3600.0,
    dwell_outcomes: Annotated[
        int, typer.Option(min=0, help="Least outcomes of the challenger at a share.")
    ] = 200,
    budget_s: Annotated[
        float, typer.Option(min=0, help="Seconds after which it ends inconclusive.")
    ] = 14 * 86400.0,
    silent_s: Annotated[
        float, typer.Option(min=0, help="Seconds without outcomes after which it is taken back.")
    ] = 6 * 3600.0,
    by: By = "",
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Begin to roll out a version of a home's models, in shadow first."""
    from headway.errors import ConfigError
    from headway.rollout import Plan
    from headway.serve.judging import metrics_of
    from headway.serve.rollouts import start as begin

    try:
        steps = tuple(float(share) for share in shares.split(","))
    except ValueError:
        raise ConfigError(f"shares must be numbers and commas, got {shares!r}") from None
    plan = Plan(
        shares=steps, dwell_s=dwell_s, dwell_outcomes=dwell_outcomes, budget_s=budget_s,
        silent_s=silent_s, key=key, metric=metric,
        margins=tuple(numbers_of("margins", margins).items()),
    )  # fmt: skip
    metrics_of(plan)
    begun = begin(home, challenger, champion=champion, plan=plan, by=by or who())
    _show(home, begun.rollout_id, as_json)


def status(
    rollout_id: Annotated[
        str, typer.Argument(metavar="[ID]", show_default=False, help="Default: all.")
    ] = "",
    report: Annotated[Path | None, typer.Option(help="Folder for a page of the newest.")] = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Show how far rollouts have come, their verdicts and why."""
    from headway.errors import ConfigError

    if not home.is_dir():
        raise ConfigError(f"there is no home {home}: make one with headway optimize --home")
    found = _show(home, rollout_id, as_json)
    if report is not None:
        from headway.report.rollouts import write_rollout

        if not found:
            raise ConfigError("there is no rollout to report on: headway rollout start begins one")
        make_writable(report)
        write_rollout(found[0], report)


def promote(
    rollout_id: Id = "", why: Why = "", by: By = "", home: Home = HOME, as_json: Json = False
) -> None:
    """Give the challenger all traffic now."""
    _decide("promote", rollout_id, why, by, home, as_json)


def pause(
    rollout_id: Id = "", why: Why = "", by: By = "", home: Home = HOME, as_json: Json = False
) -> None:
    """Stay at this share; guardrails still take it back."""
    _decide("pause", rollout_id, why, by, home, as_json)


def resume(
    rollout_id: Id = "", why: Why = "", by: By = "", home: Home = HOME, as_json: Json = False
) -> None:
    """Go on from where it was paused."""
    _decide("resume", rollout_id, why, by, home, as_json)


def rollback(
    rollout_id: Id = "", why: Why = "", by: By = "", home: Home = HOME, as_json: Json = False
) -> None:
    """Take the challenger back now; running servers follow within a second."""
    _decide("rollback", rollout_id, why, by, home, as_json)


def _decide(verb: str, rollout_id: str, why: str, by: str, home: Path, as_json: bool) -> None:
    from headway.serve.rollouts import decide, find

    found = find(home, rollout_id)
    decide(home, found.rollout_id, verb, why=why, by=by or who(), now_s=time.time())
    _show(home, found.rollout_id, as_json)


def _show(home: Path, rollout_id: str, as_json: bool) -> list[dict[str, Any]]:
    from headway.report.rollouts import rollouts_screen
    from headway.serve.evidence import Evidence
    from headway.serve.judging import documents

    found = documents(home, Evidence(home), rollout_id, time.time())
    answer({"rollouts": found, "home": str(home)}, as_json, rollouts_screen)
    return found
