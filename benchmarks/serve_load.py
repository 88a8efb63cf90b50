"""How fast does `headway serve` answer, what does a request cost, and what happens above its rate?

`serve_load.py [--rival NAME=PYTHON].. [--rate R] [--seconds S] HOME HISTORY`: sizes of the last
tasks of a history from a home trained on it, one server at a time on the same machine as the load.
Open loop, Poisson arrivals; latency counts from the moment a request was due. CPU is that of the
server's processes. Rivals (see rivals.py) run under the Python that is named.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from headway.history import open_traces, tasks_of
from open_loop import load

TICKS = os.sysconf("SC_CLK_TCK")
ASKED = (
    "cluster", "user", "group", "project", "workflow", "name", "tag", "queue", "container",
    "cpus_requested", "nodes", "gpus", "limit_s", "memory_requested_bytes", "input_bytes",
)  # fmt: skip


def tasks_last(history, n):
    """The fields of the last n tasks that a server may be asked about."""
    tasks, _ = tasks_of(open_traces([history]), lambda what, share: None)
    rows = tasks.sort("submitted_s").tail(n).select(ASKED).to_dicts()
    return [{k: v for k, v in row.items() if v is not None} for row in rows]


def post(path, body):
    """A POST as bytes."""
    text = json.dumps(body).encode()
    return (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(text)}\r\n\r\n"
    ).encode() + text


def processes(pid):
    """A process and all below it."""
    found = [pid]
    for one in found:
        for thread in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in thread.read_text().split()]
    return found


def used(pid):
    """CPU seconds and resident bytes of a process and all below it."""
    cpu = resident = 0.0
    for one in processes(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        cpu += (int(fields[11]) + int(fields[12])) / TICKS
        resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return cpu, resident


def started(command, request_of, fields):
    """(process, port, seconds to the first answer) of a server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began_s = time.perf_counter()
    process = subprocess.Popen(
        [*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    path, body = request_of(fields)
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(),
        {"content-type": "application/json"},
    )  # fmt: skip
    while True:
        try:
            with urllib.request.urlopen(asked, timeout=30) as said:
                said.read()
            return process, port, time.perf_counter() - began_s
        except (OSError, urllib.error.HTTPError) as error:
            if process.poll() is not None or time.perf_counter() - began_s > 120:
                raise SystemExit(f"{command} does not answer: {error}") from error
            time.sleep(0.02)


def own(fields):
    """A request of Headway's own form."""
    return "/v1/size", {"task": fields}


def mlflow_form(fields):
    """A request of MLflow's form."""
    return "/invocations", {"dataframe_records": [fields]}


def measured(process, port, requests, rate, seconds, connections):
    """One line of the table of a server under a load."""
    before, _ = used(process.pid)
    took, status, _ = load(port, requests, rate, seconds, connections)
    after, resident = used(process.pid)
    good = took[status == 200]
    p50, p99 = np.quantile(good, [0.5, 0.99]) * 1e3 if len(good) else (np.nan, np.nan)
    return {
        "connections": connections, "rate": rate, "answered": len(good) / len(took),
        "shed": float(np.mean(status == 429)), "other": int(np.sum(~np.isin(status, (200, 429)))),
        "p50": p50, "p99": p99, "cpu_us": (after - before) / max(len(took), 1) * 1e6,
        "resident_mb": resident / 2**20,
    }  # fmt: skip


def fixed_work(seconds=8.0):
    """How long the same work takes in this process alone: median, 99 % and longest, in ms."""
    numbers, took = np.random.default_rng(0).random((400, 400)), []
    end_s = time.perf_counter() + seconds
    while (began_s := time.perf_counter()) < end_s:
        sum(range(60_000))
        for _ in range(60):
            numbers.sum()
        took.append(time.perf_counter() - began_s)
    return np.quantile(took, [0.5, 0.99, 1.0]) * 1e3


def line(name, row):
    """A row as text."""
    return (
        f"| {name} | {row['connections']} | {row['rate']:g} | {row['answered']:.2%} |"
        f" {row['shed']:.1%} | {row['other']} | {row['p50']:.2f} | {row['p99']:.2f} |"
        f" {row['cpu_us']:.0f} | {row['resident_mb']:.0f} |"
    )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("history", type=Path)
    parser.add_argument("--rival", action="append", default=[])
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--rival-rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--over", type=float, default=3.0)
    asked = parser.parse_args()
    fields = tasks_last(asked.history, 2000)
    headway = [
        str(Path(sys.executable).with_name("headway")),
        "serve",
        "--home",
        str(asked.home),
        "--port",
    ]
    servers = [("headway serve", headway, own, asked.rate)]
    for rival in asked.rival:
        name, _, python = rival.partition("=")
        script = str(Path(__file__).parent / "rivals.py")
        form = mlflow_form if name == "mlflow" else own
        rate = asked.rate if name == "granian" else asked.rival_rate
        servers.append((name, [python, script, name, str(asked.home)], form, rate))
    print("| server | connections | requests/s | answered | shed | other | p50, ms | p99, ms |"
          " CPU us a request | resident, MB |\n" + "|---" * 10 + "|")  # fmt: skip
    for name, command, form, rate in servers:
        requests = [post(*form(one)) for one in fields]
        process, port, first_s = started(command, form, fields[0])
        idle_mb = used(process.pid)[1] / 2**20
        load(port, requests, 20.0, 3.0, 8)  # all that is compiled when it is first used
        for connections in (8, 64):
            row = measured(process, port, requests, rate, asked.seconds, connections)
            print(line(name, row), flush=True)
        if name == "headway serve" and asked.over > 0.0:
            row = measured(process, port, requests, asked.over * rate, asked.seconds, 64)
            print(line("above its rate", row), flush=True)
        print(f"| {name}: first answer {first_s:.2f} s, {idle_mb:.0f} MB at rest |" + "|" * 9)
        for one in reversed(processes(process.pid)):
            os.kill(one, 15)
        process.wait(30)
    print("the same work again and again, alone: median, 99 %, longest, ms", fixed_work())
    print("load average", os.getloadavg())


if __name__ == "__main__":
    main()
