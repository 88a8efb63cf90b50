"""Does a learned manager and worker finish workflows sooner than tuned rules?

`dag_schedulers.py ARCHIVE FOLDER [MINUTES] [WFFORMAT ..]`: TPC-H queries on Spark as Decima's
simulator has them, 50 executors, Poisson arrivals. Five seeds are trained for MINUTES of processor
time each, on queries whose number 4 does not divide and on all sizes but 80g; their states stay in
FOLDER, from which a run goes on. Rules are tuned on training arrivals, for each load anew. All are
judged on the same 20 sequences of 200 jobs that nothing has seen.
"""

import itertools
import sys
import time
from pathlib import Path

import numpy as np

from headway.history import open_traces, tasks_of
from headway.observe.workflows import read_tpch, workflow_of_tasks
from headway.schedule.dag_features import MANAGER, WORKER
from headway.schedule.dag_network import levels_of
from headway.schedule.dag_rules import RULES, Rule
from headway.simulate.catalog import arrivals, catalog_of
from headway.simulate.dag_play import play_levels, play_rule
from headway.train.hierarchical import Setting, train

SEEDS, SEQUENCES, TUNED_ON, JOBS, EXECUTORS = range(5), 20, 6, 200, 50
INTERVAL_S, T_95 = 25.0, 2.093  # of 20 sequences
INSTANCE_GENERATIONS = 60
ALPHAS = (-2.0, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0)


def is_trained_on(workflow):
    """Whether a query may be learned from."""
    size, number = workflow.name.split()
    return size != "80g" and int(number) % 4 != 0


def completion_s(play, catalog, kinds, interval_s, chooser, seeds):
    """Mean completion time of each sequence (s) and decisions in all."""
    found, decisions = [], 0
    for seed in seeds:
        coming = arrivals(np.random.default_rng(seed), kinds, JOBS, interval_s)
        end_s, asked = play(catalog, coming, EXECUTORS, seed[-1], chooser)
        found.append((end_s - coming.submit_s).mean())
        decisions += asked
    return np.array(found), decisions


def tuned(catalog, kinds, interval_s, rules):
    """The rule that is best on training arrivals."""
    seeds = [(2, i) for i in range(TUNED_ON)]
    return min(
        rules,
        key=lambda rule: completion_s(play_rule, catalog, kinds, interval_s, rule, seeds)[0].mean(),
    )


def tuned_rules(catalog, kinds, interval_s):
    """Every rule with the flags, and the shares with the alpha, that are best in training."""
    found = {}
    for name in ("fifo", "shortest", "critical"):
        flags = [
            RULES[name]._replace(stays=s, holds=h) for s, h in itertools.product((0, 1), (0, 1))
        ]
        found[name] = tuned(catalog, kinds, interval_s, flags)
    stay = [RULES["weighted"]._replace(alpha=alpha) for alpha in ALPHAS]
    found["weighted fair, Decima's flags"] = tuned(catalog, kinds, interval_s, stay)
    for name, key in (("weighted fair", "fifo"), ("weighted fair, least work first", "shortest")):
        shapes = [
            Rule(RULES[key].key, alpha, 1, *flags)
            for alpha in (-0.5, 0.0)
            for flags in itertools.product((0, 1), repeat=3)
        ]
        shape = tuned(catalog, kinds, interval_s, shapes)
        best = [shape._replace(alpha=alpha) for alpha in ALPHAS]
        found[name] = tuned(catalog, kinds, interval_s, best)
    return found


def judge(title, catalog, kinds, trained_kinds, interval_s, policies):
    """Print one table."""
    seeds = [(3, i) for i in range(SEQUENCES)]
    scale = catalog.work_s[trained_kinds].mean() / catalog.work_s[kinds].mean()
    rules = tuned_rules(catalog, trained_kinds, interval_s * scale)
    rules = {"fair, Decima's flags": RULES["fair"]} | rules
    times = {
        name: completion_s(play_rule, catalog, kinds, interval_s, rule, seeds)[0]
        for name, rule in rules.items()
    }
    base = times["weighted fair"]
    learned = np.array([
        completion_s(play_levels, catalog, kinds, interval_s, levels, seeds)[0]
        for levels in policies
    ])  # fmt: skip
    print(f"\n{title}: {len(kinds)} kinds, one every {interval_s:.1f} s")
    print("| scheduler | mean completion, s | against tuned weighted fair (95 %) | best, worst |")
    print("|---|---|---|---|")
    for name, found in times.items():
        flags = {k: v for k, v in rules[name]._asdict().items() if k != "key"}
        shown = " ".join(f"{k} {v:g}" for k, v in flags.items() if v)
        row(f"{name} ({shown})", found[None], base)
    row(f"learned, {len(policies)} seeds", learned, base)
    for name in ("weighted fair, Decima's flags", "weighted fair, least work first"):
        print(f"learned against {name}: {difference(learned, times[name])}")
    spread = [f"{x:.2f}" for x in learned.mean(axis=1)]
    print(f"learned, each seed: {', '.join(spread)}")


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


def main(archive, folder, minutes=20.0, instances=()):
    """Train, then judge."""
    workflows = read_tpch(archive)
    catalog = catalog_of(workflows)
    is_seen = np.array([is_trained_on(w) for w in workflows])
    kinds, everything = np.flatnonzero(is_seen), np.arange(len(workflows))
    scale = catalog.work_s[kinds].mean() / catalog.work_s.mean()
    setting = Setting(catalog, kinds, EXECUTORS, INTERVAL_S * scale)
    policies = []
    for seed in SEEDS:
        trained = train(setting, seed, minutes, keep=folder / f"dags-{seed}.npz", threads=1)
        last = trained.curve[-1]
        shown = " ".join(f"{np.exp(row['validation']) - 1:+.1%}" for row in trained.curve)
        print(
            f"seed {seed}: {last['decisions'] / 1e6:.1f} M decisions, {last['took_s']:.0f} CPU s;"
            f" validation every 10 generations: {shown}",
            flush=True,
        )
        policies.append(levels_of(trained.weights))
    print("worker:", weights(WORKER, [p.width for p in policies]))
    print("manager:", weights(MANAGER, [p.score for p in policies]))
    unseen = np.flatnonzero([int(w.name.split()[1]) % 4 == 0 for w in workflows])
    other = catalog.work_s[unseen].mean() / catalog.work_s.mean()
    judge("All queries", catalog, everything, kinds, INTERVAL_S, policies)
    judge("Queries never trained on", catalog, unseen, kinds, INTERVAL_S * other, policies)
    judge("More load", catalog, everything, kinds, 0.75 * INTERVAL_S, policies)
    if instances:
        judge_instances(instances, policies, folder)
    speed(catalog, everything, policies[0])


def judge_instances(paths, policies, folder):
    """Executed workflows of other kinds: first not trained on, then on every second of them."""
    found = [
        workflow_of_tasks(path.name, tasks_of(open_traces([path]), lambda what, share: None)[0])
        for path in paths
    ]
    catalog = catalog_of(found)
    kinds = np.arange(len(found))
    interval_s = catalog.work_s.mean() / EXECUTORS / 0.7
    judge("WfFormat instances", catalog, kinds, kinds, interval_s, policies)
    known, others = kinds[::2], kinds[1::2]
    scale_known, scale = (catalog.work_s[k].mean() / catalog.work_s.mean() for k in (known, others))
    setting = Setting(catalog, known, EXECUTORS, interval_s * scale_known)
    own = []
    for seed in SEEDS:
        keep = folder / f"instances-{seed}.npz"
        trained = train(setting, seed, generations=INSTANCE_GENERATIONS, keep=keep, threads=1)
        print(f"seed {seed}:", trained.curve[-1], flush=True)
        own.append(levels_of(trained.weights))
    judge("WfFormat, every second", catalog, others, known, interval_s * scale, own)


def weights(names, values):
    """Mean weights of the seeds."""
    mean = np.mean(values, axis=0)
    return ", ".join(f"{name} {x:+.2f}" for name, x in zip(names, mean, strict=True))


def speed(catalog, kinds, levels):
    """Print decisions a processor second."""
    began = time.process_time()
    _, decisions = completion_s(
        play_levels, catalog, kinds, 15.0, levels, [(4, i) for i in range(4)]
    )
    took = time.process_time() - began
    print(f"\n{decisions / took:,.0f} decisions a processor second with all events")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(Path(given[0]), Path(given[1]), *map(float, given[2:3]), tuple(map(Path, given[3:])))
