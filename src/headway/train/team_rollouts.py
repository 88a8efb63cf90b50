"""Advantages of destinations by counterfactual rollouts: all of them tried from the same moment.

Source: Foerster et al. (2018), "Counterfactual multi-agent policy gradients" (what an agent did
against what it else could have done, the others as they are); that the simulator plays the others
out in place of a critic's guess is our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.schedule.routing_network import router_of
from headway.simulate.rollouts import weigh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.train.team import Window

    Floats = NDArray[np.float64]

TRIED: Final = 60  # tasks of a window of which all destinations are tried
AHEAD: Final = 100  # tasks that are sent from then on
LARGEST: Final = 5.0  # advantage, over the deviation


class Tried(NamedTuple):
    """What was seen of S tasks, and how much better each destination was than their mean."""

    x: Any  # (S, c, FEATURES)
    common: Any  # (S, COMMON)
    is_allowed: Any  # (S, c)
    advantage: Any  # (S, c) of those allowed mean 0; of all deviation 1


def tried(windows: Sequence[Window], weights: Floats, rng: np.random.Generator) -> Tried:
    """Tasks of windows, drawn, with what their destinations cost as the policy goes on."""
    import torch

    router, parts = router_of(weights), []
    for part, keys, alike, _, _ in windows:
        many = min(TRIED, len(keys))
        chosen = np.sort(rng.choice(len(keys), many, replace=False))
        parts.append(
            weigh(
                part.jobs, part.home, part.total, keys, router, alike.runtime_s, chosen, AHEAD
            )
        )  # fmt: skip
    x, common, is_allowed, cost = (np.concatenate(one) for one in zip(*parts, strict=True))
    gained = np.log1p(cost)  # so that no crowded moment decides alone
    mean = np.sum(gained * is_allowed, axis=1) / is_allowed.sum(axis=1)
    gained = (mean[:, None] - gained) * is_allowed
    gained = np.clip(gained / (gained[is_allowed].std() + 1e-8), -LARGEST, LARGEST)
    fields = (x.astype(np.float32), common.astype(np.float32), is_allowed,
              gained.astype(np.float32))  # fmt: skip
    return Tried(*(torch.from_numpy(field) for field in fields))
