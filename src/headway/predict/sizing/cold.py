"""What a kind of task is given of which nothing has ended yet: a share of its request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STEPS: Final = 200
"""Shares of the request are counted in steps of one per cent up to twice the request."""

_USUAL: Final = np.array([0.002, 0.01, 0.07, 0.09, 0.13, 0.30, 0.38, 0.65])
"""Shares that are taken to have been seen: the middles of the eighths of 53 kinds of task.

Source: the largest share that each kind of task of five nf-core workflows used on seven machines,
measured for Bader et al. (2022), Lotaru, and rounded; the uppermost, 0.59, raised by a tenth.
"""
UNSEEN_RISK: Final = 0.1
"""Share of kinds of task that may get too little before anything is known of them."""

_LEAST_KINDS: Final = 8  # of one's own workflow or user before those of others are left out


@njit(cache=True)
def share_of_request(own: Floats, all_: Floats, risk: float) -> float:
    """The share of its request that is enough for all but a share `risk` of kinds of task.

    own, all_ (STEPS,): how many kinds of task of the same workflow (or user), and of the whole
    cluster, have used each share of their request at most. Added to them are eight kinds as they
    are usual elsewhere, which are forgotten as kinds are seen. Source of the quantile: Vovk et
    al. (2005), rank (n + 1)(1 - risk).
    """
    counts = (own if own.sum() >= _LEAST_KINDS else all_).copy()
    for share in _USUAL:
        counts[step_of(share)] += 1.0
    n = counts.sum()
    rank = min(np.ceil((n + 1.0) * (1.0 - risk)), n)
    used = np.sum(counts * (np.arange(STEPS) + 1.0)) / (100.0 * n)
    reached, best, lowest = 0.0, 1.0, np.inf
    for step in range(STEPS):
        share = (step + 1.0) / 100.0
        reached += counts[step]
        missed = 1.0 - reached / n
        waste = share + missed * max(share, 1.0) - used
        if reached >= rank and waste < lowest:
            best, lowest = share, waste
    return best


@njit(cache=True)
def step_of(share: float) -> int:
    """The step in which a share of the request is counted."""
    return int(min(max(np.ceil(share * 100.0) - 1.0, 0.0), STEPS - 1.0))
