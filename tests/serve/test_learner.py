import json
import shutil
import time

import numpy as np
import pytest
from tests.serve.made_home import make_home
from tests.serve.served import ask, started, stopped
from tests.serve.test_advisor import NOW_S, a_task

from headway.errors import StoreError
from headway.records import Outcome
from headway.serve import connect
from headway.serve.learned import entry_of
from headway.serve.learner import Learner
from headway.serve.skew import skew

GB = 10**9
HAS = {"memory_requested_bytes": 320_000_000, "limit_s": 14400.0}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("learner"))[0]


@pytest.fixture
def home(made, tmp_path):
    return shutil.copytree(made, tmp_path / "home")


class Clock:
    def __init__(self):
        self.now_s = NOW_S

    def __call__(self):
        return self.now_s


def served(home):
    clock = Clock()
    client = connect(home, is_learning=True, clock=clock)
    return client, Learner(home, client), clock


def run(client, clock, peak, *, runtime_s=100.0, state="completed", **fields):
    """Ask about a task and say what became of it; the answer."""
    clock.now_s += 60.0
    task = a_task(submitted_s=clock.now_s, **HAS | fields)
    answer = client.size(task)
    outcome = Outcome(
        decision_id=answer.decision_id, cluster=task.cluster, id=task.id, attempt=task.attempt,
        at_s=clock.now_s + 30.0, wait_s=1.0, runtime_s=runtime_s, memory_peak_bytes=peak,
        state=state,
    )  # fmt: skip
    client.outcome(outcome).result()
    return answer


def settle(learner, clock):
    while not learner.step(clock.now_s):
        pass


def sizes_of(client, clock, users="01234"):
    tasks = [a_task(submitted_s=clock.now_s, user=user, **HAS) for user in users]
    return {user: client.size(task).memory_bytes for user, task in zip(users, tasks, strict=True)}


def test_outcomes_teach_their_own_user_and_nobody_else(home):
    client, learner, clock = served(home)
    before = sizes_of(client, clock)
    runtime_s = client.size(a_task(user="1", **HAS)).runtime_s.value
    for _ in range(20):
        run(client, clock, 200_000_000, runtime_s=5000.0, user="1")
    settle(learner, clock)
    after = sizes_of(client, clock)
    assert after["1"] >= 200_000_000 > 2 * before["1"]
    assert {u: s for u, s in after.items() if u != "1"} == {
        u: s for u, s in before.items() if u != "1"
    }
    assert client.size(a_task(user="1", **HAS)).runtime_s.value > 2 * runtime_s
    assert client.learning["outcomes_learned"] == 20.0
    client.close()


def test_what_was_learned_is_the_same_after_a_crash_and_in_another_server(home):
    client, learner, clock = served(home)
    for k in range(15):
        run(client, clock, 100_000_000 + k, user="2")
    settle(learner, clock)
    follower, idle = connect(home, is_learning=True, clock=clock), None
    idle = Learner(home, follower)
    settle(idle, clock)
    expected = sizes_of(client, clock)
    assert sizes_of(follower, clock) == expected
    run(client, clock, 190_000_000, user="2")  # kept, and not learned when the process dies
    learner.close()
    client.close()
    follower.close()
    again, relearner, _ = served(home)
    settle(relearner, clock)
    assert again.learning["outcomes_learned"] == 16.0
    assert again.live_models()[0].taught.number == 16
    again.close()
    relearner.close()


def test_features_are_those_that_the_logs_make_again(home):
    client, learner, clock = served(home)
    for k in range(12):
        run(client, clock, 30_000_000 * (k + 1), user="3", name="never seen before")
        run(client, clock, 10**14, user="4")
        settle(learner, clock)
    client.close()
    plain = connect(home, clock=clock)
    plain.size(a_task(user="3", name="never seen before", submitted_s=clock.now_s, **HAS))
    plain.close()
    found = skew(home)
    assert (found["checked"], found["different"], found["not_checked"]) == (25, 0, 0)
    journal = next((home / "learned").glob("0*.log"))
    learner.close()
    text = journal.read_bytes()
    assert b'"peak": 30000000,' in text


def test_the_check_of_skew_sees_a_feature_that_is_not_as_it_was_served(home, monkeypatch):
    client, learner, clock = served(home)
    for _ in range(3):
        run(client, clock, 30_000_000, user="3")
        settle(learner, clock)
    client.close()
    monkeypatch.setattr("headway.serve.skew.teach", _forgets)
    assert skew(home)["different"] == 2  # the first answer was given before anything was learned
    learner.close()


def _forgets(models, entry):
    models.taught.number = entry["number"]


def test_a_retry_is_given_more_than_what_was_not_enough(home):
    client, learner, clock = served(home)
    first = run(client, clock, None, state="out_of_memory", user="1", id="77")
    task = a_task(user="1", id="77", attempt=2, submitted_s=clock.now_s, **HAS)
    second = client.size(task)
    assert first.memory_bytes < second.memory_bytes <= 2 * first.memory_bytes
    assert second.made_by.endswith("after out of memory")
    other = a_task(user="2", id="77", attempt=2, submitted_s=clock.now_s, **HAS)
    assert "after" not in client.size(other).made_by
    client.close()
    learner.close()
    again, relearner, _ = served(home)
    settle(relearner, clock)  # from the log
    assert again.size(task).memory_bytes > first.memory_bytes
    again.close()
    relearner.close()


def decision(**fields):
    task = {"cluster": "c", "id": "1", "limit_s": 100.0, "memory_requested_bytes": GB}
    return {"decision_id": "d", "task": task, "memory_bytes": GB // 2, "peak_bytes": 1e8,
            "made_by": "sizing-2 constant, kind"} | fields  # fmt: skip


def outcome(**fields):
    known = {"state": "completed", "memory_peak_bytes": GB, "runtime_s": 50.0, "at_s": 900.0}
    return known | fields


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"memory_peak_bytes": 65 * GB}, "peak is more than 64 times"),
        ({"runtime_s": 1e5}, "more than 4 times the limit"),
        ({"at_s": 1e9}, "ahead"),
        ({"state": "cancelled"}, "cancelled"),
        ({"memory_peak_bytes": None, "runtime_s": None}, "neither"),
    ],
)
def test_what_cannot_be_believed_is_set_aside_with_its_reason(fields, reason):
    assert reason in entry_of(decision(), outcome(**fields), 1000.0)["refused"]


def test_what_can_be_believed_is_learned_and_what_is_beyond_the_limit_is_clipped():
    entry = entry_of(decision(), outcome(), 1000.0)
    assert (entry["refused"], entry["clipped"], entry["runtime_s"]) == ("", "", 50.0)
    entry = entry_of(decision(), outcome(runtime_s=300.0), 1000.0)
    assert (entry["refused"], entry["runtime_s"]) == ("", 225.0)
    assert "limit" in entry["clipped"]
    entry = entry_of(decision(), outcome(state="out_of_memory", memory_peak_bytes=7), 1000.0)
    assert entry["peak"] == GB // 2 + 1


def test_nothing_is_lost_every_outcome_is_learned_or_refused_once(home):
    client, learner, clock = served(home)
    for k in range(10):
        answer = run(client, clock, 10**15 if k % 2 else 10**8, user="1")
        client.outcome(  # again
            Outcome(decision_id=answer.decision_id, cluster="", id="", attempt=1, at_s=clock.now_s,
                    wait_s=None, runtime_s=1.0, memory_peak_bytes=1, state="completed")
        ).result()  # fmt: skip
    settle(learner, clock)
    assert client.learning["outcomes_learned"] + client.learning["outcomes_refused"] == 10.0
    entries = [json.loads(record) for record in learner._journal]
    assert [e["number"] for e in entries] == list(range(1, 11))
    assert sum(bool(e["refused"]) for e in entries) == 5
    client.close()
    learner.close()


def test_two_processes_do_not_both_learn(home):
    client, learner, clock = served(home)
    settle(learner, clock)
    other = Learner(home, client)
    assert other.step(clock.now_s)
    assert other._journal is None
    learner.close()
    other.step(clock.now_s)
    assert other._journal is not None
    other.close()
    client.close()


def test_absurd_outcomes_of_one_user_leave_the_sizes_of_others(tmp_path):
    flood(tmp_path, 600)


def flood(tmp_path, many):
    """A real server and many outcomes: half absurd, half just not absurd enough to be set aside."""
    home, _, _ = make_home(tmp_path, created_s=time.time() - 60.0)
    rng = np.random.default_rng(0)
    peaks = np.where(rng.random(many) < 0.5, 10**17, 2_000_000_000)
    with_ids = connect(home)
    sent = [
        {"decision_id": with_ids.size(flooding(k)).decision_id, "state": "completed",
         "runtime_s": 1.0, "memory_peak_bytes": int(peak)}
        for k, peak in enumerate(peaks)
    ]  # fmt: skip
    with_ids.close()
    server, port = started(home)
    try:
        before = sizes_over_http(port)
        assert ask(port, "/v1/outcomes", {"outcomes": sent})[2]["kept"] == many
        found, until = {}, time.monotonic() + 240.0
        while not has_learned(found, many) and time.monotonic() < until:
            time.sleep(0.2)
            found = learning_of(ask(port, "/metrics")[2])
        assert has_learned(found, many), found
        assert found["learned"] == np.sum(peaks < 10**17)
        after = sizes_over_http(port)
        assert [after[u] for u in (0, 2, 3, 4)] == [before[u] for u in (0, 2, 3, 4)]
        assert after[1] != before[1]
    finally:
        assert stopped(server) == 0


def test_a_server_that_is_killed_knows_what_it_had_learned_when_it_is_back(tmp_path):
    home, _, _ = make_home(tmp_path, created_s=time.time() - 60.0)
    server, port = started(home)
    try:
        untaught = sizes_over_http(port)
        sent = [
            {"decision_id": size_over_http(port, user="2", id=str(k))["decision_id"],
             "state": "completed", "runtime_s": 50.0, "memory_peak_bytes": 150_000_000 + k}
            for k in range(40)
        ]  # fmt: skip
        ask(port, "/v1/outcomes", {"outcomes": sent})
        await_learned(port, 40)
        taught = sizes_over_http(port)
        assert taught[2][0] > untaught[2][0]
        late = size_over_http(port, user="3", id="late")
        given = late["allocate"]["memory_bytes"]
        body = {"decision_id": late["decision_id"], "state": "out_of_memory"}
        body |= {"memory_peak_bytes": given}
        ask(port, "/v1/outcomes", {"outcomes": [body]})  # on the disk, perhaps not yet learned
        server.kill()
        server.communicate()
        server, port = started(home)
        await_learned(port, 41)
        again = sizes_over_http(port)
        assert [again[u] for u in (0, 1, 2, 4)] == [taught[u] for u in (0, 1, 2, 4)]
        retry = size_over_http(port, user="3", id="late", attempt=2)
        assert retry["allocate"]["memory_bytes"] >= min(2 * given, HAS["memory_requested_bytes"])
    finally:
        assert stopped(server) == 0


def size_over_http(port, **fields):
    return ask(port, "/v1/size", {"task": {"cpus_requested": 4} | HAS | fields})[2]


def await_learned(port, many):
    found, until = {}, time.monotonic() + 60.0
    while not has_learned(found, many):
        assert time.monotonic() < until, found
        time.sleep(0.1)
        found = learning_of(ask(port, "/metrics")[2])


def flooding(k):
    known = {"user": "1", "id": str(k), "name": f"n{k % 7}", "submitted_s": time.time()}
    return a_task(**known | HAS)


def sizes_over_http(port):
    tasks = [{"user": str(user), "cpus_requested": 4, **HAS} for user in range(5)]
    said = [ask(port, "/v1/size", {"task": task})[2] for task in tasks]
    return [(one["allocate"]["memory_bytes"], one["memory_bytes"]["value"]) for one in said]


def learning_of(text):
    """What /metrics says of outcomes: {"learned": .., "refused": .., ..}."""
    lines = [line.split() for line in text.splitlines() if line.startswith("headway_outcomes_")]
    return {name.removeprefix("headway_outcomes_"): float(value) for name, value in lines}


def has_learned(found, many):
    return (
        found.get("learned", 0.0) + found.get("refused", 0.0) == many
        and not found["not_yet_learned"]
    )


def test_a_journal_that_cannot_be_opened_is_an_error(home):
    client, learner, clock = served(home)
    (home / "learned").write_text("not a folder")
    with pytest.raises(StoreError):
        learner.step(clock.now_s)
    client.close()
