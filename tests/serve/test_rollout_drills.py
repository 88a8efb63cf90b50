"""Rollouts as they happen: a real server, clients that report outcomes, time scaled down."""

import http.client
import json
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from tests.serve.made_home import make_home
from tests.serve.test_http import DECIDE, JSON, OBSERVE, OPERATE, ask, started, stopped

from headway.serve.decisions import read_records
from headway.serve.rollouts import find, read_changes
from headway.store import ModelStore

pytest.importorskip("msgspec")
pytest.importorskip("granian")

PLAN = {"shares": [0.05, 0.25, 0.5], "dwell_s": 0.0, "dwell_outcomes": 150, "silent_s": 60.0}
NEVER = {"margins": {"latency": 10.0}}  # this machine has other work: not what a drill is about


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drills")
    created_s = time.time() - 120.0
    for seed in (0, 1):
        home = make_home(folder, seed=seed, created_s=created_s + 10.0 * seed)[0]
    return home


@pytest.fixture
def home(trained, tmp_path):
    """A home of its own with both trainings, the first one current."""
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    for model in (trained / "models").iterdir():
        (home / "models" / model.name).mkdir()
        for version in model.glob("v*"):
            (home / "models" / model.name / version.name).symlink_to(version)
        (home / "models" / model.name / "current").write_text("v000001\n")
    return home


@pytest.fixture
def port(home):
    process, port = started(home)
    yield port
    assert stopped(process) == 0


class Clients:
    """Ask for sizes and report outcomes, which fail with a chance by version, until stopped."""

    def __init__(self, port, failing, threads=4):
        self.port, self.failing = port, failing
        self.statuses, self.answers, self.errors = [], [], []  # answers: when, version
        self.is_over = False
        self.threads = [threading.Thread(target=self._tried, args=(i,)) for i in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join()

    def _tried(self, number):
        try:
            self._run(number)
        except (OSError, http.client.HTTPException) as error:
            self.errors.append(error)

    def _run(self, number):
        rng = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

        def post(path, body):
            while True:
                connection.request("POST", path, json.dumps(body), JSON)
                answer = connection.getresponse()
                said = json.loads(answer.read())
                if answer.status != 429:  # on a loaded machine it may say to come again
                    self.statuses.append(answer.status)
                    return said
                time.sleep(0.05)

        count = 0
        while not self.is_over:
            outcomes = []
            for _ in range(25):
                count += 1
                said = post("/v1/size", {"task": {"id": f"{number}-{count}", "user": "1"}})
                version = said["version"].split(",")[0].removeprefix("history ")
                self.answers.append((time.monotonic(), version))
                state = "failed" if rng.random() < self.failing[version] else "completed"
                outcomes.append({"decision_id": said["decision_id"], "state": state})
            post("/v1/outcomes", {"outcomes": outcomes})
        connection.close()


def until(home, is_reached, seconds=60.0):
    """The newest rollout once it is so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        rollout = find(home)
        if is_reached(rollout):
            return rollout
        time.sleep(0.05)
    raise AssertionError(f"it did not come to that: {rollout}")


def test_a_worse_model_is_taken_back_by_itself_before_it_passes_5_percent(home, port):
    assert ask(port, "/v1/rollouts", PLAN | NEVER)[0] == 200
    with Clients(port, {"v000001": 0.05, "v000002": 0.25}) as clients:
        rollout = until(home, lambda r: not r.is_open)
    assert rollout.status == "rolled back"
    assert "failures" in rollout.why
    assert max(change["stage"] for change in read_changes(home)) == 0  # never above 5 %
    assert ModelStore(home).current("history") == "v000001"
    assert (set(clients.statuses), clients.errors) == ({200}, [])


def test_a_better_model_is_promoted_by_itself(home, port):
    ask(port, "/v1/rollouts", PLAN | NEVER | {"shares": [0.25, 0.5]})
    with Clients(port, {"v000001": 0.4, "v000002": 0.1}) as clients:
        rollout = until(home, lambda r: not r.is_open and r.is_in_place)
        seen = len(clients.answers)
        deadline = time.monotonic() + 10.0
        while clients.answers[-1][1] != "v000002" or len(clients.answers) < seen + 100:
            assert time.monotonic() < deadline
    assert (rollout.status, [c["stage"] for c in read_changes(home)]) == ("promoted", [0, 1, 1, 1])
    assert {version for _, version in clients.answers[-20:]} == {"v000002"}
    assert all(ModelStore(home).current(n) == "v000002" for n in ("history", "runtime", "memory"))
    assert (set(clients.statuses), clients.errors) == ({200}, [])


def test_an_equal_model_ends_inconclusive_at_its_budget(home, port):
    ask(port, "/v1/rollouts", PLAN | NEVER | {"shares": [0.5], "budget_s": 3.0})
    with Clients(port, {"v000001": 0.1, "v000002": 0.1}):
        rollout = until(home, lambda r: not r.is_open)
    assert (rollout.status, ModelStore(home).current("history")) == ("inconclusive", "v000001")


@pytest.mark.parametrize("by", ["http", "command"])
def test_a_person_takes_it_back_within_a_second_and_no_request_fails(home, port, by):
    ask(port, "/v1/rollouts", PLAN | NEVER | {"shares": [0.5]})
    with Clients(port, {"v000001": 0.1, "v000002": 0.1}, threads=2) as clients:
        while len({version for _, version in clients.answers}) < 2:
            pass
        if by == "http":
            status, _, said = ask(port, "/v1/rollouts/r000001/rollback", {"why": "x", "by": "ann"})
            assert (status, said["status"]) == (200, "rolled back")
            decided_s = time.monotonic()
        else:
            command = [sys.executable, "-m", "headway.cli", "rollout", "rollback", "--home"]
            subprocess.run([*command, str(home)], check=True, capture_output=True)
            decided_s = time.monotonic()
        while time.monotonic() < decided_s + 1.5:
            pass
    late = [at - decided_s for at, version in clients.answers if version == "v000002"]
    assert max(late) < 1.0
    assert (set(clients.statuses), clients.errors) == ({200}, [])
    assert clients.answers[-1][0] > decided_s + 1.0


def test_a_challenger_of_which_nothing_is_heard_is_taken_back(home, port):
    ask(port, "/v1/rollouts", PLAN | NEVER | {"silent_s": 1.0})
    assert "no outcome" in until(home, lambda r: not r.is_open, 20.0).why


def test_a_server_that_is_killed_while_stages_change_goes_on_where_it_was(home):
    process, port = started(home)
    shares = [number / 100 for number in range(50, 90)]
    ask(port, "/v1/rollouts", PLAN | NEVER | {"shares": shares, "dwell_outcomes": 1})
    with Clients(port, {"v000001": 0.1, "v000002": 0.1}) as doomed:
        until(home, lambda r: r.stage >= 2)
        process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(doomed.errors) == len(doomed.threads)
    before, records = find(home), list(read_records(home))
    process, port = started(home)
    with Clients(port, {"v000001": 0.1, "v000002": 0.1}, threads=2):
        until(home, lambda r: r.stage > before.stage)
    assert stopped(process) == 0
    stages = [change["stage"] for change in read_changes(home)]
    assert stages == list(range(len(stages)))  # none was skipped, none came twice
    assert list(read_records(home))[: len(records)] == records


def test_webhooks_and_metric_providers_read_the_verdict(home, port):
    ask(port, "/v1/rollouts", PLAN | NEVER)
    status, _, said = ask(port, "/v1/rollouts/r000001/verdict")
    assert (status, said["verdict"], said["status"]) == (200, "continue", "running")
    phase = {"name": "headway", "namespace": "x", "phase": "Progressing", "metadata": {}}
    assert ask(port, "/v1/rollouts/r000001/verdict", phase)[0] == 200
    assert ask(port, "/v1/rollouts/r000001/pause", {})[2]["status"] == "paused"
    assert ask(port, "/v1/rollouts/r000001/resume", {})[2]["status"] == "running"
    assert ask(port, "/v1/rollouts/r000001/rollback", {})[2]["share"] == 0.0
    assert ask(port, "/v1/rollouts/r000001/verdict")[2]["verdict"] == "roll back"
    assert ask(port, "/v1/rollouts/r000001/verdict", phase)[0] == 409  # a webhook halts by it
    assert [r["rollout_id"] for r in ask(port, "/v1/rollouts")[2]["rollouts"]] == ["r000001"]
    for path, body in {
        "/v1/rollouts/r000001/promote": {},
        "/v1/rollouts/r000001/explode": {},
        "/v1/rollouts": {"shares": [0.5, 0.1]},
    }.items():
        assert ask(port, path, body)[0] == 400
    assert ask(port, "/v1/rollouts/r000009")[0] == 404
    assert ask(port, "/v1/rollouts", {"metric": "beauty"})[0] == 400


def test_changes_need_the_operate_scope(home, tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"{DECIDE} decide\n{OBSERVE} observe\n{OPERATE} operate\n")
    file.chmod(0o600)
    process, port = started(home, "--token-file", str(file))

    def status(path, body, token):
        return ask(port, path, body, headers=JSON | {"authorization": f"Bearer {token}"})[0]

    assert status("/v1/rollouts", {}, DECIDE) == status("/v1/rollouts", {}, OBSERVE) == 403
    assert status("/v1/rollouts", {}, OPERATE) == 200
    assert status("/v1/rollouts/r000001/rollback", {}, OBSERVE) == 403
    assert status("/v1/rollouts/r000001/verdict", None, OBSERVE) == 200
    assert stopped(process) == 0
