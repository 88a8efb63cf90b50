"""Kill an import at random moments, again and again, then let it run to its end."""

import random
import subprocess
import sys
import time
from math import inf
from pathlib import Path

import polars as pl

from headway.store import DeltaStore

WRITER = [sys.executable, str(Path(__file__).with_name("writer.py"))]


def rows_after_kills(
    command: list[str], uri: str, kills: int, seed: int, whole_run_s: float, options=None
) -> tuple[pl.DataFrame, int]:
    """The tasks in the log at `uri` after `kills` SIGKILLs and one whole run, and the strays left.

    The moments are spread over the time from start to end of an undisturbed run; what a killed
    run had committed stays, so the log is emptied half of the time.
    """
    rng, cut_short = random.Random(seed), 0
    moments = [whole_run_s * (i + rng.random()) / kills for i in range(kills)]
    rng.shuffle(moments)
    for moment_s in moments:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        time.sleep(moment_s)
        cut_short += child.poll() is None
        child.kill()
        child.wait()
    assert cut_short > kills // 2, f"only {cut_short} of {kills} kills met a living process"
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    rows = DeltaStore(uri, options).read("task", -inf, inf)
    return rows, len(list(Path(uri).rglob("_writers/*")))
