"""What are learned runtimes worth to a scheduler, out of sample?

`learned_runtimes.py TRACE ..`: each trace is replayed causally from an empty engine; the plan is
chosen on the first 30 % of the time, as `headway optimize` does, and judged on the rest against the
best standard rule with requested runtimes *of that same rest* (which nobody could have known), the
usual practice and the clairvoyant reference. Beside the recorded submissions, five replicas with
submissions shaken by up to half an hour say how much of a figure is chance.
"""

import sys
import time
from pathlib import Path

import numpy as np

from headway.history import open_traces, tasks_of
from headway.simulate.workload import workload_from
from headway.verify import recommend
from headway.verify.replay import replay

SEEDS = range(5)


def shaken(workload, plan, submit_s):
    """Mean bounded slowdown of the judged part if tasks had come at other moments."""
    arrival = np.argsort(submit_s, kind="stable")
    slowdown = recommend.slowdown_of_part(workload, plan, arrival, submit_s[arrival])
    return slowdown[~recommend.is_early(workload)[arrival]].mean()


def measure(path):
    """Print the rows of one trace."""
    began = time.perf_counter()
    tasks, facts = tasks_of(open_traces([path]), lambda what, share: None)
    replayed = replay(tasks, "runtime_s", orders=True)
    replayed_s = time.perf_counter() - began
    workload = workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))
    user = replayed.features.column("user")[workload.rows].astype(np.int64)
    requested = recommend.requested_plans(workload)
    predicted = recommend.predicted_plans(workload, replayed.estimate)
    learned = recommend.headway_plans(workload, replayed.estimate, user)
    chosen = recommend.choose(workload, [*requested, *predicted, *learned])
    plans = [*requested, *predicted, chosen, recommend.clairvoyant_plan(workload)]
    rows = [recommend.row(workload, recommend.judge(workload, plan)) for plan in plans]
    late = [row["judged_mean_bounded_slowdown"] for row in rows]
    best = int(np.argmin(late[: len(requested)]))
    best_predicted = len(requested) + int(np.argmin(late[len(requested) : -2]))
    shown = {
        "usual practice": 0,
        "best rule, requested": best,
        "best rule, predicted order": best_predicted,
        "Headway": len(plans) - 2,
        "clairvoyant": len(plans) - 1,
    }
    print(
        f"\n{path.name}: replayed in {replayed_s:.0f} s; chosen: {chosen.policy}, {chosen.detail}"
    )
    print("| what | rule | whole trace | judged part | five shaken replicas |")
    print("|---|---|---|---|---|")
    for what, number in shown.items():
        draws = []
        for seed in SEEDS:
            shake_s = np.random.default_rng(100 + seed).uniform(0.0, 1800.0, len(workload))
            draws.append(shaken(workload, plans[number], workload.submit_s + shake_s))
        print(
            f"| {what} | {rows[number]['policy']} | {rows[number]['mean_bounded_slowdown']:.2f} | "
            f"{late[number]:.2f} | {np.mean(draws):.2f} ({min(draws):.2f} to {max(draws):.2f}) |"
        )
    ratio = late[-2] / late[best]
    print(f"judged part, Headway below the best rule with requested runtimes: {1 - ratio:.1%}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        measure(Path(name))
