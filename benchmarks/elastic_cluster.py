"""Does PPO lead an elastic cluster cheaper than tuned thresholds, on time it has not seen?

    python benchmarks/elastic_cluster.py HISTORY PROCS_PER_NODE [--seeds 5] [--decisions 800000]
        [--waiting 2] [--processor 0.05] [--keep FOLDER]

Nodes may be none up to four times what the machine had; they boot in 240 s, and every 300 s it is
decided. Tasks are expected to take what was requested. Baselines are tuned on the first 60 % of the
time: a fixed size, a timeout as power saving of Slurm and the autoscaler of Kubernetes have one,
that with a share of the demand, with headroom, with a horizon for queued work. PPO begins at the
best of them, learns on the first 48 %, chooses on the time to 60 %. All are judged on the weeks of
one replay of the last 30 %; avoidable cost is that of idle and booting nodes and of waiting.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from headway.history import open_traces, tasks_of
from headway.schedule.elastic import controller_of
from headway.simulate.elastic import RUN, WAIT, Terms, load_of, part_of, play
from headway.simulate.elastic_batch import Prices, avoidable
from headway.simulate.workload import workload_from
from headway.train.elastic import train_elastic
from headway.train.thresholds import tune_thresholds

LEARN, KNOWN, LATE = 0.48, 0.6, 0.7
WEEK_S = 7 * 86400.0
T_975 = {9: 2.306, 10: 2.262, 14: 2.160, 41: 2.021, 54: 2.006}


def spent_on(load, weights, terms):
    """What is spent on a load, (k + 1, 4)."""
    return play(load, controller_of(weights), terms, float(load.submit_s[-1]))[1]


def weekly(load, weights, terms, prices):
    """Of each whole week: avoidable cost, all cost, hours waited, idle and booting node-hours."""
    spent = spent_on(load, weights, terms)
    week = int(WEEK_S / terms.every_s)
    parts = np.diff(spent[::week], axis=0)
    cost = avoidable(parts, prices)
    hours = parts / 3600.0
    whole = cost + prices.node_hour * hours[:, RUN]
    return np.column_stack([cost, whole, hours[:, WAIT], hours[:, RUN + 1 : WAIT].sum(axis=1)])


def interval(difference, usual):
    """A mean of weekly differences and its 95 % interval, in per cent of a usual weekly cost."""
    n = len(difference)
    half = T_975.get(n, 1.96) * difference.std(ddof=1) / np.sqrt(n)
    mean, scale = difference.mean(), 100.0 / usual.mean()
    return f"{mean * scale:+.1f} ({(mean - half) * scale:+.1f} to {(mean + half) * scale:+.1f})"


def learned(arguments, known_s, load, rule, terms, prices):
    """Weights of each seed."""
    teach, choose = (
        part_of(load, 0.0, LEARN * known_s),
        part_of(load, LEARN * known_s, 0.6 * known_s),
    )
    for seed in range(arguments.seeds):
        kept = arguments.keep / f"{arguments.history.name.split('-')[0]}-{seed}.npz"
        began = time.process_time()
        found = train_elastic(
            teach, choose, rule, terms, prices, decisions=arguments.decisions, seed=seed,
            resume=kept,
        )  # fmt: skip
        took = time.process_time() - began
        curve = " ".join(f"{value:.3f}" for _, value in found.curve)
        print(f"seed {seed}: {found.decisions:,} decisions, {took:.0f} CPU s: {curve}", flush=True)
        yield found.weights


def main():
    """The table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("history", type=Path)
    parser.add_argument("per_node", type=int)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--decisions", type=int, default=800_000)
    parser.add_argument("--waiting", type=float, default=2.0, help="price of a task's hour")
    parser.add_argument("--processor", type=float, default=0.05, help="price of its hour")
    parser.add_argument("--keep", type=Path, default=Path("elastic-runs"))
    arguments = parser.parse_args()
    arguments.keep.mkdir(parents=True, exist_ok=True)
    tasks, facts = tasks_of(open_traces([arguments.history]), lambda *_: None)
    workload = workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))
    load = load_of(workload, arguments.per_node, workload.requested_s)
    span_s = float(load.submit_s[-1])
    terms = Terms(
        most=4 * workload.total_procs // arguments.per_node,
        zero_s=float(facts[0].zero_s + workload.submit_s[0]),
    )
    prices = Prices(arguments.processor * arguments.per_node, arguments.waiting)
    found = tune_thresholds(part_of(load, 0.0, KNOWN * span_s), terms, prices)
    best = min(found, key=lambda kind: found[kind].cost)
    late = part_of(load, LATE * span_s, span_s)
    rows = {name: weekly(late, row.weights, row.terms, prices) for name, row in found.items()}
    usual = rows[best]
    print(f"{len(usual)} weeks, {len(late.nodes)} tasks; best on earlier time: {best}", flush=True)
    weights = list(learned(arguments, span_s, load, found[best].weights, terms, prices))
    each = np.array([weekly(late, one, terms, prices) for one in weights])
    print("| controller | avoidable a week | against the best, % | all a week | h waited | idle |")
    print("|---|---|---|---|---|---|")
    for name, row in [*rows.items(), ("PPO", each.mean(axis=0))]:
        said = found[name].settings if name in found else f"{len(each)} seeds"
        numbers = " | ".join(f"{value:,.0f}" for value in row.mean(axis=0)[1:])
        against = "" if name == best else interval(row[:, 0] - usual[:, 0], usual[:, 0])
        print(f"| {name} {said} | {row[:, 0].mean():,.1f} | {against} | {numbers} |")
    by_seed = 100.0 * (each[:, :, 0].mean(axis=1) / usual[:, 0].mean() - 1.0)
    print("PPO by seed, %:", " ".join(f"{value:+.1f}" for value in by_seed))
    print(f"weeks no worse: {(each.mean(axis=0)[:, 0] <= usual[:, 0]).mean():.0%}")


if __name__ == "__main__":
    main()
