import json
import subprocess
import sys
import time
from io import StringIO

from rich.console import Console
from tests.serve.made_home import CREATED_S, make_home
from tests.serve.test_advisor import NOW_S, a_task
from tests.serve.test_decisions import outcome

from headway.report.decisions import decisions_screen, status_screen
from headway.serve import connect
from headway.serve.status import decisions_of, status_of


def text_of(screen):
    text = StringIO()
    Console(file=text, width=200).print(screen)
    return text.getvalue()


def test_the_status_names_the_models_and_counts_their_decisions(tmp_path):
    home, _, _ = make_home(tmp_path)
    client = connect(home, clock=lambda: NOW_S)
    client.outcome(outcome(client.size(a_task()).decision_id))
    client.size(a_task())
    client.close()
    document = status_of(home, CREATED_S + 86400.0)
    assert [m["model"] for m in document["models"]] == ["history", "runtime", "memory", "sizing"]
    assert {m["age_s"] for m in document["models"]} == {86400.0}
    assert document["is_one_training"]
    assert (document["decisions"]["decisions"], document["decisions"]["joined"]) == (2, 1)
    assert "1.0 days" in text_of(status_screen(document))
    assert "history v000001" in text_of(decisions_screen(decisions_of(home, NOW_S)))


def test_the_commands_print_one_document_and_no_home_is_wrong_usage(tmp_path):
    def headway(*words):
        command = [sys.executable, "-m", "headway.cli", *words, "--home", str(tmp_path / "home")]
        return subprocess.run(command, capture_output=True, text=True)

    missing = headway("decisions", "--json")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "no home" in missing.stderr
    (tmp_path / "home").mkdir()
    client = connect(tmp_path / "home")
    client.size(a_task(submitted_s=time.time()))
    client.close()
    counted = json.loads(headway("decisions", "--json").stdout)
    assert (counted["decisions"], counted["open"], counted["refused"]) == (1, 1, 1)
    assert json.loads(headway("status", "--json").stdout)["models"] == []
