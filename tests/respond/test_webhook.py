import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.respond.made_up import Recorder, alert

from headway.errors import ClusterError, ConfigError
from headway.respond import Rule, Sender, Webhook, signature


@pytest.fixture
def receiver():
    """A server that answers with the statuses in `answers`, then 200, and keeps what came."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.came.append((dict(self.headers), body))
            self.send_response(server.answers.pop(0) if server.answers else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.came, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def told(server, tmp_path, alerts, sent=()):
    """A responder's changes for alerts whose only action is the webhook, and the pauses made."""
    (tmp_path / "secret").write_text("key\n")
    pauses = []
    webhook = Webhook(
        url=f"http://127.0.0.1:{server.server_address[1]}/hook",
        secret_file=str(tmp_path / "secret"),
    )
    recorder = Recorder()
    rule = Rule(name="tell", kinds=("stuck",), actions=("webhook",), cooldown_s=0.0)
    responder = recorder.responder([rule], names=())
    by_id = {a.alert_id: a for a in alerts}
    responder._hands["webhook"] = Sender(webhook, sent, pauses.append).hand(by_id.get)
    return [change for a in alerts for change in responder.respond(a, 60.0)], pauses


def test_an_alert_is_sent_with_a_signature_that_the_receiver_can_prove(receiver, tmp_path):
    (change,), _ = told(receiver, tmp_path, [alert()])
    ((headers, body),) = receiver.came
    assert change.state == "done"
    assert headers["X-Headway-Signature"] == signature(b"key", headers["X-Headway-Time"], body)
    assert headers["X-Headway-Signature"] != signature(b"other", headers["X-Headway-Time"], body)
    assert json.loads(body)["alert"]["alert_id"] == headers["Idempotency-Key"] == "stuck-7-0"


def test_an_alert_is_sent_once_however_many_tasks_it_names_or_whenever_it_was_sent(
    receiver, tmp_path
):
    changes, _ = told(receiver, tmp_path, [alert(dimensions=("7", "8"))])
    assert [c.reason.split()[0] for c in changes] == ["told", "sent"]
    told(receiver, tmp_path, [alert()], sent=["stuck-7-0"])
    assert len(receiver.came) == 1


def test_a_receiver_that_is_busy_is_asked_again_later_and_later(receiver, tmp_path):
    receiver.answers = [503, 429]
    (change,), pauses = told(receiver, tmp_path, [alert()])
    assert (change.state, pauses, len(receiver.came)) == ("done", [1.0, 2.0], 3)


def test_a_receiver_that_does_not_want_it_is_asked_once(receiver, tmp_path):
    receiver.answers = [403]
    (change,), pauses = told(receiver, tmp_path, [alert()])
    assert (change.state, pauses, len(receiver.came)) == ("failed", [], 1)


def test_nobody_there_is_a_failure_after_four_tries(tmp_path):
    pauses = []
    sender = Sender(Webhook(url="http://127.0.0.1:9/"), pause=pauses.append)
    recorder = Recorder()
    recorder.responder().respond(alert(), 0.0)
    with pytest.raises(ClusterError, match="did not take it"):
        sender.send(recorder.trail[-1], None)
    assert pauses == [1.0, 2.0, 4.0]


def test_addresses_and_secrets_that_cannot_be_used_are_refused():
    with pytest.raises(ConfigError, match="http"):
        Sender(Webhook(url="file:///etc/passwd"))
    with pytest.raises(ConfigError, match="secret_file"):
        Sender(Webhook(url="http://x", secret_file="/nowhere"))
