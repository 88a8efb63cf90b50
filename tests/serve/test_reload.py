"""Tokens and models change while clients ask; nobody's request is lost by it."""

import http.client
import itertools
import signal
import threading
import time

import pytest
from tests.serve.made_home import make_home
from tests.serve.served import JSON, ask, ended, started

from headway.serve.advisor import NAMES
from headway.store import ModelStore

pytest.importorskip("msgspec")
pytest.importorskip("granian")

OLD, KEPT, NEW = "a-token-to-be-withdrawn", "a-token-that-stays", "a-token-that-comes"


def bearing(token):
    return JSON | {"authorization": f"Bearer {token}"}


def test_tokens_and_models_change_under_load_and_no_request_is_dropped(tmp_path):
    home = make_home(tmp_path, created_s=time.time() - 60.0)[0]
    store = ModelStore(home)
    first = {name: store.load(name) for name in NAMES}
    for name, model in first.items():
        store.publish(name, model.files, model.meta)
    file = tmp_path / "tokens"

    def say(*tokens):
        file.write_text("".join(f"{token} decide\n" for token in tokens))
        file.chmod(0o600)

    say(OLD, KEPT)
    process, port = started(home, "--token-file", str(file))
    statuses, versions, broken, is_over = [], set(), [], threading.Event()

    def asking():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not is_over.is_set():
            try:
                connection.request("POST", "/v1/size", b'{"task": {"user": "1"}}', bearing(KEPT))
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException) as error:
                broken.append(error)
                return
            statuses.append(answer.status)
            versions.add(said.split(b'"version":"')[-1][:15])
        connection.close()

    threads = [threading.Thread(target=asking) for _ in range(3)]
    for thread in threads:
        thread.start()

    def until(token, status, version=""):
        deadline_s = time.monotonic() + 10.0
        while True:
            got, _, said = ask(port, "/v1/size", {"task": {}}, headers=bearing(token))
            if got == status and version in said.get("version", ""):
                return
            assert time.monotonic() < deadline_s, (got, said)
            time.sleep(0.01)

    for turn, tokens in enumerate(itertools.chain(*[[(NEW, KEPT), (OLD, KEPT)]] * 4)):
        say(*tokens)
        version = f"v00000{1 + turn % 2}"
        for name in NAMES:
            store.use(name, version)
        process.send_signal(signal.SIGHUP)
        until(tokens[0], 200, version)
        until(NEW if tokens[0] == OLD else OLD, 401)
    file.write_text("what is no token")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    until(KEPT, 200)
    is_over.set()
    for thread in threads:
        thread.join()
    status, said = ended(process)
    assert (status, broken) == (0, [])
    assert set(statuses) <= {200, 429}
    assert statuses.count(200) > 50
    assert len(versions) > 1
    assert "the tokens in use stay" in said
    assert not any(token in said for token in (OLD, KEPT, NEW))
