"""A job is done once, whoever dies when."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from headway.errors import StoreError
from headway.store.jobs import ATTEMPTS, Jobs

WORKER = """
import os, sys, time
from headway.store.jobs import Jobs
jobs, out, worker = Jobs(sys.argv[1]), sys.argv[2], sys.argv[3]
while True:
    job = jobs.lease(worker, {lease_s}, time.time())
    if job is None:
        if all(j.state in ("done", "failed") for j in jobs.read()):
            break
        time.sleep(0.02)
        continue
    with open(out, "a") as file:
        file.write(f"{{job.id}} {{job.token}} begun\\n")
        file.flush()
    {work}
    jobs.finish(job, {{"by": worker}}, time.time())
    with open(out, "a") as file:
        file.write(f"{{job.id}} {{job.token}} finished\\n")
"""


def begin(home, out, worker, *, work="pass", lease_s=30.0):
    code = WORKER.format(work=work, lease_s=lease_s)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(home), str(out), worker], stderr=subprocess.PIPE, text=True
    )


def ended(process):
    """Its status and what it said on stderr."""
    said = process.communicate(timeout=60)[1]
    return process.returncode, said


def test_a_key_is_one_job_until_it_fails(tmp_path):
    jobs = Jobs(tmp_path)
    first = jobs.submit("retrain", "a", {"x": 1}, 1.0)
    assert jobs.submit("retrain", "a", {}, 2.0) == first
    leased = jobs.lease("w", 10.0, 3.0)
    assert (leased.id, leased.token, leased.body) == (first.id, 1, {"x": 1})
    jobs.fail(leased, "no", 4.0)
    assert jobs.submit("retrain", "a", {}, 5.0).id != first.id


def test_a_running_job_is_nobody_elses_until_its_lease_ends(tmp_path):
    jobs = Jobs(tmp_path)
    jobs.submit("retrain", "a", {}, 0.0)
    first = jobs.lease("one", 10.0, 0.0)
    assert jobs.lease("two", 10.0, 9.9) is None
    jobs.renew(first, 10.0, 9.9)
    assert jobs.lease("two", 10.0, 19.8) is None
    assert jobs.lease("two", 10.0, 19.9).token == 2


def test_who_slept_through_its_lease_can_neither_renew_nor_finish(tmp_path):
    jobs = Jobs(tmp_path)
    jobs.submit("retrain", "a", {}, 0.0)
    asleep, other = jobs.lease("one", 1.0, 0.0), jobs.lease("two", 9.0, 2.0)
    for late in (
        lambda: jobs.renew(asleep, 9.0, 3.0),
        lambda: jobs.finish(asleep, {"by": "one"}, 3.0),
        lambda: jobs.fail(asleep, "x", 3.0),
    ):
        with pytest.raises(StoreError, match="another took it"):
            late()
    jobs.finish(other, {"by": "two"}, 4.0)
    with pytest.raises(StoreError):
        jobs.finish(other, {"by": "two again"}, 5.0)
    assert jobs.read()[0].result == {"by": "two"}


def test_a_job_that_kills_its_workers_is_given_up(tmp_path):
    jobs = Jobs(tmp_path)
    jobs.submit("retrain", "a", {}, 0.0)
    for attempt in range(ATTEMPTS):
        assert jobs.lease("w", 1.0, 10.0 * attempt).token == attempt + 1
    assert jobs.lease("w", 1.0, 100.0) is None
    assert jobs.read()[0].state == "failed"
    assert "given up" in jobs.read()[0].result["why"]


def test_workers_that_race_do_each_job_once(tmp_path):
    jobs, out = Jobs(tmp_path), tmp_path / "out"
    for i in range(30):
        jobs.submit("retrain", str(i), {}, 0.0)
    workers = [begin(tmp_path, out, f"w{i}") for i in range(3)]
    assert [ended(worker) for worker in workers] == [(0, "")] * 3
    said = Counter(line.split()[2] for line in out.read_text().splitlines())
    assert said == {"begun": 30, "finished": 30}
    begun = [line.split()[0] for line in out.read_text().splitlines() if line.endswith("begun")]
    assert len(set(begun)) == 30


def test_a_killed_worker_leaves_its_job_to_another_and_no_job_is_finished_twice(tmp_path):
    jobs, out = Jobs(tmp_path), tmp_path / "out"
    for i in range(4):
        jobs.submit("retrain", str(i), {}, 0.0)
    out.touch()
    doomed = begin(tmp_path, out, "doomed", work="time.sleep(60)", lease_s=0.4)
    until = time.monotonic() + 30
    while "begun" not in out.read_text() and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(doomed.pid, signal.SIGKILL)
    assert ended(doomed)[0] == -signal.SIGKILL
    other = begin(tmp_path, out, "other")
    assert ended(other) == (0, "")
    found = jobs.read()
    assert [job.state for job in found] == ["done"] * 4
    assert [job.token for job in found] == [2, 1, 1, 1]
    assert all(job.result == {"by": "other"} for job in found)
    finished = [line for line in out.read_text().splitlines() if line.endswith("finished")]
    assert len(finished) == 4


def test_a_frozen_worker_that_wakes_up_late_changes_nothing(tmp_path):
    jobs, out = Jobs(tmp_path), tmp_path / "out"
    jobs.submit("retrain", "a", {}, 0.0)
    out.touch()
    frozen = begin(tmp_path, out, "frozen", work="time.sleep(0.3)", lease_s=0.2)
    until = time.monotonic() + 30
    while "begun" not in out.read_text() and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(frozen.pid, signal.SIGSTOP)
    other = begin(tmp_path, out, "other")
    assert ended(other) == (0, "")
    os.kill(frozen.pid, signal.SIGCONT)
    status, said = ended(frozen)
    assert status == 1
    assert "another took it" in said
    assert jobs.read()[0].result == {"by": "other"}


def test_a_kill_inside_a_change_leaves_the_state_before_it(tmp_path):
    Jobs(tmp_path).submit("retrain", "a", {}, 0.0)
    code = f"""
import os, signal
from headway.store.jobs import Jobs
with Jobs({str(tmp_path)!r})._changing() as database:
    database.execute("update jobs set state = 'done'")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    assert Jobs(tmp_path).read()[0].state == "waiting"
