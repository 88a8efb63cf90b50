"""Windows of several histories at once: what users of several clusters submitted in the same time.

The histories need not be of the same years: each is shifted so that its part begins at 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.rules import keys_of, rule_named
from headway.simulate.structures import Jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.simulate.batch import Course

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LEAST = 1e-9  # of a product, whose logarithm is taken
LOCAL_RULES = ("fcfs", "sjf", "saf", "areaxt", "f1", "f2", "f3", "f4")
"""Rules by which a cluster may order its queue: those whose keys do not change meanwhile."""
AGEING = ("f1", "f2", "f3", "f4")
"""Those that weigh a product against when a task was submitted."""


class Merged(NamedTuple):
    """n tasks in order of arrival, and the c clusters to which they were submitted."""

    jobs: Jobs
    home: Ints  # (n,)
    total: Ints  # (c,) processors


def starts_of(course: Course, from_s: float, until_s: float, span_s: float) -> Ints:
    """Tasks with which a span may begin that lies between two moments; NotEnoughData if none."""
    submit_s = course.jobs.submit_s
    first = np.searchsorted(submit_s, from_s)
    last = np.searchsorted(submit_s, until_s - span_s, side="right")
    if last <= first:
        days = span_s / 86400.0
        raise NotEnoughData(f"a history has no {days:g} days in a part that needs them")
    return np.arange(first, last)


def merged(courses: Sequence[Course], firsts: Sequence[int], span_s: float) -> Merged:
    """What was submitted in the span from the first task on of each course, a cluster each."""
    if len(courses) != len(firsts) or not courses:
        raise ConfigError(f"each of {len(courses)} courses needs a first task, got {len(firsts)}")
    parts = []
    for course, first in zip(courses, firsts, strict=True):
        submit_s = course.jobs.submit_s
        kept = slice(first, int(np.searchsorted(submit_s, submit_s[first] + span_s)))
        part = Jobs._make(values[kept] for values in course.jobs)
        parts.append(part._replace(submit_s=part.submit_s - submit_s[first]))
    fields = [np.concatenate(values) for values in zip(*parts, strict=True)]
    order = np.argsort(fields[0], kind="stable")
    home = np.repeat(np.arange(len(parts)), [len(part.procs) for part in parts])
    total = np.array([course.total_procs for course in courses])
    return Merged(Jobs._make(values[order] for values in fields), home[order], total)


def local_keys(name: str, jobs: Jobs) -> Floats:
    """The keys (n, 2) of a rule of LOCAL_RULES: ln of its product, and what is added to that."""
    if name not in LOCAL_RULES:
        raise ConfigError(f"local rule must be one of {', '.join(LOCAL_RULES)}, got {name}")
    number, r, n = rule_named(name).number, np.maximum(jobs.order_s, 1.0), jobs.procs
    one, nothing = np.ones(len(r)), np.zeros(len(r))
    product = keys_of(number, r, n, one, nothing)
    added = keys_of(number, one, np.ones_like(n), jobs.submit_s, nothing)
    added -= keys_of(number, one, np.ones_like(n), one, nothing)
    return np.column_stack([np.log(np.maximum(product, LEAST)), added])
