"""The trainings of a home in MLflow: a run and a registered version of each, and aliases.

MLflow is a mirror that people look into; nothing that answers reads it. What fails there fails no
training: `mirrored` says why, and the next one makes up for it.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headway.errors import ConfigError
from headway.serve.bundle import write_bundle
from headway.serve.versions import training_of_metas, versions_of
from headway.store.models import ModelStore

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

NAME: Final = "headway"  # of the experiment and the registered model, unless the address says
OFF: Final = "none"
_QUIET: Final = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_TRAINING, _MADE = "headway.training", "headway.created_s"


def mirror_if_possible(home: Path, address: str) -> dict[str, Any] | None:
    """As `mirror`, but what goes wrong is a warning; None = not asked for or not installed."""
    if address == OFF:
        return None
    try:
        import mlflow
    except ImportError:
        if address:
            log.warning("mlflow is not installed: pip install 'headway[mlflow]'")
        return None
    try:
        return mirror(home, address)
    except Exception as error:  # of a server that is not ours: no training may fail by it
        log.warning("mlflow %s was not told: %s", mlflow.__version__, error)
        return {"error": f"{type(error).__name__}: {error}"}


def mirror(home: Path, address: str = "") -> dict[str, Any]:
    """Tell MLflow of every training of a home that it does not know, and which are in use.

    address: of a tracking server or `sqlite:///file`, '' = a file in the home; behind a # the name
    of the experiment and the registered model. ConfigError where mlflow is not installed.
    """
    os.environ.update(_QUIET)
    try:
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise ConfigError("mlflow is not installed: pip install 'headway[mlflow]'") from error
    uri, _, name = address.partition("#")
    uri, name = uri or f"sqlite:///{home.resolve() / 'mlflow.db'}", name or NAME
    document = versions_of(home)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment_id = _experiment(client, name, home if uri.startswith("sqlite") else None)
    _registered(client, name)
    known = dict(_known(client, name))
    added = []
    for training in reversed(document["trainings"]):
        mark = (training["version"], repr(training["created_s"]))
        if mark not in known:
            known[mark] = _told(client, uri, experiment_id, name, home, training)
            added.append(training["version"])
    aliases = _aliases(client, name, document, known)
    return {"uri": uri, "name": name, "added": added, "aliases": aliases}


def _experiment(client: Any, name: str, home: Path | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    place = None if home is None else (home.resolve() / "mlflow").as_uri()
    return str(client.create_experiment(name, artifact_location=place))


def _registered(client: Any, name: str) -> None:
    if not list(client.search_registered_models(f"name = '{name}'")):
        client.create_registered_model(name, description="Trainings of a Headway home.")


def _known(client: Any, name: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Training and moment of each version that MLflow has, and MLflow's number of it."""
    token = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        for one in page:
            if _TRAINING in one.tags:
                yield (one.tags[_TRAINING], one.tags.get(_MADE, "")), str(one.version)
        token = page.token
        if not token:
            return


def _told(
    client: Any, uri: str, experiment_id: str, name: str, home: Path, training: dict[str, Any]
) -> str:
    """Make a run of a training with its bundle, register it; MLflow's number of the version."""
    import mlflow

    tags = {_TRAINING: training["version"], _MADE: repr(training["created_s"])}
    parts = training_of_metas(ModelStore(home), training["version"])
    made_ms = int(1000 * training["created_s"])
    run = client.create_run(
        experiment_id, start_time=made_ms, run_name=f"training {training['version']}", tags=tags
    )
    run_id = run.info.run_id
    for key in ("data_version", "git_revision", "features_version"):
        client.log_param(run_id, key, training[key] or "unknown")
    for key, version in parts:
        client.log_param(run_id, f"model.{key}", version)
    for key, value in training["metrics"].items():
        client.log_metric(run_id, key.replace(" ", "."), value, timestamp=made_ms)
    client.log_metric(run_id, "size_bytes", training["size_bytes"], timestamp=made_ms)
    with tempfile.TemporaryDirectory() as folder:
        write_bundle(home, parts, Path(folder) / "data")
        mlflow.pyfunc.save_model(
            str(Path(folder) / "model"), loader_module="headway.serve.bundle",
            data_path=str(Path(folder) / "data"), pip_requirements=["headway"],
        )  # fmt: skip
        client.log_artifacts(run_id, str(Path(folder) / "model"), "model")
    client.set_terminated(run_id, end_time=made_ms)
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    return str(client.create_model_version(name, source, run_id=run_id, tags=tags).version)


def _aliases(
    client: Any, name: str, document: dict[str, Any], known: dict[tuple[str, str], str]
) -> dict[str, str]:
    """Point the aliases champion (what is current) and challenger at versions, or at nothing."""
    wanted = {}
    for training in document["trainings"]:
        number = known[training["version"], repr(training["created_s"])]
        if "current" in training["roles"]:
            wanted["champion"] = number
        if "challenger" in training["roles"]:
            wanted.setdefault("challenger", number)
    there = client.get_registered_model(name).aliases
    for alias in ("champion", "challenger"):
        if alias in wanted and there.get(alias) != wanted[alias]:
            client.set_registered_model_alias(name, alias, wanted[alias])
        elif alias in there and alias not in wanted:
            client.delete_registered_model_alias(name, alias)
    return wanted
