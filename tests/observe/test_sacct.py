"""Slurm's accounting: units, steps, arrays, attempts."""

from calendar import timegm

import pytest
from tests.observe.histories import whole

from headway.errors import InputError
from headway.observe import source
from headway.observe.trace import recognise

HEADER = (
    "JobID|User|Account|JobName|Partition|Submit|Start|End|Elapsed|Timelimit|ReqCPUS|AllocCPUS"
    "|NNodes|ReqMem|MaxRSS|TotalCPU|State|ExitCode\n"
)
DAY = "2024-06-24T"
JOB = f"|ann|bio|align|long|{DAY}12:00:00|{DAY}12:10:00|{DAY}13:10:00|01:00:00|1-02:00:00|4|4|2"
STEP = f"||bio|batch||{DAY}12:10:00|{DAY}12:10:00|{DAY}13:10:00|01:00:00|||4|1"


def job(number="100", mem="2Gc", state="COMPLETED", code="0:0", rss="", head=JOB):
    return f"{number}{head}|{mem}|{rss}|03:20:00|{state}|{code}\n"


def step(number, rss):
    return f"{number}{STEP}||{rss}|03:20:00|COMPLETED|0:0\n"


def tasks_of(tmp_path, text):
    path = tmp_path / "june.txt"
    path.write_text(HEADER + text)
    assert recognise(path) == "sacct"
    tasks, bad, _ = whole(path)
    return tasks.rows(named=True), bad


def test_a_job_becomes_a_task_in_seconds_and_bytes(tmp_path):
    (task,), bad = tasks_of(tmp_path, job() + step("100.batch", "1500M") + step("100.0", "2.5G"))
    at = timegm((2024, 6, 24, 12, 0, 0))
    assert bad.height == 0
    assert (task["submitted_s"], task["started_s"], task["ended_s"]) == (at, at + 600, at + 4200)
    assert task["limit_s"] == 26 * 3600
    assert (task["cpus_requested"], task["cpus_allocated"], task["nodes"]) == (4, 4, 2)
    assert task["memory_requested_bytes"] == 4 * 2 << 30
    assert task["memory_peak_bytes"] == 2.5 * 2**30
    assert task["cpu_s"] == 12000
    assert (task["id"], task["user"], task["project"]) == ("100", "ann", "bio")
    assert (task["name"], task["queue"], task["cluster"]) == ("align", "long", "june")
    assert (task["state"], task["exit_code"], task["attempt"]) == ("completed", 0, 1)


@pytest.mark.parametrize(
    ("mem", "bytes_in_all"),
    [("3Gn", 6 << 30), ("100Mc", 400 << 20), ("8G", 8 << 30), ("1T", 1 << 40), ("512K", 512 << 10),
     ("2000", 2000 << 20), ("1.5G", 3 << 29), ("0", None), ("", None)],
)  # fmt: skip
def test_requested_memory_is_multiplied_out(tmp_path, mem, bytes_in_all):
    (task,), _ = tasks_of(tmp_path, job(mem=mem))
    assert task["memory_requested_bytes"] == bytes_in_all


@pytest.mark.parametrize(
    ("told", "state"),
    [("CANCELLED by 1234", "cancelled"), ("TIMEOUT", "timeout"), ("OUT_OF_MEMORY", "out_of_memory"),
     ("NODE_FAIL", "failed"), ("FAILED", "failed"), ("PREEMPTED", "cancelled")],
)  # fmt: skip
def test_states_are_ours(tmp_path, told, state):
    (task,), _ = tasks_of(tmp_path, job(state=told, code="1:0"))
    assert (task["state"], task["exit_code"]) == (state, 1)


def test_a_signal_is_an_exit_code_as_a_shell_shows_it(tmp_path):
    (task,), _ = tasks_of(tmp_path, job(state="FAILED", code="0:9"))
    assert task["exit_code"] == 137


def test_pending_and_running_jobs_have_no_end(tmp_path):
    pending = job(
        "5", state="PENDING", head=JOB.replace(f"{DAY}12:10:00|{DAY}13:10:00", "Unknown|Unknown")
    )
    running = job("6", state="RUNNING", head=JOB.replace(f"{DAY}13:10:00", "Unknown"))
    (first, second), _ = tasks_of(tmp_path, pending + running)
    assert (first["started_s"], first["ended_s"], first["state"]) == (None, None, "pending")
    assert second["started_s"] is not None
    assert (second["ended_s"], second["state"]) == (None, "running")


def test_elements_of_an_array_are_tasks_of_their_own(tmp_path):
    text = job("7_1") + step("7_1.batch", "1G") + job("7_2") + step("7_2.batch", "2G")
    (first, second), _ = tasks_of(tmp_path, text)
    assert (first["id"], second["id"]) == ("7_1", "7_2")
    assert (first["memory_peak_bytes"], second["memory_peak_bytes"]) == (1 << 30, 2 << 30)


def test_a_requeued_job_is_several_attempts(tmp_path):
    later = JOB.replace(f"{DAY}12:00:00|{DAY}12:10:00", f"{DAY}12:30:00|{DAY}12:40:00")
    text = job(state="NODE_FAIL") + step("100.batch", "1G") + job(head=later)
    text += step("100.batch", "2G") + job("101")
    tasks, _ = tasks_of(tmp_path, text)
    assert [(t["id"], t["attempt"], t["state"]) for t in tasks] == [
        ("100", 1, "failed"),
        ("100", 2, "completed"),
        ("101", 1, "completed"),
    ]
    assert [t["memory_peak_bytes"] for t in tasks] == [1 << 30, 2 << 30, None]


def test_the_same_line_twice_is_no_attempt(tmp_path):
    tasks, _ = tasks_of(tmp_path, job(state="FAILED") * 2)
    assert [t["attempt"] for t in tasks] == [1, 1]


def test_a_step_without_its_job_is_set_aside(tmp_path):
    _, bad = tasks_of(tmp_path, step("99.batch", "1G") + job() + step("98.0", "1G"))
    assert bad.select("line", "reason").rows() == [
        (2, "a step without its job"),
        (4, "a step without its job"),
    ]


def test_what_cannot_be_read_is_set_aside_by_column(tmp_path):
    _, bad = tasks_of(tmp_path, job("1", mem="lots") + job("2", state="BORED") + job("3") + "4|x\n")
    assert bad.select("line", "reason").sort("line").rows() == [
        (2, "cannot read ReqMem"),
        (3, "cannot read State"),
        (5, "wrong number of columns"),
    ]


def test_few_columns_suffice_and_a_stated_zone_counts(tmp_path):
    path = tmp_path / "few.txt"
    path.write_text("jobid|SUBMIT|ElapsedRaw|Start\n1|2024-01-01T00:00:00+0200|60|1704060060\n")
    tasks, _, facts = whole(path)
    assert not any("zone" in x for x in facts.doubts)
    assert tasks.select("submitted_s", "started_s", "ended_s").rows() == [
        (1704060000.0, 1704060060.0, 1704060120.0)
    ]


def test_without_an_id_or_a_submission_it_is_no_accounting(tmp_path):
    path = tmp_path / "none.txt"
    path.write_text("JobID|User|State\n1|a|COMPLETED\n")
    with pytest.raises(InputError, match="needs the columns JobID and Submit"):
        whole(path, format="sacct")


@pytest.mark.parametrize("block_bytes", [300, 700, 1500])
def test_steps_are_folded_alike_in_one_block_or_many(tmp_path, block_bytes):
    path = tmp_path / "many.txt"
    jobs = (
        job(str(i), state=("FAILED", "COMPLETED")[i % 2])
        + "".join(step(f"{i}.{k}", f"{k + 1}G") for k in range(i % 5))
        for i in range(12)
    )
    path.write_text(HEADER + "".join(jobs) + "broken line\n" + job("50"))
    tasks, bad, facts = whole(path)
    old = source.Source.blocks.__defaults__
    source.Source.blocks.__defaults__ = (block_bytes,)
    try:
        again = whole(path)
    finally:
        source.Source.blocks.__defaults__ = old
    assert again[0].equals(tasks)
    assert tasks["memory_peak_bytes"].drop_nulls().len() == 9
    assert (again[1].equals(bad), bad["line"].to_list()) == (True, [35])
    assert again[2] == facts
    assert facts.doubts[0] == "its times state no zone: they are read as UTC"
