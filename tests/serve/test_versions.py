import json
import re
import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console
from tests.serve.made_home import make_home
from tests.serve.test_advisor import NOW_S, a_task

from headway.errors import ConfigError, StoreError
from headway.optimize import version_of
from headway.report.versions import versions_screen
from headway.rollout import Plan
from headway.serve import connect
from headway.serve.rollouts import decide, start
from headway.serve.versions import promote, prune, roll_back, versions_of
from headway.store import ModelMeta, ModelStore

WHO = {"by": "ann", "why": "a try", "now_s": NOW_S}


def make_trainings(folder, times):
    """A home with one training that is published several times."""
    home, tasks, _ = make_home(folder)
    store = ModelStore(home)
    for k in range(1, times):
        for name in ("runtime", "memory", "sizing", "history"):
            model = store.load(name, "v000001")
            meta = ModelMeta(
                created_s=model.meta.created_s + k, features_version=model.meta.features_version,
                metrics=model.meta.metrics,
            )  # fmt: skip
            store.publish(name, model.files, meta)
    return home, tasks


def test_the_list_says_of_each_training_what_it_is_of_and_what_it_is_now(tmp_path):
    home, tasks = make_trainings(tmp_path, 2)
    start(home, "v000002", champion="v000001", plan=Plan(), now_s=NOW_S)
    document = versions_of(home)
    newest, oldest = document["trainings"]
    assert (newest["version"], newest["roles"]) == ("v000002", ["challenger"])
    assert (oldest["version"], oldest["roles"]) == ("v000001", ["current", "champion"])
    assert oldest["data_version"] == version_of(tasks)
    assert oldest["data_version"] == version_of(tasks.reverse())
    assert oldest["data_version"] != version_of(tasks.head(-1))
    assert re.fullmatch(r"[0-9a-f]{7,}(-dirty)?|\d.*", oldest["git_revision"])
    files = [p for p in (home / "models").rglob("v000001/*") if p.name != "meta.json"]
    assert oldest["size_bytes"] == sum(p.stat().st_size for p in files)
    assert 0.0 < oldest["metrics"]["memory coverage_95"] <= 1.0
    assert set(document["current"].values()) == {"v000001"}
    text = StringIO()
    Console(file=text, width=200).print(versions_screen(document))
    assert "champion" in text.getvalue()


def test_a_running_client_follows_a_rollback_of_all_models(tmp_path):
    home, _ = make_trainings(tmp_path, 2)
    client = connect(home, is_logged=False, clock=lambda: NOW_S)
    assert "history v000002" in client.size(a_task()).version
    done = roll_back(home, "", **WHO)
    client.refresh()
    assert set(re.findall(r"v\d+", client.size(a_task()).version)) == {"v000001"}
    assert (done.by, done.why) == ("ann", "a try")
    assert versions_of(home)["switches"][0]["before"]["memory"] == "v000002"


def test_a_rollback_leads_to_what_was_in_use_before(tmp_path):
    home, _ = make_trainings(tmp_path, 3)
    promote(home, "v000001", **WHO)
    roll_back(home, "", **WHO)
    assert set(versions_of(home)["current"].values()) == {"v000003"}
    roll_back(home, "v000002", **WHO)
    assert set(versions_of(home)["current"].values()) == {"v000002"}
    with pytest.raises(ConfigError, match="no training"):
        roll_back(home, "v000009", **WHO)


def test_a_switch_that_a_crash_cut_off_is_finished_when_a_client_starts(tmp_path, monkeypatch):
    home, _ = make_trainings(tmp_path, 2)
    use, left = ModelStore.use, [2]

    def dies(self, name, version):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        use(self, name, version)

    monkeypatch.setattr(ModelStore, "use", dies)
    with pytest.raises(KeyboardInterrupt):
        roll_back(home, "", **WHO)
    monkeypatch.undo()
    assert len(set(ModelStore(home).current(n) for n in ("history", "sizing"))) == 2
    client = connect(home, is_logged=False, clock=lambda: NOW_S)
    assert set(re.findall(r"v\d+", client.version)) == {"v000001"}


def test_a_training_with_a_damaged_file_is_not_promoted(tmp_path):
    home, _ = make_trainings(tmp_path, 2)
    path = home / "models/memory/v000001"
    file = next(p for p in path.iterdir() if p.name != "meta.json")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(StoreError, match="damaged"):
        promote(home, "v000001", **WHO)
    assert set(versions_of(home)["current"].values()) == {"v000002"}


def test_nothing_is_promoted_under_a_rollout_but_it_can_be_rolled_back(tmp_path):
    home, _ = make_trainings(tmp_path, 3)
    rollout = start(home, "v000003", champion="v000002", plan=Plan(), now_s=NOW_S)
    with pytest.raises(ConfigError, match="under way"):
        promote(home, "v000003", **WHO)
    roll_back(home, "", **WHO)
    assert set(versions_of(home)["current"].values()) == {"v000001"}
    decide(home, rollout.rollout_id, "rollback", why="", by="", now_s=NOW_S)
    promote(home, "v000003", **WHO)
    assert set(versions_of(home)["current"].values()) == {"v000003"}


def test_pruning_spares_what_is_in_use_or_may_be(tmp_path):
    home, _ = make_trainings(tmp_path, 7)
    promote(home, "v000002", **WHO)
    promote(home, "v000003", **WHO)
    start(home, "v000005", plan=Plan(), now_s=NOW_S)
    assert prune(home, 1) == ["v000001", "v000004", "v000006"]
    kept = [row["version"] for row in versions_of(home)["trainings"]]
    assert kept == ["v000007", "v000005", "v000003", "v000002"]
    assert ModelStore(home).versions("memory") == ModelStore(home).versions("history")
    assert not list((home / "models").rglob(".gone*"))
    assert prune(home, 1) == []


def test_the_command_prints_one_document(tmp_path):
    home, _ = make_trainings(tmp_path, 2)

    def headway(*words):
        command = [sys.executable, "-m", "headway.cli", "models", *words, "--home", str(home)]
        return subprocess.run(command, capture_output=True, text=True)

    said = json.loads(headway("rollback", "--by", "ann", "--json").stdout)
    assert (said["current"]["memory"], said["switches"][0]["by"]) == ("v000001", "ann")
    said = json.loads(headway("prune", "--keep", "1", "--json").stdout)
    assert said["removed"] == []
    assert headway("promote").returncode == 2
    assert headway("sell").returncode == 2
