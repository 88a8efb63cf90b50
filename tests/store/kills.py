"""Kill an import at random moments; what remains must be completed by the next run."""

import random
import subprocess
import sys
import time
from collections.abc import Sequence

WRITER = [sys.executable, "-m", "tests.store.writer"]


def begun(command: Sequence[str], ready: str = "ready\n") -> subprocess.Popen:
    """A process that has said its first line and goes on at once; '' = do not wait for a line."""
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    if ready:
        assert child.stdout.readline() == ready, child.communicate()
    return child


def duration_s(command: Sequence[str], ready: str = "ready\n") -> float:
    """How long an undisturbed run takes from its first line."""
    child = begun(command, ready)
    since_s = time.monotonic()
    child.communicate()
    assert child.returncode == 0
    return time.monotonic() - since_s


def killed(command: Sequence[str], moment_s: float, ready: str = "ready\n") -> bool:
    """Start a run and kill it after `moment_s`; False if it had ended before."""
    child = begun(command, ready)
    time.sleep(moment_s)
    is_cut_short = child.poll() is None
    child.kill()
    child.communicate()
    return is_cut_short


def moments_s(kills: int, whole_run_s: float, seed: int) -> list[float]:
    """Random moments spread evenly over a run, one in each of `kills` equal parts of it."""
    rng = random.Random(seed)
    return [whole_run_s * (i + rng.random()) / kills for i in range(kills)]
