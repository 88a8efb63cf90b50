"""What does it cost to teach every served model anew on 0.1, 1 and 10 million tasks?

python benchmarks/retraining.py SWF.. [--tasks 100000 1000000 10000000]

The traces run beside each other as clusters of their own, again and again, each copy two weeks
after the one before and with other users, names and queues, until there are enough tasks: resampled
whole, so that bursts, sessions and what follows what stay as they were. Tasks are made in parts in
order of submission and learned as they end, by two processes, one of runtimes and one of memory,
sizes and failures, each with features of its own, or with --processes 1 by one. The trees look at
the latest 20,000 outcomes, as they do when they serve. --newest N: all tasks make features, but
only the newest N that ended teach the models. --judge N: the last N that ended teach nothing and
are predicted instead, as of their submission, by the models taught before; both in whole parts.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from headway.features import NAMES, History
from headway.history import open_traces, tasks_of
from headway.predict import predictor_for, save
from headway.predict.sizing import RightSizer
from headway.verify.failure import failures

PART = 50_000
SHIFT_S = 14 * 86_400.0
OWN = ("user", "group", "project", "name", "queue")
TIMES = ("submitted_s", "started_s", "ended_s")
SHARES = {
    2: (("runtime_s",), ("memory_bytes", "failure")),
    1: (("runtime_s", "memory_bytes", "failure"),),
}


class Resampled:
    """About n tasks of several clusters; only where and when they are is held."""

    def __init__(self, paths, n):
        self.tables = [tasks_of(open_traces([path]), lambda *_: None)[0] for path in paths]
        copies = -(-n // sum(table.height for table in self.tables))
        of, rows, at_s = [], [], []
        for copy in range(copies):
            for number, table in enumerate(self.tables):
                of.append(np.full(table.height, copy * len(self.tables) + number, np.int32))
                rows.append(np.arange(table.height, dtype=np.int32))
                at_s.append(table["submitted_s"].to_numpy() + self.shift_s(copy, table))
        at_s = np.concatenate(at_s)
        first = np.argsort(at_s, kind="stable")[:n]
        self.of, self.rows = np.concatenate(of)[first], np.concatenate(rows)[first]

    def shift_s(self, copy, table):
        """By how much a copy of a table is moved."""
        return copy * SHIFT_S - table["submitted_s"][0]

    def parts(self):
        """The tasks in order of submission."""
        for begin in range(0, len(self.of), PART):
            of, rows = self.of[begin : begin + PART], self.rows[begin : begin + PART]
            order = np.argsort(of, kind="stable")
            edges = np.flatnonzero(np.diff(of[order])) + 1
            made = [self.copied(of[at[0]], rows[at]) for at in np.split(order, edges)]
            back = np.empty(len(of), np.int64)
            back[order] = np.arange(len(of))
            yield pl.concat(made)[back]

    def copied(self, which, rows):
        """Some rows of one copy of one table."""
        copy, number = divmod(int(which), len(self.tables))
        table = self.tables[number]
        cluster = f"{table['cluster'][0]}-{copy}"
        return table[rows].with_columns(
            pl.lit(cluster).alias("cluster"),
            *(pl.format("{}/{}", pl.lit(cluster), pl.col(key)).alias(key) for key in OWN),
            *(pl.col(at) + self.shift_s(copy, table) for at in TIMES),
        )

    def count(self, is_counted):
        """Of how many tasks something holds that is asked of a table."""
        number = self.of % len(self.tables)
        each = enumerate(map(is_counted, self.tables))
        return sum(int(c[self.rows[number == i]].sum()) for i, c in each)


def outcome(tasks, target):
    """What a predictor learns (n,); NaN = not known."""
    if target == "failure":
        return failures(tasks)
    value = pl.col("memory_peak_bytes").cast(pl.Float64)
    if target == "runtime_s":
        value = pl.col("ended_s") - pl.col("started_s")
    return tasks.select(value.cast(pl.Float64).fill_null(np.nan)).to_series().to_numpy().copy()


def is_over(table):
    """Whether each task ended."""
    return table["ended_s"].is_not_null().to_numpy()


def learn(paths, n, targets, newest=0, judge=0):
    """Teach the models of some targets; the seconds of each step."""
    list(History().walk([tasks_of(open_traces(paths[:1]), lambda *_: None)[0].head(100)]))
    source = Resampled(paths, n)
    cpu = dict.fromkeys(["features", *targets, "sizing"], 0.0)
    taught = dict.fromkeys(targets, 0)
    over = source.count(is_over)
    skipped = max(over - judge - newest, 0) if newest else 0
    share = (over - skipped - judge) / over
    known = {t: source.count(lambda f, t=t: np.isfinite(outcome(f, t))) for t in targets}
    predictors = {t: predictor_for(t, NAMES, whole=int(known[t] * share)) for t in targets}
    judged = {t: [] for t in targets}
    sizer, began, whole = RightSizer(), time.perf_counter(), time.process_time()
    walk, at = History().walk(source.parts()), time.process_time()
    done = 0
    for x, tasks in walk:
        at = spent(cpu, "features", at)
        done += len(x)
        if done <= skipped:
            continue
        if done > over - judge:
            for target, predictor in predictors.items():
                judged[target].append((outcome(tasks, target), predictor.predict(x)))
            at = time.process_time()
            continue
        for target, predictor in predictors.items():
            y = outcome(tasks, target)
            rows = np.flatnonzero(np.isfinite(y) | (target == "failure"))
            mine, censored = x.take(rows), np.zeros(len(rows), bool)
            if target == "memory_bytes" and len(rows):
                run_s = outcome(tasks, "runtime_s")[rows]
                believed = predictor.predict(mine).value[:, None]
                sizer.learn(mine, believed, y[rows], run_s)
                at = spent(cpu, "sizing", at)
            if len(rows):
                predictor.learn(mine, y[rows], censored)
            taught[target] += int(np.isfinite(y[rows]).sum())
            at = spent(cpu, target, at)
        print(f"{done:,} {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    scored = {t: scores_of(t, parts) for t, parts in judged.items() if parts}
    kept = sum(len(data) for p in predictors.values() for data in save(p).values())
    return {
        "tasks": done,
        "taught": taught,
        "cpu_s": cpu,
        "kept_mb": kept / 1e6,
        "judged": scored,
        "all_cpu_s": time.process_time() - whole,
        "wall_s": time.perf_counter() - began,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def scores_of(target, parts):
    """How good answers were: log loss of failures, else pinball loss of logs, 90 % coverage."""
    y = np.concatenate([outcome for outcome, _ in parts])
    q = np.concatenate([estimate.quantiles for _, estimate in parts])
    value = np.concatenate([estimate.value for _, estimate in parts])
    known = np.isfinite(y) & np.isfinite(value)
    y, q, value = y[known], q[known], value[known]
    if target == "failure":
        p = np.clip(value, 1e-6, 1.0 - 1e-6)
        return {"n": len(y), "log_loss": float(-np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)))}
    levels = parts[0][1].levels
    low, high = (int(np.argmin(np.abs(levels - level))) for level in (0.05, 0.95))
    off = np.log1p(y)[:, None] - np.log1p(q)
    return {
        "n": len(y),
        "pinball_log": float(np.maximum(levels * off, (levels - 1) * off).mean()),
        "covered_90": float(np.mean((y >= q[:, low]) & (y <= q[:, high]))),
        "mean_error": float(np.abs(y - value).mean()),
    }


def spent(cpu, step, since_s):
    """Add the CPU seconds since a moment to a step; now."""
    now_s = time.process_time()
    cpu[step] += now_s - since_s
    return now_s


def plot(costs):
    """Bars of wall time, CPU time and memory by the number of tasks, ten times as much a step."""
    for at, what in ((1, "wall s"), (2, "CPU s"), (3, "GiB")):
        for cost in costs:
            bar = "#" * round(15.0 * np.log10(max(cost[at], 1.0)))
            print(f"{cost[0]:>12,} {what:>6} {bar} {cost[at]:,.0f}")


def main():
    """Print the seconds and the memory of each step, for each number of tasks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--processes", type=int, default=2, choices=list(SHARES))
    parser.add_argument("--share", type=int, default=-1, help="of SHARES, in this process")
    parser.add_argument("--newest", type=int, default=0)
    parser.add_argument("--judge", type=int, default=0)
    parser.add_argument("paths", nargs="+", type=Path)
    options = parser.parse_args()
    if options.share >= 0:
        targets = SHARES[options.processes][options.share]
        given = (options.paths, options.tasks[0], targets, options.newest, options.judge)
        print(json.dumps(learn(*given)))
        return
    print("| tasks | step | outcomes | CPU s |\n|---|---|---|---|")
    costs = []
    for n in options.tasks:
        common = [sys.executable, __file__, "--tasks", str(n), "--newest", str(options.newest)]
        common += ["--judge", str(options.judge), "--processes", str(options.processes)]
        paths = [str(path) for path in options.paths]
        began = time.perf_counter()
        asked = [
            subprocess.Popen([*common, "--share", str(i), *paths], stdout=subprocess.PIPE)
            for i in range(options.processes)
        ]
        said = [json.loads(process.communicate()[0]) for process in asked]
        wall_s = time.perf_counter() - began
        for one in said:
            for step, cpu_s in one["cpu_s"].items():
                if cpu_s >= 0.01:
                    count = one["taught"].get(step, one["tasks"])
                    print(f"| {one['tasks']:,} | {step} | {count:,} | {cpu_s:.0f} |")
        cpu_s, peak = (sum(one[key] for one in said) for key in ("all_cpu_s", "peak_gib"))
        slower = max(one["all_cpu_s"] for one in said)
        print(f"| {n:,} | everything | | {cpu_s:.0f}, of the slower process {slower:.0f} |")
        costs.append((n, wall_s, cpu_s, peak))
        for one in said:
            print(
                "".join(f"{target}: {score}\n" for target, score in one["judged"].items()), end=""
            )
        print(f"wall {wall_s:.0f} s, peak of both together {peak:.1f} GiB", flush=True)
    plot(costs)


if __name__ == "__main__":
    main()
