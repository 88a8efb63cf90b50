"""Rules for workflows at their best: flags and alpha that finish jobs soonest on given arrivals."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.schedule.dag_rules import RULES, Rule
from headway.simulate.catalog import arrivals
from headway.simulate.dag_play import play_levels, play_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from headway.schedule.dag_network import Levels
    from headway.simulate.catalog import Catalog

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ALPHAS: Final = (-2.0, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0)
DECIMA: Final = "weighted, as Decima"  # its flags: executors stay and wait, none goes over a share


@dataclass(frozen=True, slots=True)
class Course:
    """Sequences of `jobs` of some kinds (k,) of a catalog, one every interval_s on average."""

    catalog: Catalog
    kinds: Ints
    interval_s: float
    executors: int
    seeds: Sequence[tuple[int, ...]]  # one a sequence; the last number is of its tasks too
    jobs: int = 200


def load_interval_s(catalog: Catalog, kinds: Ints, executors: int, load: float) -> float:
    """How often a job of these kinds arrives if their expected work is that share of executors."""
    return float(catalog.work_s[kinds].mean() / (executors * load))


def completion_s(course: Course, chooser: Rule | Levels) -> tuple[Floats, int]:
    """Completion times of each sequence's jobs (sequences, jobs), and decisions in all."""
    found, decisions = [], 0
    for seed in course.seeds:
        coming = arrivals(np.random.default_rng(seed), course.kinds, course.jobs, course.interval_s)
        if isinstance(chooser, Rule):
            end_s, asked = play_rule(course.catalog, coming, course.executors, seed[-1], chooser)
        else:
            end_s, asked = play_levels(course.catalog, coming, course.executors, seed[-1], chooser)
        found.append(end_s - coming.submit_s)
        decisions += asked
    return np.array(found), decisions


def tuned_rules(course: Course) -> dict[str, Rule]:
    """Every rule with the flags, and the shares with the alpha, that are best on these arrivals."""
    found = {}
    for name in ("fifo", "shortest", "critical"):
        flags = itertools.product((0, 1), (0, 1))
        found[name] = _best(course, [RULES[name]._replace(stays=s, holds=h) for s, h in flags])
    stay = [RULES["weighted"]._replace(alpha=alpha) for alpha in ALPHAS]
    found[DECIMA] = _best(course, stay)
    for name, key in (("weighted", "fifo"), ("weighted, least work first", "shortest")):
        shapes = [
            Rule(RULES[key].key, alpha, 1, *flags)
            for alpha in (-0.5, 0.0)
            for flags in itertools.product((0, 1), repeat=3)
        ]
        shape = _best(course, shapes)
        found[name] = _best(course, [shape._replace(alpha=alpha) for alpha in ALPHAS])
    return found


def _best(course: Course, rules: Iterable[Rule]) -> Rule:
    return min(rules, key=lambda rule: float(completion_s(course, rule)[0].mean()))
