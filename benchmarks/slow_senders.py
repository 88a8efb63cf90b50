"""Are others answered while many connections send their requests slowly or not at all?

python benchmarks/slow_senders.py HOME [--seconds 5]

HOME is one that `headway optimize` left models in; it is copied. Slow connections are opened first:
a third says nothing, a third half a head, a third a head and no body. Then one client asks for
sizes, one after the other, on a connection of its own each. Times are wall time: what others wait.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

HEAD = b"POST /v1/size HTTP/1.1\r\nhost: a\r\n"
BODY = HEAD + b"content-type: application/json\r\ncontent-length: 1000\r\n\r\n"
SLOW = (b"", HEAD, BODY)


def started(home: Path) -> tuple[subprocess.Popen[str], int]:
    """A server process, and the port that it answers on."""
    command = [sys.executable, "-m", "headway.cli", "serve", "--port", "0", "--home", str(home)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("Serving on"):
            return process, int(line.rsplit(":", 1)[1])
    raise RuntimeError("the server did not start")


def asked(port: int, seconds: float) -> tuple[list[float], Counter[int]]:
    """Seconds that each answer took, and how many there were of each status."""
    took, statuses = [], Counter()
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        began_s = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        body = json.dumps({"task": {"user": "1", "memory_requested_bytes": 10**9}})
        connection.request("POST", "/v1/size", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        took.append(time.monotonic() - began_s)
        statuses[answer.status] += 1
    return took, statuses


def main() -> None:
    """Print a row for each number of slow connections."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    print("slow connections | answered | 429 | median, ms | 99 %, ms | cut off within, s")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        shutil.copytree(given.home / "models", home / "models")
        for number in (0, 400, 2000, 5000):
            process, port = started(home)
            began_s = time.monotonic()
            held = [socket.create_connection(("127.0.0.1", port)) for _ in range(number)]
            for place, one in enumerate(held):
                one.sendall(SLOW[place % len(SLOW)])
            took, statuses = asked(port, given.seconds)
            for one in held:
                one.settimeout(60.0)
                one.recv(1000)
                one.close()
            cut_s = time.monotonic() - began_s
            median, tail = 1000.0 * np.quantile(took, [0.5, 0.99])
            cells = (number, statuses[200], statuses[429], f"{median:.1f}", f"{tail:.1f}")
            print(*cells, f"{cut_s:.0f}" if held else "", sep=" | ", flush=True)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


if __name__ == "__main__":
    main()
