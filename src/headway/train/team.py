"""Windows of several clusters as judges: what whole simulations say of the team's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.routing import FLOOR_S
from headway.schedule.routing_network import router_of, static_routing
from headway.simulate.grid_play import play, spread_cost
from headway.simulate.merged import Merged, local_keys, merged
from headway.stats import bounded_slowdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.simulate.batch import Course
    from headway.simulate.structures import Jobs

    Floats = NDArray[np.float64]

LIKE: Final = 40  # groups of tasks with like predictions in a window
SURE: Final = 2.0  # standard errors; one weight more or less moves a window by as much as learning
SOFT: Final = 0.1  # of the weights of a static routing where learning starts


@dataclass(frozen=True, slots=True)
class Standard:
    """A static routing and a local rule: where learning starts, and what it is related to."""

    routing: str
    rule: str
    offers: bool = False  # every task that waits, to where it would start at once

    @property
    def weights(self) -> Floats:
        """Weights (SIZE,) that act so."""
        return static_routing(self.routing, self.offers)


class Window(NamedTuple):
    """What is submitted to all clusters in a span, and how the standard fares there."""

    merged: Merged
    keys: Floats  # (n, 2) of the local rule
    alike: Jobs  # the same tasks, for what waiting costs in training: see `alike`
    cost: Floats  # (n,) that slowdown, gained between tasks under the standard
    usual: float  # log of the mean bounded slowdown


def window_of(part: Merged, standard: Standard) -> Window:
    """A window with what the standard makes of it."""
    jobs, keys = part.jobs, local_keys(standard.rule, part.jobs)
    router = router_of(standard.weights)
    start_s, _ = play(jobs, part.home, part.total, keys, router)
    level, cost = alike(jobs), np.zeros(len(keys))
    spread_cost(level, start_s, cost)
    slowdown = bounded_slowdown(start_s - jobs.submit_s, jobs.runtime_s)
    return Window(part, keys, level, cost, float(np.log(slowdown.mean())))


def alike(jobs: Jobs) -> Jobs:
    """Jobs that took what those with like predictions took: the harmonic mean, of at least 10 s.

    A second of waiting then costs what was to be expected of it when the task was sent, whatever
    luck made of its runtime: the same mean, far less noise.
    """
    pressing = 1.0 / np.maximum(jobs.runtime_s, FLOOR_S)
    order = np.argsort(jobs.order_s, kind="stable")
    runtime_s = np.empty(len(order))
    for part in np.array_split(order, min(LIKE, len(order))):
        runtime_s[part] = 1.0 / pressing[part].mean()
    return jobs._replace(runtime_s=runtime_s)


def log_slowdown(part: Merged, weights: Floats, rule: str) -> float:
    """Log of the mean bounded slowdown of all tasks of a window under some weights."""
    jobs, keys = part.jobs, local_keys(rule, part.jobs)
    start_s, _ = play(jobs, part.home, part.total, keys, router_of(weights))
    return float(np.log(bounded_slowdown(start_s - jobs.submit_s, jobs.runtime_s).mean()))


def log_ratios(weights: Floats, windows: Sequence[Window], rule: str) -> Floats:
    """Log (w,) of the mean slowdown of each window over that of the standard."""
    logs = [log_slowdown(window.merged, weights, rule) - window.usual for window in windows]
    return np.array(logs)


def ratio(weights: Floats, windows: Sequence[Window], rule: str) -> float:
    """Geometric mean over windows of those ratios; below 1 is better."""
    return float(np.exp(log_ratios(weights, windows, rule).mean()))


def is_surely_less(logs: Floats, others: Floats) -> bool:
    """Whether logs (w,) are below others by SURE standard errors of the mean of the pairs."""
    less = others - logs
    return bool(less.mean() > SURE * less.std() / np.sqrt(len(less)))


def draw(
    courses: Sequence[Course], span_s: float, standard: Standard, many: int,
    rng: np.random.Generator,
) -> list[Window]:  # fmt: skip
    """Windows that begin with one of the `windows` of each course, drawn for each apart."""
    drawn = []
    for _ in range(many):
        firsts = [int(rng.choice(course.windows)) for course in courses]
        drawn.append(window_of(merged(courses, firsts, span_s), standard))
    return drawn


def start_of(standard: Standard) -> Floats:
    """Weights (SIZE,) that act as the standard, near enough to others that they are tried."""
    return SOFT * standard.weights
