"""What does it cost that no task starts much later than it would have, first come first served?

`starvation_bound.py [--policy FILE] [--cache DIR] TRACE ..` plays the shipped policy over whole
traces, causally, without and with bounds on how much later than under first come + EASY a task may
start; slowdowns are of the last 30 % of the time, delays of all of it. A bound holds as long as
tasks keep to their requests, so each trace is played twice: as a cluster that kills at the request
would have it (runtimes cut there), and as it was, where some outlive their requests.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from headway.schedule.learned import DEFAULT, load_learned
from headway.schedule.rules import order_by, rule_named
from headway.simulate.kernel import simulate
from headway.simulate.play import simulate_network
from learned_schedulers import JUDGED, predicted, share_of_time, slowdown, told

HOUR_S = 3600.0
BOUNDS_S = (None, 168 * HOUR_S, 72 * HOUR_S, 24 * HOUR_S, 6 * HOUR_S)


def judge(name, workload, estimate, policy):
    """Print the rows of one trace."""
    value_s, upper_s = told(workload, estimate)
    late = share_of_time(workload) >= JUDGED
    order = order_by(rule_named("fcfs"), workload.requested_s, workload.procs, workload.submit_s)
    first_come_s = simulate(workload, order, workload.requested_s)
    outlived = int((workload.runtime_s > workload.requested_s).sum())
    print(f"\n{name}, last 30 %: {late.sum():,} tasks; {outlived:,} of all outlive requests")
    print("| bound | mean bounded slowdown | latest start after first come + EASY, h | over the "
          "bound | tasks a day or more later | CPU s |\n|---|---|---|---|---|---|")  # fmt: skip
    fcfs = slowdown(workload, first_come_s)[late].mean()
    print(f"| first come + EASY | {fcfs:.2f} | 0.0 | | 0 | |")
    for bound_s in BOUNDS_S:
        began = time.process_time()
        start_s = simulate_network(
            workload, policy.network, value_s, workload.requested_s, backfill_s=upper_s,
            bound_s=bound_s,
        )  # fmt: skip
        used = time.process_time() - began
        later_s = start_s - first_come_s
        over = "" if bound_s is None else str(int((later_s > bound_s + 1e-6).sum()))
        said = "none" if bound_s is None else f"{bound_s / HOUR_S:.0f} h"
        print(
            f"| {said} | {slowdown(workload, start_s)[late].mean():.2f} | "
            f"{later_s.max() / HOUR_S:.1f} | {over} | {(later_s >= 24 * HOUR_S).sum()} | "
            f"{used:.1f} |"
        )


def main():
    """Judge every trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="+", type=Path)
    parser.add_argument("--policy", type=Path, default=DEFAULT)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    policy = load_learned(given.policy)
    for path in given.traces:
        workload, estimate = predicted(path, given.cache)
        cut_s = np.minimum(workload.runtime_s, workload.requested_s)
        judge(f"{path.name}, killed", replace(workload, runtime_s=cut_s), estimate, policy)
        judge(f"{path.name}, as it was", workload, estimate, policy)


if __name__ == "__main__":
    main()
