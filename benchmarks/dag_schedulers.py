"""Does a learned manager and worker finish workflows sooner than tuned rules?

`dag_schedulers.py ARCHIVE FOLDER [GENERATIONS] [WFFORMAT ..]`: TPC-H queries on Spark as Decima's
simulator has them, 50 executors, Poisson arrivals. Five seeds are trained for so many GENERATIONS,
on queries whose number 4 does not divide and on all sizes but 80g; their states stay in FOLDER,
from which a run goes on. Rules are tuned on training arrivals, for each load anew. All are judged
on the same 20 sequences of 200 jobs that nothing has seen. With executed workflows (WfFormat),
MIXED seeds are trained on queries and on every second of these by turns, and judged on the others.
"""

import sys
import time
from pathlib import Path

import numpy as np

from headway.history import workflows_of
from headway.observe.workflows import read_tpch
from headway.schedule.dag_features import MANAGER, WORKER
from headway.schedule.dag_network import levels_of
from headway.schedule.dag_rules import RULES
from headway.simulate.catalog import catalog_of
from headway.simulate.dag_tuning import (
    DECIMA,
    Course,
    completion_s,
    load_interval_s,
    tuned_rules,
)  # fmt: skip
from headway.train.hierarchical import Mix, Setting, train

SEEDS, SEQUENCES, TUNED_ON, EXECUTORS = range(5), 20, 6, 50
INTERVAL_S, T_95 = 25.0, 2.093  # of 20 sequences
MIXED, INSTANCE_LOAD = range(2), 0.7


def is_trained_on(workflow):
    """Whether a query may be learned from."""
    size, number = workflow.name.split()
    return size != "80g" and int(number) % 4 != 0


def mean_s(course, chooser):
    """Mean completion time (s) of each sequence."""
    return completion_s(course, chooser)[0].mean(axis=1)


def course_of(catalog, kinds, interval_s, seed, n):
    """N sequences of arrivals."""
    return Course(catalog, kinds, interval_s, EXECUTORS, [(seed, i) for i in range(n)])


def rules_on(catalog, kinds, trained_kinds, interval_s):
    """Every rule, tuned on training arrivals of the same load."""
    scale = catalog.work_s[trained_kinds].mean() / catalog.work_s[kinds].mean()
    tuning = course_of(catalog, trained_kinds, interval_s * scale, 2, TUNED_ON)
    return {"fair, Decima's flags": RULES["fair"]} | tuned_rules(tuning)


def judge(title, catalog, kinds, trained_kinds, interval_s, policies):
    """Print one table."""
    rules = rules_on(catalog, kinds, trained_kinds, interval_s)
    course = course_of(catalog, kinds, interval_s, 3, SEQUENCES)
    times = {name: mean_s(course, rule) for name, rule in rules.items()}
    learned = np.array([mean_s(course, levels) for levels in policies])
    print(f"\n{title}: {len(kinds)} kinds, one every {interval_s:.1f} s")
    print("| scheduler | mean completion, s | against tuned weighted fair (95 %) | best, worst |")
    print("|---|---|---|---|")
    for name, found in times.items():
        flags = {k: v for k, v in rules[name]._asdict().items() if k != "key"}
        shown = " ".join(f"{k} {v:g}" for k, v in flags.items() if v)
        row(f"{name} ({shown})", found[None], times["weighted"])
    row(f"learned, {len(policies)} seeds", learned, times["weighted"])
    for name in (DECIMA, "weighted, least work first", "shortest"):
        print(f"learned against {name}: {difference(learned, times[name])}")
    each = [f"{found.mean():.2f} ({difference(found[None], times['weighted'])})"
            for found in learned]  # fmt: skip
    print(f"learned, each seed: {', '.join(each)}", flush=True)


def difference(found, base):
    """Mean change of a sequence's mean and its paired interval."""
    change = (found / base).mean(axis=0) - 1.0
    half = T_95 * change.std(ddof=1) / np.sqrt(len(change))
    return f"{change.mean():+.1%} ({change.mean() - half:+.1%} to {change.mean() + half:+.1%})"


def row(name, found, base):
    """One line of a table; found (seeds, sequences)."""
    change = (found / base).mean(axis=0) - 1.0
    print(
        f"| {name} | {found.mean():.2f} | {difference(found, base)} |"
        f" {change.min():+.1%}, {change.max():+.1%} |",
        flush=True,
    )


def main(archive, folder, generations=60, instances=()):
    """Train, then judge."""
    workflows = read_tpch(archive)
    catalog = catalog_of(workflows)
    is_seen = np.array([is_trained_on(w) for w in workflows])
    kinds, everything = np.flatnonzero(is_seen), np.arange(len(workflows))
    interval_s = INTERVAL_S * catalog.work_s[kinds].mean() / catalog.work_s.mean()
    setting = Setting(catalog, (Mix(kinds, interval_s),), EXECUTORS)
    policies = [trained_on(setting, seed, generations, folder / "dags") for seed in SEEDS]
    print("worker:", weights(WORKER, [p.width for p in policies]))
    print("manager:", weights(MANAGER, [p.score for p in policies]))
    unseen = np.flatnonzero([int(w.name.split()[1]) % 4 == 0 for w in workflows])
    other = catalog.work_s[unseen].mean() / catalog.work_s.mean()
    judge("All queries", catalog, everything, kinds, INTERVAL_S, policies)
    judge("Queries never trained on", catalog, unseen, kinds, INTERVAL_S * other, policies)
    judge("More load", catalog, everything, kinds, 0.75 * INTERVAL_S, policies)
    speed(catalog, everything, policies[0])
    if instances:
        judge_instances(workflows, kinds, instances, policies, folder, generations)


def trained_on(setting, seed, generations, folder):
    """A policy of one seed, and its learning curve printed."""
    keep = folder.with_name(f"{folder.name}-{seed}.npz")
    trained = train(
        setting, seed, minutes=np.inf, generations=generations, keep=keep, threads=1
    )  # fmt: skip
    last = trained.curve[-1]
    shown = " ".join(f"{np.exp(row['validation']) - 1:+.1%}" for row in trained.curve)
    print(
        f"seed {seed}: {last['decisions'] / 1e6:.1f} M decisions, {last['took_s']:.0f} CPU s;"
        f" validation every 10 generations: {shown}",
        flush=True,
    )
    return levels_of(trained.weights)


def judge_instances(workflows, kinds, paths, policies, folder, generations):
    """Executed workflows of other kinds: not trained on, then with every second in the mix."""
    (executed,) = workflows_of(paths, lambda what, share: None).values()
    catalog = catalog_of(workflows + executed)
    there = len(workflows) + np.arange(len(executed))
    interval_s = load_interval_s(catalog, there, EXECUTORS, INSTANCE_LOAD)
    judge("WfFormat instances", catalog, there, there, interval_s, policies)
    known, others = there[::2], there[1::2]
    at_s = [load_interval_s(catalog, k, EXECUTORS, INSTANCE_LOAD) for k in (known, others)]
    scale = catalog.work_s[kinds].mean() / catalog.work_s[: len(workflows)].mean()
    mixes = (Mix(kinds, INTERVAL_S * scale), Mix(known, at_s[0]))
    setting = Setting(catalog, mixes, EXECUTORS)
    mixed = [trained_on(setting, seed, generations, folder / "mixed") for seed in MIXED]
    judge("WfFormat, the other half, mix", catalog, others, known, at_s[1], mixed)
    judge("All queries, mix", catalog, np.arange(len(workflows)), kinds, INTERVAL_S, mixed)


def weights(names, values):
    """Mean weights of the seeds."""
    mean = np.mean(values, axis=0)
    return ", ".join(f"{name} {x:+.2f}" for name, x in zip(names, mean, strict=True))


def speed(catalog, kinds, levels):
    """Print decisions a processor second."""
    course = course_of(catalog, kinds, 15.0, 4, 4)
    began = time.process_time()
    _, decisions = completion_s(course, levels)
    took = time.process_time() - began
    print(f"\n{decisions / took:,.0f} decisions a processor second with all events")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(Path(given[0]), Path(given[1]), *map(int, given[2:3]), tuple(map(Path, given[3:])))
