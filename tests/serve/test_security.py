"""What a server does with those who should not ask, ask what they should not, or ask badly."""

import contextlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

import pytest
from tests.serve.made_home import make_home
from tests.serve.served import JSON, ask, ended, started, stopped

from headway.errors import ConfigError
from headway.serve.tokens import digest_of, read_tokens, refusal

pytest.importorskip("msgspec")
pytest.importorskip("granian")

GOOD, PAST, LOOKS = (
    "secret-" + what for what in ("of-the-operator", "that-is-over", "of-a-viewer")
)
ROUTES = [
    ("POST", "/v1/size", {"task": {}}, "decide"),
    ("POST", "/v1/order", {"tasks": []}, "decide"),
    ("POST", "/v1/outcomes", {"outcomes": []}, "observe"),
    ("POST", "/v1/feedback", {"decision_id": "a", "user": "b"}, "observe"),
    ("POST", "/v1/events", {"events": []}, "observe"),
    ("POST", "/v1/samples", {"samples": []}, "observe"),
    ("POST", "/v1/place", {"tasks": [], "nodes": []}, "decide"),
    ("POST", "/v2/models/size/infer", {"inputs": []}, "decide"),
    ("GET", "/v2/models/size", None, "decide"),
    ("GET", "/metrics", None, "operate"),
    ("GET", "/v1/rollouts", None, "observe"),
    ("POST", "/v1/rollouts", {}, "operate"),
    ("POST", "/v1/rollouts/r000001/promote", {}, "operate"),
    ("POST", "/v1/rollouts/r000001/rollback", {}, "operate"),
]  # fmt: skip
SLOW = """
import headway.serve.arriving as arriving, headway.serve.reach as reach
arriving.Arriving.__init__.__kwdefaults__["slowest_s"] = 2.0
reach.HEADERS_S = 2.0
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("safe"), created_s=time.time() - 60.0)[0]


@pytest.fixture(scope="module")
def guarded(home, tmp_path_factory):
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text(f"{GOOD} decide,observe,operate 2999-12-31\n{PAST} decide,observe,operate "
                    f"2020-01-01T00:00Z\n{LOOKS} observe\n")  # fmt: skip
    file.chmod(0o600)
    process, port = started(home, "--token-file", str(file))
    yield port
    status, said = ended(process)
    assert status == 0
    assert not any(token in said for token in (GOOD, PAST, LOOKS)), said


@pytest.fixture(scope="module")
def port(home):
    process, port = started(home)
    yield port
    assert stopped(process) == 0


def status_of(port, method, path, body, authorization):
    headers = JSON | ({"authorization": authorization} if authorization else {})
    return ask(port, path, body, method=method, headers=headers)[0]


@pytest.mark.parametrize(("method", "path", "body", "scope"), ROUTES)
def test_every_route_wants_a_token_that_is_known_valid_and_of_its_scope(
    guarded, method, path, body, scope
):
    for authorization in (
        "", "Bearer", "Bearer ", f"Bearer {GOOD}x", f"Bearer {GOOD[:-1]}", f"Bearer {PAST}",
        f"Basic {GOOD}", GOOD, "Bearer \xff", f"Bearer {'a' * 5000}",
    ):  # fmt: skip
        assert status_of(guarded, method, path, body, authorization) == 401, authorization
    assert status_of(guarded, method, path, body, f"Bearer {GOOD}") not in (401, 403)
    is_open = scope == "observe"
    assert (status_of(guarded, method, path, body, f"Bearer {LOOKS}") == 403) != is_open


def test_a_token_holds_until_its_moment(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"{GOOD} decide 2026-01-01T00:00Z")
    file.chmod(0o600)
    tokens, end_s = read_tokens(file), 1767225600.0
    assert refusal(tokens, f"Bearer {GOOD}", "decide", end_s - 0.1) == (200, "")
    assert refusal(tokens, f"Bearer {GOOD}", "decide", end_s)[0] == 401
    assert tokens[digest_of(GOOD)].until_s == end_s
    for text in (f"{GOOD} decide tomorrow", f"{GOOD} decide 2026-13-01", f"{GOOD} decide 1 2"):
        file.write_text(text)
        with pytest.raises(ConfigError, match="line 1"):
            read_tokens(file)


def test_what_is_said_of_tokens_never_holds_one(guarded, home, tmp_path):
    said = ask(
        guarded, "/v1/size", {"task": {}}, headers=JSON | {"authorization": f"Bearer {PAST}"}
    )
    assert PAST not in str(said)
    file = tmp_path / "tokens"
    file.write_text(f"{GOOD} everything")
    file.chmod(0o600)
    with pytest.raises(ConfigError) as raised:
        read_tokens(file)
    assert GOOD not in str(raised.value)
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert len(kept) > 5
    assert not any(GOOD.encode() in path.read_bytes() for path in kept)


PATHS = [
    "/../../etc/passwd", "/v1/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/v1/size/../../x",
    "/v1/rollouts/../../models", "/v1/rollouts/..%2f..%2fmodels/promote", "/v1/rollouts/%00",
    "/v1/rollouts/....//....//", "//etc/passwd", "/v1/size%00", "/v1/size/", "/V1/SIZE",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_path_leads_out_of_the_routes(port, path, method):
    body = {} if method == "POST" else None
    status, _, said = ask(port, path, body, method=method)
    assert status in (400, 404, 405), said
    assert "root:" not in str(said)


@pytest.mark.parametrize("name", ["../../outside", "/tmp/outside", "..", "a\0b", "\u202e", "r\n1"])
def test_no_name_leads_out_of_the_log(port, home, name):
    before = sorted(home.parent.rglob("*"))
    task = {"task": {"cluster": name, "id": name, "user": name, "name": name, "queue": name}}
    for path, body in (
        ("/v1/size", task),
        ("/v1/order", {"tasks": [task["task"]], "rule": name}),
        ("/v1/outcomes", {"outcomes": [{"decision_id": name, "state": "failed", "id": name}]}),
        ("/v1/feedback", {"decision_id": name, "user": name, "comment": name}),
        ("/v1/rollouts", {"challenger": name, "champion": name}),
    ):
        assert ask(port, path, body)[0] in (200, 400), path
    assert sorted(home.parent.rglob("*")) == before


@pytest.mark.parametrize("path", ["/v1/size", "/v1/order", "/v1/outcomes", "/v1/rollouts"])
@pytest.mark.parametrize("deep", [b"[", b'{"a":', b'{"task":', b'{"tasks":[', b'{"margins":{"a":'])
def test_nesting_without_an_end_is_refused(port, path, deep):
    assert ask(port, path, deep * 200_000)[0] == 400
    assert ask(port, "/live")[0] == 200


def test_bodies_that_are_too_large_are_refused_on_every_route(port):
    for _, path, body, _ in ROUTES:
        if body is not None:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
                head = f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
                one.sendall(f"{head}content-length: {1 << 40}\r\n\r\n".encode())
                assert b" 413 " in one.recv(100), path


def test_heads_that_are_too_large_or_broken_end_their_connection_alone(port):
    for head in (
        b"GET /live HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 2_000_000 + b"\r\n\r\n",
        b"GET /live HTTP/1.1\r\n" + b"".join(b"x%d: a\r\n" % i for i in range(5000)) + b"\r\n",
        b"POST /v1/size HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"POST /v1/size HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00" + bytes(500),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100),
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
            try:
                one.sendall(head)
                first = one.recv(100)
            except ConnectionError:
                first = b""
            assert not first.startswith(b"HTTP/1.1 200"), head[:60]
        assert ask(port, "/live")[0] == 200


def test_who_sends_slowly_is_cut_off_and_keeps_nobody_waiting(home):
    process, port = started(home, patch=SLOW)
    body = (
        b"POST /v1/size HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
        b"content-length: 1000\r\n\r\n"
    )
    heads = [b"", b"POST /v1/size HTTP/1.1\r\nhost: a\r\n", b"PRI * HT", *[body] * 5]
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(480)]
    for number, one in enumerate(held):
        one.sendall(heads[number % len(heads)])
    took_s = []
    for _ in range(10):
        with contextlib.suppress(OSError):
            for one in held[3::8][:5]:
                one.sendall(b" ")
        asked_s = time.monotonic()
        assert ask(port, "/v1/size", {"task": {"user": "1"}})[0] == 200
        took_s.append(time.monotonic() - asked_s)
    assert statistics.median(took_s) < 0.3
    for number, one in enumerate(held):
        one.settimeout(20.0)
        said = one.recv(1000)
        assert said == b"" or b" 408 " in said, (number, said)
        one.close()
    assert stopped(process) == 0


def test_models_that_are_not_what_was_published_do_not_serve(home, tmp_path):
    changed = tmp_path / "home"
    shutil.copytree(home / "models", changed / "models")
    files = (changed / "models" / "runtime" / "v000001").iterdir()
    file = min(path for path in files if path.name != "meta.json")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    command = [sys.executable, "-m", "headway.cli", "serve", "--home", str(changed), "--port", "0"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert re.search(r"v000001/\S+ is damaged", run.stderr), run.stderr


def test_a_certificate_needs_its_key_and_the_key_is_its_owners_alone(home, tmp_path):
    from headway.serve.reach import check_certificate

    pair = tmp_path / "cert.pem", tmp_path / "key.pem"
    for path in pair:
        path.write_text("-----BEGIN NOTHING-----")
        path.chmod(0o600)
    for cert, key, words in (
        (pair[0], None, "go together"), (None, pair[1], "go together"),
        (*pair, "no certificate"), (tmp_path / "none", pair[1], "no certificate"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=words):
            check_certificate(cert, key)
    pair[1].chmod(0o640)
    with pytest.raises(ConfigError, match="others may read"):
        check_certificate(*pair)
