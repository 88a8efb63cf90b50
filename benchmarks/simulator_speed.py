"""How many jobs a second does the simulator do, against a plain event loop and AccaSim?

    python benchmarks/simulator_speed.py [--accasim PYTHON] [--repeats 5]

Whole traces of HEADWAY_DATA, one core, EASY with requested times; cases take turns in every
repetition, compiling is not counted. Seconds are the processor's, so that other work on the
machine counts less; on an idle one they are the clock's. Baselines in the same run: a
straightforward event loop in numba (a queue sorted and walked at every event, running tasks
scanned and sorted for the reservation), whose schedule must be equal task by task; and AccaSim
(PyPI), in an environment of its own whose python `--accasim` names, on three parts of HPC2N as 240
nodes of one processor (what a machine of equal processors is to it), its outputs switched off.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numba
import numpy as np
import polars as pl

from headway.observe.trace import read
from headway.schedule.rules import order_by, rule_named
from headway.simulate.kernel import simulate
from headway.simulate.workload import Workload, workload_from

TRACES = {
    "HPC2N": "HPC2N-2002-2.2-cln.swf.gz",
    "SDSC-BLUE": "SDSC-BLUE-2000-4.2-cln.swf.gz",
    "CTC-SP2": "CTC-SP2-1996-3.1-cln.swf.gz",
    "CEA-Curie": "CEA-Curie-2011-2.1-cln.swf.gz",
}
CASES = [  # trace, policy, backfill
    ("HPC2N", "fcfs", "none"),
    ("HPC2N", "fcfs", "easy"),
    ("HPC2N", "saf", "easy"),
    ("HPC2N", "f1", "easy"),
    ("HPC2N", "unicep", "easy"),
    ("HPC2N", "wfp3", "easy"),
    ("SDSC-BLUE", "fcfs", "easy"),
    ("SDSC-BLUE", "unicep", "easy"),
    ("CTC-SP2", "fcfs", "easy"),
    ("CEA-Curie", "fcfs", "easy"),
    ("CEA-Curie", "wfp3", "easy"),
]
NAIVE = [("HPC2N", "fcfs"), ("HPC2N", "saf"), ("CEA-Curie", "fcfs")]
PARTS = {  # for AccaSim; of all such parts the last one has the longest queue (212 on average)
    "HPC2N, first 5,000": 0,
    "HPC2N, 5,000 from 50,000": 50_000,
    "HPC2N, 5,000 from 190,000": 190_000,
}

ACCASIM = """
import collections, collections.abc, sys, time
collections.Mapping = collections.abc.Mapping  # AccaSim 1.1.3 predates Python 3.10
from accasim.base.simulator_class import Simulator
from accasim.base.scheduler_class import EASYBackfilling
from accasim.base.allocator_class import FirstFit
folder = sys.argv[1]
simulator = Simulator(
    folder + "/part.swf", folder + "/system.json", EASYBackfilling(FirstFit()),
    scheduling_output=False, statistics_output=False, show_statistics=False,
    RESULTS_FOLDER_NAME=folder + "/results",
)
began = time.process_time()
simulator.start_simulation()
print("took", time.process_time() - began)
"""


@numba.njit
def naive_easy(submit_s, runtime_s, procs, requested_s, key, by_key, total):  # noqa: C901
    """Textbook EASY, straightforward: sorts and scans at every event."""
    n = len(submit_s)
    start_s = np.full(n, np.nan)
    queue, waiting = np.empty(n, np.int64), 0
    slots, running = np.empty(n, np.int64), 0
    free, arrived = total, 0
    while arrived < n or running > 0:
        now_s = submit_s[arrived] if arrived < n else np.inf
        for i in range(running):
            now_s = min(now_s, start_s[slots[i]] + runtime_s[slots[i]])
        while arrived < n and submit_s[arrived] <= now_s:
            queue[waiting] = arrived
            waiting += 1
            arrived += 1
        i = 0
        while i < running:
            if start_s[slots[i]] + runtime_s[slots[i]] <= now_s:
                free += procs[slots[i]]
                running -= 1
                slots[i] = slots[running]
            else:
                i += 1
        if waiting == 0:
            continue
        ordered = queue[:waiting][np.argsort(key[queue[:waiting]], kind="mergesort")]
        head = 0
        while head < waiting and procs[ordered[head]] <= free:
            j = ordered[head]
            start_s[j] = now_s
            free -= procs[j]
            slots[running] = j
            running += 1
            head += 1
        if head < waiting:
            end_s = np.empty(running)
            for i in range(running):
                end_s[i] = max(start_s[slots[i]] + requested_s[slots[i]], now_s + 1.0)
            needed, there, at_s = procs[ordered[head]], free, now_s
            for i in np.argsort(end_s, kind="mergesort"):
                if there >= needed:
                    break
                there += procs[slots[i]]
                at_s = end_s[i]
            spare = there - needed
            others = ordered[head + 1 :].copy()
            if not by_key:
                others.sort()
            for j in others:
                is_short = requested_s[j] <= at_s - now_s
                if procs[j] <= free and (is_short or procs[j] <= spare):
                    if not is_short:
                        spare -= procs[j]
                    start_s[j] = now_s
                    free -= procs[j]
                    slots[running] = j
                    running += 1
        left = 0
        for i in range(waiting):
            if np.isnan(start_s[queue[i]]):
                queue[left] = queue[i]
                left += 1
        waiting = left
    return start_s


def ours(workload: Workload, policy: str, backfill: str):
    """A whole simulation, keys included."""
    asked_s = workload.requested_s
    order = order_by(rule_named(policy), asked_s, workload.procs, workload.submit_s)
    return simulate(workload, order, asked_s, backfill=backfill)


def naive(workload: Workload, policy: str):
    """The same with the plain loop."""
    rule = rule_named(policy)
    asked_s = workload.requested_s
    order = order_by(rule, asked_s, workload.procs, workload.submit_s)
    return naive_easy(
        workload.submit_s, workload.runtime_s, workload.procs, asked_s, order.key,
        rule.backfills_by_key, workload.total_procs,
    )  # fmt: skip


def accasim(python: str, workload: Workload, folder: Path) -> float:
    """Seconds that AccaSim takes for a workload, reading its file included."""
    columns = zip(
        workload.submit_s, workload.runtime_s, workload.procs, workload.requested_s, strict=True
    )
    rows = [
        f"{i + 1} {int(s)} 0 {int(r)} {n} -1 -1 {n} {int(q)} 1 1 1 1 1 1 1 -1 -1"
        for i, (s, r, n, q) in enumerate(columns)
    ]
    (folder / "part.swf").write_text("; UnixStartTime: 0\n" + "\n".join(rows) + "\n")
    system = {
        "groups": {"node": {"core": 1, "mem": 1000000}},
        "resources": {"node": workload.total_procs},
        "equivalence": {"processor": {"core": 1}},
        "start_time": 0,
    }
    (folder / "system.json").write_text(json.dumps(system))
    done = subprocess.run(
        [python, "-c", ACCASIM, str(folder)], capture_output=True, text=True, timeout=600
    )
    took = [line for line in done.stdout.splitlines() if line.startswith("took")]
    if not took:
        raise SystemExit(f"AccaSim failed: {done.stderr[-800:]}")
    return float(took[0].split()[1])


def seconds(run) -> float:
    """Processor time of a call."""
    began = time.process_time()
    run()
    return time.process_time() - began


def workloads() -> dict[str, Workload]:
    """Every trace, read."""
    folder = Path(os.environ.get("HEADWAY_DATA", "../shared/data")) / "scheduling/swf"
    found = {}
    for name, file in TRACES.items():
        trace = read(folder / file)
        tasks = pl.concat([good for good, _ in trace])
        found[name] = workload_from(tasks, trace.facts.zero_s, int(trace.facts.total_cpus))
    return found


def main() -> None:
    """Print the table of RESULTS.md."""
    options = argparse.ArgumentParser()
    options.add_argument("--accasim", default="", help="python that has accasim")
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    traces = workloads()
    parts = {name: traces["HPC2N"].part(start, 5000) for name, start in PARTS.items()}
    runs = {
        (trace, len(traces[trace]), policy, backfill, "headway"): (
            lambda t=trace, p=policy, b=backfill: ours(traces[t], p, b)
        )
        for trace, policy, backfill in CASES
    }
    for trace, policy in NAIVE:
        same = ours(traces[trace], policy, "easy") == naive(traces[trace], policy)
        assert same.all(), f"{trace} {policy}: {(~same).sum()} starts differ"
        runs[trace, len(traces[trace]), policy, "easy", "plain loop"] = lambda t=trace, p=policy: (
            naive(traces[t], p)
        )
    for run in runs.values():
        run()  # compile
    for name, part in parts.items():
        runs[name, 5000, "fcfs", "easy", "headway"] = lambda p=part: ours(p, "fcfs", "easy")
    took = {case: [] for case in runs}
    with TemporaryDirectory() as folder:
        for _ in range(chosen.repeats):
            for case, run in runs.items():
                took[case].append(seconds(run))
            for name, part in parts.items() if chosen.accasim else ():
                spent_s = accasim(chosen.accasim, part, Path(folder))
                took.setdefault((name, 5000, "fcfs", "easy", "AccaSim"), []).append(spent_s)
    print("| trace | jobs | policy | backfill | simulator | jobs/s, median | range |")
    print("|---|---|---|---|---|---|---|")
    for (trace, jobs, policy, backfill, simulator), each in sorted(took.items()):
        speeds = [jobs / s for s in each]
        print(
            f"| {trace} | {jobs:,} | {policy} | {backfill} | {simulator} |"
            f" {statistics.median(speeds):,.0f} | {min(speeds):,.0f} to {max(speeds):,.0f} |"
        )
    if not chosen.accasim:
        print(
            "AccaSim was not measured: name a python that has it with --accasim.", file=sys.stderr
        )


if __name__ == "__main__":
    main()
