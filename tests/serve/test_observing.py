"""Events and samples over HTTP end up in the log of the home, once."""

import math

import pytest
from tests.serve.served import ask, started, stopped

from headway.store import DeltaStore

pytest.importorskip("msgspec")
pytest.importorskip("granian")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("seen")


@pytest.fixture(scope="module")
def port(home):
    process, port = started(home)
    yield port
    assert stopped(process) == 0


def tasks(home):
    return DeltaStore(str(home / "log")).read("task", -math.inf, math.inf)


def event(kind, at_s, **known):
    return {"kind": kind, "at_s": at_s, "task": {"cluster": "c", "id": "7", "user": "ann"} | known}


def test_a_task_is_followed_from_its_submission_to_its_end(port, home):
    said = ask(port, "/v1/events", {"events": [event("submitted", 100.0)]})[2]
    assert said == {"stored": 1, "duplicate": 0, "refused": []}
    later = [
        event("started", 160.0, submitted_s=100.0, node="n1"),
        event("ended", 200.0, submitted_s=100.0, started_s=160.0, state="completed",
              memory_peak_bytes=10**9, parents=["5", "6"]),
    ]  # fmt: skip
    assert ask(port, "/v1/events", {"events": later})[2]["stored"] == 2
    again = ask(port, "/v1/events", {"events": later})[2]
    assert again == {"stored": 0, "duplicate": 2, "refused": []}
    (row,) = tasks(home).filter(id="7").to_dicts()
    assert (row["submitted_s"], row["started_s"], row["ended_s"]) == (100.0, 160.0, 200.0)
    assert (row["state"], row["memory_peak_bytes"], row["parents"]) == (
        "completed", 10**9, ["5", "6"],
    )  # fmt: skip


def test_what_is_not_believed_is_named_with_its_place_and_the_rest_is_kept(port, home):
    events = [
        event("started", 50.0, id="8", submitted_s=60.0),
        event("submitted", 60.0, id="9"),
        event("ended", 60.0, id="10"),
    ]
    said = ask(port, "/v1/events", {"events": events})[2]
    assert said["stored"] == 1
    assert said["refused"] == [
        {"place": 0, "reason": "start before submission"},
        {"place": 2, "reason": "no submission time"},
    ]
    assert set(tasks(home)["id"]) >= {"9"}
    assert not set(tasks(home)["id"]) & {"8", "10"}


def test_samples_are_kept_once(port, home):
    one = {"cluster": "c", "source": "n1", "metric": "cpu_share", "at_s": 5.0, "value": 0.5}
    body = {"samples": [one, one | {"at_s": 6.0}]}
    assert ask(port, "/v1/samples", body)[2] == {"stored": 2, "duplicate": 0, "refused": []}
    assert ask(port, "/v1/samples", body)[2]["duplicate"] == 2
    kept = DeltaStore(str(home / "log")).read("sample", -math.inf, math.inf)
    assert kept["at_s"].to_list() == [5.0, 6.0]
    assert ask(port, "/v1/samples", {"samples": []})[2]["stored"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/events", {"events": [event("begun", 1.0)]}),
        ("/v1/events", {"events": [event("ended", 1.0, id="")]}),
        ("/v1/events", {"events": [event("ended", 1.0, state="lost")]}),
        ("/v1/events", {"events": [event("ended", -1.0)]}),
        ("/v1/events", {"events": [{"kind": "ended", "at_s": 1.0}]}),
        ("/v1/samples", {"samples": [{"cluster": "c"}]}),
        ("/v1/samples", b'{"samples": [' + b"[" * 100_000),
    ],
)
def test_what_has_another_form_is_refused(port, path, body):
    status, _, said = ask(port, path, body)
    assert (status, bool(said["error"])) == (400, True)
