"""The simulator gives the known figures: cells of RLScheduler, whole traces under EASY."""

import json
import time

import polars as pl
import pytest

from headway.observe.trace import read
from headway.simulate.compare import rows
from headway.simulate.workload import workload_from

TRACES = {
    "Lublin-1": "lublin/lublin_256.swf.gz",
    "Lublin-2": "lublin/lublin_256_new2.gz",
    "HPC2N": "swf/HPC2N-2002-2.2-cln.swf.gz",
    "CTC-SP2": "swf/CTC-SP2-1996-3.1-cln.swf.gz",
    "SDSC-BLUE": "swf/SDSC-BLUE-2000-4.2-cln.swf.gz",
}
NAMES = {
    "wfp3-published": "WFP3",
    "wfp3": "WFP3 (correct waiting)",
    "unicep-published": "UNICEP",
    "unicep": "UNICEP (correct waiting)",
    "areaxt": "AREAxT",
}
WHOLE = {  # mean bounded slowdown (10 s), its 95th percentile (60 s), mean wait
    ("HPC2N", "requested"): {
        "fcfs": (92.0, 73.7, 11521),
        "f1": (59.1, 19.1, 7562),
        "areaxt": (51.9, 16.4, 6873),
        "unicep": (51.3, 20.8, 7245),
        "saf": (48.0, 15.3, 6707),
    },
    ("HPC2N", "true"): {"areaxt": (8.7, 7.1, 5177)},
    ("CTC-SP2", "requested"): {
        "fcfs": (51.9, 245.4, 15131),
        "f1": (22.0, 36.0, 10718),
        "areaxt": (36.3, 32.9, 17389),
        "unicep": (41.8, 116.0, 17321),
    },
    ("CTC-SP2", "true"): {"areaxt": (5.0, 16.0, 8218)},
    ("SDSC-BLUE", "requested"): {
        "fcfs": (87.5, 206.1, 8130),
        "f1": (118.2, 27.1, 8330),
        "areaxt": (186.8, 29.6, 8053),
        "unicep": (67.9, 83.1, 5462),
    },
    ("SDSC-BLUE", "true"): {"areaxt": (14.6, 15.4, 3513)},
}


@pytest.fixture(scope="module")
def workload_of(data):
    found = {}

    def workload(name):
        if name not in found:
            trace = read(data / "scheduling" / TRACES[name])
            tasks = pl.concat([good for good, _ in trace])
            found[name] = workload_from(tasks, trace.facts.zero_s, int(trace.facts.total_cpus))
        return found[name]

    return workload


@pytest.mark.parametrize("trace", ["Lublin-1", "Lublin-2", "HPC2N"])
def test_every_reproduced_cell_comes_out_to_the_printed_digit(trace, data, workload_of):
    known = json.loads((data / "scheduling/lublin/reference-baselines.json").read_text())[trace]
    workload = workload_of(trace)
    assert (len(workload), workload.total_procs) == (known["jobs_after_filter"], known["procs"])
    checked = 0
    for row in rows(workload, ["all"], protocol="rlscheduler", clock=time.perf_counter):
        name = NAMES.get(row["policy"], row["policy"].upper())
        cell = known[f"bf{int(row['backfill'] == 'reserve')} {name}"]
        came = {
            "bsld": round(row["mean_bounded_slowdown"], 2),
            "wait": round(row["mean_wait_s"], 1),
            "turnaround": round(row["mean_turnaround_s"], 1),
            "util_makespan": round(row["utilisation"], 4),
            "bsld_per_seq": [round(x, 2) for x in row["mean_bounded_slowdown_each"]],
        }
        judged = cell.keys() & came.keys()
        assert {key: came[key] for key in judged} == {key: cell[key] for key in judged}, row
        checked += 1
    assert checked == 24 == sum(key.startswith("bf") for key in known)


@pytest.mark.parametrize(("trace", "runtimes"), list(WHOLE))
def test_whole_traces_under_easy_give_the_known_figures(trace, runtimes, workload_of):
    known = WHOLE[trace, runtimes]
    for row in rows(workload_of(trace), list(known), [runtimes], clock=time.perf_counter):
        came = [
            row[key] for key in ("mean_bounded_slowdown", "p95_bounded_slowdown_60s", "mean_wait_s")
        ]
        assert came == pytest.approx(known[row["policy"]], rel=0.01), row["policy"]
