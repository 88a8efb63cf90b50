"""Many elastic clusters side by side, each somewhere in one load: what a learner trains on.

Every simulation begins empty at a moment drawn from the load, is led by a given rule for a while,
and then by the learner for some decisions. What a decision costs is told relative to what the rule
spent in the same minutes when it led the whole load alone: a burst that nobody could have served
then costs both the same.
Source: Mao et al. (2018), "Variance reduction for reinforcement learning in input-driven
environments", for a baseline that knows the arrivals; the rule's own course as one is our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.schedule.compiled import compiled
from headway.schedule.elastic import SCALE, controller_of
from headway.simulate.elastic import (
    HOUR_S,
    RUN,
    WAIT,
    WIDE,
    Load,
    Site,
    Terms,
    control,
    fade,
    observe,
    play,
    restart,
    run_until,
    site_of,
)  # fmt: skip
from headway.simulate.structures import Heap, Queue, Running

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LED: Final = 144  # decisions by the rule before the learner's
OWN: Final = 864  # decisions of the learner


class Prices(NamedTuple):
    """What things cost, in any unit of money."""

    node_hour: float = 1.0
    waiting_hour: float = 5.0  # of one task


def avoidable(spent: Floats, prices: Prices) -> Floats:
    """Cost (...,) of idle and booting nodes and of waiting, of what was spent (..., 4).

    What busy nodes cost is left out: tasks take as long under every controller.
    """
    hours = spent / HOUR_S
    return np.asarray(
        prices.node_hour * hours[..., RUN + 1 : WAIT].sum(axis=-1)
        + prices.waiting_hour * hours[..., WAIT]
    )


class ElasticBatch:
    """N simulations that are stepped together; one that ends begins elsewhere at once."""

    def __init__(
        self, load: Load, rule: Floats, terms: Terms, prices: Prices, n_envs: int, seed: int
    ) -> None:
        """rule: weights of a controller; the load must last LED + OWN decisions or longer."""
        self._load, self._terms, self._prices = load, terms, prices
        steps = int(load.submit_s[-1] / terms.every_s)
        self._last = steps - LED - OWN
        if n_envs < 1 or self._last < 1:
            raise ConfigError(
                f"n_envs must be positive and the load last {LED + OWN} decisions, got {n_envs} "
                f"and {steps}"
            )
        self._rule, self._rng = controller_of(rule), np.random.default_rng(seed)
        _, spent, _ = play(load, self._rule, terms, steps * terms.every_s)
        self._usual = np.diff(avoidable(spent, prices))
        self.unit = max(float(self._usual.mean()), 1e-9)
        arrived = np.searchsorted(load.submit_s, np.arange(steps + 1) * terms.every_s)
        span = LED + OWN
        room = int((arrived[span:] - arrived[:-span]).max())
        self._arrived, self._at = arrived, np.zeros(n_envs, np.int64)
        self._first, self._until = np.zeros(n_envs, np.int64), np.zeros(n_envs, np.int64)
        self._ended = np.zeros(n_envs, np.int64)
        one = site_of(room, terms)
        self._sites = Site(
            Queue(*(_stacked(part, n_envs) for part in one.queue)),
            Heap(*(_stacked(part, n_envs) for part in one.ends)),
            Running(*(_stacked(part, n_envs) for part in one.running)),
            *(_stacked(part, n_envs) for part in one[3:]),
        )
        self.x = np.zeros((n_envs, WIDE))
        for i in range(n_envs):
            self._begin(i, int(self._rng.integers(OWN)))

    def step(self, outputs: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Move levers by outputs (N, 4) of a network in each; what that cost beyond the rule (N,),
        in means of the rule, and which ended (N,). `x` (N, FEATURES) is what is seen then.
        """
        n = len(self._at)
        levers = self._rule.levers + SCALE * outputs
        spent = np.empty((n, 2, 4))
        _step_all(
            self._load, self._sites, self._terms, self._first, self._until, self._at, levers,
            spent, self.x,
        )  # fmt: skip
        cost = avoidable(spent[:, 1] - spent[:, 0], self._prices) - self._usual[self._at]
        self._at += 1
        is_over = self._at >= self._ended
        for i in np.flatnonzero(is_over):
            self._begin(int(i), OWN)
        return cost / self.unit, is_over

    def _begin(self, i: int, own: int) -> None:
        """Another moment; `own` decisions from where the learner takes over."""
        first = int(self._rng.integers(self._last))
        self._first[i], self._until[i] = self._arrived[first], self._arrived[first + LED + OWN]
        self._at[i] = first + LED
        self._ended[i] = first + LED + max(own, 1)
        _lead(
            self._load, self._sites, self._terms, self._rule.levers, self._first[i],
            self._until[i], first, i, self.x[i],
        )  # fmt: skip


def _stacked(array: NDArray[Any], n: int) -> NDArray[Any]:
    """N rows of the shape of an array."""
    return np.zeros((n, *array.shape), array.dtype)


@compiled
def _at(sites: Site, i: int) -> Site:
    """The i-th of N sites."""
    queue, ends, running = sites.queue, sites.ends, sites.running
    return Site(
        Queue(queue.key[i], queue.task[i], queue.procs[i], queue.backfill_s[i], queue.bounds[i]),
        Heap(ends.key[i], ends.task[i], ends.size[i]),
        Running(
            running.end_s[i], running.procs[i], running.task[i], running.slot_end_s[i],
            running.slot_procs[i], running.slot_task[i], running.slot[i], running.size[i],
        ),
        sites.start_s[i], sites.idle_since_s[i], sites.boots[i], sites.counts[i], sites.spent[i],
        sites.now_s[i], sites.recent[i],
    )  # fmt: skip


@compiled
def _part(load: Load, first: int, until: int) -> Load:
    return Load(
        load.submit_s[first:until], load.runtime_s[first:until], load.nodes[first:until],
        load.expected_s[first:until], load.limit_s[first:until], load.key[first:until],
    )  # fmt: skip


@compiled
def _lead(
    load: Load, sites: Site, terms: Terms, levers: Floats, first: int, until: int, at: int, i: int,
    x: Floats,
) -> None:  # fmt: skip
    """Begin the i-th empty and let constant levers lead it for LED decisions."""
    site, part = _at(sites, i), _part(load, first, until)
    restart(site, terms, at * terms.every_s)
    for step in range(at, at + LED):
        control(part, site, terms, levers)
        run_until(part, site, (step + 1) * terms.every_s)
        fade(part, site, terms)
    observe(part, site, terms, x)


@compiled
def _step_all(
    load: Load, sites: Site, terms: Terms, first: Ints, until: Ints, at: Ints, levers: Floats,
    spent: Floats, x: Floats,
) -> None:  # fmt: skip
    for i in range(len(first)):
        site, part = _at(sites, i), _part(load, first[i], until[i])
        spent[i, 0] = site.spent
        control(part, site, terms, levers[i])
        run_until(part, site, (at[i] + 1) * terms.every_s)
        fade(part, site, terms)
        spent[i, 1] = site.spent
        observe(part, site, terms, x[i])
