"""A home's history that is followed: tasks as the log says, never as it will say."""

from dataclasses import replace

import pytest

from headway.anomaly.tasks import TaskWatch
from headway.errors import NotEnoughData
from headway.records import Event, Prediction, Task, as_row
from headway.store import DeltaStore
from headway.tables import frame
from headway.watching import follow

HOUR_S = 3600.0


def task(number, state="completed", cluster="c", **known):
    start_s = HOUR_S * number
    given = {
        "submitted_s": start_s, "started_s": start_s, "ended_s": start_s + 1800.0, "user": "ann",
        "name": "align", "memory_peak_bytes": 10**9, "node": "n1", "cpus_allocated": 1.0,
    }  # fmt: skip
    return Task(cluster=cluster, id=str(number), state=state, **(given | known))


def add(home, *records, kind="task"):
    DeltaStore(str(home / "log")).append(kind, [frame(kind, [as_row(r) for r in records])])


def subjects(events):
    return [(e["event"], e["kind"], e["subject"]) for e in events]


def test_what_was_killed_for_memory_is_told_once_and_what_comes_later_when_it_comes(tmp_path):
    add(tmp_path, *(task(n) for n in range(5)), task(5, "out_of_memory"))
    followed = follow(None, tmp_path)
    assert subjects(followed.poll(0.0)) == [("alert", "out_of_memory", "5")]
    assert followed.poll(0.0) == []
    add(tmp_path, task(60, "out_of_memory"))
    told = followed.poll(0.0)
    assert subjects(told) == [("over", "out_of_memory", "5"), ("alert", "out_of_memory", "60")]
    assert told[1]["would_do"] == ["retry_with_memory"]
    status = followed.status()
    assert (status["tasks"], status["told"], status["open"]) == (7, 2, 1)
    assert status["learning"] == ["c"]
    again = follow(None, tmp_path)
    assert again.poll(0.0) == []
    assert again.status()["told"] == 0


def test_a_task_that_was_seen_to_run_is_seen_to_end_once(tmp_path):
    running = task(3, "running", ended_s=None, memory_peak_bytes=None)
    add(tmp_path, task(0), running)
    followed = follow(None, tmp_path)
    assert followed.poll(0.0) == []
    add(tmp_path, task(3, "out_of_memory"))
    assert subjects(followed.poll(0.0)) == [("alert", "out_of_memory", "3")]
    assert followed.status()["tasks"] == 2


def test_what_is_added_of_a_time_that_is_over_is_counted_and_not_judged(tmp_path):
    add(tmp_path, task(100))
    followed = follow(None, tmp_path)
    followed.poll(0.0)
    add(tmp_path, task(50, "out_of_memory"), task(50, "out_of_memory", cluster="other"))
    assert [e["cluster"] for e in followed.poll(0.0)] == ["other"]
    assert followed.status()["late"] == 2


def test_a_start_shows_nothing_of_its_end_and_a_prediction_counts_before_it(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(TaskWatch, "see", lambda self, event: seen.append(event) or [])
    monkeypatch.setattr(TaskWatch, "believe", lambda self, said: seen.append(said))
    one = task(1, "failed", exit_code=9, cpu_s=5.0)
    said = Prediction(
        cluster="c", id="1", attempt=1, at_s=HOUR_S, target="runtime_s", value=60.0,
        levels=(0.05, 0.5, 0.95), quantiles=(30.0, 60.0, 90.0), made_by="m1",
    )  # fmt: skip
    add(tmp_path, one)
    add(tmp_path, said, kind="prediction")
    follow(None, tmp_path).poll(0.0)
    bare = replace(
        one, state="running", ended_s=None, exit_code=None, cpu_s=None, memory_peak_bytes=None
    )
    assert seen == [
        said,
        Event(kind="started", at_s=HOUR_S, task=bare),
        Event(kind="ended", at_s=HOUR_S + 1800.0, task=one),
    ]


def test_a_home_without_a_history_says_how_to_get_one(tmp_path):
    with pytest.raises(NotEnoughData, match="headway import HISTORY"):
        follow(None, tmp_path)
