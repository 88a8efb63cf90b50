"""Which cores, memory and node a recurring task should get: cheap, and in time.

Bayesian optimisation: a Gaussian process foretells the runtime of every configuration, and the next
to try is the one that is expected to save most, weighted by the chance that it meets the deadline.
Source: Jones et al. (1998), expected improvement; Schonlau et al. (1998) and Gardner et al. (2014),
its weighting by the chance of meeting a constraint; here of a log-normal cost, so that the
expectation is the Black-Scholes (1973) formula of a put.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.predict.gaussian_process import Beliefs, log_runtimes
from headway.predict.memory_need import chance_of_too_little

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SIDE: Final = NormalDist().inv_cdf(0.95)  # of a central 90 % interval
_PAST: Final = 200  # runs that count, the latest
_LEAST_S: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a run of a task can be given, and what an hour of it costs."""

    node: str = ""  # type of machine
    cpus: float = 1.0
    memory_bytes: int | None = None
    price_hour: float

    @property
    def key(self) -> tuple[str, float, int | None]:
        """What tells it from others; a price may change."""
        return self.node, self.cpus, self.memory_bytes

    def __str__(self) -> str:
        memory = "" if self.memory_bytes is None else f", {self.memory_bytes / 1e9:g} GB"
        return f"{self.node or 'any node'}, {self.cpus:g} cores{memory}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a task as it came."""

    configuration: Configuration
    input_bytes: float | None
    runtime_s: float
    has_failed: bool = False  # for want of memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A configuration, what is believed of it, and why it is named."""

    configuration: Configuration
    runtime_s: float  # median
    runtime_90_s: tuple[float, float]  # of a single run
    expected_cost: float
    cost_90: tuple[float, float]
    miss_probability: float  # of the deadline, or of too little memory
    expected_saving: float  # share of the cost of what is best so far; 0 = it is the best
    is_final: bool  # nothing is expected to save enough to try it
    why: str


Prior = Callable[[Sequence[Configuration], float | None], "Floats"]
"""What is believed before any run: log seconds (n,) of configurations with an input."""


class Configurer:
    """Suggests configurations of one recurring task and learns from its runs.

    prior: a runtime predictor's log seconds, and level_spread: how far off it may be in all (log
    units); without one the level is learned from the first run. stop_share: expected saving below
    which nothing more is tried; most_missed: chance of a miss that the best may have.
    """

    def __init__(
        self,
        candidates: Sequence[Configuration],
        deadline_s: float,
        *,
        prior: Prior | None = None,
        level_spread: float = 3.0,
        stop_share: float = 0.01,
        most_missed: float = 0.1,
        start_s: float = 0.5,
    ) -> None:
        if not candidates:
            raise ConfigError("candidates must not be empty, got none: give at least one")
        if not deadline_s > 0.0:
            raise ConfigError(f"deadline_s must be above 0, got {deadline_s}")
        if not all(c.price_hour > 0.0 for c in candidates):
            raise ConfigError("price_hour of each candidate must be above 0, one is not")
        self._candidates = tuple(candidates)
        self._deadline_s, self._prior, self._level_spread = deadline_s, prior, level_spread
        self._stop_share, self._most_missed = stop_share, most_missed
        self._start_s = start_s
        self._runs: list[Run] = []
        self._nodes = sorted({c.node for c in candidates})

    def learn(self, run: Run) -> None:
        """Take a run in; one that failed says something of memory only."""
        if not run.runtime_s >= 0.0:
            raise ConfigError(f"runtime_s must be at least 0, got {run.runtime_s}")
        self._runs = [*self._runs, run][-_PAST:]

    def best(self, input_bytes: float | None = None) -> Suggestion:
        """The cheapest configuration of which enough is sure; else the one likeliest in time."""
        return self._views(input_bytes, self._runs)[0]

    def suggest(self, input_bytes: float | None = None, n: int = 1) -> tuple[Suggestion, ...]:
        """What to run next, n at once; the best again, marked final, where trying does not pay.

        A batch is chosen one by one, each as if those before it had run as foretold (kriging
        believer: Ginsbourger et al. 2010).
        """
        if n < 1:
            raise ConfigError(f"n must be at least 1, got {n}")
        runs, found = list(self._runs), []
        for _ in range(n):
            best, *others = self._views(input_bytes, runs)
            tried = max(others, key=lambda view: view.expected_saving, default=best)
            chosen = best if tried.expected_saving < self._stop_share else tried
            is_settled = chosen is best and best.miss_probability <= self._most_missed
            found.append(replace(chosen, is_final=is_settled))
            runs.append(
                Run(
                    configuration=chosen.configuration,
                    input_bytes=input_bytes,
                    runtime_s=chosen.runtime_s,
                )
            )
        return tuple(found)

    def _views(self, input_bytes: float | None, runs: Sequence[Run]) -> list[Suggestion]:
        """What is believed of every candidate, the best first."""
        beliefs = self._beliefs(input_bytes, runs)
        price_s = np.array([c.price_hour for c in self._candidates]) / 3600.0
        run_spread = np.sqrt(beliefs.run_variance)
        cost = price_s * np.exp(beliefs.mean + 0.5 * beliefs.run_variance)
        late = 1.0 - _normal((np.log(self._deadline_s) - beliefs.mean) / run_spread)
        missed = 1.0 - (1.0 - late) * (1.0 - self._too_little(input_bytes, runs))
        allowed = np.flatnonzero(missed <= self._most_missed)
        is_in_time = len(allowed) > 0
        best = int(allowed[np.argmin(cost[allowed])]) if is_in_time else int(np.argmin(missed))
        saving = (1.0 - missed) * _expected_saving(cost[best], price_s, beliefs) / cost[best]
        saving[best] = 0.0
        quantiles = np.exp(beliefs.mean[:, None] + run_spread[:, None] * np.array([-_SIDE, _SIDE]))
        order = [best, *(i for i in range(len(cost)) if i != best)]
        tried = [sum(r.configuration.key == c.key for r in runs) for c in self._candidates]
        return [
            Suggestion(
                configuration=self._candidates[i],
                runtime_s=float(np.exp(beliefs.mean[i])),
                runtime_90_s=(float(quantiles[i, 0]), float(quantiles[i, 1])),
                expected_cost=float(cost[i]),
                cost_90=(
                    float(price_s[i] * quantiles[i, 0]),
                    float(price_s[i] * quantiles[i, 1]),
                ),
                miss_probability=float(missed[i]),
                expected_saving=float(saving[i]),
                is_final=False,
                why=self._why(i == best, is_in_time, tried[i], len(runs), float(saving[i])),
            )
            for i in order
        ]

    def _beliefs(self, input_bytes: float | None, runs: Sequence[Run]) -> Beliefs:
        """Log seconds of every candidate with an input."""
        known = [run for run in runs if not run.has_failed]
        took_s = np.maximum(np.array([run.runtime_s for run in known]), _LEAST_S)
        asked = _log_size(input_bytes, known)
        size = np.array([_log_size(run.input_bytes, known) for run in known])
        before = np.array([self._before([r.configuration], r.input_bytes)[0] for r in known])
        told = log_runtimes(
            self._columns([run.configuration for run in known]),
            size,
            np.log(took_s) - before,
            np.minimum(self._start_s / took_s, 1.0),
            self._columns(self._candidates),
            np.full(len(self._candidates), asked),
            self._level_spread,
        )
        return replace(told, mean=told.mean + self._before(self._candidates, input_bytes))

    def _before(self, configurations: Sequence[Configuration], size: float | None) -> Floats:
        """The prior's log seconds (n,); without one that of the deadline everywhere."""
        if self._prior is None:
            return np.full(len(configurations), np.log(self._deadline_s))
        return self._prior(configurations, size)

    def _columns(self, configurations: Sequence[Configuration]) -> Floats:
        """Nodes, doublings of cores and of memory as numbers (n, d)."""
        rows = [
            [
                *(np.sqrt(0.5) * (c.node == node) for node in self._nodes),
                np.log2(c.cpus),
                0.0 if c.memory_bytes is None else np.log2(c.memory_bytes),
            ]
            for c in configurations
        ]
        return np.array(rows).reshape(len(rows), len(self._nodes) + 2)

    def _too_little(self, input_bytes: float | None, runs: Sequence[Run]) -> Floats:
        """The chance (n,) that a candidate's memory does not suffice; 0 where it is not managed."""
        chance = np.zeros(len(self._candidates))
        managed = [i for i, c in enumerate(self._candidates) if c.memory_bytes is not None]
        known = [run for run in runs if run.configuration.memory_bytes is not None]
        if not managed or not any(run.has_failed for run in known):
            return chance
        chance[managed] = chance_of_too_little(
            np.log2([run.configuration.memory_bytes or 1 for run in known]),
            np.array([_log_size(run.input_bytes, known) for run in known]) / np.log(2.0),
            np.array([float(run.has_failed) for run in known]),
            np.log2([self._candidates[i].memory_bytes or 1 for i in managed]),
            _log_size(input_bytes, known) / np.log(2.0),
        )
        return chance

    def _why(self, is_best: bool, is_in_time: bool, tried: int, runs: int, saving: float) -> str:
        """A sentence on why a candidate stands where it stands."""
        known = f"{tried} of {runs} runs were with it"
        if is_best and is_in_time:
            allowed = f"{self._most_missed:.0%}"
            return f"the cheapest that misses the deadline in at most {allowed} ({known})"
        if is_best:
            return f"none is in time surely enough, this is the likeliest ({known})"
        return f"trying it is expected to save {saving:.1%} of the cost of the best ({known})"


def shared_effects(runs: Sequence[tuple[str, Run]]) -> dict[tuple[str, float, int | None], float]:
    """By how many log units each configuration runs longer than another, over many tasks.

    runs: (task, run) of other tasks than the one to be configured. Least squares of log runtime on
    a level and a power of the size for each task and an effect for each configuration, shrunk a
    little (ridge); what warm-starts a Configurer for a task that was seldom run.
    """
    known = [(task, run) for task, run in runs if not run.has_failed and run.runtime_s > 0.0]
    keys = sorted({run.configuration.key for _, run in known}, key=str)
    tasks = sorted({task for task, _ in known})
    if not known:
        return {}
    place = {key: i for i, key in enumerate(keys)}
    of_task = {task: len(keys) + 2 * i for i, task in enumerate(tasks)}
    sizes = {task: [run for t, run in known if t == task] for task in tasks}
    a = np.zeros((len(known), len(keys) + 2 * len(tasks)))
    for row, (task, run) in enumerate(known):
        a[row, place[run.configuration.key]] = 1.0
        a[row, of_task[task]] = 1.0
        middle = np.mean([_log_size(r.input_bytes, sizes[task]) for r in sizes[task]])
        a[row, of_task[task] + 1] = _log_size(run.input_bytes, sizes[task]) - middle
    y = np.log([max(run.runtime_s, _LEAST_S) for _, run in known])
    ridge = np.where(np.arange(a.shape[1]) < len(keys), 0.5, 1e-3)
    solved = np.linalg.solve(a.T @ a + np.diag(ridge), a.T @ y)
    return {key: float(solved[i]) for key, i in place.items()}


def _log_size(input_bytes: float | None, runs: Sequence[Run]) -> float:
    """Log of an input's size; unknown is taken as the middle of what is known."""
    if input_bytes is not None and input_bytes > 0.0:
        return float(np.log(input_bytes))
    known = [np.log(run.input_bytes) for run in runs if run.input_bytes]
    return float(np.median(known)) if known else 0.0


def _expected_saving(best: float, price_s: Floats, beliefs: Beliefs) -> Floats:
    """E[max(0, best - cost)] of log-normal mean costs (n,)."""
    spread = np.sqrt(beliefs.variance)
    noise = 0.5 * (beliefs.run_variance - beliefs.variance)  # a cost is a mean over runs
    middle = np.log(price_s) + beliefs.mean + noise
    d = (np.log(best) - middle) / spread
    return best * _normal(d) - np.exp(middle + 0.5 * spread**2) * _normal(d - spread)


def _normal(z: Floats) -> Floats:
    """The normal distribution function of (n,)."""
    return np.array([NormalDist().cdf(value) for value in z])
