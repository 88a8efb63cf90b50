"""Does a server that is killed again and again lose or double what it has acknowledged?

python benchmarks/kill_drill.py HOME [--kills 50] [--clients 4]

HOME is one that `headway optimize` left models in; it is copied. Clients ask for sizes and report
outcomes over HTTP, each with a key of its own, and ask again until they are answered. Meanwhile the
process is killed (-9), at random moments and at chosen steps of a write to the journal, and started
again. Its journal begins a new segment every 32 KiB, so that moments fall into that as well.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.serve import decisions
from headway.serve.status import decisions_of
from headway.store import journal

STEPS = ("half written", "written, not synced", "synced, not said", "segment closed", "segment new")
"""Steps of an append and of the change to a new segment, after each of which a process may die."""
SEGMENT_BYTES = 32 << 10
APPENDS = 40  # before a process that is to die at a step does so


@dataclass
class Told:
    """What one client asked, and what it was told."""

    sizes: dict[str, dict[str, Any]] = field(default_factory=dict)  # by key
    outcomes: set[str] = field(default_factory=set)  # ids of decisions
    retries: int = 0


def serve_and_die(home: str, port: str, step: str) -> None:
    """Serve, in this process; die at a step of the journal ('' = at none)."""
    decisions.SEGMENT_BYTES = SEGMENT_BYTES  # type: ignore[misc]
    if step:
        _arm(step)
    from headway.cli import main

    sys.argv = ["headway", "serve", "--home", home, "--port", port]
    main()


def _arm(step: str) -> None:
    """Make the journal kill this process at a step, once it has appended often enough."""
    appended = [0]
    write, synced, opened = journal._write, os.fdatasync, journal.Journal._opened

    def is_now(here: str) -> bool:
        return step == here and appended[0] > APPENDS

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _write(file: int, whole: bytes) -> None:
        appended[0] += 1
        if is_now("half written"):
            os.write(file, whole[: len(whole) // 2])
            die()
        write(file, whole)
        if is_now("written, not synced"):
            die()

    def fdatasync(file: int) -> None:
        synced(file)
        if is_now("synced, not said"):
            die()

    def _opened(self: journal.Journal) -> tuple[int, int]:
        if is_now("segment closed"):
            die()
        if is_now("segment new"):
            os.open(self._folder / f"{self._number:012d}.log", os.O_CREAT | os.O_RDWR, 0o644)
            die()
        return opened(self)

    journal._write, os.fdatasync = _write, fdatasync
    journal.Journal._opened = _opened  # type: ignore[method-assign]


def started(home: Path, port: int, step: str = "") -> subprocess.Popen[str]:
    """A server process that answers."""
    command = [sys.executable, __file__, "--serve", str(home), str(port), step]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if line.startswith("Serving on"):
            return process
        said.append(line)
    raise RuntimeError(f"the server did not start: {''.join(said)}")


def asking(port: int, number: int, is_over: threading.Event, told: Told) -> None:
    """Ask and report until it is over; the last question is answered too."""
    rng, connection = random.Random(number), None

    def ask(path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        nonlocal connection
        data, headers = json.dumps(body), {"content-type": "application/json"}
        while True:
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                connection.request("POST", path, data, headers | {"idempotency-key": key})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    said: dict[str, Any] = json.loads(text)
                    return said
                if answer.status not in (429, 503):
                    raise RuntimeError(f"{path} was answered {answer.status}: {text!r}")
            except (OSError, http.client.HTTPException):
                if connection is not None:
                    connection.close()
                connection = None
            told.retries += 1
            time.sleep(0.02)

    while not is_over.is_set():
        key = f"{number}-{len(told.sizes)}"
        user, name = str(rng.randrange(5)), str(rng.randrange(5))
        task = {"id": key, "user": user, "name": name, "memory_requested_bytes": 10**9}
        said = ask("/v1/size", {"task": task}, key)
        told.sizes[key] = said
        if rng.random() < 0.7:
            outcome = {"decision_id": said["decision_id"], "id": key, "state": "completed",
                       "runtime_s": 60.0, "memory_peak_bytes": 10**8}  # fmt: skip
            ask("/v1/outcomes", {"outcomes": [outcome]}, "")
            told.outcomes.add(said["decision_id"])
    if connection is not None:
        connection.close()


def drill(home: Path, kills: int, steps: tuple[str, ...], clients: int, seed: int) -> list[Told]:
    """Kill a home's server under load, at random moments and at steps; what clients were told."""
    rng, is_over, port = random.Random(seed), threading.Event(), _free_port()
    told = [Told() for _ in range(clients)]
    threads = [
        threading.Thread(target=asking, args=(port, number, is_over, one), daemon=True)
        for number, one in enumerate(told)
    ]
    for thread in threads:
        thread.start()
    try:
        for step in rng.sample(["random"] * kills + list(steps), kills + len(steps)):
            process = started(home, port, "" if step == "random" else step)
            if step == "random":
                time.sleep(rng.uniform(0.0, 1.0))
                process.kill()
            process.communicate(timeout=60)
            assert process.returncode == -signal.SIGKILL, (step, process.returncode)
        process = started(home, port)
    finally:
        is_over.set()
    for thread in threads:
        thread.join()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0, process.returncode
    return told


def audit(home: Path, told: list[Told]) -> dict[str, Any]:
    """What was acknowledged against what the home holds and `headway decisions` counts."""
    sizes = {said["decision_id"]: said for one in told for said in one.sizes.values()}
    outcomes = set().union(*(one.outcomes for one in told))
    kept: dict[str, dict[str, Any]] = {}
    times = Counter()  # records of a decision
    ended = set()
    for record in decisions.read_records(home):
        if record["kind"] == "decision":
            times[record["decision_id"]] += 1
            kept.setdefault(record["decision_id"], record)
        else:
            ended.add(record["decision_id"])
    counted = decisions_of(home, time.time())
    parts = counted["joined"] + counted["open"] + counted["expired"]
    return {
        "decisions acknowledged": len(sizes),
        "outcomes acknowledged": len(outcomes),
        "requests asked again": sum(one.retries for one in told),
        "decisions lost": len(set(sizes) - set(kept)),
        "outcomes lost": len(outcomes - ended),
        "decisions counted and not asked": counted["decisions"] - len(sizes),
        "outcomes counted and not reported": counted["joined"] - len(outcomes),
        "decisions - joined - open - expired": counted["decisions"] - parts,
        "decisions with several records": sum(n > 1 for n in times.values()),
        "answers that differ from the kept": sum(
            _differs(said, kept[id_]) for id_, said in sizes.items() if id_ in kept
        ),
        "segments": len(list((home / decisions.FOLDER).glob("*/*.log"))),
    }


def _differs(said: dict[str, Any], record: dict[str, Any]) -> bool:
    return (
        said["staleness_s"] != record["staleness_s"]
        or said["allocate"]["memory_bytes"] != record["memory_bytes"]
        or said["version"] != record["version"]
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        shutil.copytree(asked.home / "models", home / "models")
        told = drill(home, asked.kills, 2 * STEPS, asked.clients, asked.seed)
        for name, value in audit(home, told).items():
            print(f"{name:40} {value:>8,}")
    spent = os.times()
    print(f"{spent.user + spent.system:.0f} CPU s here,"
          f" {spent.children_user + spent.children_system:.0f} of the servers")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve_and_die(*sys.argv[2:])
    else:
        main()
