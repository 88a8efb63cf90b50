"""Weights of the learned placement for a cluster, searched by evolution on samples of its pods.

Each generation draws pods of another stretch of the list until they would overfill the cluster, so
that weights have to bear mixes that change; every candidate places the same draw, and counts by the
share of GPUs that it gave away. The search begins as fragmentation gradient descent.
Source: Ros, Hansen (2008), "A simple modification in CMA-ES achieving linear time and space
complexity" (separable CMA-ES), default settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.schedule.placement import SIZE, descent
from headway.simulate.nodes import admit
from headway.simulate.pods import allocated, inflate

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headway.schedule.fragmentation import Nodes, Shapes

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LOAD: Final = 1.3  # GPUs asked for, of those there are
STRETCH: Final = 0.2  # of the list, from which a generation draws
STEP: Final = 0.05  # of the first generation, in a weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search found."""

    weights: Floats  # (SIZE,) the mean over the second half of the generations
    curve: Floats  # (generations,) allocated share by the mean of each, less descent's
    placements: int  # pods that were placed or refused on the way


def search(
    nodes: Nodes, shapes: Shapes, shape: Ints, *, seed: int, generations: int,
    population: int = 16, progress: Callable[[float], None] | None = None,
) -> Searched:  # fmt: skip
    """Weights for nodes on which pods like shape (n,) come; the same seed finds the same.

    progress is told the gain of each generation's mean over descent on the same list.
    """
    if generations < 1 or population < 4:
        raise ConfigError(
            f"generations and population must be at least 1 and 4, got {generations}, {population}"
        )
    rng = np.random.default_rng(seed)
    gpus = int(nodes.gpus.sum())
    start = descent()
    evolution = Evolution(start, population)
    curve, placements = np.zeros(generations), 0
    means = np.zeros((generations, SIZE))
    for generation in range(generations):
        tasks = inflate(rng, shapes, _stretch(rng, shapes, shape), gpus, LOAD)

        def worth(weights: Floats, tasks: Ints = tasks) -> float:
            placed = admit(nodes, shapes, tasks, "learned", weights=weights)
            return allocated(nodes, shapes, tasks, placed)

        curve[generation] = worth(evolution.mean) - worth(start)
        drawn = evolution.ask(rng)
        evolution.tell(np.array([worth(weights) for weights in drawn]))
        means[generation] = evolution.mean
        placements += len(tasks) * (population + 2)
        if progress is not None:
            progress(float(curve[generation]))
    weights = means[generations // 2 :].mean(axis=0)
    return Searched(weights=weights, curve=curve, placements=placements)


def _stretch(rng: np.random.Generator, shapes: Shapes, shape: Ints) -> Ints:
    """Consecutive pods, some of them with GPUs; all, if a stretch has none."""
    many = max(1, int(STRETCH * len(shape)))
    first = int(rng.integers(0, len(shape) - many + 1))
    part = shape[first : first + many]
    return part if shapes.gpus[part].any() else shape


class Evolution:
    """Separable CMA-ES: a normal distribution with one variance for each weight."""

    def __init__(self, start: Floats, population: int) -> None:
        """Begin at start (d,); names as in the source."""
        d, self._parents = len(start), population // 2
        weights = np.log(population / 2 + 0.5) - np.log(np.arange(1, self._parents + 1))
        self._shares = weights / weights.sum()
        mu = 1.0 / np.sum(self._shares**2)
        self.mean, self._population = start.copy(), population
        self._sigma, self._variance = STEP, np.ones(d)
        self._path, self._path_sigma = np.zeros(d), np.zeros(d)
        self._c = (4 + mu / d) / (d + 4 + 2 * mu / d)
        self._c_sigma = (mu + 2) / (d + mu + 5)
        self._damping = 1 + 2 * max(0.0, np.sqrt((mu - 1) / (d + 1)) - 1) + self._c_sigma
        faster = (d + 2) / 3
        self._c_1 = min(1.0, faster * 2 / ((d + 1.3) ** 2 + mu))
        self._c_mu = min(1 - self._c_1, faster * 2 * (mu - 2 + 1 / mu) / ((d + 2) ** 2 + mu))
        self._mu, self._length = mu, np.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d))
        self._drawn = np.zeros((population, d))

    def ask(self, rng: np.random.Generator) -> Floats:
        """Candidates (population, d)."""
        self._drawn = rng.standard_normal((self._population, len(self.mean)))
        return self.mean + self._sigma * np.sqrt(self._variance) * self._drawn

    def tell(self, worth: Floats) -> None:
        """What each candidate was worth (population,), more is better."""
        best = np.argsort(-worth, kind="stable")[: self._parents]
        z = self._shares @ self._drawn[best]
        y = self._drawn[best] * np.sqrt(self._variance)
        step = self._shares @ y
        self.mean = self.mean + self._sigma * step
        c, c_sigma, mu = self._c, self._c_sigma, self._mu
        self._path_sigma = (1 - c_sigma) * self._path_sigma + np.sqrt(
            c_sigma * (2 - c_sigma) * mu
        ) * z
        self._path = (1 - c) * self._path + np.sqrt(c * (2 - c) * mu) * step
        self._variance = (
            (1 - self._c_1 - self._c_mu) * self._variance
            + self._c_1 * self._path**2
            + self._c_mu * (self._shares @ y**2)
        )
        grown = np.linalg.norm(self._path_sigma) / self._length - 1
        self._sigma *= float(np.exp(min(1.0, c_sigma / self._damping * grown)))
