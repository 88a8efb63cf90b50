import json

import pytest

from headway.demo import run_demo
from headway.demo.run import _machine, _words
from headway.demo.tasks import KINDS
from headway.store.delta import DeltaStore

KEYS = {"makespan_s", "mean_completion_s", "reserved_gb_s", "used_gb_s", "tasks", "not_fitting"}


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    home, seen = tmp_path_factory.mktemp("home"), []
    document = run_demo(
        home=home,
        report_dir=home / "report",
        seed=1,
        progress=lambda what, share: seen.append((what, share)),
        tasks_a=10,
        tasks_b=10,
        size_scale=0.02,
    )
    return {**document, "home": home, "seen": seen}


def test_both_sides_are_measured_on_the_same_tasks(document):
    before, after = document["before"], document["after"]
    assert before.keys() >= KEYS
    assert after.keys() >= KEYS
    assert before["tasks"] == after["tasks"] == 10
    assert before["failed"] == after["failed"] == 0
    assert before["used_gb_s"] < before["reserved_gb_s"]
    assert document["learned_from"]["tasks"] == 10
    assert {row["kind"] for row in document["kinds"]} == set(KINDS)
    ways = [
        sorted(
            (r["kind"], r["input_bytes"])
            for r in document["attempts"]
            if r["way"] == way and r["attempt"] == 1
        )
        for way in ("user", "headway")
    ]
    assert ways[0] == ways[1]


def test_the_result_is_plain_data_with_words_and_the_place_of_the_report(document):
    plain = {k: v for k, v in document.items() if k not in ("home", "seen")}
    assert json.loads(json.dumps(plain)) == plain
    assert document["report"].endswith("index.html")
    assert any("The whole batch took" in words for words in document["words"])


def test_progress_goes_from_nothing_to_all(document):
    shares = [share for what, share in document["seen"] if what == "batch A as a user"]
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


def test_what_happened_is_in_the_log_of_the_home(document):
    log = DeltaStore(str(document["home"] / "log"))
    names = log.read("task")["name"].to_list()
    assert set(names) >= set(KINDS)
    assert len(log.read("decision")) == len(names)


def test_with_little_memory_all_shrinks_and_says_so(monkeypatch):
    monkeypatch.setattr("headway.demo.run.available_memory_bytes", lambda: 10**9)
    machine = _machine(1.0)
    assert machine.budget_bytes <= 0.6 * 10**9
    side = dict.fromkeys(KEYS, 1.0)
    words = _words(side, side, machine)
    assert "made smaller" in words[0]
    assert "nothing was gained" in words[1]
