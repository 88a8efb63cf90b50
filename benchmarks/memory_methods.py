"""What do methods of sizing memory waste, and how often is their first allocation enough?

`memory_methods.py HISTORY .. [--protocol causal|causal-at-start|sizey] [--seed N ..]
[--probes N]`: one replay for each history and seed; all methods see the same events and are judged
on the same tasks. A cell is first-attempt coverage / GB hours wasted, median over the seeds (and
range of the waste where it is not one number); where the first allocation was enough for less than
95 % it is in brackets.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from headway.history import open_traces
from headway.optimize import replay_histories

ENOUGH = 0.95


def main() -> None:
    """Print a table: a row for each method, a column for each history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("history", nargs="+", type=Path)
    parser.add_argument("--protocol", default="causal")
    parser.add_argument("--seed", nargs="+", type=int, default=[1996])
    parser.add_argument("--probes", type=int, default=0)
    args = parser.parse_args()
    columns = {}
    for path in args.history:
        name = path.name.split(".")[0]
        columns[name] = [replayed(path, args.protocol, seed, args.probes) for seed in args.seed]
        for method, row in columns[name][0].items():
            print(name, method, cell([one[method] for one in columns[name]]), row["why_not"])
    print(f"\n| {args.protocol}, seeds {args.seed} |", " | ".join(columns), "| us a task |")
    print("|---" * (len(columns) + 2) + "|")
    for method in next(iter(columns.values()))[0]:
        runs = {name: [one[method] for one in found] for name, found in columns.items()}
        us = [run["us_per_prediction"] for rows in runs.values() for run in rows]
        cells = " | ".join(cell(rows) for rows in runs.values())
        print(f"| {method} | {cells} | {np.median(us):.3g} |")


def replayed(path: Path, protocol: str, seed: int, probes: int) -> dict[str, dict]:
    """The rows of all workflows of one replay, by method."""
    began = time.perf_counter()
    rows = replay_histories(
        open_traces([path]), target="memory", protocol=protocol, months=False, seed=seed,
        progress=lambda *_: None, probes=probes,
    )  # fmt: skip
    took_s = time.perf_counter() - began
    print(f"{path.name}, seed {seed}: {took_s:.0f} s", file=sys.stderr, flush=True)
    found = {row["method"]: row for row in rows if row["workflow"] == "all"}
    own = found.pop("headway")
    plain = own | {"wastage_gbh": own["wastage_gbh_plain_retry"]}
    if probes:
        print(path.name, own["probing"], file=sys.stderr)
    return {"headway": own, "headway, retried as others": plain} | found


def cell(runs: list[dict]) -> str:
    """Coverage / waste of one method, over its seeds."""
    if runs[0]["wastage_gbh"] is None:
        return "left out"
    coverage = float(np.median([run["first_attempt_coverage"] for run in runs]))
    waste = sorted(run["wastage_gbh"] for run in runs)
    text = f"{100 * coverage:.1f} % / {figure(float(np.median(waste)))}"
    if len(runs) > 1 and waste[0] != waste[-1]:
        text += f" ({figure(waste[0])} to {figure(waste[-1])})"
    return text if coverage >= ENOUGH else f"[{text}]"


def figure(x: float) -> str:
    """Three digits, and no exponent.

    >>> figure(0.5307), figure(49.46), figure(5469123.0)
    ('0.531', '49.5', '5,469,123')
    """
    if x >= 100:
        return f"{x:,.0f}"
    return f"{x:.3g}"


if __name__ == "__main__":
    main()
