"""What does choosing configurations by Bayesian optimisation cost and save?

`configure.py lotaru FOLDER [--own-prices]`: the machine of 7 for each task of 5 workflows.
`configure.py scaling RUNS.csv`: workers and memory for programs that `scaling_runs.py` ran here.
Regret = cost of the recommended configuration over that of the cheapest that is in time, less 1; a
missed deadline also costs the cheapest in time, with which the run is repeated. Means over tasks
and 95 % intervals over seeds, which draw the deadline, the input and the order of what is tried.
"""

import argparse
import csv
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl

from headway.predict.configure import Configuration, Configurer, Run, shared_effects

SEEDS = range(5)
PRICES = {"n1": 0.380, "n2": 0.388, "c2": 0.418, "asok01": 0.25, "asok02": 0.25, "local": 0.15,
          "wallyRedCpu": 0.15}  # fmt: skip
CORE_HOUR, GB_HOUR = 0.033, 0.0045
LEAST_S = 5.0  # a task that runs shorter everywhere is not worth choosing for
TIGHTNESS = (1.1, 2.5)  # deadlines, in runtimes of the fastest configuration


class Case:
    """One task: what each configuration took with each input, drawn anew where it ran twice."""

    def __init__(self, group, task, runs):
        self.group, self.task, self.runs = group, task, runs  # runs[key][size] = seconds or None
        self.sizes = sorted({size for of_key in runs.values() for size in of_key})

    def draw(self, key, size, rng):
        """Seconds of a run, None = it failed."""
        return self.runs[key][size][rng.integers(len(self.runs[key][size]))]

    def truth(self, key, size):
        """Median seconds; None = it fails more often than not."""
        known = [s for s in self.runs[key][size] if s is not None]
        return np.median(known) if 2 * len(known) > len(self.runs[key][size]) else None


class Problem:
    """A case with a target input, a deadline and prices, as a seed draws them."""

    def __init__(self, case, candidates, targets, rng):
        self.case, self.candidates = case, candidates
        self.target = targets[rng.integers(len(targets))]
        truth = {c.key: case.truth(c.key, self.target) for c in candidates}
        fastest = min(s for s in truth.values() if s is not None)
        self.deadline_s = fastest * rng.uniform(*TIGHTNESS)
        cost = {c.key: c.price_hour * (truth[c.key] or self.deadline_s) for c in candidates}
        in_time = {k for k, s in truth.items() if s is not None and s <= self.deadline_s}
        oracle = min(cost[k] for k in in_time)
        self.regret = {k: (cost[k] + (k not in in_time) * oracle) / oracle - 1.0 for k in cost}
        self.missed = {k: k not in in_time for k in cost}


def run_of(problem, configuration, size, rng):
    """A run as it came."""
    seconds = problem.case.draw(configuration.key, size, rng)
    return Run(
        configuration=configuration,
        input_bytes=size,
        runtime_s=0.0 if seconds is None else seconds,
        has_failed=seconds is None,
    )


def optimised(problem, trial_sizes, trials, rng, *, effects=None, past=(), by_chance=False):
    """Keys recommended after 0, 1, .. trials; by_chance: the same model, trials at random.

    effects: of configurations on other tasks; past: runs that are known before the first trial.
    """
    prior = None
    if effects is not None:
        middle = np.log(problem.deadline_s)

        def prior(configurations, size):
            power = np.log(size / problem.target)
            return np.array(
                [middle + power * 0.7 + effects.get(c.key, 0.0) for c in configurations]
            )

    is_here = problem.candidates[0].node == ""  # in processor seconds: no start, no clock in them
    start_s = 0.02 if is_here else 0.5
    tuner = Configurer(problem.candidates, problem.deadline_s, prior=prior, start_s=start_s)
    for run in past:
        tuner.learn(run)
    order, found = rng.permutation(len(problem.candidates)), []
    for trial in range(trials + 1):
        found.append(tuner.best(problem.target).configuration.key)
        if trial < trials:
            chosen = tuner.suggest(problem.target)[0].configuration
            if by_chance:
                chosen = problem.candidates[order[trial % len(order)]]
            size = trial_sizes[rng.integers(len(trial_sizes))]
            tuner.learn(run_of(problem, chosen, size, rng))
    return found


def known_runs(problem, reduced, rng):
    """Ten runs with reduced inputs on the machine at hand: 'local', else all cores and memory."""
    at_hand = [c for c in problem.candidates if c.node == "local"]
    configuration = max(at_hand or problem.candidates, key=lambda c: c.price_hour)
    sizes = [reduced[rng.integers(len(reduced))] for _ in range(10)]
    return [run_of(problem, configuration, size, rng) for size in sizes]


def searched(problem, trial_sizes, trials, rng):
    """Keys recommended by plain random search: the cheapest tried that was in time, per byte."""
    order = rng.permutation(len(problem.candidates))
    tried, found = {}, []
    for trial in range(trials + 1):
        in_time = [k for k, s in tried.items() if s <= problem.deadline_s]
        prices = {c.key: c.price_hour for c in problem.candidates}
        if in_time:
            found.append(min(in_time, key=lambda k: tried[k] * prices[k]))
        elif tried:
            found.append(min(tried, key=tried.get))
        else:
            found.append(problem.candidates[order[0]].key)
        if trial < trials:
            chosen = problem.candidates[order[trial % len(order)]]
            size = trial_sizes[rng.integers(len(trial_sizes))]
            run = run_of(problem, chosen, size, rng)
            scaled = run.runtime_s * problem.target / size
            tried[chosen.key] = np.inf if run.has_failed else scaled
    return found


def fixed(problems, group):
    """The one configuration that was best on average over the problems of other groups."""
    others = [p for p in problems if p.case.group != group]
    keys = [c.key for c in others[0].candidates]
    return min(keys, key=lambda k: np.mean([p.regret[k] for p in others]))


def lotaru_cases(folder):
    """Cases of the recorded runs with inputs that all machines have; (size, is_whole) a case."""
    cases, whole = [], {}
    runs = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for path in sorted(folder.glob("execution_reports/*/*/*.csv")):
        machine, workflow = path.parts[-3], path.parts[-2].removeprefix("results_")
        for row in pl.read_csv(path, infer_schema_length=0).iter_rows(named=True):
            size = float(row["TaskInputSizeUncompressed"] or 0)
            if size > 0.0:
                of_task = runs[workflow, row["Task"]]
                of_task[machine, 1.0, None][size].append(float(row["Realtime"]) / 1000.0)
                if row["Label"] == "test":
                    whole.setdefault((workflow, row["Task"]), set()).add(size)
    for (workflow, task), of_task in runs.items():
        shared = set.intersection(*(set(sizes) for sizes in of_task.values()))
        targets = sorted(shared & whole.get((workflow, task), set()))
        kept = {key: {s: of_task[key][s] for s in shared} for key in of_task}
        case = Case(workflow, task, kept)
        reduced = sorted(shared - set(targets))
        if len(of_task) == len(PRICES) and targets and len(reduced) >= 2:
            slow = min(np.median(kept[key][targets[0]]) for key in kept)
            if slow >= LEAST_S:
                cases.append((case, targets, reduced))
    return cases


def scaling_cases(path):
    """Cases of the runs made here: the largest input is the target, the others are for trials."""
    runs = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            key = ("", float(row["cpus"]), int(row["memory_bytes"]))
            seconds = None if row["failed"] == "1" else float(row["runtime_s"])
            runs[row["task"]][key][float(row["input_bytes"])].append(seconds)
    cases = [Case(task, task, of_task) for task, of_task in runs.items()]
    return [(case, case.sizes[-1:], case.sizes[:-1]) for case in cases]


def candidates_of(case, prices):
    """The configurations of a case with their prices."""
    found = []
    for node, cpus, memory in sorted(case.runs, key=str):
        price = prices[node] if node else CORE_HOUR * cpus + GB_HOUR * memory / 1e9
        found.append(Configuration(node=node, cpus=cpus, memory_bytes=memory, price_hour=price))
    return found


def effects_without(cases, group, candidates):
    """Shared effects of configurations from the whole inputs of the tasks of other groups."""
    known = {c.key: c for c in candidates}
    runs = [
        (
            f"{case.group}/{case.task}",
            Run(configuration=known[key], input_bytes=size, runtime_s=seconds),
        )
        for case, targets, _ in cases
        if case.group != group
        for key in case.runs
        for size in targets
        for seconds in case.runs[key][size]
        if seconds is not None
    ]
    return shared_effects(runs)


def measure(cases, trials, *, on_target, prices_by_seed=False, shown_groups=()):
    """Print mean regret after trials 0, 1, .. of each method, over shown_groups or all."""
    n_shown = sum(not shown_groups or case.group in shown_groups for case, _, _ in cases)
    found = defaultdict(lambda: np.zeros((len(SEEDS), trials + 1)))
    late = defaultdict(lambda: np.zeros((len(SEEDS), trials + 1)))
    asked, began = 0, time.perf_counter()
    effects = {}
    for row, seed in enumerate(SEEDS):
        rng = np.random.default_rng(seed)
        prices = {n: np.exp(rng.uniform(np.log(0.1), np.log(0.5))) for n in PRICES}
        prices = prices if prices_by_seed else PRICES
        problems = [Problem(c, candidates_of(c, prices), t, rng) for c, t, _ in cases]
        for problem, (case, _, reduced) in zip(problems, cases, strict=True):
            if shown_groups and case.group not in shown_groups:
                continue
            sizes = [problem.target] if on_target else reduced
            if case.group not in effects:
                effects[case.group] = effects_without(cases, case.group, problem.candidates)
            warm = effects[case.group]
            keys = {
                "best fixed of the others": [fixed(problems, case.group)] * (trials + 1),
                "random search": searched(problem, sizes, trials, rng),
                "trials at random, our model": optimised(
                    problem, sizes, trials, rng, by_chance=True
                ),
                "Headway, cold": optimised(problem, sizes, trials, rng),
                "Headway, warm": optimised(problem, sizes, trials, rng, effects=warm),
                "Headway, warm, ten runs known": optimised(
                    problem,
                    sizes,
                    trials,
                    rng,
                    effects=warm,
                    past=known_runs(problem, reduced, rng),
                ),
            }
            asked += 4 * (2 * trials + 1)
            for method, chosen in keys.items():
                found[method][row] += [problem.regret[key] / n_shown for key in chosen]
                late[method][row] += [problem.missed[key] / n_shown for key in chosen]
    took_ms = 1e3 * (time.perf_counter() - began) / asked
    print(f"{n_shown} tasks, {len(SEEDS)} seeds, {took_ms:.0f} ms an answer")
    print("| method | " + " | ".join(f"{k} trials" for k in shown(trials)) + " | missed at last |")
    print("|---" * (len(shown(trials)) + 2) + "|")
    for method, regrets in found.items():
        cells = []
        for k in shown(trials):
            side = 2.776 * regrets[:, k].std(ddof=1) / np.sqrt(len(SEEDS))  # t of 4 degrees
            cells.append(f"{regrets[:, k].mean():.1%} ± {side:.1%}")
        print(f"| {method} | " + " | ".join(cells) + f" | {late[method][:, -1].mean():.1%} |")
    print("| oracle | " + " | ".join("0.0%" for _ in shown(trials)) + " | 0.0% |", flush=True)


def shown(trials):
    """The numbers of trials that a table has a column for."""
    return [k for k in (0, 1, 2, 3, 5, 7) if k <= trials]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["lotaru", "scaling"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--own-prices", action="store_true", help="prices drawn by each seed")
    parser.add_argument("--workflows", default="", help="those shown; the others are known")
    arguments = parser.parse_args()
    read = lotaru_cases if arguments.what == "lotaru" else scaling_cases
    taken = read(arguments.path)
    for on_target in (True, False):
        print("\ntrials with " + ("the whole input" if on_target else "reduced inputs"))
        groups = [name for name in arguments.workflows.split(",") if name]
        measure(
            taken, 7, on_target=on_target, prices_by_seed=arguments.own_prices, shown_groups=groups
        )
