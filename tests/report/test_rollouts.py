"""What is shown of rollouts, on a terminal and as a page."""

import json
import subprocess
import sys

from tests.serve.test_rollouts import publish


def run(home, *words):
    command = [sys.executable, "-m", "headway.cli", "rollout", *words, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_commands_start_pause_take_back_and_explain_a_rollout(tmp_path):
    home, page = tmp_path / "home", tmp_path / "page"
    home.mkdir()
    publish(home, 1.0)
    publish(home, 2.0, is_current=False)
    assert run(home, "start", "--key", "user", "--margins", "wait=5").returncode == 0
    said = json.loads(run(home, "pause", "--why", "<b>lunch</b>", "--by", "ann", "--json").stdout)
    assert [(r["status"], r["verdict"]) for r in said["rollouts"]] == [("paused", "continue")]
    back = run(home, "rollback", "--by", "ann")
    assert "rolled back" in back.stdout
    assert run(home, "status", "--report", str(page)).returncode == 0
    text = (page / "index.html").read_text()
    assert "v000002 against v000001: rolled back" in text
    assert "&lt;b&gt;lunch" in text
    assert "<b>lunch" not in text
    assert len(json.loads((page / "summary.json").read_text())["changes"]) == 3
    again = run(home, "rollback")
    assert (again.returncode, "has ended" in again.stderr) == (2, True)
