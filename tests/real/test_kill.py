"""SIGKILL at fifty random moments of `headway import`; each time the next run completes it."""

import subprocess
import sys
from math import inf
from shutil import rmtree

from polars.testing import assert_frame_equal
from tests.made_history import swf_text
from tests.store.kills import duration_s, killed, moments_s

from headway.store import DeltaStore

KILLS = 50
KINDS = ("task", "cluster", "quarantine")


def command(history, home):
    """The import of a history into a home."""
    return [sys.executable, "-m", "headway.cli", "import", str(history), "--home", str(home)]


def rows(home):
    """All that the log of a home holds; when a bad record was read is not compared."""
    log = DeltaStore(str(home / "log"))
    return {kind: log.read(kind, -inf, inf) for kind in KINDS}


def test_an_import_killed_at_any_moment_is_completed_by_the_next_run(tmp_path):
    history = tmp_path / "made.swf"
    bad = "".join(f"{i} 5 1 -7 1 1 1 1 1 1 1 1 1 1 1 1 -1 -1\n" for i in range(90_000, 90_020))
    history.write_text(swf_text(40_000) + bad)
    run = command(history, tmp_path / "undisturbed")
    duration_s(run, "")  # the first run compiles
    rmtree(tmp_path / "undisturbed")
    whole_run_s = duration_s(run, "")
    expected = rows(tmp_path / "undisturbed")
    assert (expected["task"].height, expected["quarantine"].height) == (40_000, 20)
    for number, moment_s in enumerate(moments_s(KILLS, whole_run_s, seed=8)):
        home = tmp_path / str(number)
        run = command(history, home)
        while not killed(run, moment_s, ""):  # it was faster than the measured run: again
            rmtree(home)
            moment_s *= 0.8
        subprocess.run(run, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        found = rows(home)
        for kind in KINDS:
            untimed = [name for name in expected[kind].columns if name != "at_s"]
            assert_frame_equal(found[kind].select(untimed), expected[kind].select(untimed))
        assert list((home / "log" / "task").rglob("_writers/*")) == []
        rmtree(home)
