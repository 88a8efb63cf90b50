"""The command that retrains a home: retrain."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headway.cli.answers import answer, progress_bars
from headway.cli.options import (
    HOME,
    By,
    Home,
    Json,
    Mlflow,
    mirror_models,
    models_of,
    numbers_of,
    store_of,
    who,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headway.cycle import Home as Trained
    from headway.store.jobs import Job, Jobs


def retrain(
    conditions: Annotated[
        str,
        typer.Option(
            "--if", metavar="NAME=X,..", help="Only if age_days, outcomes or drift is so large."
        ),
    ] = "",
    lease_s: Annotated[
        float, typer.Option(min=1, help="Seconds after which a dead worker's job is taken over.")
    ] = 60.0,
    by: By = "",
    home: Home = HOME,
    mlflow: Mlflow = "",
    as_json: Json = False,
) -> None:
    """Train a home's models anew on its log; what wins on the newest tasks is rolled out in shadow.

    Exit status 1 where nothing is rolled out; the answer says why.
    """
    from headway.errors import ConfigError
    from headway.report.retraining import retraining_screen

    if not home.is_dir():
        raise ConfigError(f"there is no home {home}: make one with headway optimize --home")
    document = _retrained(home, numbers_of("if", conditions), lease_s, by or who())
    if document["challenger"]:
        mirror_models(home, mlflow)
    answer(document, as_json, retraining_screen)
    if not document["rollout_id"]:
        raise typer.Exit(1)


def _retrained(home: Path, conditions: dict[str, float], lease_s: float, by: str) -> dict[str, Any]:
    """Ask whether it is due; do it once, or say who does or what came of it."""
    from headway.cycle import due, facts_of, home_of
    from headway.optimize import version_of
    from headway.serve.rollouts import read_rollouts
    from headway.store.jobs import Jobs

    now_s = time.time()
    due(conditions, dict.fromkeys(conditions))  # a wrong name is said before the log is read
    trained = home_of(store_of(home).read("task"), models_of(home))
    facts = facts_of(trained, now_s, with_drift="drift" in conditions)
    is_due, why = due(conditions, facts)
    document = {
        "is_due": is_due, "due": why, "facts": facts, "champion": trained.version, "job": 0,
        "why": why, "challenger": "", "rollout_id": "", "verdict": {}, "home": str(home),
    }  # fmt: skip
    under_way = [r.rollout_id for r in read_rollouts(home) if r.is_open]
    if not is_due:
        return document
    data_version = version_of(trained.tasks)
    key = f"{trained.version} of {trained.created_s} on {data_version}"
    jobs = Jobs(home)
    asked = jobs.submit("retrain", key, {"due": why, "by": by}, now_s)
    document["job"] = asked.id
    if asked.state == "done":
        return document | dict(asked.result)
    worker = f"{socket.gethostname()} {os.getpid()}"
    leased = jobs.lease(worker, lease_s, now_s, job_id=asked.id)
    if leased is None:
        now = next(job for job in jobs.read() if job.id == asked.id)
        return document | {"why": now.result.get("why") or f"{now.worker} is at it already"}
    if under_way and not leased.token > 1:
        why = f"{under_way[-1]} is under way: a new challenger has to wait for its end"
        jobs.fail(leased, why, time.time())
        return document | {"why": why}
    return document | _worked(home, trained, jobs, leased, lease_s, by, data_version)


def _worked(
    home: Path,
    trained: Trained,
    jobs: Jobs,
    leased: Job,
    lease_s: float,
    by: str,
    data_version: str,
) -> dict[str, Any]:
    """Do a job that is leased, and write down what came of it."""
    from headway.config import load_config
    from headway.cycle import challenge, publish
    from headway.errors import HeadwayError, NotEnoughData

    with _kept_alive(jobs, leased, lease_s), progress_bars() as progress:
        try:
            found = challenge(trained, load_config(home).coverage, progress)
            result: dict[str, Any] = {
                "why": found.verdict["why"], "challenger": "", "rollout_id": "",
                "verdict": found.verdict,
            }  # fmt: skip
            if found.verdict["wins"]:
                jobs.renew(leased, lease_s, time.time())  # from here on others would see it
                version = publish(found, models_of(home), leased.created_s, data_version)
                jobs.renew(leased, lease_s, time.time())
                result |= {"challenger": version, "rollout_id": _begun(home, version, by)}
        except NotEnoughData as error:
            jobs.fail(leased, str(error), time.time())
            return {"why": str(error)}
        except HeadwayError as error:
            jobs.fail(leased, str(error), time.time())
            raise
        jobs.finish(leased, result, time.time())
    return result


def _begun(home: Path, version: str, by: str) -> str:
    """The rollout of a version in shadow: begun now, or before whoever began it died."""
    from headway.serve.rollouts import read_rollouts, start

    known = [r.rollout_id for r in read_rollouts(home) if r.challenger == version]
    return known[-1] if known else start(home, version, by=by).rollout_id


@contextmanager
def _kept_alive(jobs: Jobs, leased: Job, lease_s: float) -> Iterator[None]:
    """Renew a lease while this process lives; who has lost it hears so at its next write."""
    from headway.errors import StoreError

    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(lease_s / 4.0):
            try:
                jobs.renew(leased, lease_s, time.time())
            except StoreError:
                return

    thread = threading.Thread(target=renew, name="headway-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
