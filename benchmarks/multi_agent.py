"""Do clusters that learn together beat the best static routing with the best local rule?

    python benchmarks/multi_agent.py TRACE TRACE .. --keep DIR [--cache DIR] [--seeds 5]
        [--decisions 10000000]

A cluster for each trace; a week of each is merged into a window, shifted to begin together, on
empty machines. Teaches: the first 48 % of each trace's time, chooses: up to 60 %, judged: the last
30 %, on 28 windows, spans of one trace never overlap but those of the shortest trace come again and
meet other weeks of the others; intervals therefore resample weeks of the shortest trace. Judged is
the log of the mean bounded slowdown of all tasks of a window, paired. Static routings and local
rules have the same predicted runtimes; the best is named in hindsight on the judged windows, and
as chosen on the part that teaches; neither moves a task that waits. Learned policies may offer
such a task to where it would start at once, so the same without learning is judged too: where they
started (every such offer made). The evolution with which training begins is judged as well.
"""

import argparse
import itertools
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from headway.clusters import (
    CHOOSING,
    COMPARED,
    DECISIONS,
    SPAN_S,
    best_standard,
    drawn,
    part_of,
    parts,
)
from headway.schedule.routing_network import ROUTINGS, static_routing
from headway.simulate.batch import course_of
from headway.simulate.merged import AGEING, LOCAL_RULES
from headway.train.multi_agent import SEARCHED, train_multi_agent
from headway.train.team import log_slowdown, window_of
from headway.train.team_search import search_team
from learned_schedulers import predicted, told

JUDGED, WINDOWS = (0.7, 1.0), 28


def interval(logs, groups):
    """Geometric mean of ratios and its 95 % interval; windows of a group are drawn together."""
    sums, counts = np.bincount(groups, logs), np.bincount(groups)
    picks = np.random.default_rng(0).integers(0, len(sums), (10_000, len(sums)))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    low, high = np.exp(np.quantile(means, [0.025, 0.975]))
    return f"{np.exp(logs.mean()):.3f} ({low:.3f} to {high:.3f})"


def main():
    """The tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="+", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--decisions", type=int, default=DECISIONS)
    given = parser.parse_args()
    courses = []
    for path in given.traces:
        workload, estimate = predicted(path, given.cache)
        courses.append(course_of(workload, *told(workload, estimate), np.zeros(1, np.int64)))
    taught, chosen, judged = (part_of(courses, *part, SPAN_S) for part in (*parts()[:2], JUDGED))
    compared = drawn(taught, SPAN_S, COMPARED, 0)
    standard, start = (
        best_standard(compared, lambda what, share: None, rules, offers=offers)
        for rules, offers in ((LOCAL_RULES, False), (AGEING, True))
    )
    print(f"best on the part that teaches: {standard}, {start}", flush=True)
    validation = [window_of(part, start) for part in drawn(chosen, SPAN_S, CHOOSING, 1)]
    windows = drawn(judged, SPAN_S, WINDOWS, 2)
    found = {}
    for seed in range(given.seeds):
        began = time.process_time()
        trained = {}
        for algo, learn, share in (
            ("evolution", search_team, SEARCHED),
            ("agents", train_multi_agent, 1.0),
        ):
            name = f"agents-{seed}.npz" + ".search" * (algo == "evolution")
            trained[algo] = learn(
                taught, validation, SPAN_S, start, decisions=int(share * given.decisions),
                seed=seed, resume=given.keep / name,
            )  # fmt: skip
            found[algo, seed] = trained[algo].weights
            took = time.process_time() - began
            print(f"{algo} {seed}: {trained[algo].decisions:,} decisions, {took:.0f} CPU s, "
                  f"validation {trained[algo].validation:.3f}: {curve_of(trained[algo].curve)}",
                  flush=True)  # fmt: skip
    judge(windows, standard, start, found)


def curve_of(curve):
    """Every so many points of a learning curve."""
    return " ".join(f"{value:.3f}" for _, value in curve[:: max(len(curve) // 16, 1)])


def judge(windows, standard, start, found):
    """Print what every static routing with every rule reaches, and what was learned."""
    shortest = np.array([part.jobs.limit_s[part.home == 0].sum() for part in windows])
    groups = np.unique(shortest, return_inverse=True)[1]  # the same week of the first trace
    logs = {
        (routing, rule, offers): np.array(
            [log_slowdown(part, static_routing(routing, offers), rule) for part in windows]
        )
        for offers in (False, True)
        for routing in ROUTINGS
        for rule in LOCAL_RULES
    }
    static = [one for one in logs if not one[2]]
    best = min(static, key=lambda one: logs[one].mean())
    fair = logs[standard.routing, standard.rule, False]
    print(f"{len(windows)} windows, {sum(len(part.home) for part in windows):,} tasks; "
          f"best in hindsight: {best}; {groups.max() + 1} weeks of the first trace")  # fmt: skip
    print("| routing, best local rule in hindsight | mean slowdown | over the best in hindsight |")
    print("|---|---|---|")
    for routing, offers in itertools.product(ROUTINGS, (False, True)):
        rule = min(LOCAL_RULES, key=lambda rule: logs[routing, rule, offers].mean())
        mine = logs[routing, rule, offers]
        print(f"| {routing}, {rule}{', offers' * offers} | {np.exp(mine).mean():.2f} | "
              f"{interval(mine - logs[best], groups)} |")  # fmt: skip
    print("| what | mean slowdown | over the best in hindsight | over the chosen one "
          "| over where learning started | seeds, over the chosen one |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    print(f"| {standard.routing}, {standard.rule} | {np.exp(fair).mean():.2f} | "
          f"{interval(fair - logs[best], groups)} | | | |")  # fmt: skip
    begun = mine = logs[start.routing, start.rule, True]
    print(
        f"| {start.routing}, {start.rule}, offers | {np.exp(mine).mean():.2f} | "
        f"{interval(mine - logs[best], groups)} | {interval(mine - fair, groups)} | | |"
    )
    for algo in dict.fromkeys(algo for algo, _ in found):
        mine = np.array(
            [[log_slowdown(part, w, start.rule) for part in windows]
             for (name, _), w in found.items() if name == algo]
        )  # fmt: skip
        seeds = " ".join(f"{np.exp((one - fair).mean()):.3f}" for one in mine)
        print(f"| {algo} | {np.exp(mine).mean():.2f} | "
              f"{interval(mine.mean(axis=0) - logs[best], groups)} | "
              f"{interval(mine.mean(axis=0) - fair, groups)} | "
              f"{interval(mine.mean(axis=0) - begun, groups)} | {seeds} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
