"""Training a scheduler of workflows on kinds of them: search, then proof on what it never saw.

Kinds of different clusters arrive apart from each other, and one policy learns from all. Of
LEAST_KINDS or more of a cluster, every HELD_OUT-th teaches nothing. For each cluster the policy is
held against the rules at their best on other arrivals of what was taught, once with all kinds and
once with the kinds that were kept apart; it is offered only where it is better in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.dag_network import levels_of, save_levels
from headway.schedule.dag_rules import RULES
from headway.simulate.catalog import catalog_of
from headway.simulate.dag_compare import LOAD, executors_of
from headway.simulate.dag_tuning import Course, completion_s, load_interval_s, tuned_rules
from headway.train.hierarchical import VALIDATION, Mix, Setting, train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.observe.workflows import Workflow
    from headway.schedule.dag_network import Levels
    from headway.schedule.dag_rules import Rule
    from headway.train.hierarchical import Trained

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LEAST_KINDS: Final = 8  # for some of them to be kept apart
HELD_OUT: Final = 4
TUNED_ON: Final = 4  # sequences of arrivals on which rules are tuned
PROVED_ON: Final = 12


@dataclass(frozen=True, slots=True)
class Cluster:
    """Kinds of one history, by their numbers in the catalog of all."""

    name: str
    taught: Ints
    apart: Ints


def train_workflows(
    histories: Mapping[str, Sequence[Workflow]],
    out: Path,
    *,
    clock: Callable[[], float],
    executors: int = 0,
    minutes: float = 0.0,
    decisions: int = 0,
    seed: int = 0,
    resume: bool = False,
    progress: Callable[[str, float], None],
) -> dict[str, Any]:
    """Learn who gets the executors, write it to `out`; the document of `headway train`.

    histories: kinds of each cluster by its name. Stops after `minutes` or `decisions` of training,
    one of which must be given; the same seed and decisions give the same weights. executors: 0 =
    EXECUTORS. With resume, goes on from where an earlier run with the same `out` stopped.
    """
    if minutes < 0.0 or decisions < 0:
        raise ConfigError(f"minutes and decisions must be positive, got {minutes}, {decisions}")
    if minutes + decisions == 0.0:
        raise ConfigError("hierarchical has no limit of its own: give --minutes or --decisions")
    setting, clusters = setting_of(histories, executors_of(executors))
    journal = out.with_name(f"{out.name}.hierarchical.npz")
    if not resume:
        journal.unlink(missing_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    began_s = clock()
    trained = train(
        setting, seed, minutes=minutes or np.inf, decisions=decisions or 1 << 62, keep=journal,
        clock=clock, progress=lambda share: progress("Training", share),
    )  # fmt: skip
    seconds = clock() - began_s
    facts = {"algo": "hierarchical", "seed": seed, "decisions": trained.decisions,
             "trained_on": ", ".join(histories), "executors": setting.executors}  # fmt: skip
    save_levels(out, trained.weights, {name: str(fact) for name, fact in facts.items()})
    proofs: list[dict[str, Any]] = []
    use = {}
    for cluster in clusters:
        found = _proofs(setting, cluster, levels_of(trained.weights), progress)
        is_proved = all(proof["is_proved"] for proof in found)
        use[cluster.name] = f"learned:{out}" if is_proved else found[0]["rule"]
        proofs += found
    return {
        "algo": "hierarchical", "decisions": trained.decisions, "seconds": seconds,
        "validation": _validation(trained), "proof": proofs, "use": use, "policy": str(out),
        "executors": setting.executors,
    }  # fmt: skip


def setting_of(
    histories: Mapping[str, Sequence[Workflow]], executors: int
) -> tuple[Setting, list[Cluster]]:
    """What is trained for, and which kinds of each cluster teach; NotEnoughData if none."""
    clusters, at = [], 0
    for name, workflows in histories.items():
        numbers = np.arange(len(workflows))
        is_apart = (numbers % HELD_OUT == HELD_OUT - 1) & (len(workflows) >= LEAST_KINDS)
        if len(workflows):
            clusters.append(Cluster(name, at + numbers[~is_apart], at + numbers[is_apart]))
        at += len(workflows)
    if not clusters:
        raise NotEnoughData(f"{', '.join(histories)}: no workflow, no task names its parents")
    catalog = catalog_of([w for workflows in histories.values() for w in workflows])
    mixes = tuple(
        Mix(one.taught, load_interval_s(catalog, one.taught, executors, LOAD)) for one in clusters
    )
    return Setting(catalog, mixes, executors), clusters


def _validation(trained: Trained) -> dict[str, Any]:
    curve = [[int(row["decisions"]), float(np.exp(row["validation"]))] for row in trained.curve]
    return {
        "against": "equal shares, least work first", "of": "mean completion time",
        "ratio": min(ratio for _, ratio in curve), "windows": VALIDATION, "curve": curve,
    }  # fmt: skip


def _proofs(
    setting: Setting, cluster: Cluster, levels: Levels, progress: Callable[[str, float], None]
) -> list[dict[str, Any]]:
    """With all kinds of a cluster and, if there are such, with those that were kept apart."""

    def course(kinds: Ints, seed: int, n: int) -> Course:
        interval_s = load_interval_s(setting.catalog, kinds, setting.executors, LOAD)
        seeds = [(seed, i) for i in range(n)]
        return Course(setting.catalog, kinds, interval_s, setting.executors, seeds)

    progress(f"Tuning rules on {cluster.name}", 0.0)
    tuning = course(cluster.taught, 2, TUNED_ON)
    rules = {"fair": RULES["fair"]} | tuned_rules(tuning)
    best = min(rules, key=lambda name: float(completion_s(tuning, rules[name])[0].mean()))
    parts = {"all": np.sort(np.append(cluster.taught, cluster.apart)), "kept apart": cluster.apart}
    proofs: list[dict[str, Any]] = []
    for name, kinds in parts.items():
        if len(kinds):
            progress(f"Proving on {cluster.name}", len(proofs) / 2.0)
            proof = proof_of(course(kinds, 5, PROVED_ON), levels, rules, best)
            proofs.append({"history": cluster.name, "on": name} | proof)
    return proofs


def proof_of(
    course: Course, levels: Levels, rules: Mapping[str, Rule], best: str
) -> dict[str, Any]:
    """A policy against the rule `best` on arrivals that neither was chosen on.

    difference: mean over sequences of the change of mean completion time, below 0 is better, with
    a paired 95 % interval; rules: the mean completion time (s) of each.
    """
    from scipy.stats import t as student

    found = {name: completion_s(course, rule)[0].mean(axis=1) for name, rule in rules.items()}
    learned = completion_s(course, levels)[0].mean(axis=1)
    change = learned / found[best] - 1.0
    n = len(change)
    half = float(student.ppf(0.975, n - 1) * change.std(ddof=1) / np.sqrt(n))
    mean = float(change.mean())
    return {
        "rule": best, "sequences": n, "jobs": course.jobs, "kinds": len(course.kinds),
        "interval_s": course.interval_s, "candidate": float(learned.mean()),
        "incumbent": float(found[best].mean()), "difference": mean,
        "difference_low_95": mean - half, "difference_high_95": mean + half,
        "worst_sequence": float(change.max()), "is_proved": mean + half < 0.0,
        "rules": {name: float(times.mean()) for name, times in found.items()},
    }  # fmt: skip
