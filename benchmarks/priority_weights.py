"""Do weights of a priority that follow the load beat the best rule, and constant weights?

`priority_weights.py [--seeds 5] [--decisions N] [--constants K] --keep DIR`: for each seed, PPO
looks with N decisions for a controller that moves weights and safety with the load; evolution makes
the first part of them, and the constant weights at which it arrives are judged too. For the first K
seeds evolution goes on to N decisions alone. Runs are kept in DIR and gone on with. Generated
workloads of two mixes and many loads on 256 processors, with predictions of runtimes that err by as
much as is drawn for each; training, validation and judgement have seeds of their own. Judged are
windows of 1,000 tasks in which something waits, under textbook EASY.
`priority_weights.py [..] --cache DIR TRACE ..`: the same on traces, trained on the first 60 % of
the time of all of them together, of which the last fifth chooses, judged on the last 30 %. With
--cache, what was predicted is kept and read again.

Beside them stand the standard rules with the same predictions, by what backfilling trusts: the
request, or the quantile that training starts from. Ratios of mean bounded slowdowns are geometric
means over the windows of a trace, then over traces; intervals are bootstraps of windows within
each.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from headway.schedule.controller import ACTIONS, controller_of
from headway.simulate.episode import EASY
from headway.simulate.generated import MIXES, predicted_course, workload_of
from headway.stats import bounded_slowdown
from headway.train.judge import DULL, judge_of
from headway.train.ppo_weights import SEARCHED, train_ppo_weights
from headway.train.rivals import rival_starts
from headway.train.steering import log_slowdown, search_constant
from headway.training import MEDIUM, SHARE, TAUGHT
from learned_schedulers import JUDGED, predicted
from preferences import courses

KINDS = ("PPO", "constant, where PPO begins", "constant, as many decisions as PPO")
STEP = MEDIUM // 20  # tasks between windows that teach
VALIDATION, JUDGEMENT = 98, 96  # seeds


def made(seed, many, jobs):
    """Generated courses of a seed."""
    rng = np.random.default_rng([7, seed])
    drawn = (workload_of(rng, MIXES[i % len(MIXES)], jobs, 256) for i in range(many))
    return [predicted_course(rng, workload, MEDIUM, STEP) for workload in drawn]


def worlds(asked):
    """What teaches each seed, what chooses, and what judges: a list of courses for each trace."""
    if not asked.traces:
        teach = [made(seed, 160, 2 * MEDIUM) for seed in range(asked.seeds)]
        return teach, made(VALIDATION, 100, MEDIUM), [made(JUDGEMENT, 400, MEDIUM)]
    known = [predicted(path, asked.cache) for path in asked.traces]
    taught = courses(known, 0.0, TAUGHT * SHARE, STEP)
    later = [[course] for course in courses(known, JUDGED, 1.0, MEDIUM)]
    return [taught] * asked.seeds, courses(known, TAUGHT * SHARE, SHARE, MEDIUM // 4), later


def logs_of(window, start_s):
    """Log of the mean bounded slowdown of a window."""
    jobs = window.jobs
    return float(np.log(bounded_slowdown(start_s - jobs.submit_s, jobs.runtime_s).mean()))


def over(logs, trace, draws=4000):
    """Geometric mean of ratios, each trace alike, and its 95 % interval over windows."""
    rng, sums, point = np.random.default_rng(0), np.zeros(draws), 0.0
    names = np.unique(trace)
    for name in names:
        mine = logs[trace == name]
        sums += rng.choice(mine, (draws, len(mine))).mean(axis=1) / len(names)
        point += mine.mean() / len(names)
    low, high = np.exp(np.quantile(sums, [0.025, 0.975]))
    return f"{np.exp(point):.3f} ({low:.3f} to {high:.3f})"


def by_trace(logs, trace):
    """Geometric mean of each trace."""
    return " ".join(f"{np.exp(logs[trace == name].mean()):.3f}" for name in np.unique(trace))


def rules_of(windows, trace):
    """Logs (windows,) of each rule, and the name of the best in hindsight."""
    rows = [{k: logs_of(w, s) for k, s in rival_starts(w).items()} for w in windows]
    rules = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    worth = {
        name: np.mean([logs[trace == i].mean() for i in np.unique(trace)])
        for name, logs in rules.items()
    }
    return rules, min(worth, key=worth.__getitem__)


def train(what, seed, teach, chosen, asked):
    """What one kind of training finds; what PPO kept tells where it began."""
    keep = asked.keep / f"{'traces' if asked.traces else 'generated'}.{asked.decisions}.{seed}.npz"
    options = {"mode": EASY, "decisions": asked.decisions, "seed": seed}
    if what == KINDS[0]:
        return train_ppo_weights(teach, chosen, MEDIUM, resume=keep, **options)
    if what == KINDS[1]:
        options["decisions"] = int(SEARCHED * asked.decisions)
        keep = keep.with_name(f"{keep.name}.search")
        return search_constant(teach, chosen, MEDIUM, resume=keep, **options)
    return search_constant(teach, chosen, MEDIUM, **options)


def main():
    """The tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="*", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--constants", type=int, default=1)
    parser.add_argument("--decisions", type=int, default=5_000_000)
    parser.add_argument("--keep", type=Path, required=True)
    asked = parser.parse_args()
    teach, chosen, later = worlds(asked)
    judge = judge_of(EASY, chosen, *teach, *later)
    drawn = [(i, judge.windows(those, MEDIUM)) for i, those in enumerate(later)]
    judged = [(i, w) for i, windows in drawn for w in windows if w.usual > np.log(DULL)]
    trace, windows = np.array([i for i, _ in judged]), [w for _, w in judged]
    rules, best = rules_of(windows, trace)
    print("windows of each trace:", *np.bincount(trace))
    print(f"| over {best} | all (95 %) | each trace | each seed |\n|---|---|---|---|")
    for name, logs in rules.items():
        row = logs - rules[best]
        print(f"| {name} | {over(row, trace)} | {by_trace(row, trace)} | |", flush=True)
    found, took = {what: [] for what in KINDS}, dict.fromkeys(KINDS, 0.0)
    wanted = [(what, seed) for seed in range(asked.seeds) for what in KINDS[:2]]
    for what, seed in [*wanted, *((KINDS[2], seed) for seed in range(asked.constants))]:
        began = time.process_time()
        trained = train(what, seed, teach[seed], chosen, asked)
        took[what] += time.process_time() - began
        logs = np.array([log_slowdown(judge, trained.controller, w)[0] for w in windows])
        found[what].append(logs - rules[best])
        print(f"{what} {seed}:", *(f"{value:.3f}" for _, value in trained.curve))
        print(over(found[what][-1], trace), by_trace(found[what][-1], trace))
        centre = controller_of(trained.controller).centre
        print(*(f"{n} {v:+.2f}" for n, v in zip(ACTIONS, centre, strict=True)), flush=True)
    for what in [what for what in KINDS if found[what]]:
        rows = found[what]
        mean, each = np.mean(rows, axis=0), [over(row, trace).split()[0] for row in rows]
        print(f"| {what}, {took[what] / len(rows):.0f} CPU s a seed | {over(mean, trace)} | "
              f"{by_trace(mean, trace)} | {' '.join(each)} |")  # fmt: skip
    for other in KINDS[1 : 3 if asked.constants else 2]:
        many = len(found[other])
        rows = np.array(found["PPO"][:many]) - found[other]
        print(f"PPO over {other}, paired: {over(rows.mean(axis=0), trace)}; seeds:",
              *(over(row, trace) for row in rows))  # fmt: skip


if __name__ == "__main__":
    main()
