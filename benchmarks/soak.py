"""Does `headway serve` last an hour with a rollout, a rollback and a new version in it?

`soak.py [--rate R] [--seconds S] HOME HISTORY`: works on a copy of the home. Open loop; eight of
ten requests are sizes, one tells the outcome of an earlier one, one what a person thought of it.
After a third a second version is rolled out to half of the tasks; after a half it is taken back;
after two thirds it is made current and the server is told to read everything anew (SIGHUP).
Right: status 200, and of a size the decision that the key stands for. Adoption and satisfaction
are known from the script and held against what the server says.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import uvloop

from headway.serve.advisor import NAMES
from headway.serve.decisions import id_of
from headway.store.models import ModelStore
from open_loop import Load
from serve_load import own, started, tasks_last, used

SIZES = 8  # of ten requests


def request(path, body, key=""):
    """A POST as bytes."""
    text = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += f"idempotency-key: {key}\r\n" if key else ""
    return f"{head}content-length: {len(text)}\r\n\r\n".encode() + text


def script(fields, answered):
    """Functions from a request's number to its bytes, and to whether an answer is right.

    The numbers of those that are answered right are added to answered.
    """

    def request_of(i):
        place, group = i % 10, i // 10
        if place < SIZES:
            return request(*own(fields[i % len(fields)]), key=f"soak-{i}")
        decision = id_of(f"soak-{10 * max(group - 200, 0) + place % 8}")
        if place == SIZES:
            runtime_s, peak = 60.0 + i % 600, 10**8 + i % 10**6
            said = {"decision_id": decision, "state": "completed", "runtime_s": runtime_s,
                    "memory_peak_bytes": peak}  # fmt: skip
            return request("/v1/outcomes", {"outcomes": [said]})
        said = {"decision_id": decision, "user": "ann", "rating": rating(group),
                "is_followed": is_followed(group)}  # fmt: skip
        return request("/v1/feedback", said)

    def is_right(i, status, body):
        if i % 10 >= SIZES:
            right = status == 200 and json.loads(body) == {"kept": 1}
        else:
            right = status == 200 and json.loads(body)["decision_id"] == id_of(f"soak-{i}")
        if right:
            answered.add(i)
        return right

    return request_of, is_right


def rating(group):
    """What ann says of the decision of a group."""
    return 1 + group % 5 if group % 3 else 5


def is_followed(group):
    """Whether ann followed it."""
    return group % 7 != 0


def expected(answered):
    """(adoption, satisfaction) of what was answered: of each decision the latest counts."""
    latest = {}
    for i in sorted(answered):
        group = i // 10
        decision = 10 * max(group - 200, 0) + 9 % 8
        if i % 10 == 9 and decision in answered:
            latest[decision] = rating(group), is_followed(group)
    ratings, followed = zip(*latest.values(), strict=True)
    return sum(followed) / len(followed), sum(ratings) / len(ratings)


def second_version(home):
    """Publish the models again, as of now, without making them current."""
    store = ModelStore(home)
    for name in NAMES:
        model = store.load(name)
        meta = replace(model.meta, created_s=model.meta.created_s + 1.0)
        version = store.publish(name, model.files, meta, is_current=False)
    return version


def headway(*words):
    """What a command says, as a document."""
    command = [str(Path(sys.executable).with_name("headway")), *words, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


async def steps(home, process, seconds, version, done):
    """What happens beside the load."""
    begin_s, store = time.perf_counter(), ModelStore(home)
    await asyncio.sleep(seconds / 3)
    words = ("rollout", "start", version, "--shares", "0.5", "--home", str(home))
    done.append(("rollout to a half", time.perf_counter() - begin_s))
    await asyncio.to_thread(headway, *words)
    await asyncio.sleep(seconds / 6)
    await asyncio.to_thread(headway, "rollout", "rollback", "--home", str(home))
    done.append(("taken back", time.perf_counter() - begin_s))
    await asyncio.sleep(seconds / 6)
    for name in NAMES:
        store.use(name, store.versions(name)[-1])
    process.send_signal(signal.SIGHUP)
    done.append(("new version, reload", time.perf_counter() - begin_s))


async def watch(home, process, rows, every_s):
    """CPU, memory, open files and bytes of the log, once in a while."""
    while True:
        cpu_s, resident = used(process.pid)
        files = len(os.listdir(f"/proc/{process.pid}/fd"))
        size = sum(p.stat().st_size for p in (home / "decisions").rglob("*") if p.is_file())
        rows.append((time.perf_counter(), cpu_s, resident / 2**20, files, size / 2**20))
        await asyncio.sleep(every_s)


async def watching_ended(watching):
    """End what looks on."""
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def lived(home, process, port, fields, rate, seconds):
    """All of it; what came of the requests, and what was seen beside."""
    rows, done, answered = [], [], set()
    request_of, is_right = script(fields, answered)
    made = Load(port, request_of, 16, is_right)
    watching = asyncio.create_task(watch(home, process, rows, seconds / 60))
    version = second_version(home)
    stepping = asyncio.create_task(steps(home, process, seconds, version, done))
    came = await made.run(rate, seconds, np.random.default_rng(0))
    await watching_ended(watching)
    await stepping
    return came, rows, done, answered


def main():
    """Print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("history", type=Path)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=3600.0)
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp()) / "home"
    shutil.copytree(asked.home, home, ignore=shutil.ignore_patterns("decisions", "rollouts"))
    fields = tasks_last(asked.history, 2000)
    command = [str(Path(sys.executable).with_name("headway")), "serve", "--home", str(home)]
    process, port, _ = started([*command, "--port"], own, fields[0])
    try:
        work = lived(home, process, port, fields, asked.rate, asked.seconds)
        (took, status, right), rows, done, answered = uvloop.run(work)
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    finally:
        process.terminate()
        code = process.wait(30)
    said = headway("status", "--home", str(home))["decisions"]
    print(f"{len(took):,} requests at {asked.rate:g}/s; server ended with {code}")
    for limit_s in (0.05, 0.1, 0.25, 1.0):
        print(f"right within {limit_s:g} s: {np.mean(right & (took <= limit_s)):.4%}")
    counts = dict(zip(*np.unique(status, return_counts=True), strict=True))
    print(f"right: {np.mean(right):.5%}; statuses {counts}")
    print("p50, p99, p99.9, longest, ms:", np.quantile(took, [0.5, 0.99, 0.999, 1.0]) * 1e3)
    print("steps:", [(what, round(at_s)) for what, at_s in done])
    print("minute, CPU s, resident MB, open files, log MB")
    for at_s, *row in rows[:: max(1, len(rows) // 12)]:
        minutes = (at_s - rows[0][0]) / 60.0
        print(f"{minutes:6.1f} " + " ".join(f"{value:8.1f}" for value in row))
    adoption, satisfaction = expected(answered)
    print(f"adoption {said['adoption']!r}, by the script {adoption!r}")
    print(f"satisfaction {said['satisfaction']!r}, by the script {satisfaction!r}")
    print("\n".join(x for x in metrics.splitlines() if "adoption" in x or "satisf" in x))
    print({k: v for k, v in said.items() if isinstance(v, int)}, os.getloadavg())


if __name__ == "__main__":
    main()
