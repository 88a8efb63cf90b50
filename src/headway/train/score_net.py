"""The scoring network in torch, so that gradients can teach its weights.

The same numbers as `schedule.network`, from the same flat array; asked only for rows that hold a
waiting task, however many slots an observation has, which is most of the time that training takes.
States are kept as they are read: the rows of all of them below each other, and how many each has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.schedule.network import SHAPES, flat, network_of
from headway.schedule.observation import FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]

SHARPNESS: Final = 20.0
"""Scores are multiplied by it where they are logits or worths: weights of about 1 then decide."""


class States(NamedTuple):
    """S moments at which something was chosen among the first counts of them."""

    x: Singles  # (sum of counts, FEATURES)
    common: Singles  # (S, COMMON)
    counts: Ints  # (S,) rows of each, at least 1


def picked(states: States, which: Ints) -> States:
    """The states of some places (b,), in that order."""
    counts = states.counts[which]
    first = (np.cumsum(states.counts) - states.counts)[which]
    into = np.cumsum(counts) - counts
    rows = np.arange(counts.sum()) + np.repeat(first - into, counts)
    return States(states.x[rows], states.common[which], counts)


def begun(start: Floats, rng: np.random.Generator) -> Floats:
    """Weights (SIZE,) that act as a linear rule, with layers that gradients can wake."""
    network = network_of(start)
    return flat(
        network._replace(
            first=rng.normal(0.0, 0.5, network.first.shape),
            second=rng.normal(0.0, 0.3, network.second.shape),
        )
    )


def logits(weights: Any, states: States) -> Any:
    """SHARPNESS times the scores (S, k) of the tasks of each state; -inf beyond its count.

    weights: a flat tensor (SIZE,) of single precision, to which gradients flow.
    """
    import torch

    counts = torch.from_numpy(states.counts)
    scored = _scores(weights, states)
    is_row = torch.arange(int(states.counts.max()))[None, :] < counts[:, None]
    padded = torch.full(is_row.shape, -torch.inf)
    return padded.masked_scatter(is_row, SHARPNESS * scored)


def _scores(weights: Any, states: States) -> Any:
    """The scores (sum of counts,) of every row."""
    import torch

    shapes = {name: int(np.prod(shape)) for name, shape in SHAPES.items()}
    parts = torch.split(weights, list(shapes.values()))
    part = {name: p.view(SHAPES[name]) for name, p in zip(shapes, parts, strict=True)}
    x = torch.from_numpy(states.x)
    tasks, shared = part["first"][: len(FEATURES)], part["first"][len(FEATURES) :]
    of_all = torch.from_numpy(states.common) @ shared + part["first_bias"]
    owner = torch.repeat_interleave(torch.from_numpy(states.counts))
    hidden = torch.relu(x @ tasks + of_all[owner])
    hidden = torch.relu(hidden @ part["second"] + part["second_bias"])
    return x @ part["linear"] + hidden @ part["last"]
