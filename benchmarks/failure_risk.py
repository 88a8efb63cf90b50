"""How well is it foretold which tasks fail, and can the probabilities be believed?

`failure_risk.py [--seeds N] TRACE ..`: each trace is replayed causally from an empty engine, beside
the plain methods on the same tasks. Seeds are those of the trees. The interval of the gain in log
loss over the best plain method is of 500 draws of whole days, since tasks of a day fail together.
Logs of HPC2N call every job completed: there a job that ran its limit is taken for a timeout.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import polars as pl

from headway.history import open_traces, tasks_of
from headway.verify.failure import failure_rows
from headway.verify.failure_methods import plain_methods
from headway.verify.replay import replay

DAY_S, DRAWS = 86_400.0, 500
SHOWN = ("accuracy", "precision", "recall", "f1", "brier", "log_loss", "auc")


def tasks_from(path):
    """The tasks of a trace; a job of HPC2N that ran its limit timed out."""
    tasks, _ = tasks_of(open_traces([path]), lambda what, share: None)
    if "HPC2N" in path.name:
        ran_s = pl.col("ended_s") - pl.col("started_s")
        state = pl.when(ran_s >= pl.col("limit_s")).then(pl.lit("timeout")).otherwise("state")
        tasks = tasks.with_columns(state=state)
    return tasks


def losses(y, p):
    """Log loss of each task."""
    p = np.clip(p, 1e-4, 1.0 - 1e-4)
    return -(y * np.log(p) + (1.0 - y) * np.log(1.0 - p))


def gain(replayed, tasks, other_p):
    """Log loss below a rival's in per cent, with its 95 % interval over days."""
    y, p = replayed.outcome, replayed.estimate.value
    judged = np.isfinite(y) & np.isfinite(p)
    days = (tasks["submitted_s"].to_numpy()[judged] // DAY_S).astype(np.int64)
    _, day = np.unique(days, return_inverse=True)
    own = np.bincount(day, losses(y[judged], p[judged]))
    other = np.bincount(day, losses(y[judged], other_p[judged]))
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(own), (DRAWS, len(own)))
    ratios = 1.0 - own[drawn].sum(axis=1) / other[drawn].sum(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return 1.0 - own.sum() / other.sum(), low, high


def shown(values):
    """A figure, or median and range over seeds."""
    if any(value is None for value in values):
        return "-"
    if len(values) == 1 or min(values) == max(values):
        return f"{values[0]:.3f}"
    return f"{np.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def measure(path, seeds):
    """Print the rows of one trace."""
    tasks, found, took_s = tasks_from(path), {}, []
    for seed in range(seeds):
        began = time.perf_counter()
        replayed = replay(tasks, "failure", seed=seed)
        took_s.append(time.perf_counter() - began)
        plain = plain_methods(replayed, tasks)
        for row in failure_rows(replayed, tasks, plain=plain):
            if row["workflow"] == "all":
                found.setdefault(row["method"], []).append(row)
    own = found["headway"][-1]
    rival = min((m for m in found if m != "headway"), key=lambda m: found[m][0]["log_loss"])
    by, low, high = gain(replayed, tasks, plain[rival])
    print(
        f"\n{path.name}: {own['tasks']:,} tasks judged of {tasks.height:,}, failed share", end=" "
    )
    print(f"{own['failed_share']:.3f}; replay {np.median(took_s):.0f} s; log loss below {rival}:")
    print(f"{by:.1%} (days: {low:.1%} to {high:.1%})")
    print("| method | " + " | ".join(SHOWN) + " |\n" + "|---" * (len(SHOWN) + 1) + "|")
    for method, rows in found.items():
        print(f"| {method} | " + " | ".join(shown([r[s] for r in rows]) for s in SHOWN) + " |")
    print(
        "| foretold | failed | tasks | 99 % band | inside | 90 % interval, mean |\n"
        "|---|---|---|---|---|---|"
    )
    for row in own["reliability"]:
        (low, high), (sure_low, sure_high) = row["band"], row["interval_90"]
        print(
            f"| {row['foretold']:.3f} | {row['failed_share']:.3f} | {row['tasks']:,} | "
            f"{low:.3f} to {high:.3f} | {'yes' if row['is_inside'] else 'no'} | "
            f"{sure_low:.3f} to {sure_high:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("traces", nargs="+", type=Path)
    arguments = parser.parse_args()
    for trace in arguments.traces:
        measure(trace, arguments.seeds)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\npeak memory {peak_gb:.2f} GB")
