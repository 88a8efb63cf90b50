import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import numpy as np
import pytest

from headway.errors import ClusterError, ConfigError, InputError
from headway.observe import prometheus
from headway.observe.prometheus import ask_prometheus


class Answering(BaseHTTPRequestHandler):
    """What a server says to a range query: the time itself as value; it refuses `bad`."""

    def do_POST(self):
        words = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        asked = {name: value[0] for name, value in words.items()}
        self.server.asked.append((self.path, asked, self.headers["Authorization"]))
        code, body = 200, {"status": "success", "data": {"resultType": "matrix", "result": []}}
        if asked["query"] == "bad":
            code, body = 400, {"status": "error", "error": "parse error"}
        if asked["query"] == "up":
            begin, end, step = (float(asked[name]) for name in ("start", "end", "step"))
            values = [[t, str(t)] for t in np.arange(begin, end + 1e-6, step)]
            body["data"]["result"] = [{"metric": {"__name__": "up", "job": "a"}, "values": values}]
        content = json.dumps(body).encode() if asked["query"] != "gone" else b"<html>"
        self.send_response(code if asked["query"] != "gone" else 502)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.asked = []
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_range_is_asked_and_read(server):
    panel = ask_prometheus(
        server.address, "up", 1007.5, 1307.5, 60.0, {"Authorization": "Bearer x"}
    )
    assert panel.names == ('up{job="a"}',)
    assert panel.at_s.tolist() == panel.y[:, 0].tolist() == [1007.5 + 60 * k for k in range(6)]
    path, asked, told = server.asked[0]
    assert (path, asked["query"], told) == ("/api/v1/query_range", "up", "Bearer x")


def test_a_long_range_is_asked_in_parts(server, monkeypatch):
    monkeypatch.setattr(prometheus, "MOST_POINTS", 100)
    panel = ask_prometheus(server.address + "/", "up", 0.0, 60.0 * 249, 60.0)
    np.testing.assert_array_equal(panel.y[:, 0], 60.0 * np.arange(250))
    assert [float(asked["start"]) / 60 for _, asked, _ in server.asked] == [0, 100, 200]


@pytest.mark.parametrize(
    ("query", "error", "says"),
    [
        ("bad", InputError, "parse error"),
        ("none", InputError, "no series"),
        ("gone", ClusterError, "502"),
    ],
)
def test_what_goes_wrong_is_said(server, query, error, says):
    with pytest.raises(error, match=says):
        ask_prometheus(server.address, query, 0.0, 600.0, 60.0)


def test_a_password_in_the_address_is_not_told():
    with pytest.raises(ClusterError, match=r"http://127\.0\.0\.1:9") as told:
        ask_prometheus("http://me:secret@127.0.0.1:9", "up", 0.0, 60.0, 60.0)
    assert "secret" not in str(told.value)


def test_only_a_sound_request_is_sent():
    with pytest.raises(ConfigError, match="http"):
        ask_prometheus("file:///etc/passwd", "up", 0.0, 60.0, 60.0)
    with pytest.raises(ConfigError, match="step_s"):
        ask_prometheus("http://127.0.0.1:9", "up", 0.0, 60.0, 0.0)
