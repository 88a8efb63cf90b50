"""The command line as others script against it: real processes, exit statuses, one document."""

import json
import signal
import subprocess
import sys
import time

import pytest

from tests.made_history import swf_text

COMMAND = [sys.executable, "-m", "headway.cli"]


def headway(*words, cwd, **options):
    return subprocess.run(
        [*COMMAND, *map(str, words)], capture_output=True, text=True, cwd=cwd, **options
    )


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "made.swf"
    path.write_text(swf_text(120))
    return path


def refused(run):
    """The one sentence on stderr of a command that ended with status 2."""
    assert run.returncode == 2, run.stderr
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    return run.stderr


def test_the_version_is_printed(tmp_path):
    assert headway("--version", cwd=tmp_path).stdout.strip() == "0.1.0"


def test_import_counts_and_the_second_time_adds_nothing(trace, tmp_path):
    first = json.loads(headway("import", trace, "--json", cwd=tmp_path).stdout)
    again = json.loads(headway("import", trace, "--json", cwd=tmp_path).stdout)
    counts = {"read": 120, "stored": 120, "duplicate": 0, "quarantined": 0}
    assert first["records"].items() >= counts.items()
    assert (again["records"]["stored"], again["records"]["duplicate"]) == (0, 120)


def test_simulate_prints_one_row_for_each_policy(trace, tmp_path):
    run = headway("simulate", trace, "--policy", "fcfs,saf", "--json", cwd=tmp_path)
    rows = json.loads(run.stdout)
    assert [row["policy"] for row in rows] == ["fcfs", "saf"]
    assert run.returncode == 0


def test_optimize_writes_the_report_and_leaves_models(trace, tmp_path):
    run = headway("optimize", trace, "--json", cwd=tmp_path)
    document = json.loads(run.stdout)
    assert run.returncode == 0, run.stderr
    assert {"records", "requests", "prediction", "schedules", "gain", "seconds"} <= set(document)
    assert (tmp_path / "report" / "index.html").exists()
    assert json.loads((tmp_path / "report" / "summary.json").read_text())["gain"]
    assert sorted(p.name for p in (tmp_path / ".headway" / "models").iterdir()) == [
        "history", "memory", "runtime", "sizing",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["import", "nowhere.swf"], "nowhere.swf"),
        (["import", "."], "folder"),
        (["import", "empty.swf"], "empty"),
        (["import", "binary.swf"], "binary.swf"),
        (["import", "made.swf", "--format", "cobol"], "format must be one of"),
        (["import", "made.swf", "--map", "nonsense"], "map must be"),
        (["optimize", "made.swf", "--price-core-hour", "-1"], "price_core_hour"),
        (["simulate", "made.swf", "--policy", "lifo"], "policy must be one of"),
        (["import", "made.swf", "--map", "a=user,a=group"], "map names a column twice"),
        (["simulate", "made.swf", "--procs", "-3"], "procs"),
        (["simulate", "made.swf", "--procs", "9" * 21], "procs must be in 1..1,000,000,000"),
        (["demo", "--seed", "-1"], "--seed"),
        (["simulate", "made.swf", "--runtimes", "wished"], "runtimes must be"),
        (["simulate", "made.swf", "--start", "119", "--jobs", "5"], "start and jobs"),
        (["replay", "made.swf", "--target", "luck"], "target must be one of"),
        (["plan", "made.swf"], "a plan for 30 days needs 135 days of history with tasks, got 1"),
        (["plan", "made.swf", "--policy", "lifo"], "policy must be one of"),
        (["plan", "made.swf", "--level", "1"], "level in (0, 1)"),
        (
            ["simulate", "made.swf", "--policy", "learned:nowhere.npz"],
            "nowhere.npz is not a policy file: No such",
        ),
        (["simulate", "made.swf", "--policy", "learned:binary.swf"], "is not a policy file"),
        (["train", "scheduler", "made.swf", "--algo", "luck"], "hierarchical, multi-agent, got"),
        (["train", "scheduler", "made.swf", "--out", "."], "out must be a file"),
        (["train", "scheduler", "made.swf", "--algo", "hierarchical"], "--minutes or --decisions"),
        (["train", "elastic", "made.swf", "--out", "made.swf/x.npz"], "out cannot be written"),
        (["optimize"], "HISTORY"),
        (["fly"], "fly"),
    ],
)
def test_wrong_usage_and_unreadable_input_are_one_sentence(trace, tmp_path, words, sentence):
    (tmp_path / "empty.swf").write_text("")
    (tmp_path / "binary.swf").write_bytes(bytes(range(256)) * 100)
    assert sentence in refused(headway(*words, cwd=tmp_path))


def test_a_plan_is_one_document_and_a_page(tmp_path):
    (tmp_path / "longer.swf").write_text(swf_text(2000))
    run = headway(
        "plan", "longer.swf", "--horizon-days", 3, "--price-core-hour", 1, "--json", cwd=tmp_path
    )
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert document["needed"]["cost"] == document["needed_procs"] * 72.0
    assert json.loads((tmp_path / "report/summary.json").read_text()) == document
    assert "What may come" in (tmp_path / "report/index.html").read_text()


def test_a_truncated_gzip_leaves_nothing(tmp_path):
    import gzip

    whole = gzip.compress(swf_text(2000).encode())
    path = tmp_path / "cut.swf.gz"
    path.write_bytes(whole[: len(whole) // 2])
    assert "cut.swf.gz" in refused(headway("import", path, cwd=tmp_path))
    path.write_bytes(whole)
    records = json.loads(headway("import", path, "--json", cwd=tmp_path).stdout)["records"]
    assert (records["stored"], records["duplicate"]) == (2000, 0)


def test_a_full_disk_is_one_sentence_and_the_next_run_continues(trace, tmp_path):
    def little_room():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    run = headway("import", trace, cwd=tmp_path, preexec_fn=little_room)
    refused(run)
    records = json.loads(headway("import", trace, "--json", cwd=tmp_path).stdout)["records"]
    assert records["stored"] + records["duplicate"] == 120


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_an_answer_that_nobody_reads_is_no_error(trace, tmp_path, words):
    command = [*COMMAND, "simulate", str(trace), *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_an_answer_without_room_is_one_sentence(trace, tmp_path, words):
    command = [*COMMAND, "simulate", str(trace), *words]
    with open("/dev/full", "w") as full:
        run = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("headway: the answer could not be written")
    assert run.stderr.count("\n") == 1


def test_ctrl_c_is_one_sentence_and_the_next_run_continues(tmp_path):
    path = tmp_path / "long.swf"
    path.write_text(swf_text(20_000))
    process = subprocess.Popen(
        [*COMMAND, "import", str(path)],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and not (tmp_path / ".headway" / "log").exists():
        time.sleep(0.01)  # nothing to wait on: the folder is the first thing that shows
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    if process.returncode == 130:
        assert stderr == "headway: stopped; what was stored is whole, run it again to go on\n"
    records = json.loads(headway("import", path, "--json", cwd=tmp_path).stdout)["records"]
    assert records["stored"] + records["duplicate"] == 20_000


def test_histories_without_workflows_have_no_scheduler_of_workflows(trace, tmp_path):
    simulated = headway("simulate", trace, "--policy", "fair", cwd=tmp_path)
    assert "no task names its parents" in refused(simulated)
    refused(headway("simulate", trace, "--policy", "fair", "--backfill", "easy", cwd=tmp_path))
    options = ("--algo", "hierarchical", "--minutes", "1")
    trained = headway("train", "scheduler", trace, *options, cwd=tmp_path)
    assert "made.swf: no workflow, no task names its parents" in refused(trained)
