"""Do orders learned by gradients beat the best rule on windows that nobody has seen?

    python benchmarks/gradient_orders.py [--algo start dqn ppo imitation linear] [--seeds 5]
        [--decisions 2000000]

Generated workloads of two mixes and many loads on 256 processors, windows of 512 jobs, textbook
EASY, requests that are the true runtimes: every rule is clairvoyant. Training, validation and
judgement have seeds of their own. Judged is the log of each window's mean bounded slowdown over
that of the best rule on all of them, and over that of the first orders that were asked for; 95 %
intervals over windows (bootstrap of pairs). `start` is where gradients begin with the same seeds:
the linear order that evolution finds in a share of the decisions; `linear` has all of them.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from headway.schedule.rules import RULES, order_by
from headway.simulate.episode import EASY
from headway.simulate.generated import generated
from headway.simulate.kernel import simulate
from headway.simulate.workload import Workload
from headway.stats import bounded_slowdown
from headway.train.covariance import search_linear
from headway.train.dqn import train_dqn
from headway.train.imitate import train_imitation
from headway.train.judge import Judge
from headway.train.ppo import train_ppo
from headway.train.rounds import SEARCHED

ALGORITHMS = {
    "start": search_linear, "dqn": train_dqn, "ppo": train_ppo, "imitation": train_imitation,
    "linear": search_linear,
}  # fmt: skip
RULED = ("fcfs", "sjf", "saf", "areaxt", "f1", "f2", "f3", "f4", "wfp3", "unicep")
JOBS, PROCS, TAUGHT, CHOOSING, JUDGED = 512, 256, 600, 120, 400


def drawn(seed, many):
    """Courses of a seed."""
    return generated(np.random.default_rng([5, seed]), many, PROCS, jobs=JOBS, window=JOBS)


def by_rule(name, window):
    """Log of the mean bounded slowdown of a window by a rule."""
    jobs = window.jobs
    rows = np.arange(len(jobs.procs))
    workload = Workload(
        submit_s=jobs.submit_s, runtime_s=jobs.runtime_s, requested_s=jobs.limit_s,
        procs=jobs.procs, rows=rows, total_procs=PROCS,
    )  # fmt: skip
    order = order_by(RULES[name], jobs.limit_s, jobs.procs, jobs.submit_s)
    start_s = simulate(workload, order, jobs.limit_s)
    return float(np.log(bounded_slowdown(start_s - jobs.submit_s, jobs.runtime_s).mean()))


def interval(logs):
    """Geometric mean of ratios, and its 95 % interval over windows."""
    draws = np.random.default_rng(0).choice(logs, (2000, len(logs))).mean(axis=1)
    low, high = np.exp(np.quantile(draws, [0.025, 0.975]))
    return f"{np.exp(np.mean(logs)):.3f} ({low:.3f} to {high:.3f})"


def main():
    """The tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--algo", nargs="*", default=list(ALGORITHMS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--decisions", type=int, default=2_000_000)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    judge = Judge(EASY, 1)
    judged = judge.windows(judge.lively(drawn(97, JUDGED), JOBS), JOBS)
    rules = {name: np.array([by_rule(name, window) for window in judged]) for name in RULED}
    best = min(rules, key=lambda name: rules[name].mean())
    print(f"{len(judged)} windows; best rule in hindsight: {best}")
    print("| order | over the best rule | over the first | each seed | CPU s a seed |")
    print("|---|---|---|---|---|")
    for name, logs in rules.items():
        print(f"| {name} | {interval(logs - rules[best])} | | | |")
    validation, curves, first = drawn(93, CHOOSING), [], None
    for algo in asked.algo:
        began, found = time.process_time(), []
        decisions = int(SEARCHED * asked.decisions) if algo == "start" else asked.decisions
        for seed in range(asked.seeds):
            trained = ALGORITHMS[algo](
                drawn(seed, TAUGHT),
                validation,
                JOBS,
                mode=EASY,
                decisions=decisions,
                seed=seed,
            )
            found.append([judge.play(trained.weights, window)[0] for window in judged])
            curves.append(f"{algo} {seed}: " + " ".join(f"{v:.3f}" for _, v in trained.curve))
        logs = np.array(found) - rules[best]
        each = " ".join(f"{np.exp(row.mean()):.3f}" for row in logs)
        took = (time.process_time() - began) / asked.seeds
        mean = logs.mean(axis=0)
        first = mean if first is None else first
        beside = interval(mean - first)
        print(f"| {algo} | {interval(mean)} | {beside} | {each} | {took:.0f} |", flush=True)
    print("\n".join(curves))


if __name__ == "__main__":
    main()
