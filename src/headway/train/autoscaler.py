"""Training the controller of an elastic cluster on a history: tune thresholds, learn, prove.

Thresholds are tuned and weights learned on the first 60 % of the time, of which the last fifth
chooses among weights. On the rest, week by week, both are held against each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.history import tasks_of
from headway.schedule.elastic import controller_of
from headway.schedule.elastic_file import LearnedElastic, save_elastic
from headway.simulate.elastic import load_of, part_of, play
from headway.simulate.elastic_batch import LED, OWN, avoidable
from headway.simulate.workload import workload_from
from headway.train.elastic import train_elastic
from headway.train.limit import within
from headway.train.thresholds import KINDS, tune_thresholds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.history import Progress
    from headway.observe.trace import Trace
    from headway.simulate.elastic import Load, Terms
    from headway.simulate.elastic_batch import Prices

    Floats = NDArray[np.float64]

LEARN, KNOWN = 0.48, 0.6
LEAST_DECISIONS: Final = 5 * (LED + OWN)
DECISIONS: Final = 800_000
WEEK_S: Final = 7.0 * 86400.0
DRAWS: Final = 2000  # of the bootstrap
LEAST_WEEKS: Final = 4  # for an interval


def train_autoscaler(
    trace: Trace, out: Path, *, per_node: int, terms: Terms, prices: Prices,
    clock: Callable[[], float], minutes: float = 0.0, decisions: int = 0, seed: int = 0,
    resume: bool = False, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Learn when nodes of per_node processors should be added or released, and write that to `out`;
    the document of `headway train elastic`.

    terms.most = 0: four times what the cluster had. Stops after `decisions` (0 = DECISIONS) or
    `minutes` (0 = no limit) of training; the same seed and decisions give the same weights.
    """
    if per_node < 1 or minutes < 0.0 or decisions < 0:
        raise ConfigError(
            "per_node must be positive, minutes and decisions not negative, got "
            f"{per_node}, {minutes}, {decisions}"
        )
    load, terms = load_and_terms(trace, per_node, terms, progress)
    span_s = float(load.submit_s[-1])
    if LEARN * span_s < LEAST_DECISIONS * terms.every_s:
        raise NotEnoughData(
            f"{trace.path.name} spans {span_s / 86400.0:.0f} days; training needs "
            f"{LEAST_DECISIONS * terms.every_s / LEARN / 86400.0:.0f}"
        )
    progress("Tuning thresholds", 0.0)
    tuned = tune_thresholds(part_of(load, 0.0, KNOWN * span_s), terms, prices)
    kind = min(KINDS, key=lambda one: tuned[one].cost)  # a fixed size cannot be moved
    journal = out.with_name(f"{out.name}.journal.npz")
    if not resume:
        journal.unlink(missing_ok=True)
    began = clock()
    found = train_elastic(
        part_of(load, 0.0, LEARN * span_s), part_of(load, LEARN * span_s, KNOWN * span_s),
        tuned[kind].weights, terms, prices, decisions=decisions or DECISIONS, seed=seed,
        resume=journal, progress=within(minutes, clock, progress),
    )  # fmt: skip
    validation = {
        "against": kind, "ratio": min(value for _, value in found.curve), "curve": found.curve
    }  # fmt: skip
    learned = LearnedElastic(
        weights=found.weights, seed=seed, decisions=found.decisions, terms=terms._asdict(),
        prices=prices._asdict(), trained_on=trace.path.name, validation=validation,
    )  # fmt: skip
    save_elastic(learned, out)
    late = part_of(load, KNOWN * span_s, span_s)
    costs = {name: weekly(late, one.weights, one.terms, prices) for name, one in tuned.items()}
    return {
        "history": trace.path.name, "terms": terms._asdict(), "prices": prices._asdict(),
        "rule": {"kind": kind, "settings": tuned[kind].settings},
        "decisions": found.decisions, "seconds": clock() - began, "validation": validation,
        "proof": _proof(weekly(late, found.weights, terms, prices), costs[kind], seed),
        "weekly": {name: float(cost.mean()) for name, cost in costs.items()},
        "policy": str(out),
    }  # fmt: skip


def load_and_terms(
    trace: Trace, per_node: int, terms: Terms, progress: Progress
) -> tuple[Load, Terms]:
    """A history as a load, expected by its requests, and terms with the most nodes filled in."""
    tasks, facts = tasks_of([trace], progress)
    if facts[0].total_cpus is None:
        raise NotEnoughData(f"{trace.path.name} does not say how many processors tasks took")
    workload = workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))
    load = load_of(workload, per_node, workload.requested_s)
    most = terms.most or 4 * -(-workload.total_procs // per_node)
    zero_s = float(facts[0].zero_s + workload.submit_s[0])
    return load, terms._replace(most=most, zero_s=zero_s)


def weekly(load: Load, weights: Floats, terms: Terms, prices: Prices) -> Floats:
    """The avoidable cost of each whole week of a load."""
    _, spent, _ = play(load, controller_of(weights), terms, float(load.submit_s[-1]))
    whole = np.diff(spent[:: max(int(WEEK_S / terms.every_s), 1)], axis=0)
    return avoidable(whole, prices)


def _proof(own: Floats, rule: Floats, seed: int) -> dict[str, Any]:
    """Paired over weeks: what the controller costs beyond the rule, as a share of that."""
    weeks, low, high = len(own), None, None
    difference, usual = own - rule, max(float(rule.mean()), 1e-9) if len(rule) else 1e-9
    if weeks >= LEAST_WEEKS:
        drawn = np.random.default_rng(seed).choice(difference, (DRAWS, weeks)).mean(axis=1)
        low, high = (float(x) for x in np.quantile(drawn / usual, [0.025, 0.975]))
    return {
        "weeks": weeks, "candidate": float(own.mean()) if weeks else None,
        "incumbent": float(rule.mean()) if weeks else None,
        "difference": float(difference.mean() / usual) if weeks else None,
        "difference_low_95": low, "difference_high_95": high,
        "weeks_no_worse": float((difference <= 0.0).mean()) if weeks else None,
        "is_proved": high is not None and high < 0.0,
    }  # fmt: skip
