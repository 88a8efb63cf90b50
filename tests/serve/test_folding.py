"""What was logged long ago is moved into the log's tables, and is counted as before."""

import base64
import json
import os
import threading
import time
import zlib

import numpy as np
import polars as pl
import pytest
from tests.serve.made_home import make_home
from tests.serve.test_advisor import NOW_S, a_task
from tests.serve.test_decisions import DAY_S, outcome
from typer.testing import CliRunner

from headway.cli import app
from headway.errors import StoreError
from headway.records import Feedback
from headway.serve import connect, decisions, recalled
from headway.serve.decisions import read_records
from headway.serve.folding import all_records, fold
from headway.serve.learner import Learner
from headway.serve.status import decisions_of
from headway.store import DeltaStore
from headway.store.journal import HEAD

LATER_S = NOW_S + 30 * DAY_S


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with answers in several segments, all but the last written a month ago."""
    monkeypatch.setattr(decisions, "SEGMENT_BYTES", 20_000)
    monkeypatch.setattr(recalled, "RECENT_BYTES", 1)
    home, _, _ = make_home(tmp_path)
    client = connect(home, clock=lambda: NOW_S)
    for number in range(12):
        answer, kept = client.decide(a_task(user=str(number % 3)))
        kept.result(10.0)
        if number % 2:
            client.outcome(outcome(answer.decision_id)).result(10.0)
        if number % 3 == 0:
            said = Feedback(decision_id=answer.decision_id, at_s=NOW_S, user="ann", rating=4)
            client.feedback(said).result(10.0)
    client.close()
    age(home, NOW_S)
    return home


def segments(home):
    return sorted((home / "decisions").glob("*/*.log"))


def age(home, at_s, newest_s=LATER_S):
    """Let all segments but the newest have been written at a moment."""
    *old, last = segments(home)
    for path in old:
        os.utime(path, (at_s, at_s))
    os.utime(last, (newest_s, newest_s))


def test_what_is_folded_is_counted_as_before(home):
    before, paths = decisions_of(home, LATER_S), segments(home)
    records = list(read_records(home))
    folded = fold(home, LATER_S)
    assert segments(home) == paths[-1:]
    left = [r["kind"] for r in read_records(home)]
    for kind in ("decision", "outcome", "feedback"):
        assert folded[kind] == sum(r["kind"] == kind for r in records) - left.count(kind)
    assert folded["segments"] == len(paths) - 1 > 1
    assert decisions_of(home, LATER_S) == before
    assert fold(home, LATER_S)["segments"] == 0


def test_a_folded_decision_is_a_row_with_its_features_as_they_were_served(home):
    logged = {r["decision_id"]: r for r in read_records(home) if r["kind"] == "decision"}
    fold(home, LATER_S)
    rows = DeltaStore(str(home / "log")).read("decision")
    assert rows.height > 1
    for row in rows.iter_rows(named=True):
        record = logged[row["decision_id"]]
        served = np.frombuffer(base64.b64decode(record["features"]))
        np.testing.assert_array_equal(served, row["features"])
        assert row["memory_bytes"] == record["memory_bytes"]
        features = record.pop("features")
        assert features
        assert json.loads(row["said"]) == record


class Open:
    is_open, started_s = True, NOW_S + 1.0


def test_what_somebody_wants_stays(home, monkeypatch):
    paths = segments(home)
    assert fold(home, NOW_S + 13 * DAY_S)["segments"] == 0  # young
    age(home, NOW_S, NOW_S + 13 * DAY_S)
    assert fold(home, LATER_S)["segments"] == 0  # a server that starts now looks at it
    age(home, NOW_S + 2.0)
    with monkeypatch.context() as patch:
        patch.setattr("headway.serve.folding.read_rollouts", lambda home: (Open,))
        assert fold(home, LATER_S)["segments"] == 0
    with monkeypatch.context() as patch:
        patch.setattr(recalled, "RECENT_BYTES", 64 << 20)  # answers to keys are given again
        assert fold(home, LATER_S)["segments"] == 0
    assert segments(home) == paths
    assert fold(home, LATER_S)["segments"] == len(paths) - 1


def test_a_crash_between_the_rows_and_the_segment_doubles_nothing(home):
    before, first = decisions_of(home, LATER_S), segments(home)[0]
    content = first.read_bytes()
    fold(home, LATER_S)
    first.write_bytes(content)
    age(home, NOW_S)
    assert decisions_of(home, LATER_S) == before
    again = fold(home, LATER_S)
    assert (again["segments"], again["decision"], again["outcome"]) == (1, 0, 0)
    assert decisions_of(home, LATER_S) == before


def test_a_damaged_segment_stays(home, caplog):
    first = segments(home)[0]
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    age(home, NOW_S)
    fold(home, LATER_S)
    assert first.exists()
    assert "damaged" in caplog.text


def test_nothing_goes_that_could_not_be_stored(home, monkeypatch):
    def fails(self, kind, batches):
        raise StoreError("no room")

    monkeypatch.setattr(DeltaStore, "append", fails)
    paths = segments(home)
    with pytest.raises(StoreError):
        fold(home, LATER_S)
    assert segments(home) == paths


def test_decisions_of_an_engine_in_the_same_log_are_not_counted(home):
    before = decisions_of(home, LATER_S)
    store = DeltaStore(str(home / "log"))
    mine = {"decision_id": "e1", "at_s": 1.0, "cluster": "c", "id": "1", "attempt": 1}
    store.append("decision", [pl.DataFrame([mine | {"action": "start"}])])
    store.append("outcome", [pl.DataFrame([mine | {"state": "completed"}])])
    assert decisions_of(home, LATER_S) == before


def test_the_command_folds_and_counts(home):
    age(home, time.time() - 30 * DAY_S, time.time())
    said = CliRunner().invoke(app, ["decisions", "--fold", "--home", str(home), "--json"])
    document = json.loads(said.stdout)
    assert document["folded"]["segments"] > 1
    assert document["decisions"] == 12
    screen = CliRunner().invoke(app, ["decisions", "--fold", "--home", str(home)])
    assert "0 segments" in screen.stdout


def test_a_record_that_is_no_row_keeps_its_segment_alone(home, caplog):
    first, second, *_ = segments(home)
    extra = json.dumps({"kind": "outcome", "decision_id": {"no": "text"}}).encode()
    first.write_bytes(first.read_bytes() + HEAD.pack(len(extra), zlib.crc32(extra)) + extra)
    age(home, NOW_S)
    fold(home, LATER_S)
    assert first.exists()
    assert not second.exists()
    assert "no row" in caplog.text


def test_what_no_column_holds_is_null_and_counts_as_before(home):
    first = segments(home)[0]
    odd = {"kind": "outcome", "decision_id": "x", "cluster": "c\ud800", "id": "1", "attempt": 1}
    for at_s in (NOW_S, float("nan")):
        said = json.dumps(odd | {"at_s": at_s, "memory_peak_bytes": float("nan")}).encode()
        first.write_bytes(first.read_bytes() + HEAD.pack(len(said), zlib.crc32(said)) + said)
    age(home, NOW_S)
    before = decisions_of(home, LATER_S)
    fold(home, LATER_S)
    assert not first.exists()
    assert decisions_of(home, LATER_S) == before


def test_the_order_of_what_was_logged_is_that_of_what_was_folded(home, monkeypatch):
    paths = segments(home)
    id_ = next(r["decision_id"] for r in read_records(home) if r["kind"] == "decision")
    for path, state in zip(paths[:3], ("completed", "failed", "out_of_memory"), strict=True):
        fields = outcome(id_, state=state)
        said = {name: getattr(fields, name) for name in fields.__slots__}
        text = json.dumps({"kind": "outcome", **said}).encode()
        path.write_bytes(path.read_bytes() + HEAD.pack(len(text), zlib.crc32(text)) + text)
    for number, path in enumerate(paths[:-1]):
        os.utime(path, (NOW_S + number, NOW_S + number))
    before = decisions_of(home, LATER_S)
    fold(home, LATER_S)
    assert decisions_of(home, LATER_S) == before


def test_who_counts_sees_all_while_another_folds(home):
    counted, before = all_records(home), decisions_of(home, LATER_S)["decisions"]
    seen = [next(counted)]
    folding = threading.Thread(target=fold, args=(home, LATER_S))
    folding.start()
    folding.join(0.3)
    assert folding.is_alive()  # it waits for who counts
    seen += counted
    folding.join(30.0)
    assert not folding.is_alive()
    assert len({r["decision_id"] for r in seen if r["kind"] == "decision"}) == before
    assert len(segments(home)) == 1


def test_a_late_outcome_of_a_folded_decision_loses_no_other(home, monkeypatch):
    client = connect(home, clock=lambda: LATER_S, is_learning=True)
    learner = Learner(home, client)
    old = next(r["decision_id"] for r in read_records(home) if r["kind"] == "decision")
    age(home, LATER_S)
    while not learner.step(LATER_S):
        pass
    learned = learner.counts["learned"] + learner.counts["refused"]
    age(home, NOW_S)
    fold(home, LATER_S)
    new, kept = client.decide(a_task(user="1", submitted_s=LATER_S))
    kept.result(10.0)
    client.outcome(outcome(new.decision_id, LATER_S)).result(10.0)
    client.outcome(outcome(old, LATER_S)).result(10.0)
    while not learner.step(LATER_S):
        pass
    assert learner.counts["learned"] + learner.counts["refused"] == learned + 1
    learner.close()
    client.close()
