"""Trainings in a real MLflow: its server's own API and page name them, and they load by it."""

import json
import os
import subprocess
import sys
import time
import urllib.request

import pytest
from tests.real.object_store import free_port
from tests.serve.test_advisor import NOW_S, a_task
from tests.serve.test_versions import WHO, make_trainings

from headway.rollout import Plan
from headway.serve import connect
from headway.serve.mirror import mirror, mirror_if_possible
from headway.serve.rollouts import start
from headway.serve.versions import promote

pytestmark = pytest.mark.filterwarnings("default")  # of MLflow's own libraries

LOADS = """
import json, sys, warnings
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
tasks = pandas.DataFrame(json.loads(sys.argv[3]))
model = mlflow.pyfunc.load_model(f"models:/headway@{sys.argv[2]}")
said = model.predict(tasks, params={"at_s": float(sys.argv[4])})
print(said.to_json(orient="records"))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_trainings(tmp_path_factory.mktemp("mlflow"), 2)[0]


def ask(address, path, **body):
    request = urllib.request.Request(
        f"{address}{path}", json.dumps(body).encode() if body else None,
        {"content-type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


@pytest.fixture(scope="module")
def address(home):
    mirror(home)  # makes the file
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--backend-store-uri",
         f"sqlite:///{home / 'mlflow.db'}", "--port", str(port), "--workers", "1"],
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                ask(address, "/health")
                break
            except OSError:
                time.sleep(0.4)
        yield address
    finally:
        os.killpg(server.pid, 15)
        server.wait()


def test_the_server_of_mlflow_shows_runs_versions_and_aliases(home, address):
    found = json.loads(ask(address, "/api/2.0/mlflow/experiments/search", max_results=10))
    numbers = [e["experiment_id"] for e in found["experiments"] if e["name"] == "headway"]
    runs = json.loads(ask(address, "/api/2.0/mlflow/runs/search", experiment_ids=numbers))["runs"]
    assert {r["info"]["run_name"] for r in runs} == {"training v000001", "training v000002"}
    first = next(r for r in runs if r["info"]["run_name"] == "training v000001")["data"]
    metrics = {m["key"]: m["value"] for m in first["metrics"]}
    assert 0.0 < metrics["memory.coverage_95"] <= 1.0
    assert metrics["memory.wastage_gbh"] >= 0.0
    params = {p["key"]: p["value"] for p in first["params"]}
    assert params["model.sizing"] == "v000001"
    assert params["data_version"].startswith("400-")
    path = "/api/2.0/mlflow/registered-models/alias?name=headway&alias=champion"
    champion = json.loads(ask(address, path))["model_version"]
    tags = {t["key"]: t["value"] for t in champion["tags"]}
    assert tags["headway.training"] == "v000002"
    assert b"<title>MLflow</title>" in ask(address, "/")


def test_a_second_look_adds_nothing_and_aliases_follow(home, address):
    assert mirror(home)["added"] == []
    promote(home, "v000001", **WHO)
    start(home, "v000002", plan=Plan(), now_s=NOW_S)
    told = mirror(home, address)  # by its HTTP API this time
    assert told["added"] == []
    champion, challenger = told["aliases"]["champion"], told["aliases"]["challenger"]
    assert champion != challenger
    path = "/api/2.0/mlflow/registered-models/alias?name=headway&alias=challenger"
    assert json.loads(ask(address, path))["model_version"]["version"] == challenger


def test_a_version_loads_in_a_fresh_process_and_answers_as_it_serves(home, address):
    client = connect(home, is_logged=False, clock=lambda: NOW_S, stale_s=1e18)
    task = a_task()
    names = ("cluster", "id", "user", "name", "submitted_s", "cpus_requested", "limit_s",
             "memory_requested_bytes")  # fmt: skip
    row = {name: getattr(task, name) for name in names if getattr(task, name) is not None}
    run = subprocess.run(
        [sys.executable, "-c", LOADS, f"sqlite:///{home / 'mlflow.db'}", "champion",
         json.dumps([row, {"user": "nobody"}]), repr(NOW_S)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    said, unknown = json.loads(run.stdout.splitlines()[-1])
    answer = client.size(task)
    assert said["memory_bytes"] == answer.memory_bytes
    assert said["runtime_s"] == pytest.approx(answer.runtime_s.value, rel=1e-9)
    assert (said["made_by"], said["version"]) == (answer.made_by, answer.version)
    assert unknown["refused"]


def test_a_server_that_is_not_there_fails_no_training(home, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said = mirror_if_possible(home, f"http://127.0.0.1:{free_port()}")
    assert "error" in said
    assert "was not told" in caplog.text
