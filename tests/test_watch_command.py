"""headway watch as a process: a file grows, is replaced and goes bad, and the watch is stopped."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from headway.alerts import iso
from headway.observe.live import MOST_BACK

COMMAND = [sys.executable, "-m", "headway.cli", "watch"]
USUAL = ["load.csv", "--detector", "shewhart", "--every", "0.05"]
BEGIN_S = 1_700_000_000.0


def rows(start, n):
    y = np.random.default_rng(start).uniform(48.0, 52.0, n)
    return "".join(f"{iso(BEGIN_S + 300.0 * (start + t))},{x:.4f}\n" for t, x in enumerate(y))


def spike(t):
    return f"{iso(BEGIN_S + 300.0 * t)},90\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("time,cpu\n" + rows(0, 200))
    return path


def append(path, text):
    with path.open("a") as file:
        file.write(text)


class Watching:
    """A watch that runs; its lines one by one, none of which is waited for longer than a minute."""

    def __init__(self, folder, *words):
        self.process = subprocess.Popen(
            [*COMMAND, *words], cwd=folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def line(self):
        timer = threading.Timer(60.0, self.process.kill)
        timer.start()
        try:
            return self.process.stdout.readline()
        finally:
            timer.cancel()

    def ended(self):
        """(exit status, what was left on stdout, stderr)."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def test_a_file_that_grows_and_is_replaced_is_told_of_line_by_line_until_ctrl_c(path):
    with Watching(path.parent, *USUAL, "--json") as watching:
        events = []
        while not events or events[-1]["event"] != "status":
            events.append(json.loads(watching.line()))
        assert events[-1]["points"] == 200
        append(path, spike(400) + "never,1\n")
        told = [json.loads(watching.line()) for _ in range(2)]
        assert [one["event"] for one in told] == ["quarantined", "alert"]
        assert told[1]["start"] == iso(BEGIN_S + 300.0 * 400)
        other = path.with_name("other")
        other.write_text("time,cpu\n" + rows(401, 120) + spike(521))
        os.replace(other, path)
        told = [json.loads(watching.line()) for _ in range(2)]
        assert [(one["event"], one["start"]) for one in told] == [
            ("over", iso(BEGIN_S + 300.0 * 400)), ("alert", iso(BEGIN_S + 300.0 * 521))
        ]  # fmt: skip
        watching.process.send_signal(signal.SIGINT)
        status, out, err = watching.ended()
    assert status == 0
    assert json.loads(out)["points"] == 200 + 1 + 121
    assert "Traceback" not in err


def test_a_clock_that_goes_back_ends_the_watch_with_one_sentence(path):
    with Watching(path.parent, *USUAL, "--json") as watching:
        while json.loads(watching.line())["event"] != "status":
            pass
        append(path, spike(10**6) + rows(200, MOST_BACK))
        status, out, err = watching.ended()
    assert status == 2
    assert "Traceback" not in err + out
    assert err.startswith(f"headway: load.csv: {MOST_BACK} rows in a row are before 2033")


def test_on_a_terminal_one_line_says_how_far_it_has_come_when_that_changes(
    path,
):
    """A terminal is no pipe: the line stays below the alerts, cut to the width."""
    ours, theirs = pty.openpty()
    command = [*COMMAND, *USUAL]
    shown = b""
    with subprocess.Popen(command, cwd=path.parent, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        timer = threading.Timer(60.0, process.kill)
        timer.start()
        while b"200 points" not in shown:
            shown += os.read(ours, 4096)
        append(path, spike(400))
        while b"201 points" not in shown:
            shown += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            while more := os.read(ours, 4096):
                shown += more
        timer.cancel()
    os.close(ours)
    assert process.returncode == 0
    assert (shown.count(b"200 points"), shown.count(b"201 points")) == (1, 1)
    assert b"\r\x1b[2K" in shown
    assert b"came 90" in shown
    assert shown.endswith(b"\r\n")


def test_once_reads_what_is_there_and_says_it_on_lines_for_people(path):
    append(path, spike(300) + f"{iso(BEGIN_S + 300.0 * 301)},NaN\n")

    def once(*words):
        command = [*COMMAND, *words, "--once"]
        return subprocess.run(command, cwd=path.parent, capture_output=True, text=True)

    run = once(*USUAL)
    assert run.returncode == 0, run.stderr
    (line,) = [x for x in run.stdout.splitlines() if x.startswith(iso(BEGIN_S + 300.0 * 300))]
    assert "series cpu: expected" in line
    assert "came 90; a point far from what is usual" in line
    assert line.endswith("load.csv/cpu@1700090000")
    aside, status = run.stderr.splitlines()
    assert aside.startswith("load.csv, line 203 set aside: no finite number in cpu")
    assert "; 202 points of 1 series until " in status
    again = once(*USUAL)
    assert (again.returncode, again.stdout) == (0, "")
    missing = once("none.csv")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "headway: none.csv cannot be opened: No such file or directory\n"
