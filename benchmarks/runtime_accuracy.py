"""How far off are predicted runtimes, and do their intervals hold for each kind of task?

python benchmarks/runtime_accuracy.py HISTORY.. [--skip 1000] [--one]
One causal replay of each history (--one: of all files together), beside the request, the last two
of the user, the median of user and name and plain LightGBM, on the tasks that all of them answer.
Coverage inside the 99 % binomial band is counted for each name (without names: user) with at
least 200 runs. Split conformal moves Headway's own uncalibrated quantiles.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.stats import binom

from headway.history import open_traces, tasks_of
from headway.records import Estimate
from headway.verify.answers import answers
from headway.verify.baselines.split_conformal import split_conformal
from headway.verify.judge import rows
from headway.verify.replay import replay
from headway.verify.score import COVERAGES, scores

LEAST_RUNS = 200


def table(replayed, tasks, counted):
    """Rows of errors, and how far Headway's lie below the best other one of each column."""
    found = [r for r in rows(replayed, tasks, answers(replayed, tasks), counted)
             if r["workflow"] == "all" and r["tasks"] and r["mae_s"] is not None]  # fmt: skip
    errors = {
        r["method"]: (r["mae_s"] / 3600, 1 - r["min_max_accuracy"], 1 - r["bucket_exact"])
        for r in found
    }
    print(f"{found[0]['tasks']} tasks | MAE, h | 1 - min/max accuracy | 1 - bucket accuracy")
    for method, error in errors.items():
        print(f"{method} | {error[0]:.4f} | {error[1]:.4f} | {error[2]:.4f}")
    best = [min(e[i] for m, e in errors.items() if m != "headway") for i in range(3)]
    below = [1 - own / other for own, other in zip(errors["headway"], best, strict=True)]
    print("below the best | " + " | ".join(f"{share:.1%}" for share in below))


def bands(replayed, tasks, counted):
    """How many kinds of task lie inside the band at each promised coverage, and at all."""
    kind = tasks["name"] if tasks["name"].null_count() < tasks.height else tasks["user"]
    y, estimate = replayed.outcome, replayed.estimate
    column = {round(float(level), 6): i for i, level in enumerate(estimate.levels)}
    judged = counted & np.isfinite(y) & np.isfinite(estimate.value)
    inside = []
    for name in kind.drop_nulls().unique():
        mine = judged & (kind == name).fill_null(False).to_numpy()
        if mine.sum() < LEAST_RUNS:
            continue
        ok = []
        for promised, (low, high) in COVERAGES.items():
            q = estimate.quantiles[mine]
            hits = int(np.sum((y[mine] >= q[:, column[low]]) & (y[mine] <= q[:, column[high]])))
            least, most = binom.ppf([0.005, 0.995], mine.sum(), float(promised) / 100)
            ok.append(least <= hits <= most)
        inside.append(ok)
    if inside:
        count = np.array(inside)
        each = "/".join(str(n) for n in count.sum(axis=0))
        print(f"kinds inside the band: {each} of {len(count)}, at all five {count.all(1).sum()}")


def intervals(replayed, counted):
    """Coverage and Winkler scores of Headway and of split conformal around the same quantiles."""
    y = replayed.outcome
    own = replayed.estimate
    plain = split_conformal(replayed.kinds, replayed.rows, y, own.quantiles, own.levels)
    other = Estimate(
        value=own.value, levels=own.levels, quantiles=plain, made_by=own.made_by,
        refused=own.refused,
    )  # fmt: skip
    for name, estimate in (("headway", own), ("split conformal after it", other)):
        s = scores(y, estimate, counted)
        covered = " / ".join(f"{100 * s['interval_coverage'][n]:.1f}" for n in COVERAGES)
        winkler = " / ".join(f"{s['winkler_log'][n]:.2f}" for n in COVERAGES)
        print(f"{name} | covered {covered} | Winkler of log {winkler}")


def measure(paths, skip):
    """Print all of one history."""
    tasks, _ = tasks_of(open_traces(paths), lambda what, share: None)
    began = time.perf_counter()
    replayed = replay(tasks, "runtime_s")
    took_s = time.perf_counter() - began
    print(f"\n{paths[0].name}: {tasks.height} tasks, replayed in {took_s:.0f} s")
    counted = np.arange(tasks.height) >= skip
    table(replayed, tasks, counted)
    bands(replayed, tasks, counted)
    intervals(replayed, counted)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("histories", nargs="+", type=Path)
    parser.add_argument("--skip", type=int, default=0, help="first tasks that are not judged")
    parser.add_argument("--one", action="store_true", help="the files are one history")
    chosen = parser.parse_args()
    for history in [chosen.histories] if chosen.one else [[p] for p in chosen.histories]:
        measure(history, chosen.skip)
