"""Retraining: due or not, a challenger that wins is rolled out, one that does not says why."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from headway.cli import app
from headway.cycle import challenge, due, facts_of, home_of, known_at, publish
from headway.errors import ConfigError, NotEnoughData
from headway.features import History
from headway.predict import save
from headway.serve.rollouts import read_rollouts
from headway.store import DeltaStore, ModelStore
from headway.store.jobs import Jobs
from headway.store.models import ModelMeta
from headway.verify.duel import BLOCKS, Side, answered, duel, tasks_in
from headway.verify.judge import sized
from headway.verify.replay import replay
from headway.verify.summary import taught_on
from tests.predict.made_up import history

N, KNOWN = 560, 200


def table(factor=6.0):
    """A made history whose tasks take `factor` as long, and as much memory, after the first."""
    tasks = history(N, 5)
    moved = pl.when(pl.int_range(pl.len()) >= KNOWN).then(factor).otherwise(1.0)
    run_s = (pl.col("ended_s") - pl.col("started_s")) * moved
    return tasks.with_columns(
        ended_s=pl.col("started_s") + run_s,
        memory_peak_bytes=(pl.col("memory_peak_bytes") * moved).cast(pl.Int64),
    )


def trained(models, tasks, created_s=1.0):
    """A home's models, taught on a table."""
    runtime = replay(tasks, "runtime_s", orders=True)
    memory = replay(tasks, "memory_bytes", described=runtime, orders=True)
    meta = ModelMeta(created_s=created_s, features_version="3", metrics=taught_on(tasks))
    parts = {
        "runtime": save(runtime.predictor), "memory": save(memory.predictor),
        "sizing": sized(memory, tasks)[0].save(), "history": runtime.history.save(),
    }  # fmt: skip
    for name, files in parts.items():
        models.publish(name, files, meta)


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A home that was trained on the first tasks and whose log goes on with others."""
    folder = tmp_path_factory.mktemp("home")
    trained(ModelStore(folder), known_at(table(), float(table()["submitted_s"][KNOWN])))
    DeltaStore(str(folder / "log")).append("task", [table()])
    return folder


@pytest.fixture
def home(moved, tmp_path):
    """A copy of it."""
    return shutil.copytree(moved, tmp_path / "home")


def state(home):
    return home_of(DeltaStore(str(home / "log")).read("task"), ModelStore(home))


def silent(_what, _share):
    pass


def run(home, *options):
    asked = ["retrain", "--home", str(home), "--json", "--mlflow", "none", *options]
    done = CliRunner().invoke(app, asked)
    return done.exit_code, json.loads(done.stdout)


def test_conditions_hold_or_say_what_is_missing():
    facts = {"age_days": 3.0, "outcomes": 7.0, "drift": None}
    assert due({}, facts) == (True, "it was asked for")
    assert due({"outcomes": 5.0, "drift": 0.1}, facts)[0]
    assert due({"drift": 0.1}, facts) == (False, "drift is not known")
    assert due({"age_days": 4.0}, facts) == (False, "age_days is 3, not yet 4")
    with pytest.raises(ConfigError, match="weather"):
        due({"weather": 1.0}, facts)


def test_facts_count_what_came_after_the_training_and_see_drift(home):
    facts = facts_of(state(home), 1.0 + 86400.0, with_drift=True)
    assert facts["age_days"] == pytest.approx(1.0)
    assert N - KNOWN - 20 <= facts["outcomes"] <= N - KNOWN
    assert facts["drift"] > 0.3


def test_a_home_without_new_tasks_cannot_be_judged(tmp_path):
    trained(ModelStore(tmp_path), table())
    with pytest.raises(NotEnoughData, match="200 are needed"):
        challenge(home_of(table(), ModelStore(tmp_path)), 0.95, silent)


def test_too_few_new_tasks_are_an_answer_and_may_be_asked_about_again(tmp_path):
    trained(ModelStore(tmp_path), table())
    DeltaStore(str(tmp_path / "log")).append("task", [table()])
    for _ in range(2):
        status, said = run(tmp_path)
        assert (status, said["is_due"]) == (1, True)
        assert "200 are needed" in said["why"]
    assert [job.state for job in Jobs(tmp_path).read()] == ["failed", "failed"]


def test_a_home_without_models_is_told_how_to_get_some(tmp_path):
    with pytest.raises(ConfigError, match="headway optimize"):
        home_of(table(), ModelStore(tmp_path))


def test_a_challenger_is_judged_without_what_its_window_brings(home):
    """Outcomes of the window change the verdict's losses, never what the challenger says."""
    before = state(home)
    first = challenge(before, 0.95, silent)
    start_s = first.verdict["window"]["from_s"]
    redrawn = before.tasks.with_columns(
        ended_s=pl.when(pl.col("submitted_s") >= start_s)
        .then(pl.col("started_s") + 10.0 * (pl.col("ended_s") - pl.col("started_s")))
        .otherwise(pl.col("ended_s"))
    )
    said = []

    def caught(_champion, challenger, tasks, _coverage):
        said.append(answered(challenger, tasks))
        return {
            "wins": False,
            "why": "",
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headway.cycle.duel", caught)
        challenge(before, 0.95, silent)
        challenge(
            type(before)(redrawn, *(getattr(before, f) for f in before.__slots__[1:])), 0.95, silent
        )
    np.testing.assert_array_equal(said[0].quantiles, said[1].quantiles)
    np.testing.assert_array_equal(said[0].first, said[1].first)


def test_what_wins_is_rolled_out_in_shadow_once_and_mirrored(home, monkeypatch):
    told = []
    monkeypatch.setattr("headway.cli.retraining.mirror_models", lambda *asked: told.append(asked))
    status, said = run(home, "--if", "outcomes=100")
    assert status == 0, said
    assert (said["challenger"], said["rollout_id"]) == ("v000002", "r000001")
    assert said["verdict"]["runtime"]["gain_low"] > 0.0
    begun = read_rollouts(home)[0]
    assert (begun.champion, begun.challenger, begun.share) == ("v000001", "v000002", 0.0)
    assert ModelStore(home).current("history") == "v000001"
    assert told == [(home, "none")]
    again = run(home)
    assert again[0] == 0
    assert again[1]["rollout_id"] == "r000001"
    assert len(read_rollouts(home)) == 1


def test_what_is_not_due_is_not_done(home):
    status, said = run(home, "--if", "outcomes=100000")
    assert (status, said["is_due"], said["rollout_id"]) == (1, False, "")
    assert "not yet 100000" in said["why"]
    assert not (home / "jobs.sqlite").exists()


def test_what_does_not_win_says_why_and_leaves_no_model(tmp_path, monkeypatch):
    monkeypatch.delattr("headway.cli.retraining.mirror_models")
    same = table(1.0)
    trained(ModelStore(tmp_path), known_at(same, float(same["submitted_s"][300])))
    DeltaStore(str(tmp_path / "log")).append("task", [same])
    status, said = run(tmp_path)
    assert status == 1
    assert said["why"]
    assert said["rollout_id"] == ""
    assert ModelStore(tmp_path).versions("history") == ("v000001",)
    assert Jobs(tmp_path).read()[0].state == "done"


def test_a_side_never_wins_against_itself():
    tasks = table(1.0)
    history_, new = History(), tasks.tail(400)
    history_.replay(known_at(tasks, float(new["submitted_s"][0])))
    runtime = replay(tasks.head(500), "runtime_s", orders=True).predictor
    side = Side(history_, runtime)
    said = duel(side, side, new, 0.95)
    assert (said["wins"], said["runtime"]["gain"]) == (False, 0.0)
    assert new.height > BLOCKS


def test_tasks_before_those_that_teach_are_history_that_describes_them(home, monkeypatch):
    before = state(home)
    start_s = float(before.tasks["submitted_s"][100])
    monkeypatch.setattr("headway.cycle.MOST", before.tasks.height - 100)
    monkeypatch.setattr("headway.cycle.PART", 30)
    found = challenge(before, 0.95, silent)
    assert found.verdict["wins"]
    said = json.loads(found.files["history"]["history.json"])
    assert len(said["codes"]["user"]) == 4
    limited = History.load(found.files["history"])
    user_ended = limited.look(tasks_in(before.tasks.tail(1))[0], 1e12).column("user.ended")[0]
    whole = History()
    whole.replay(before.tasks)
    expected = whole.look(tasks_in(before.tasks.tail(1))[0], 1e12).column("user.ended")[0]
    in_flight = (
        (before.tasks["submitted_s"] < start_s) & (before.tasks["ended_s"] >= start_s)
    ).sum()
    assert expected - in_flight <= user_ended <= expected


def test_a_training_is_published_once_for_one_job(home):
    found = challenge(state(home), 0.95, silent)
    versions = {publish(found, ModelStore(home), 5.0) for _ in range(2)}
    assert versions == {"v000002"}


@pytest.mark.parametrize("step", ["publish", "_begun"])
def test_a_retraining_that_is_killed_is_taken_over_and_done_once(home, step):
    """Killed after its training, its models or its rollout: one of each is left."""
    where = "headway.cli.retraining" if step == "_begun" else "headway.cycle"
    code = f"""
import os, signal, sys
import {where} as place
whole = place.{step}
def cut(*given):
    whole(*given)
    os.kill(os.getpid(), signal.SIGKILL)
place.{step} = cut
from headway.cli import app
app(["retrain", "--home", {str(home)!r}, "--lease-s", "1"])
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    status, said = run(home, "--lease-s", "1")
    until = time.monotonic() + 20
    while "is at it already" in said["why"] and time.monotonic() < until:
        time.sleep(0.2)
        status, said = run(home, "--lease-s", "1")
    assert (status, said["challenger"]) == (0, "v000002"), said
    assert [r.challenger for r in read_rollouts(home)] == ["v000002"]
    assert ModelStore(home).versions("history") == ("v000001", "v000002")
    assert [(job.state, job.token) for job in Jobs(home).read()] == [("done", 2)]


def test_two_that_are_asked_at_once_train_once(home):
    code = f"from headway.cli import app; app(['retrain', '--home', {str(home)!r}, '--json'])"
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert sorted(len(one["rollout_id"]) for one in said)[-1] > 0
    assert len(read_rollouts(home)) == 1
    assert [job.token for job in Jobs(home).read()] == [1]
    assert os.listdir(home / "models" / "history").count("v000003") == 0
