"""Does one learned policy, the same weights for all traces, beat the rules on what it never saw?

`learned_schedulers.py [--policy FILE] [--cache DIR] TRACE ..`: each trace is replayed causally and
judged on the last 30 % of its time under textbook EASY. Beside the policy (predicted runtimes, its
own order): the best standard rule with requested runtimes and with the same predicted ones, each
chosen in hindsight on those 30 %, Headway's own plan chosen on the first 30 %, and clairvoyant
AREAxT. Paired differences are over weeks of the judged part, since tasks of one week are alike;
over all traces together the ratio to the predicted rule counts each trace alike, whatever its size.
With --cache, what was predicted is kept and read again.

`learned_schedulers.py --train FILE --decisions N --seed S --cache DIR TRACE ..` first trains on the
first 60 % of the time of all of them together, as `headway train scheduler` does.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from headway.history import open_traces, tasks_of
from headway.records import Estimate
from headway.schedule.learned import BACKFILL_LEVEL, DEFAULT, Learned, load_learned, save_learned
from headway.schedule.rules import order_by, rule_named
from headway.simulate.episode import EASY
from headway.simulate.kernel import simulate
from headway.simulate.play import simulate_network
from headway.simulate.workload import workload_from
from headway.stats import bounded_slowdown
from headway.train.search import search
from headway.training import SHARE, Known, courses_of
from headway.verify import recommend
from headway.verify.replay import replay

JUDGED = 0.7  # of the time, after which policies are judged
WEEK_S = 7 * 86400.0
RESAMPLES = 10_000


def predicted(path, cache):
    """A workload and what was predicted of its tasks' runtimes, a row each."""
    tasks, facts = tasks_of(open_traces([path]), lambda what, share: None)
    workload = workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))
    kept = cache / f"{path.name}.npz" if cache else None
    if kept is not None and kept.exists():
        with np.load(kept) as found:
            value, quantiles, levels = found["value"], found["quantiles"], found["levels"]
    else:
        estimate = replay(tasks, "runtime_s", orders=True).estimate
        value, quantiles = estimate.value[workload.rows], estimate.quantiles[workload.rows]
        levels = estimate.levels
        if kept is not None:
            np.savez(kept, value=value, quantiles=quantiles, levels=levels)
    signed = np.full((2, len(workload)), "")
    return replace(workload, rows=np.arange(len(workload))), Estimate(
        value=value, levels=levels, quantiles=quantiles, made_by=signed[0], refused=signed[1]
    )


def told(workload, estimate):
    """The runtimes that a learned policy orders and backfills by, (n,) each."""
    upper_s = recommend.quantile_of(workload, estimate, BACKFILL_LEVEL)
    return recommend.value_of(workload, estimate), upper_s


def share_of_time(workload):
    """Where each task lies in the time of its trace, (n,) in [0, 1]."""
    submit_s = workload.submit_s
    return (submit_s - submit_s[0]) / (submit_s[-1] - submit_s[0])


def trained(known, decisions, seed, resume):
    """Weights from the first SHARE of all traces; the last part of that only chooses."""
    histories = []
    for number, (workload, estimate) in enumerate(known):
        is_late = share_of_time(workload) > SHARE
        told_s = told(workload, estimate)
        histories.append(Known(str(number), workload, estimate, *told_s, is_late))
    taught, chosen, jobs = courses_of(histories)
    return search(
        taught, chosen, jobs, mode=EASY, decisions=decisions, seed=seed, resume=resume,
        progress=lambda share: print(f"\rtraining {share:.0%}", end="", flush=True) is None,
    )  # fmt: skip


def slowdown(workload, start_s):
    """Bounded slowdown (n,) of each task."""
    return bounded_slowdown(start_s - workload.submit_s, workload.runtime_s)


def best_rule(workload, order_s, late):
    """The standard rule with the lowest mean slowdown of the judged part, in hindsight."""
    found = {}
    for name in recommend.STANDARD:
        order = order_by(rule_named(name), order_s, workload.procs, workload.submit_s)
        found[name] = slowdown(workload, simulate(workload, order, workload.requested_s))
    name = min(found, key=lambda name: found[name][late].mean())
    return name, found[name]


def weekly(workload, late, *slowdowns):
    """Sums by week of the judged part, (weeks,) each, and how many tasks a week has."""
    weeks = ((workload.submit_s[late] - workload.submit_s[late][0]) // WEEK_S).astype(int)
    return [np.bincount(weeks, weights=one[late]) for one in slowdowns], np.bincount(weeks)


def drawn(weeks, seed=0):
    """RESAMPLES draws of as many weeks, (RESAMPLES, weeks)."""
    return np.random.default_rng(seed).integers(0, weeks, (RESAMPLES, weeks))


def paired(workload, mine, other, late):
    """95 % interval of the mean difference over tasks, by resampling weeks of the judged part."""
    (sums,), counts = weekly(workload, late, mine - other)
    picks = drawn(len(counts))
    return np.quantile(sums[picks].sum(axis=1) / counts[picks].sum(axis=1), [0.025, 0.975])


def together(judged, what):
    """Geometric mean over traces of the ratio to the predicted rule, and its 95 % interval."""
    logs, point = np.zeros(RESAMPLES), 0.0
    for number, (workload, late, rows) in enumerate(judged):
        (mine, other), counts = weekly(workload, late, rows[what], rows["best rule, predicted"])
        picks = drawn(len(counts), number)
        logs += np.log(mine[picks].sum(axis=1) / other[picks].sum(axis=1)) / len(judged)
        point += np.log(mine.sum() / other.sum()) / len(judged)
    return np.exp([point, *np.quantile(logs, [0.025, 0.975])])


def judge(path, known, policies):
    """Print the rows of one trace; its workload, what is judged, and the slowdowns by row."""
    workload, estimate = known
    value_s, upper_s = told(workload, estimate)
    late = share_of_time(workload) >= JUDGED
    rows = {}
    name, rows["best rule, requested"] = best_rule(workload, workload.requested_s, late)
    other, rows["best rule, predicted"] = best_rule(workload, value_s, late)
    order = order_by(rule_named("areaxt"), workload.runtime_s, workload.procs, workload.submit_s)
    rows["clairvoyant"] = slowdown(workload, simulate(workload, order, workload.runtime_s))
    plans = recommend.headway_plans(workload, estimate, workload.user)
    plan = recommend.choose(workload, plans)
    rows["Headway's plan"] = slowdown(workload, recommend.judge(workload, plan).start_s)
    for policy in policies:
        start_s = simulate_network(
            workload, policy.network, value_s, workload.requested_s, backfill_s=upper_s
        )
        rows[f"learned, seed {policy.seed}"] = slowdown(workload, start_s)
    print(f"\n{path.name}, last 30 %: {late.sum():,} tasks; rules: {name}, {other}")
    print("| what | mean bounded slowdown | of the gap closed | less the predicted rule (95 %) |")
    print("|---|---|---|---|")
    first, best = rows["best rule, requested"][late].mean(), rows["clairvoyant"][late].mean()
    for what, mine in rows.items():
        low, high = paired(workload, mine, rows["best rule, predicted"], late)
        closed = (first - mine[late].mean()) / (first - best)
        print(f"| {what} | {mine[late].mean():.2f} | {closed:.0%} | {low:+.2f} to {high:+.2f} |")
    return workload, late, rows


def main():
    """Train if asked, then judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="+", type=Path)
    parser.add_argument("--policy", nargs="*", type=Path, default=[DEFAULT])
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--decisions", type=int, default=20_000_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    known = [predicted(path, given.cache) for path in given.traces]
    if given.train:
        resume = given.train.with_name(given.train.name + ".search.npz")
        found = trained(known, given.decisions, given.seed, resume)
        learned = Learned(
            weights=found.weights, algo="search", seed=given.seed, decisions=found.decisions,
            backfill="easy", trained_on=", ".join(path.name for path in given.traces),
            validation={"ratio": found.validation, "curve": found.curve},
        )  # fmt: skip
        save_learned(learned, given.train)
        print(f"\n{found.decisions:,} decisions; validation {found.validation:.3f}")
        given.policy = [given.train]
    policies = [load_learned(policy) for policy in given.policy]
    judged = [judge(path, one, policies) for path, one in zip(given.traces, known, strict=True)]
    print("\n| all traces together | ratio to the predicted rule | 95 % |\n|---|---|---|")
    for what in judged[0][2]:
        ratio, low, high = together(judged, what)
        print(f"| {what} | {ratio:.3f} | {low:.3f} to {high:.3f} |")


if __name__ == "__main__":
    main()
