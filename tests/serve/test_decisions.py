import base64
import json
import os
import signal
import subprocess
import sys
from array import array
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serve.made_home import make_home
from tests.serve.test_advisor import NOW_S, a_task

from headway.errors import ConfigError, StoreError
from headway.records import Feedback, Outcome
from headway.serve import connect
from headway.serve.decisions import id_of, read_records
from headway.serve.recalled import recall
from headway.serve.tally import tally
from headway.store.journal import Journal

DAY_S = 86400.0


def outcome(decision_id, at_s=NOW_S + 60.0, state="completed"):
    return Outcome(
        decision_id=decision_id, cluster="made0", id="new", attempt=1, at_s=at_s, wait_s=1.0,
        runtime_s=10.0, memory_peak_bytes=10**9, state=state,
    )  # fmt: skip


def test_an_answer_is_logged_with_its_features_as_they_were_served(tmp_path):
    home, _, _ = make_home(tmp_path)
    client = connect(home, clock=lambda: NOW_S)
    answer, kept = client.decide(a_task(user="1"))
    kept.result(10.0)
    (record,) = read_records(home)
    client.close()
    served = np.frombuffer(base64.b64decode(record["features"]))
    np.testing.assert_array_equal(served, answer.features)
    assert record["decision_id"] == answer.decision_id
    assert record["version"] == answer.version
    assert record["memory_bytes"] == answer.memory_bytes
    assert 0.0 < record["latency_s"] < 10.0


def test_a_record_that_cannot_be_written_fails_alone(tmp_path):
    client = connect(tmp_path, clock=lambda: NOW_S)
    _, plain = client.decide(a_task(memory_requested_bytes=np.int64(7), limit_s=np.float64(60.0)))
    _, odd = client.decide(a_task(id=object()))
    _, after = client.decide(a_task())
    plain.result(10.0)
    after.result(10.0)
    with pytest.raises(ConfigError, match="cannot be written"):
        odd.result(10.0)
    client.close()
    first, _ = read_records(tmp_path)
    assert (first["memory_bytes"], first["task"]["limit_s"]) == (7, 60.0)


def test_no_two_processes_draw_the_same_id():
    script = (
        "import os\n"
        "from headway.serve.decisions import id_of\n"
        "id_of('')\n"
        "child = os.fork()\n"
        "child and os.waitpid(child, 0)\n"
        "print(*(id_of('') for _ in range(300)), flush=True)\n"
        "os._exit(0)\n"
    )
    ids = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert len(set(ids.split())) == len(ids.split()) == 600


def test_the_same_key_gets_the_same_answer_and_counts_once(tmp_path):
    now = [NOW_S]
    client = connect(tmp_path, clock=lambda: now[0])
    first = client.size(a_task(), idempotency_key="k")
    now[0] += 5.0
    again = client.size(a_task(submitted_s=now[0]), idempotency_key="k")
    assert again == first
    assert first.decision_id == id_of("k")
    assert client.size(a_task()).decision_id != client.size(a_task()).decision_id
    with pytest.raises(ConfigError, match="another task"):
        client.size(a_task(user="other"), idempotency_key="k")
    client.close()
    assert tally(read_records(tmp_path), NOW_S)["decisions"] == 3


def test_a_process_that_starts_gives_the_answer_that_the_one_before_gave(tmp_path):
    home, _, _ = make_home(tmp_path)
    client = connect(home, clock=lambda: NOW_S)
    first = client.size(a_task(user="1"), idempotency_key="k")
    client.size(a_task(user="1"))
    client.close()
    client = connect(home, clock=lambda: NOW_S + 100.0)
    again = client.size(a_task(user="1", submitted_s=NOW_S + 100.0), idempotency_key="k")
    assert again == replace(first, feature_names=(), features=array("d"))
    with pytest.raises(ConfigError, match="another task"):
        client.size(a_task(user="2"), idempotency_key="k")
    client.close()
    assert len(list(read_records(home))) == 2
    assert list(recall(home, most=1)) == [id_of("k")]
    assert list(recall(home, most=0)) == []


def test_an_answer_that_could_not_be_written_is_made_again_when_it_can(tmp_path, monkeypatch):
    client = connect(tmp_path, clock=lambda: NOW_S)

    def full(*_):
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", full)
        kept = client.decide(a_task(), idempotency_key="k")[1]
        with pytest.raises(StoreError, match="full"):
            kept.result(10.0)
    client.decide(a_task(), idempotency_key="k")[1].result(10.0)
    client.close()
    assert len(list(read_records(tmp_path))) == 1


def test_outcomes_find_their_decisions_late_twice_early_or_never(tmp_path):
    client = connect(tmp_path, clock=lambda: NOW_S)
    client.outcome(outcome(id_of("early")))
    for key in ("early", "late", "twice", "never"):
        client.size(a_task(id=key), idempotency_key=key)
    client.outcome(outcome(id_of("late"), at_s=NOW_S + 20 * DAY_S))
    client.outcome(outcome(id_of("twice"), state="out_of_memory"))
    client.outcome(outcome(id_of("twice"), at_s=NOW_S + 90.0))
    client.outcome(outcome("unheard of"))
    client.close()
    records = list(read_records(tmp_path))
    soon, later = tally(records, NOW_S + 60.0), tally(records, NOW_S + 20 * DAY_S)
    assert (soon["decisions"], soon["joined"], soon["open"], soon["expired"]) == (4, 3, 1, 0)
    assert (later["decisions"], later["joined"], later["open"], later["expired"]) == (4, 3, 0, 1)
    assert soon["out_of_memory"] == 0  # the later outcome of "twice" counts
    assert soon["without_decision"] == 1


def test_adoption_and_satisfaction_are_of_each_version(tmp_path):
    client = connect(tmp_path, clock=lambda: NOW_S)
    ids = [client.size(a_task(id=str(i))).decision_id for i in range(4)]
    said = Feedback(decision_id=ids[0], at_s=NOW_S, user="ann", rating=2, is_followed=True)
    client.feedback(said)
    client.feedback(replace(said, at_s=NOW_S + 1.0, rating=5))  # thought better of it
    client.feedback(replace(said, decision_id=ids[1], rating=4, is_followed=False))
    with pytest.raises(ConfigError, match="rating"):
        client.feedback(replace(said, rating=6))
    client.close()
    counted = tally(read_records(tmp_path), NOW_S)
    assert (counted["adoption"], counted["satisfaction"], counted["ratings"]) == (0.5, 4.5, 2)
    assert [row["adoption"] for row in counted["by_version"]] == [0.5]


events = st.lists(
    st.tuples(st.sampled_from(["decision", "outcome"]), st.sampled_from("abcd"),
              st.floats(0.0, 100.0), st.sampled_from(["v1", "v2"])),
    max_size=30,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(events=events, now_s=st.floats(0.0, 200.0))
def test_every_decision_is_joined_open_or_expired_and_the_versions_add_up(events, now_s):
    records = [
        {"kind": kind, "decision_id": name, "at_s": at_s, "version": version, "refused": "",
         "latency_s": 0.0, "state": "completed"}
        for kind, name, at_s, version in events
    ]  # fmt: skip
    counted = tally(records, now_s, expires_s=50.0)
    assert counted["decisions"] == len(
        {r["decision_id"] for r in records if r["kind"] == "decision"}
    )
    assert counted["decisions"] == counted["joined"] + counted["open"] + counted["expired"]
    for what in ("decisions", "joined", "open", "expired"):
        assert counted[what] == sum(row[what] for row in counted["by_version"])


CHILD = """
import sys
from headway.records import Task
from headway.serve import connect
client = connect(sys.argv[1])
for i in range(100000):
    task = Task(cluster="c", id=str(i), submitted_s=0.0)
    answer, kept = client.decide(task, idempotency_key=f"{sys.argv[2]}-{i}")
    kept.result()
    print(answer.decision_id, flush=True)
"""


def test_what_was_said_to_be_kept_outlives_kill_9_in_the_middle(tmp_path):
    told = set()
    for turn in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(turn)], stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        told |= {child.stdout.readline().strip() for _ in range(40)}
        os.kill(child.pid, signal.SIGKILL)
        told |= {line.strip() for line in child.stdout if len(line) == 33}
        child.wait()
        child.stdout.close()
    client = connect(tmp_path)
    kept = {record["decision_id"] for record in read_records(tmp_path)}
    client.close()
    assert len(told) >= 80
    assert told <= kept
    assert len(kept) <= len(told) + 2  # of each turn one answer may be kept and not told yet
    assert json.dumps(tally(read_records(tmp_path), NOW_S))


def test_two_processes_log_into_one_home(tmp_path):
    one, two = connect(tmp_path), connect(tmp_path)
    one.size(a_task(id="1"))
    two.size(a_task(id="2"))
    one.close()
    two.close()
    assert {record["id"] for record in read_records(tmp_path)} == {"1", "2"}


def test_numbers_that_are_none_are_not_known_and_no_moment_is_refused(tmp_path):
    client = connect(tmp_path, clock=lambda: NOW_S)
    client.outcome(replace(outcome("a"), memory_peak_bytes=float("nan"))).result(10.0)
    for odd in (float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="at_s"):
            client.outcome(outcome("b", at_s=odd))
        with pytest.raises(ConfigError, match="at_s"):
            client.feedback(Feedback(decision_id="b", at_s=odd, user="ann"))
    client.close()
    (kept,) = read_records(tmp_path)
    assert kept["memory_peak_bytes"] is None
