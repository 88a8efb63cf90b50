"""Does `headway plan` name the capacity that the next months need, cheaper than plain practice?

`capacity_plan.py [--months 30 12] TRACE`: at the start of each of 12 months of 30 days, after the
first 30, a size is chosen from what was known then; the month that came is played on it, from an
empty machine, first come with EASY, requested times. A task that had not ended by then counts as
long as tasks like it took of their requests. Every way has one number that makes it larger or
smaller (Headway: the wait that is wanted; the others: a factor on their size); the table holds all
of them at the same mean wait over the 12 months, found by interpolation between those tried.

    Headway         `headway.sizing`: mean wait over played windows of the past at most the wanted
    peak + 20 %     1.2 times the largest demand of an hour of last month, as if nothing waited
    last week 95 %  the 95 % quantile of last week's hourly demand, repeated (seasonal naive)
    last week       mean demand of last week, repeated (seasonal naive)
    last month      mean demand of last month
    constant        one size for all 12 months, chosen in hindsight
    hindsight       each month the smallest size whose wait was at most the wanted one
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from headway.history import open_traces, tasks_of
from headway.plan import DAY_S, hourly_demand, mean_wait_s
from headway.simulate.workload import workload_from
from headway.sizing import outcomes_of, replay, sized

MONTH_S = 30 * DAY_S
WANTED_S = 60.0 * np.array([1, 2, 5, 10, 20, 30, 60, 120, 240, 480])
TABLE_S = 60.0 * np.array([10, 30, 60, 180])
TRIED = np.geomspace(0.9, 5.0, 14)  # mean sizes of the other ways, times mean demand


def known_at(workload, ended_s, now_s):
    """The tasks submitted before now; those that had not ended then as long as usual."""
    part = workload.part(0, int(np.searchsorted(workload.submit_s, now_s)))
    is_open = ended_s[: len(part)] > now_s
    usual = np.median((part.runtime_s / part.requested_s)[~is_open])
    runtime_s = np.where(is_open, np.maximum(usual * part.requested_s, 1.0), part.runtime_s)
    return replace(part, runtime_s=runtime_s)


class Months:
    """The months that came, and what each size would have meant in them."""

    def __init__(self, workload, firsts):
        self.parts = []
        for first_s in firsts:
            low, high = np.searchsorted(workload.submit_s, [first_s, first_s + MONTH_S])
            self.parts.append(workload.part(int(low), int(high - low)))
        self.tasks = np.array([len(part) for part in self.parts])
        self._known = {}

    def wait_s(self, month, procs):
        """The mean wait in a month on a machine of so many processors."""
        key = month, int(max(procs, 1))
        if key not in self._known:
            self._known[key] = mean_wait_s(self.parts[month], key[1])
        return self._known[key]

    def mean(self, sizes):
        """Mean wait over the tasks of all months, mean size."""
        waits = np.array([self.wait_s(m, size) for m, size in enumerate(sizes)])
        return float((waits * self.tasks).sum() / self.tasks.sum()), float(np.mean(sizes))

    def least(self, month, wait_s):
        """The smallest size of a month whose wait is at most so long, by bisection."""
        low, high = 1, 4 * int(self.parts[month].total_procs)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.wait_s(month, middle) <= wait_s else (middle, high)
        return high


def at_wait(points, wait_s):
    """The mean size at a mean wait, between the points (wait, size) of a way; NaN outside."""
    waits, sizes = np.array(sorted(points)).T
    logs = np.log(np.maximum(waits, 1.0))
    if not logs[0] <= np.log(wait_s) <= logs[-1]:
        return np.nan
    return float(np.interp(np.log(wait_s), logs, sizes))


def main():
    """Judge one trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--months", type=int, nargs=2, default=[30, 12])
    given = parser.parse_args()
    tasks, facts = tasks_of(open_traces([given.trace]), lambda what, share: None)
    workload = workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))
    ended = tasks["ended_s"].fill_null(np.inf).to_numpy()[workload.rows] - facts[0].zero_s
    first, count = given.months
    zero_s = float(workload.submit_s[0])
    firsts = [zero_s + (first + m) * MONTH_S for m in range(count)]
    months = Months(workload, firsts)
    plain = {"peak + 20 %": [], "last week 95 %": [], "last week": [], "last month": []}
    mean_wait_s(months.parts[0], workload.total_procs)  # so that it is compiled
    plans, began = [], time.process_time()
    for now_s in firsts:
        known = known_at(workload, ended, now_s)
        plans.append(replay(known, now_s, 30, policy="fcfs", progress=lambda what, share: None))
        hours = hourly_demand(known, now_s - MONTH_S, 720)
        plain["peak + 20 %"].append(1.2 * hours.max())
        plain["last week 95 %"].append(np.quantile(hours[-168:], 0.95))
        plain["last week"].append(hours[-168:].mean())
        plain["last month"].append(hours.mean())
        sys.stderr.write(".")
        sys.stderr.flush()
    print(f"{time.process_time() - began:.0f} CPU s for {count} plans")
    ways = {"Headway": [], "Headway, 70 % of windows": []}
    for wanted_s in WANTED_S:
        waits = [sized(plan, wanted_s).waits for plan in plans]
        ways["Headway"].append(months.mean([w.size_for(wanted_s) for w in waits]))
        careful = [w.size_for(wanted_s, 0.7) for w in waits]
        ways["Headway, 70 % of windows"].append(months.mean(careful))
    demand = float(np.mean(plain["last month"]))
    for name, sizes in (plain | {"constant": [demand] * count}).items():
        scaled = np.outer(TRIED * demand / np.mean(sizes), sizes).round().astype(int)
        ways[name] = [months.mean(row) for row in scaled]
    ways["hindsight"] = [
        months.mean([months.least(m, wanted_s) for m in range(count)]) for wanted_s in WANTED_S
    ]
    print(f"| way | {' | '.join(f'{w / 60:.0f} min' for w in TABLE_S)} |")
    print(f"|---|{'---|' * len(TABLE_S)}")
    for name, points in ways.items():
        print(f"| {name} | {' | '.join(f'{at_wait(points, w):.0f}' for w in TABLE_S)} |")
    print("\nas it is said (mean wait in min, mean size):")
    for name, sizes in plain.items():
        said(name, months.mean([round(size) for size in sizes]))
    for wanted_s, point in zip(WANTED_S, ways["Headway"], strict=True):
        said(f"Headway, {wanted_s / 60:.0f} min wanted", point)
        came = outcomes_of(plans[0], wanted_s, None)
        came_s = came[:, 0] @ came[:, 1] / max(came[:, 1].sum(), 1.0)
        made_by = sized(plans[-1], wanted_s).made_by
        print(f"  {len(came)} plans before: {came_s / 60:.1f} min; the last by {made_by}")


def said(name, point):
    """One way without a factor."""
    print(f"{name}: {point[0] / 60:.1f} min, {point[1]:.0f}")


if __name__ == "__main__":
    main()
