"""What is it worth that outcomes teach the models that serve, between two trainings?

`online_learning.py HISTORY .. [--tasks N] [--share S]`: models are trained on the first share of
the tasks (what had ended by then) as `headway optimize` does; then every later task is sized and
timed at its submission by models that stay as they were (static) and by the same models taught by
`serve.learned.teach` as tasks end (online: each user's outcomes teach that user's tasks alone),
beside its request and a replay that learns from everybody's outcomes at once and fits its trees
anew (all), which no server does. An attempt that is not enough is retried by `next_bytes`.
Differences: 95 % intervals from drawing days of submission anew, 2,000 times.
"""

from __future__ import annotations

import argparse
import heapq
import math
import tempfile
import time
from pathlib import Path

import numpy as np

from headway.history import open_traces, tasks_of
from headway.optimize import Prices, keep_models, optimize
from headway.predict.sizing import bytes_in_vain
from headway.records import Task
from headway.serve.advisor import Advisor
from headway.serve.learned import asked_of, entry_of, task_of, teach
from headway.store import ModelStore
from headway.verify.judge import sized
from headway.verify.replay import replay

GB_HOUR = 1e9 * 3600.0
DRAWS = 2000
COLUMNS = {"static": 4, "online": 6, "all": 8}  # of sizes; runtimes stand behind them


def main() -> None:
    """Print a row for each history and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("history", nargs="+", type=Path)
    parser.add_argument("--tasks", type=int, default=0)
    parser.add_argument("--share", type=float, default=0.5)
    args = parser.parse_args()
    for path in args.history:
        judge(path, args.tasks, args.share)


def judge(path: Path, most: int, share: float) -> None:
    """Train on the first part of one history, serve the second both ways, print what came."""
    tasks, facts = tasks_of(open_traces([path]), lambda *_: None)
    tasks = tasks.head(most) if most else tasks
    cut_s = float(tasks["submitted_s"][int(share * tasks.height)])
    before = tasks.filter((tasks["submitted_s"] < cut_s) & (tasks["ended_s"] <= cut_s))
    after = tasks.filter(tasks["submitted_s"] >= cut_s)
    prices = Prices(core_hour=1.0, gb_hour=1.0, currency="")
    began_s = time.process_time()
    done = optimize(before, facts, prices=prices, coverage=0.95, progress=lambda *_: None)
    with tempfile.TemporaryDirectory() as folder:
        keep_models(done, ModelStore(folder), cut_s)
        static = Advisor(folder, stale_s=1e18)
        online = Advisor(folder, stale_s=1e18, is_learning=True)
        trained_s, began_s = time.process_time() - began_s, time.process_time()
        rows, taught = serve(after, static, online)
    served_s = time.process_time() - began_s
    memory = replay(tasks, "memory_bytes")
    timed = replay(tasks, "runtime_s", described=memory, orders=True)
    later = (tasks["submitted_s"] >= cut_s).to_numpy()
    size = sized(memory, tasks)[1].first
    rows = np.column_stack([rows, size[later], timed.estimate.value[later]])
    print(f"\n{path.name}: {before.height:,} tasks taught, {after.height:,} served; CPU s:"
          f" training {trained_s:.0f}, serving {served_s:.0f}; {taught}")  # fmt: skip
    show(rows)


def serve(after, static: Advisor, online: Advisor):
    """One row a task: day, peak, runtime, request, then size and runtime of static and online."""
    ends: list[tuple[float, int, dict, dict]] = []
    rows, counts, number, spent_s = [], {"learned": 0, "refused": 0, "clipped": 0}, 0, 0.0
    for k, fields in enumerate(after.iter_rows(named=True)):
        task = Task(**{n: v for n, v in fields.items() if n in Task.__slots__ and v is not None})
        at_s = task.submitted_s
        while ends and ends[0][0] <= at_s:
            _, _, decision, outcome = heapq.heappop(ends)
            number += 1
            entry = entry_of(decision, outcome, outcome["at_s"]) | {"number": number}
            began_s = time.process_time()
            teach(online.models, entry)
            spent_s += time.process_time() - began_s
            counts["refused" if entry["refused"] else "learned"] += 1
            counts["clipped"] += bool(entry["clipped"])
        asked = task_of(asked_of(task))
        said = [static.advise(asked, at_s), online.advise(asked, at_s)]
        runtime_s = None
        if task.ended_s is not None and task.started_s is not None:
            runtime_s = task.ended_s - task.started_s
            answer = said[1]
            decision = {
                "decision_id": str(k), "task": asked_of(task), "made_by": answer.made_by,
                "memory_bytes": answer.memory_bytes, "peak_bytes": answer.peak_bytes.value,
            }  # fmt: skip
            outcome = {
                "at_s": task.ended_s, "runtime_s": runtime_s, "state": task.state,
                "memory_peak_bytes": task.memory_peak_bytes,
            }  # fmt: skip
            heapq.heappush(ends, (task.ended_s, k, decision, outcome))
        values = [at_s // 86400.0, task.memory_peak_bytes, runtime_s, task.memory_requested_bytes]
        values += [x for one in said for x in (one.memory_bytes, one.runtime_s.value)]
        rows.append([math.nan if x is None else float(x) for x in values])
    words = ", ".join(f"{n} {counts[n]:,}" for n in counts)
    return np.array(rows), f"{words}; {1e6 * spent_s / max(number, 1):.0f} us of CPU an outcome"


def show(rows: np.ndarray) -> None:
    """The table of one history."""
    day, peak, runtime_s, request = rows[:, :4].T
    judged = np.isfinite(peak) & (peak > 0) & np.isfinite(runtime_s)
    judged &= np.isfinite(rows[:, [4, 6, 8]]).all(axis=1)
    ways = {"request": request} | {name: rows[:, column] for name, column in COLUMNS.items()}
    wastes = {}
    for name, first in ways.items():
        ok = judged & np.isfinite(first)
        vain = np.full(len(peak), np.nan)
        none = np.zeros(int(ok.sum()))
        vain[ok] = bytes_in_vain(first[ok], none, request[ok], peak[ok]) * runtime_s[ok] / GB_HOUR
        enough = first[ok] >= peak[ok]
        wastes[name] = vain, first < peak
        print(f"| {name} | {ok.sum():,} | {100 * enough.mean():.2f} % | {(~enough).sum():,} |"
              f" {vain[ok].sum():,.1f} |")  # fmt: skip
    gap = wastes["online"][0] - wastes["static"][0]
    failed = wastes["online"][1].astype(float) - wastes["static"][1]
    total = np.nansum(wastes["static"][0][judged])
    for name, values, scale in (("waste, share of static's", gap, total), ("failures", failed, 1)):
        low, high = drawn(values[judged], day[judged])
        print(f"online - static, {name}: {values[judged].sum() / scale:+.4g}"
              f" ({low / scale:+.4g} to {high / scale:+.4g})")  # fmt: skip
    ok = np.isfinite(runtime_s) & np.isfinite(rows[:, [5, 7, 9]]).all(axis=1)
    logs = np.log1p(runtime_s)
    errors = {
        name: np.abs(np.log1p(rows[:, column + 1]) - logs) for name, column in COLUMNS.items()
    }
    gap = errors["online"] - errors["static"]
    low, high = drawn(gap[ok], day[ok])
    means = ", ".join(f"{n} {e[ok].mean():.4f}" for n, e in errors.items())
    print(f"runtime, mean |error of log(1 + s)|, {ok.sum():,} tasks: {means}; online - static"
          f" {gap[ok].mean():+.4f} ({low / ok.sum():+.4f} to {high / ok.sum():+.4f})")  # fmt: skip


def drawn(values: np.ndarray, day: np.ndarray) -> tuple[float, float]:
    """95 % interval of a sum over days drawn anew."""
    sums = np.array([values[day == one].sum() for one in np.unique(day)])
    rng = np.random.default_rng(0)
    totals = sums[rng.integers(0, len(sums), (DRAWS, len(sums)))].sum(axis=1)
    return float(np.quantile(totals, 0.025)), float(np.quantile(totals, 0.975))


if __name__ == "__main__":
    main()
