import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from headway.errors import ConfigError
from headway.records import Action, Task, as_row
from headway.report.responses import responses_screen
from headway.respond import DEFAULT, load_rules
from headway.responding import respond_home
from headway.store import DeltaStore
from headway.tables import frame
from tests.respond.made_up import alert


@pytest.fixture
def home(tmp_path):
    """A home with one alert of a slow node and a rule whose command writes into a file."""
    store = DeltaStore(str(tmp_path / "log"))
    slow = alert("slow_node", "n1", "node", at_s=1000.0)
    store.append("alert", [frame("alert", [as_row(slow)])])
    (tmp_path / "respond.toml").write_text(
        '[[rule]]\nname = "nodes"\nkinds = ["slow_node"]\nactions = ["drain"]\n'
        f'[commands]\ndrain = ["tee", "-a", "{tmp_path}/{{subject}}.drained"]\n'
        f'[undo]\ndrain = ["rm", "{tmp_path}/{{subject}}.drained"]\n'
    )
    return tmp_path


def respond(home, verb="", action_id="", mode="act", now_s=1060.0):
    return respond_home(home, verb, action_id, mode=mode, rules=None, by="ann", now_s=now_s)


def test_observing_says_what_would_be_done_and_does_nothing(home):
    document = respond(home, mode="observe")
    assert [a["state"] for a in document["actions"]] == ["proposed"]
    assert not (home / "n1.drained").exists()


def test_a_proposal_is_approved_done_and_undone_across_processes_with_the_whole_trail_kept(home):
    (proposed,) = respond(home, mode="propose")["changed"]
    (done,) = respond(home, "approve", proposed["action_id"], now_s=1070.0)["changed"]
    assert (done["state"], done["made_by"], (home / "n1.drained").exists()) == ("done", "ann", True)
    (undone,) = respond(home, "undo", proposed["action_id"], now_s=1080.0)["changed"]
    assert (undone["state"], (home / "n1.drained").exists()) == ("undone", False)
    trail = DeltaStore(str(home / "log")).read("action")
    assert trail["state"].to_list() == ["proposed", "approved", "done", "undone"]
    assert Action(**trail.row(0, named=True)).subject == "n1"


def test_acting_twice_acts_once(home):
    assert [a["state"] for a in respond(home)["changed"]] == ["done"]
    assert respond(home, now_s=1061.0)["changed"] == []


def test_nothing_acts_once_it_was_stopped_until_it_is_started(home):
    assert respond(home, "stop")["stopped"] == "stopped by ann"
    assert [a["state"] for a in respond(home)["changed"]] == ["refused"]
    assert not (home / "n1.drained").exists()
    respond(home, "start")
    assert [a["state"] for a in respond(home, now_s=1061.0)["changed"]] == ["done"]


def test_a_command_that_fails_is_said_with_its_words(home):
    (home / "respond.toml").write_text(
        '[[rule]]\nname = "nodes"\nkinds = ["slow_node"]\nactions = ["drain"]\n'
        '[commands]\ndrain = ["ls", "/nowhere/{subject}"]\n'
    )
    (change,) = respond(home)["changed"]
    assert change["state"] == "failed"
    assert "/nowhere/n1" in change["reason"]


def test_old_alerts_are_left_alone(home):
    assert respond(home, now_s=1000.0 + 8 * 86400.0)["changed"] == []


def test_the_screen_says_the_mode_what_waits_and_how_to_approve_it(home):
    out = StringIO()
    Console(file=out, width=110).print(responses_screen(respond(home, mode="propose")))
    text = out.getvalue()
    assert "Proposing" in text
    assert "slow node" in text
    assert "headway respond approve" in text


@pytest.mark.parametrize(("verb", "action_id"), [("fly", ""), ("approve", ""), ("stop", "1")])
def test_verbs_that_make_no_sense_are_refused(home, verb, action_id):
    with pytest.raises(ConfigError):
        respond(home, verb, action_id)


def test_the_rules_shown_in_the_page_are_those_that_headway_ships():
    page = (Path(__file__).parent.parent / "docs/respond.md").read_text()
    assert DEFAULT.read_text() in page
    assert load_rules().limits.nodes_at_once == 2


def test_the_command_prints_one_document(home):
    run = subprocess.run(
        [sys.executable, "-m", "headway.cli", "respond", "--home", str(home), "--json"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["mode"] == "observe"


def test_how_many_nodes_may_be_out_of_service_goes_by_the_nodes_that_ran_a_task_of_late(home):
    store = DeltaStore(str(home / "log"))
    many = [alert("slow_node", f"n{i}", "node", alert_id=f"a{i}", at_s=1000.0) for i in range(5)]
    store.append("alert", [frame("alert", [as_row(one) for one in many])])
    wide = Task(cluster="c", id="1", submitted_s=900.0, node="n[1-60]")
    store.append("task", [frame("task", [as_row(wide)])])
    changed = respond(home)["changed"]
    assert [a["state"] for a in changed].count("done") == 3
    assert "3 nodes at most" in changed[-1]["reason"]
