"""Does headroom by PPO waste less memory than fixed headroom, on time it has not seen?

    python benchmarks/headroom.py HISTORY .. [--seeds 5] [--decisions 1500000] [--keep FOLDER]

One policy is learned for all histories that are named. Both sides multiply the same basis: the
largest peak among the latest 32 known outcomes of a task's class, else of a coarser class, else its
request. Fixed headroom is the best on the first 60 % of the time: one factor for all, or one for
each of these three. PPO begins at the latter, learns on the first 48 % and chooses on the time to
60 %. Judged are tasks submitted in the last 30 %, in windows of equally many; an attempt takes as
long as the task did.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from headway.history import open_traces, tasks_of
from headway.predict.headroom import (
    known_of,
    log_headroom,
    picked,
    sized,
    wasted,
)
from headway.train.headroom import best_fixed, judgeable, train_headroom

LEARN, KNOWN, LATE = 0.48, 0.6, 0.7
WINDOWS = 20
T_975 = 2.093  # of 20 windows


def parts_of(path):
    """What teaches, what chooses, and what judges."""
    tasks, _ = tasks_of(open_traces([path]), lambda *_: None)
    known = judgeable(known_of(tasks.sort("submitted_s", maintain_order=True)))
    at = (known.submitted_s - known.submitted_s.min()) / np.ptp(known.submitted_s)
    return tuple(
        picked(known, rows) for rows in (at < LEARN, (at >= LEARN) & (at < KNOWN), at >= LATE)
    )


def joined(first, second):
    """Two parts as one."""
    return type(first)._make(np.concatenate(pair) for pair in zip(first, second, strict=True))


def given(weights, known):
    """What weights waste on each task, and whether the first attempt was enough."""
    first = sized(known, log_headroom(weights, known.x, known.level))
    return wasted(known, first), first >= known.peak


def interval(mine, other):
    """A difference of totals in per cent, and its 95 % interval over windows of tasks."""
    difference = np.array([part.sum() for part in np.array_split(mine - other, WINDOWS)])
    half = T_975 * difference.std(ddof=1) * np.sqrt(WINDOWS)
    total, scale = difference.sum(), 100.0 / other.sum()
    return f"{total * scale:+.1f} ({(total - half) * scale:+.1f} to {(total + half) * scale:+.1f})"


def main():
    """The tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("history", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--decisions", type=int, default=1_500_000)
    parser.add_argument("--keep", type=Path, default=Path("headroom-runs"))
    arguments = parser.parse_args()
    arguments.keep.mkdir(parents=True, exist_ok=True)
    teach, choose, late = zip(*(parts_of(path) for path in arguments.history), strict=True)
    earlier = [joined(*pair) for pair in zip(teach, choose, strict=True)]
    one, three = (best_fixed(earlier, by_level=by_level) for by_level in (False, True))
    names = "-".join(path.name.split(".")[0][:12] for path in arguments.history)
    found = []
    for seed in range(arguments.seeds):
        began = time.process_time()
        trained = train_headroom(
            teach, choose, three, decisions=arguments.decisions, seed=seed,
            resume=arguments.keep / f"{names}-{seed}.npz",
        )  # fmt: skip
        took = time.process_time() - began
        curve = " ".join(f"{value:.3f}" for _, value in trained.curve[::3])
        print(
            f"seed {seed}: {trained.decisions:,} decisions, {took:.0f} CPU s: {curve}", flush=True
        )
        found.append(trained.weights)
    print(
        "| history | tasks | one factor | by level | PPO | against one, % | against by level, % |"
    )
    print("|---|---|---|---|---|---|---|")
    for path, known in zip(arguments.history, late, strict=True):
        single, triple = given(one, known), given(three, known)
        each = np.array([given(weights, known) for weights in found]).astype(float)
        waste, enough = each[:, 0], each[:, 1].mean()
        mean = waste.mean(axis=0)
        cells = [f"{w.sum():,.3g} ({100 * e.mean():.1f} %)" for w, e in (single, triple)]
        print(
            f"| {path.name.split('.')[0]} | {len(known.peak)} | {' | '.join(cells)} | "
            f"{mean.sum():,.3g} ({100 * enough:.1f} %) | {interval(mean, single[0])} | "
            f"{interval(mean, triple[0])} |"
        )
        seeds = 100.0 * (waste.sum(axis=1) / triple[0].sum() - 1.0)
        print("  by seed, %:", " ".join(f"{value:+.1f}" for value in seeds))
    print("factors:", np.exp(one[:1]).round(3), np.exp(three[:3]).round(3))


if __name__ == "__main__":
    main()
