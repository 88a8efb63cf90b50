"""The server as others reach it: a real process on a free port."""

import http.client
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest
from tests.serve.made_home import make_home
from tests.serve.served import JSON, ask, started, stopped

from headway.errors import ConfigError
from headway.serve import Advisor
from headway.serve.decisions import id_of, read_records
from headway.serve.tally import tally

pytest.importorskip("msgspec")
pytest.importorskip("granian")

DECIDE, OBSERVE, OPERATE = ("a-token-for-" + what for what in ("deciders", "observers", "operator"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("http"), created_s=time.time() - 60.0)[0]


@pytest.fixture(scope="module")
def port(home):
    process, port = started(home)
    yield port
    assert stopped(process) == 0


def test_a_size_has_the_promised_keys_and_the_number_of_the_models(port, home):
    task = {"user": "1", "name": "1", "cpus_requested": 4, "memory_requested_bytes": 320_000_000}
    status, _, said = ask(port, "/v1/size", {"task": task})
    assert status == 200
    wanted = {"decision_id", "runtime_s", "memory_bytes", "allocate", "made_by", "refused"}
    assert wanted <= set(said)
    assert {"value", "quantiles", "levels"} <= set(said["runtime_s"])
    assert said["version"] == Advisor(home).models.version
    assert 0 < said["allocate"]["memory_bytes"] <= 320_000_000
    assert any(r["decision_id"] == said["decision_id"] for r in read_records(home))


def test_a_task_that_says_nothing_of_itself_gets_a_reason(port):
    status, _, said = ask(port, "/v1/size", {"task": {}})
    assert status == 200
    assert said["refused"] or said["allocate"]["memory_bytes"] > 0


def test_the_same_idempotency_key_gets_the_same_answer_and_another_task_is_told(port):
    headers = JSON | {"idempotency-key": "k1"}
    first = ask(port, "/v1/size", {"task": {"user": "1"}}, headers=headers)[2]
    assert ask(port, "/v1/size", {"task": {"user": "1"}}, headers=headers)[2] == first
    assert first["decision_id"] == id_of("k1")
    assert ask(port, "/v1/size", {"task": {"user": "2"}}, headers=headers)[0] == 409


def test_several_sizes_come_at_once_and_a_key_gives_each_again(port, home):
    tasks = [{"user": "1", "memory_requested_bytes": 10**9}, {"user": "2"}]
    headers = JSON | {"idempotency-key": "many"}
    status, _, said = ask(port, "/v1/size", {"tasks": tasks}, headers=headers)
    assert status == 200
    assert [one["decision_id"] for one in said["answers"]] == [id_of("many/0"), id_of("many/1")]
    assert ask(port, "/v1/size", {"tasks": tasks}, headers=headers)[2] == said
    alone = {"task": tasks[0]}
    one = ask(port, "/v1/size", alone, headers=JSON | {"idempotency-key": "many/0"})[2]
    assert one == said["answers"][0]
    kept = {record["decision_id"] for record in read_records(home)}
    assert {one["decision_id"] for one in said["answers"]} <= kept
    for body in ({}, alone | {"tasks": tasks}, {"tasks": [{}] * 101}):
        assert ask(port, "/v1/size", body)[0] == 400
    assert ask(port, "/v1/size", {"tasks": []})[2] == {"answers": []}


def test_tasks_are_placed(port):
    body = {"tasks": [{"id": "7", "cpus_requested": 2}], "nodes": [{"name": "a", "free_cpus": 2}]}
    said = ask(port, "/v1/place", body)[2]
    assert said == {"places": [{"id": "7", "node": "a", "refused": ""}]}


def test_the_queue_comes_back_ordered(port):
    tasks = [{"id": str(i), "user": str(i % 5), "cpus_requested": 2 ** (i % 4)} for i in range(40)]
    status, _, said = ask(port, "/v1/order", {"tasks": tasks})
    assert status == 200
    assert sorted(said["places"]) == list(range(40))
    assert said["order"] == [str(place) for place in said["places"]]
    assert ask(port, "/v1/order", {"tasks": tasks, "rule": "f1"})[0] == 400


def test_outcomes_and_feedback_are_kept(port, home):
    said = ask(port, "/v1/size", {"task": {"user": "3"}})[2]["decision_id"]
    one = {"decision_id": said, "state": "completed", "memory_peak_bytes": 10**6}
    assert ask(port, "/v1/outcomes", {"outcomes": [one, one]})[2] == {"kept": 2}
    opinion = {"decision_id": said, "user": "ann", "rating": 5, "is_followed": True}
    assert ask(port, "/v1/feedback", opinion)[2] == {"kept": 1}
    kinds = [r["kind"] for r in read_records(home) if r["decision_id"] == said]
    assert kinds == ["decision", "outcome", "outcome", "feedback"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/size", b"{", 400),
        ("/v1/size", b"\xff\xfe", 400),
        ("/v1/size", {"task": {"memory_requested_byte": 1}}, 400),
        ("/v1/size", {"task": {"limit_s": -1}}, 400),
        ("/v1/size", {"task": {"limit_s": "long"}}, 400),
        ("/v1/size", b'{"task": {"limit_s": 1e999}}', 400),
        ("/v1/size", b'{"task": {"user": "\\ud800"}}', 400),
        ("/v1/size", b'{"task": ' + b"[" * 100_000, 400),
        ("/v1/size", b'{"task": {"inputs": {"a": ' + b'{"a":' * 100_000, 400),
        ("/v1/feedback", {"decision_id": "a", "user": "ann", "rating": 6}, 400),
        ("/v1/outcomes", {"outcomes": [{"decision_id": "a", "state": "running"}]}, 400),
        ("/v3/nothing", {}, 404),
    ],
)
def test_a_malformed_request_is_refused_with_a_sentence(port, path, body, status):
    got, _, said = ask(port, path, body)
    assert (got, bool(said["error"])) == (status, True)
    assert ask(port, "/live")[0] == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_read(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        head = "POST /v1/size HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
        one.sendall(f"{head}content-length: {5 << 20}\r\n\r\n".encode())
        assert b" 413 " in one.recv(100)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:  # says no length
        one.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        for _ in range(5):
            one.sendall(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")
        assert b" 413 " in one.recv(100)


def test_other_methods_and_forms_are_refused(port):
    assert ask(port, "/v1/size")[0] == 405
    # what a web page may send without asking first
    assert ask(port, "/v1/size", b"{}", headers={"content-type": "text/plain"})[0] == 415


def test_metrics_count_what_was_answered(port):
    assert ask(port, "/v1/size", {"task": {}})[0] == 200
    text = ask(port, "/metrics")[2]
    assert 'headway_requests_total{route="/v1/size",status="200"}' in text
    assert "headway_models_age_seconds" in text
    counted = int(text.split("headway_request_seconds_count ")[1].split()[0])
    assert f'bucket{{le="+Inf"}} {counted}\n' in text


def test_tokens_open_what_their_scopes_say(home, tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"{DECIDE} decide\n# a comment\n{OBSERVE} observe\n{OPERATE} operate,decide\n")
    file.chmod(0o600)
    process, port = started(home, "--token-file", str(file))

    def status(path, body, token):
        return ask(port, path, body, headers=JSON | {"authorization": f"Bearer {token}"})[0]

    assert ask(port, "/v1/size", {"task": {}})[0] == 401
    assert status("/v1/size", {"task": {}}, "guessed") == 401
    assert status("/v1/size", {"task": {}}, DECIDE) == 200
    assert status("/v1/size", {"task": {}}, OBSERVE) == 403
    assert status("/v1/outcomes", {"outcomes": []}, OBSERVE) == 200
    assert status("/metrics", None, DECIDE) == 403
    assert status("/metrics", None, OPERATE) == 200
    assert ask(port, "/live")[0] == ask(port, "/ready")[0] == 200
    assert stopped(process) == 0


def test_a_server_that_goes_down_loses_nothing_that_it_answered(home):
    process, port = started(home)
    told, errors = [], []

    def keep_asking():
        try:
            while True:
                status, _, said = ask(port, "/v1/size", {"task": {"user": "1"}})
                if status != 200:
                    return
                told.append(said["decision_id"])
        except (OSError, http.client.HTTPException) as error:
            errors.append(error)

    threads = [threading.Thread(target=keep_asking) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(told) < 60:
        time.sleep(0.01)
    assert stopped(process) == 0
    for thread in threads:
        thread.join()
    assert set(told) <= {record["decision_id"] for record in read_records(home)}
    counted = tally(read_records(home), time.time())
    assert counted["decisions"] == counted["joined"] + counted["open"] + counted["expired"]


HELD_DISK = """
import os, pathlib, time
import headway.serve.http as http
http.Server.__init__.__kwdefaults__["most"] = 2
gate = pathlib.Path({gate!r})
def held(file):
    while not gate.exists():
        time.sleep(0.01)
os.fdatasync = held
"""


def test_too_many_at_once_are_told_to_come_again(home, tmp_path):
    gate = tmp_path / "open"
    gate.touch()
    process, port = started(home, patch=HELD_DISK.format(gate=str(gate)))
    gate.unlink()

    def size(_):
        while True:  # the server may also be short of time
            status, headers, said = ask(port, "/v1/size", {"task": {}}, is_patient=False)
            if status == 200 or "2 requests are under way" in said["error"]:
                return status, headers["retry-after"]

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(size, number) for number in range(3)]
        told, waiting = wait(asked, timeout=60.0, return_when=FIRST_COMPLETED)
        gate.touch()
    assert [one.result() for one in told] == [(429, "1")]
    assert [one.result() for one in waiting] == [(200, None)] * 2
    assert stopped(process) == 0


def test_others_are_not_let_in_without_tokens(home, tmp_path):
    command = [sys.executable, "-m", "headway.cli", "serve", "--home", str(home), "--port", "0"]
    run = subprocess.run([*command, "--host", "0.0.0.0"], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (2, "")
    assert "--token-file" in run.stderr


def test_a_token_file_that_others_may_read_is_refused(tmp_path):
    from headway.serve.tokens import read_tokens

    file = tmp_path / "tokens"
    for text, words in ((f"{DECIDE} decide", "others may read"), ("short decide", "line 1")):
        file.write_text(text)
        file.chmod(0o644 if "others" in words else 0o600)
        with pytest.raises(ConfigError, match=words):
            read_tokens(file)


def test_a_connection_that_closes_in_the_middle_of_a_body_is_no_fault_of_the_server(port):
    counted = 'headway_requests_total{route="/v1/feedback",status="400"}'
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        head = "POST /v1/feedback HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        one.sendall(f"{head}content-length: 100\r\n\r\n".encode() + b'{"dec')
    for _ in range(100):
        text = ask(port, "/metrics")[2]
        if counted in text:
            break
        time.sleep(0.05)
    assert counted in text
    assert 'status="500"' not in text
