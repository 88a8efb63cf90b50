"""Is a learned order below every untrained rule on RLScheduler's six cells?

    python benchmarks/rlscheduler_cells.py [--seeds 5] [--first 5] [--cells "L-1 none" ..]
                                           [--keep FOLDER]

One linear order for each trace and kind of backfilling, as the published policies were trained,
found by `train.covariance`: for Lublin-1 and Lublin-2 on generated workloads of the two published
ways to use the model, for HPC2N on its jobs after the first 10,000 up to 45 % of its time, as they
came and closer together. Without backfilling the first few of the order are tried out
at each decision (`simulate.lookahead`), in training as in the test. Validation: other generated
workloads; HPC2N from 45 to 60 % of its time. The ten test sequences are looked at once, after all
training. With a folder, runs go on where they stopped.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from headway.history import open_traces, tasks_of
from headway.schedule.network import SIZE, network_of, smallest_area_first
from headway.schedule.observation import FEATURES
from headway.simulate.compare import SEQUENCE, STARTS
from headway.simulate.episode import COMMIT, RESERVE
from headway.simulate.generated import generated, requested_course
from headway.simulate.lookahead import play_ahead
from headway.simulate.play import play
from headway.simulate.workload import workload_from
from headway.stats import bounded_slowdown
from headway.train.covariance import PRICE, search_linear

FOLDER = Path(os.environ.get("HEADWAY_DATA", "../shared/data")) / "scheduling"
MODES = {"none": COMMIT, "bf": RESERVE}
CELLS = {  # decisions of training; tried at each; published RL, best untrained, best known offline
    "L-1 none": (700_000, 8, 254.7, 251.5, 212.5),
    "L-2 none": (700_000, 8, 724.5, 635.3, 360.9),
    "HPC2N none": (700_000, 4, 117.0, 97.2, 37.9),
    "L-1 bf": (3_700_000, 0, 58.6, 53.3, 22.7),
    "L-2 bf": (2_000_000, 0, 118.8, 90.7, 41.2),
    "HPC2N bf": (800_000, 0, 86.1, 63.7, 17.4),
}
MIXES = {"L-1": "all", "L-2": "separate"}
FIRST_TAUGHT, TAUGHT, CHOSEN = 10_000, 0.45, 0.6  # a job of HPC2N; shares of its time
CLOSER = (0.5, 0.6, 0.75, 0.9, 1.1)  # by which its submissions are stretched for training
GENERATED = 60  # courses
STARTS_APART = 1_500  # tasks between validation windows of HPC2N


def workload(name, scratch):
    """The jobs of a trace."""
    path = {
        "L-1": FOLDER / "lublin/lublin_256.swf.gz",
        "L-2": FOLDER / "lublin/lublin_256_new2.gz",
        "HPC2N": FOLDER / "swf/HPC2N-2002-2.2-cln.swf.gz",
    }[name]
    if name == "L-2":  # published without the ending that says what it is
        copy = scratch / "lublin_256_new2.swf"
        copy.write_bytes(gzip.decompress(path.read_bytes()))
        path = copy
    tasks, facts = tasks_of(open_traces([path]), lambda what, share: None)
    return workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))


def courses(name, jobs, seed):
    """Courses that teach, courses that choose."""
    if name in MIXES:
        mixes = [MIXES[name]]

        def drawn(seed, many, window):
            rng = np.random.default_rng([2003, seed])
            return generated(rng, many, 256, jobs=window, window=SEQUENCE, mixes=mixes)

        return drawn(1 + seed, GENERATED, 2 * SEQUENCE), drawn(0, 24, SEQUENCE)
    share = (jobs.submit_s - jobs.submit_s[0]) / (jobs.submit_s[-1] - jobs.submit_s[0])
    taught, chosen = (int(np.searchsorted(share, part)) for part in (TAUGHT, CHOSEN))

    def stretched(first, last, stretch):
        part = jobs.part(first, last - first)
        submit_s = np.floor((part.submit_s - part.submit_s[0]) * stretch)
        return requested_course(replace(part, submit_s=submit_s), SEQUENCE)

    teach = [stretched(FIRST_TAUGHT, taught, stretch) for stretch in CLOSER]
    judge = [stretched(taught, chosen, stretch) for stretch in (0.75, 1.0)]
    every = STARTS_APART // 32
    return teach, [replace(course, windows=course.windows[::every]) for course in judge]


def train(cell, jobs, seed, keep):
    """One policy of a cell, and the CPU seconds that it took."""
    decisions, tried, *_ = CELLS[cell]
    name, kind = cell.split()
    began = time.process_time()
    teach, judge = courses(name, jobs, seed)
    resume = keep / f"{name}-{kind}-{seed}.npz" if keep else None
    run = search_linear(
        teach, judge, SEQUENCE, mode=MODES[kind], decisions=decisions, seed=seed, tried=tried,
        resume=resume,
    )  # fmt: skip
    print(f"trained {cell} seed {seed}: {run.decisions}, {run.validation:.3f}", flush=True)
    return run, time.process_time() - began


def slowdown(jobs, mode, weights, tried):
    """The mean over the ten sequences of their mean bounded slowdown."""
    means, course = [], requested_course(jobs, SEQUENCE)
    users = 1 + int(course.siblings.user.max(initial=0))
    for start in STARTS:
        window, siblings = course.window(start, SEQUENCE)
        played, network = (window, siblings, users, jobs.total_procs, mode), network_of(weights)
        if tried:
            start_s, _ = play_ahead(*played, network, tried, float(weights[SIZE]))
        else:
            start_s, _ = play(*played, network)
        means.append(bounded_slowdown(start_s - window.submit_s, window.runtime_s).mean())
    return float(np.mean(means))


def report(cell, jobs, runs, cpu_s):
    """Print the row of a cell, its rules and its curves."""
    _, tried, published, rule, offline = CELLS[cell]
    mode, saf = MODES[cell.split()[1]], smallest_area_first()
    found = [slowdown(jobs, mode, run.weights, tried) for run in runs]
    each = " ".join(f"{value:.1f}" for value in found)
    spread = float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
    untrained = f"{slowdown(jobs, mode, np.append(saf, PRICE), tried):.1f}" if tried else "-"
    print(
        f"| {cell} | {published} | {slowdown(jobs, mode, saf, 0):.1f} | {untrained} | {rule} | "
        f"**{np.mean(found):.1f}** | {spread:.1f} | {each} | {offline} | "
        f"{max(run.decisions for run in runs) / 1e6:.2f} M | {np.mean(cpu_s):.0f} |"
    )
    for run in runs:
        named = zip(
            (*FEATURES, *["?"] * (SIZE - len(FEATURES)), "price"), run.weights, strict=False
        )
        order = ", ".join(f"{weight:+.2f} {name}" for name, weight in named if weight)
        curve = ", ".join(f"{at / 1e6:.2f} M {value:.3f}" for at, value in run.curve)
        print(f"  order: {order}\n    validation, over smallest area first: {curve}", flush=True)


def main():
    """Train all cells with one seed after the other, then the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=5)
    parser.add_argument("--cells", nargs="*", default=list(CELLS))
    parser.add_argument("--keep", type=Path, default=None)
    asked = parser.parse_args()
    scratch = asked.keep or Path(os.environ.get("TMPDIR", "/tmp"))
    scratch.mkdir(parents=True, exist_ok=True)
    traces = {name: workload(name, scratch) for name in {cell.split()[0] for cell in asked.cells}}
    runs = {
        (cell, seed): train(cell, traces[cell.split()[0]], seed, asked.keep)
        for seed in range(asked.first, asked.first + asked.seeds)
        for cell in asked.cells
    }
    print(
        "| cell | RL, published | smallest area first | with the same trials | best untrained rule "
        "| learned | spread | seeds | offline | decisions | CPU s a seed |"
    )
    print("|---" * 11 + "|")
    for cell in asked.cells:
        mine = [run for (of, _), run in runs.items() if of == cell]
        report(cell, traces[cell.split()[0]], *zip(*mine, strict=True))


if __name__ == "__main__":
    main()
