"""Does one policy do what it is preferred to do, on windows that nobody has seen?

`preferences.py --train FILE --decisions N --seeds S .. --cache DIR TRACE ..` trains a policy for
all preferences a seed (FILE.S.npz), on the first 60 % of the time of all traces together, as
`headway train scheduler --algo preferences` does; `--train-alone FILE --decisions N` a policy for
each objective alone, by the same search with N decisions each.
`preferences.py --policy FILE .. [--alone FILE] --cache DIR TRACE ..` judges them on windows of the
last 30 %, under textbook EASY with predicted runtimes; with --earlier on those that chose. What is
measured is said relative to smallest area first on the same window: geometric mean over windows of
a trace, then over traces.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from headway.schedule.learned import Learned, load_learned, save_learned
from headway.schedule.network import smallest_area_first
from headway.schedule.objectives import OBJECTIVES, Schedule, logs
from headway.schedule.rules import order_by, rule_named
from headway.simulate.batch import course_of
from headway.simulate.episode import EASY
from headway.simulate.kernel import simulate
from headway.simulate.workload import Workload
from headway.tradeoffs import AXES, volumes
from headway.train.judge import judge_of
from headway.train.preferences import search_preferences
from headway.training import MEDIUM, SHARE, TAUGHT
from headway.verify.recommend import STANDARD
from learned_schedulers import predicted, share_of_time, told

JUDGED = 0.7  # of the time, after which policies are judged
GRID = np.linspace(0.0, 1.0, 9)  # weights of an objective; the others share the rest alike
NAMES = list(OBJECTIVES)


def courses(known, low, high, step):
    """Windows of MEDIUM tasks between two shares of the time of each trace."""
    found = []
    for workload, estimate in known:
        value_s, upper_s = told(workload, estimate)
        first, last = (int(np.searchsorted(share_of_time(workload), s)) for s in (low, high))
        found.append(course_of(workload, value_s, upper_s, np.arange(first, last - MEDIUM, step)))
    return found


def train(known, out, decisions, seeds):
    """The policies for all preferences."""
    taught, chosen = teaching(known)
    for seed in seeds:
        began = time.process_time()
        found = search_preferences(
            taught, chosen, MEDIUM, mode=EASY, decisions=decisions, seed=seed, threads=1
        )
        save(found, out.with_name(f"{out.name}.{seed}.npz"), seed, time.process_time() - began)


def train_alone(known, out, decisions):
    """Rows (k, SIZE) of policies for each objective alone, by the same search."""
    taught, chosen = teaching(known)
    rows = []
    for i, name in enumerate(NAMES):
        began = time.process_time()
        found = search_preferences(
            taught, chosen, MEDIUM, mode=EASY, decisions=decisions, only=np.eye(len(NAMES))[i],
            threads=1,
        )  # fmt: skip
        rows.append(found.matrix[i])
        curve = " ".join(f"{value:.3f}" for _, value in found.curve)
        print(f"{name} alone: {time.process_time() - began:.0f} CPU s; {curve}", flush=True)
    np.save(out, np.array(rows))


def teaching(known):
    """What teaches and what chooses: the first 60 % of the time, the last fifth of that chooses."""
    taught = courses(known, 0.0, TAUGHT * SHARE, MEDIUM // 20)
    return taught, courses(known, TAUGHT * SHARE, SHARE, MEDIUM)


def save(found, path, seed, seconds):
    """Write a policy file."""
    said = {"ratio": found.validation, "curve": found.curve}
    save_learned(
        Learned(
            weights=found.weights, algo="preferences", seed=seed, decisions=found.decisions,
            backfill="easy", trained_on="CTC-SP2, SDSC-BLUE, HPC2N (first 60 % of the time)",
            validation=said, objectives=found.objectives, matrix=found.matrix,
        ),
        path,
    )  # fmt: skip
    curve = " ".join(f"{value:.3f}" for _, value in found.curve)
    print(f"seed {seed}: {found.decisions:,} decisions, {seconds:.0f} CPU s; {curve}", flush=True)


class Judged:
    """Windows of the traces, and what orders are worth there relative to smallest area first."""

    def __init__(self, found, threads):
        self.judge, self.pool = judge_of(EASY, found), ThreadPoolExecutor(threads)
        drawn = [(i, c, int(first)) for i, c in enumerate(found) for first in c.windows]
        self.windows = [self.judge.window(c, first, MEDIUM)[0] for _, c, first in drawn]
        self.trace = np.array([i for i, _, _ in drawn])
        self.usual = self._logs(lambda w: self.judge.schedule(smallest_area_first(), w)[0])

    def of(self, weights):
        """Logs (traces, k) of weights (SIZE,), mean over windows of each trace."""
        return self._means(lambda w: self.judge.schedule(weights, w)[0])

    def of_rule(self, name, is_predicted):
        """The same of a standard rule."""
        return self._means(lambda window: ruled(window, name, is_predicted))

    def _logs(self, schedule):
        return np.array(list(self.pool.map(lambda w: logs(schedule(w), NAMES), self.windows)))

    def _means(self, schedule):
        less = self._logs(schedule) - self.usual
        return np.array([less[self.trace == i].mean(axis=0) for i in np.unique(self.trace)])


def ruled(window, name, is_predicted):
    """The schedule of a window by a rule."""
    jobs, user = window.jobs, window.siblings.user
    workload = Workload(
        submit_s=jobs.submit_s, runtime_s=jobs.runtime_s, requested_s=jobs.limit_s,
        procs=jobs.procs, rows=np.arange(len(user)), total_procs=window.total_procs,
    )  # fmt: skip
    order_s = jobs.order_s if is_predicted else jobs.limit_s
    order = order_by(rule_named(name), order_s, jobs.procs, jobs.submit_s)
    start_s = simulate(workload, order, jobs.limit_s)
    return Schedule(
        jobs.submit_s, jobs.runtime_s, jobs.limit_s, jobs.procs, user, start_s, window.total_procs
    )


def rules(judged):
    """Name -> logs (traces, k) of every standard rule, by requests and by predictions."""
    return {
        f"{name}, {'predicted' if told_s else 'requested'}": judged.of_rule(name, told_s)
        for name in STANDARD
        for told_s in (False, True)
    }


def swept(judged, matrix):
    """Logs (k, GRID, traces, k) as the weight of each objective goes from 0 to 1."""
    k = len(NAMES)
    found = np.empty((k, len(GRID), len(np.unique(judged.trace)), k))
    for i in range(k):
        for j, weight in enumerate(GRID):
            share = np.full(k, (1.0 - weight) / (k - 1))
            share[i] = weight
            found[i, j] = judged.of(share @ matrix)
    return found


def monotone(all_swept):
    """Print Spearman of each objective against its weight, over seeds and for each trace."""
    print("| objective | over smallest area first at weight 0, 1/4, 1/2, 3/4, 1 | Spearman, each "
          "seed | mean | mean of each trace |\n|---|---|---|---|---|")  # fmt: skip
    for i, name in enumerate(NAMES):
        each = [s[i, :, :, i] for s in all_swept]  # (GRID, traces)
        less = [-spearmanr(GRID, one.mean(axis=1))[0] for one in each]
        traces = np.mean([[-spearmanr(GRID, t)[0] for t in one.T] for one in each], axis=0)
        values = np.exp(np.mean(each, axis=0).mean(axis=1))[::2]
        print(f"| {name} | {' '.join(f'{v:.4f}' for v in values)} | "
              f"{' '.join(f'{v:.2f}' for v in less)} | {np.mean(less):.2f} | "
              f"{' '.join(f'{v:.2f}' for v in traces)} |")  # fmt: skip


def main():
    """Train if asked, then judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="+", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--train-alone", type=Path)
    parser.add_argument("--decisions", type=int, default=20_000_000)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--policy", nargs="*", type=Path, default=[])
    parser.add_argument("--alone", type=Path)
    parser.add_argument("--earlier", action="store_true", help="judge on the validation windows")
    given = parser.parse_args()
    known = [predicted(path, given.cache) for path in given.traces]
    if given.train:
        train(known, given.train, given.decisions, given.seeds)
    if given.train_alone:
        train_alone(known, given.train_alone, given.decisions)
    if not given.policy:
        return
    earlier = Judged(courses(known, TAUGHT * SHARE, SHARE, MEDIUM), 1)
    judged = earlier if given.earlier else Judged(courses(known, JUDGED, 1.0, MEDIUM), 1)
    print(f"{len(judged.windows)} windows of {MEDIUM} tasks")
    at = [NAMES.index(name) for name in AXES]
    worst = np.array([one.mean(axis=0) for one in rules(earlier).values()]).max(axis=0)
    matrices = [load_learned(path).matrix for path in given.policy]
    all_swept = [swept(judged, matrix) for matrix in matrices]
    monotone(all_swept)
    by_rule = {name: one.mean(axis=0) for name, one in rules(judged).items()}
    sets = {"standard rules": np.array(list(by_rule.values()))}
    if given.alone:
        rows = np.load(given.alone)
        sets["trained apart, one each"] = np.array([judged.of(row).mean(axis=0) for row in rows])
        mixed = swept(judged, rows).mean(axis=2).reshape(-1, len(NAMES))
        sets["trained apart, mixed at the same preferences"] = mixed
    for seed, one in enumerate(all_swept):
        points = one.mean(axis=2)
        alone = points[:, -1]
        sets[f"one policy, seed {seed}, each objective alone"] = alone
        sets[f"one policy, seed {seed}, all preferences"] = points.reshape(-1, len(NAMES))
    covered = volumes({name: points[:, at] for name, points in sets.items()}, worst[at])
    print("\n| points | how many | hypervolume |\n|---|---|---|")
    for name, share in covered.items():
        print(f"| {name} | {len(sets[name])} | {share:.4f} |")
    print(f"\n| order | {' | '.join(NAMES)} |\n|---|{'---|' * len(NAMES)}")
    shown = {"one policy, all alike": np.full(len(NAMES), 1.0 / len(NAMES))}
    shown |= {f"one policy, {name} alone": np.eye(len(NAMES))[i] for i, name in enumerate(NAMES)}
    values = by_rule | {
        n: judged.of(share @ matrices[0]).mean(axis=0) for n, share in shown.items()
    }
    for name, row in values.items():
        print(f"| {name} | {' | '.join(f'{v:.3f}' for v in np.exp(row))} |")


if __name__ == "__main__":
    main()
