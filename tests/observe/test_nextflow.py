"""Nextflow's traces, for people and raw."""

import pytest
from tests.observe.histories import whole

from headway.observe.trace import recognise

HUMAN = (
    "task_id\thash\tnative_id\tname\tstatus\texit\tsubmit\tduration\trealtime\t%cpu\tpeak_rss"
    "\tpeak_vmem\trchar\twchar\n"
    "4\tab/12\t77\tALIGN (s1)\tCOMPLETED\t0\t2024-06-24 12:00:00.500\t3m 2s\t1m 30s\t150.0%"
    "\t1.5 GB\t2 GB\t1 MB\t0\n"
    "5\tab/13\t78\tALIGN (s2)\tFAILED\t137\t2024-06-24 12:00:01.000\t250ms\t-\t-\t-\t-\t-\t-\n"
)
RAW = (
    "task_id,hash,process,tag,name,status,exit,cpus,time,memory,attempt,submit,start,complete"
    ",duration,realtime,%cpu,rss,peak_rss,rchar,container\n"
    '9,aa/1,W:SORT,x,"W:SORT (x, y)",COMPLETED,0,2,3600000,1073741824,2'
    ",1674490103249,1674490103000,1674490106000,2751,2500,65.5,2813952,2813953,689316,img:1\n"
)


def test_a_trace_for_people_is_read(tmp_path):
    path = tmp_path / "run.txt"
    path.write_text(HUMAN)
    assert recognise(path) == "nextflow"
    tasks, bad, _ = whole(path)
    first, second = tasks.rows(named=True)
    assert bad.height == 0
    assert first["ended_s"] - first["submitted_s"] == 182
    assert first["ended_s"] - first["started_s"] == 90
    assert (first["name"], first["tag"], first["workflow"]) == ("ALIGN", "s1", "run")
    assert first["memory_peak_bytes"] == 3 << 29
    assert first["cpu_s"] == 135
    assert first["read_bytes"] == 1 << 20
    assert (second["state"], second["exit_code"], second["started_s"]) == ("failed", 137, None)


def test_a_raw_trace_is_read(tmp_path):
    path = tmp_path / "raw.csv"
    path.write_text(RAW)
    assert recognise(path) == "nextflow"
    (task,) = whole(path)[0].rows(named=True)
    assert task["submitted_s"] == 1674490103.249
    assert task["started_s"] == task["submitted_s"], "its start was cut to whole seconds"
    assert task["ended_s"] - task["started_s"] == pytest.approx(2.5)
    assert (task["limit_s"], task["memory_requested_bytes"]) == (3600, 1 << 30)
    assert (task["memory_peak_bytes"], task["cpus_requested"]) == (2813953, 2)
    assert (task["memory_sampled_bytes"], task["read_bytes"]) == (2813952, 689316)
    assert (task["id"], task["attempt"], task["name"], task["tag"]) == ("9", 2, "W:SORT", "x")


@pytest.mark.parametrize(
    ("workflow", "rows"), [("chipseq", 2938), ("iwd", 1661), ("methylseq", 1083), ("rnaseq", 1308)]
)
def test_published_traces_are_read_whole(data, workflow, rows):
    tasks, bad, facts = whole(data / "prediction" / "sizey" / f"trace_{workflow}.csv.gz")
    assert (tasks.height, bad.height, facts.format) == (rows, 0, "nextflow")
    assert tasks["ended_s"].null_count() == tasks["memory_requested_bytes"].null_count() == 0
    failed = 72 if workflow == "methylseq" else 0
    assert tasks["state"].eq("failed").sum() == failed
    assert tasks["memory_peak_bytes"].null_count() - failed <= 1
