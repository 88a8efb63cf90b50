"""SIGKILL at fifty random moments of an import; each time the next whole run completes it.

The import is made-up tasks through the store; HEADWAY_KILL_IMPORT="headway import FILE --home"
switches to a command, to which a folder for the log is appended.
"""

import os
import shlex
import subprocess
from math import inf
from shutil import rmtree

import pytest
from polars.testing import assert_frame_equal
from tests.store.kills import WRITER, duration_s, killed, moments_s

from headway.store import DeltaStore

KILLS = 25  # of each of the two shapes
SHAPES = {"one": ["0", "60000", "1"], "several": ["0", "12000", "9"]}


def command(home, shape):
    """(an import into `home`, its first line), '' where it says none."""
    other = os.environ.get("HEADWAY_KILL_IMPORT")
    if other:
        return [*shlex.split(other), str(home)], ""
    return [*WRITER, str(home), *SHAPES[shape]], "ready\n"


def log(home):
    """Where a command keeps its tables below its home; the writer has them there itself."""
    return DeltaStore(str(home / "log" if os.environ.get("HEADWAY_KILL_IMPORT") else home))


@pytest.mark.parametrize("shape", SHAPES)
def test_an_import_killed_at_any_moment_is_completed_by_the_next_run(tmp_path, shape):
    run, ready = command(tmp_path / "undisturbed", shape)
    whole_run_s = duration_s(run, ready)
    expected = log(tmp_path / "undisturbed").read("task", -inf, inf)
    assert expected.height > 0
    for number, moment_s in enumerate(moments_s(KILLS, whole_run_s, seed=len(shape))):
        home = tmp_path / str(number)
        run, ready = command(home, shape)
        while not killed(run, moment_s, ready):  # it was faster than the measured run: again
            rmtree(home)
            moment_s *= 0.8
        subprocess.run(run, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        assert_frame_equal(log(home).read("task", -inf, inf), expected)
        assert list(home.rglob("_writers/*")) == []
        rmtree(home)
