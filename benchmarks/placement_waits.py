"""Does a better placement shorten the wait of tasks with several resources?

`placement_waits.py gpus NODES PODS --weights FOLDER [--offered 0.9]`: pods of the last 30 % of a
list come at random moments and live as long as they did (at most an hour); the weights are those
that `placement.py admit` kept, searched for admission on the first 60 %, not for waits.
`placement_waits.py wagap TRACE MACHINES [--offered 0.9]`: jobs of one node of an SWF trace, with
requested memory, on CPU nodes. Arrivals of the last 30 % of the time, pressed together.
Waiting tasks start in order of arrival, those that fit pass those that do not. Five seeds.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np

from headway.schedule.fragmentation import Nodes, Shapes
from headway.simulate.nodes import replay
from placement import LATE, T_975, parts_of, shuffled

LIFE_S = 3600.0  # at most: longer lives would need days before waits are steady
SEEDS = range(5)
PODS = 60_000
GPU_RULES = (
    "random",
    "worst-fit",
    "best-fit",
    "tetris",
    "first-fit",
    "gpu-packing",
    "fgd-exact",
    "fgd",
)
CPU_RULES = ("first-fit", "random", "worst-fit", "best-fit", "tetris", "least-dot")


def arriving(seed, shapes, shape, life_s, gpus, offered):
    """Pods drawn with their lives at moments that offer so many of the GPUs on average."""
    rng = np.random.default_rng(3000 + seed)
    drawn = rng.integers(0, len(shape), PODS)
    asked = (shapes.gpus * shapes.gpu_milli)[shape] / 1000
    rate = offered * gpus / float((asked * life_s).mean())
    return shape[drawn], np.cumsum(rng.exponential(1.0 / rate, PODS)), life_s[drawn]


def waits(shape, submit_s, placed):
    """Of the second half: mean wait s, 99 % point, share that waited, in that order."""
    half = np.arange(len(shape)) >= len(shape) // 2
    half &= ~np.isnan(placed.start_s)
    wait_s = (placed.start_s - submit_s)[half]
    return wait_s.mean(), np.quantile(wait_s, 0.99), 100 * (wait_s > 0).mean()


def table(rows, base):
    """Print a line a policy; rows (seeds, 3) each."""
    print("| policy | mean wait, s | against " + base + " | 99 % wait, s | waited, % |")
    print("|---|---|---|---|---|")
    for policy, row in rows.items():
        difference = row[:, 0] - rows[base][:, 0]
        half = T_975[len(row)] * difference.std(ddof=1) / np.sqrt(len(row))
        mean = difference.mean()
        against = (
            "" if policy == base else f"{mean:+.0f} ({mean - half:+.0f} to {mean + half:+.0f})"
        )
        print(
            f"| {policy} | {row[:, 0].mean():.0f} ± {row[:, 0].std(ddof=1):.0f} | {against} | "
            f"{row[:, 1].mean():.0f} | {row[:, 2].mean():.1f} |",
            flush=True,
        )


def measure_gpus(arguments):
    """The cluster of the list under a steady stream of its pods."""
    nodes, pods, shapes, _, late, _ = parts_of(arguments)
    tail = pods[int(LATE * len(pods)) :]
    life_s = (tail["deletion_time"] - tail["creation_time"]).to_numpy()
    life_s = np.clip(life_s, 1.0, LIFE_S)
    gpus = int(nodes.gpus.sum())
    weights = [np.load(path) for path in sorted(arguments.weights.glob("*.npy"))]
    rows = {}
    for policy in (*GPU_RULES, *(("learned",) if weights else ())):
        found = []
        for seed in SEEDS:
            shape, submit_s, runs_s = arriving(seed, shapes, late, life_s, gpus, arguments.offered)
            mine = weights[seed % len(weights)] if policy == "learned" else None
            placed = replay(
                shuffled(nodes, seed), shapes, shape, submit_s, runs_s, policy, weights=mine,
                seed=seed,
            )  # fmt: skip
            found.append(waits(shape, submit_s, placed))
        rows[policy] = np.array(found)
    print(f"{gpus} GPUs, offered {arguments.offered:.0%}, {PODS:,} pods, the second half judged")
    table(rows, "fgd")


def wagap(trace, machines):
    """Nodes, shapes, and of each job of one node its shape, submission and runtime; left out."""
    rows = [line.split() for line in machines.read_text().splitlines() if line.strip()]
    many = [int(row[2]) for row in rows]
    each = [(int(row[3]) * 1000, int(row[5]) // 1024, 0, 1 << k) for k, row in enumerate(rows)]
    columns = zip(*(one for one, n in zip(each, many, strict=True) for _ in range(n)), strict=True)
    nodes = Nodes(*(np.array(column, np.int64) for column in columns))
    clusters = {f"cl_{row[1]}": 1 << k for k, row in enumerate(rows)}
    jobs, left_out = [], 0
    with gzip.open(trace, "rt") as lines:
        for line in lines:
            row = line.split()
            if not row or row[0].startswith(";"):
                continue
            spec = row[20].split("#")[0].split(":")
            if spec[0] != "1" or float(row[3]) <= 0:
                left_out += 1
                continue
            only = sum({bit for name, bit in clusters.items() if name in spec})
            shape = (int(row[7]) * 1000, int(float(row[9]) / 2**20), only)
            jobs.append((float(row[1]), float(row[3]), shape))
    jobs.sort(key=lambda job: job[0])
    names = sorted({shape for _, _, shape in jobs})
    place = {shape: s for s, shape in enumerate(names)}
    cpu, memory, only = (np.array(column, np.int64) for column in zip(*names, strict=True))
    shape = np.array([place[job[2]] for job in jobs], np.int64)
    none = np.zeros(len(names), np.int64)
    shapes = Shapes(
        cpu, memory, none, none, only, np.bincount(shape) / len(shape), none - 1,
        none[:0], none[:0],
    )  # fmt: skip
    submit_s, runtime_s = np.array([job[:2] for job in jobs]).T
    return nodes, shapes, shape, submit_s, runtime_s, left_out


def measure_wagap(arguments):
    """Real order, gaps and runtimes; submissions shaken by up to half an hour a seed."""
    nodes, shapes, shape, submit_s, runtime_s, left_out = wagap(arguments.nodes, arguments.pods)
    late = submit_s >= submit_s[0] + LATE * (submit_s[-1] - submit_s[0])
    shape, submit_s, runtime_s = shape[late], submit_s[late], runtime_s[late]
    work = (shapes.cpu_milli[shape] * runtime_s).sum() / nodes.cpu_milli.sum()
    natural = work / (submit_s[-1] - submit_s[0])
    press = natural / arguments.offered
    print(
        f"{len(nodes.gpus)} nodes, {len(shape):,} jobs of the last 30 % of the time ({left_out} of "
        f"all left out: several nodes, or ran 0 s); offered {natural:.0%} of the CPUs, pressed to "
        f"{arguments.offered:.0%}"
    )
    rows = {}
    for policy in CPU_RULES:
        found = []
        for seed in SEEDS:
            rng = np.random.default_rng(4000 + seed)
            shaken = (submit_s - submit_s[0]) * press + rng.uniform(0, 1800, len(submit_s))
            order = np.argsort(shaken, kind="stable")
            placed = replay(
                shuffled(nodes, seed), shapes, shape[order], np.ascontiguousarray(shaken[order]),
                runtime_s[order], policy, seed=seed,
            )  # fmt: skip
            found.append(waits(shape, shaken[order], placed))
        rows[policy] = np.array(found)
    table(rows, "best-fit")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("question", choices=("gpus", "wagap"))
    parser.add_argument("nodes", type=Path, help="list of nodes, or the SWF trace")
    parser.add_argument("pods", type=Path, help="list of pods, or the machines of the trace")
    parser.add_argument("--weights", type=Path, default=Path("placement-weights"))
    parser.add_argument("--offered", type=float, default=0.9)
    given = parser.parse_args()
    {"gpus": measure_gpus, "wagap": measure_wagap}[given.question](given)
