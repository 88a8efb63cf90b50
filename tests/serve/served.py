"""A server as a real process on a free port, and requests to it."""

import http.client
import json
import signal
import subprocess
import sys
import time

JSON = {"content-type": "application/json"}


def started(home, *words, patch=""):
    """A server process, and the port that it answers on; patch: statements it runs before."""
    command = [sys.executable, "-m", "headway.cli"]
    if patch:
        command = [sys.executable, "-c", f"{patch}\nfrom headway.cli import main\nmain()"]
    command += ["serve", "--port", "0", "--home", str(home), *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = []
    for line in process.stderr:
        if line.startswith("Serving on"):
            return process, int(line.rsplit(":", 1)[1])
        said.append(line)
    process.communicate()
    raise AssertionError("".join(said))


def stopped(process, number=signal.SIGTERM):
    """The status that a server ends with."""
    return ended(process, number)[0]


def ended(process, number=signal.SIGTERM):
    """The status that a server ends with, and what it said on stderr since its start."""
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert "Traceback" not in said, said
    return process.returncode, said


def ask(port, path, body=None, *, method="", headers=JSON, is_patient=True):
    """Status, headers and document of one request; who is patient comes again where told to."""
    for _ in range(20 if is_patient else 1):
        status, said, document = _ask(port, path, body, method, headers)
        if status != 429:
            break
        time.sleep(0.1)
    return status, said, document


def _ask(port, path, body, method, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method or ("GET" if data is None else "POST"), path, data, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    kind = answer.headers["content-type"]
    return answer.status, answer.headers, json.loads(text) if "json" in kind else text.decode()
