"""What a task that waits learns from its siblings: tasks of the same user that ended meanwhile.

The prediction made at its submission is a prior on the log of its runtime, worth `strength`
outcomes; each sibling that ends while it waits is one outcome, worth less the less alike it is and
the longer ago (each later outcome takes a fifth from the weight of those before). The mean of the
posterior moves the task in the queue. Conjugate normal updating; the weights are our own, chosen
on the first 30 % of HPC2N and CTC-SP2 and measured in benchmarks/learned_runtimes.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SAME_SHAPE, SAME_WIDTH, SAME_USER = 1.0, 0.3, 0.1  # what an outcome of a sibling is worth
KEPT: Final = 0.8  # of the weight of earlier outcomes
STRENGTH: Final = 3.0


class Siblings(NamedTuple):
    """Who is whose sibling among n tasks, (n,) each; all empty = nobody learns while waiting."""

    user: Ints  # -1 = not known, nobody's sibling
    width: Ints  # same code = same user and processors
    shape: Ints  # same code = same user, processors and request
    log_runtime: Floats  # the prediction at submission, log of seconds
    strength: float = STRENGTH  # how many outcomes the prediction is worth


def nobody() -> Siblings:
    """No siblings: keys stay as they were at submission."""
    return Siblings(
        np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    )


def siblings_of(user: Ints, procs: Ints, requested_s: Floats, runtime_s: Floats) -> Siblings:
    """Siblings among tasks of users (n,) codes, with their predicted runtimes (n,) in s."""
    width = _codes(user, procs)
    shape = _codes(width, requested_s)
    return Siblings(user.astype(np.int64), width, shape, np.log(np.maximum(runtime_s, 1.0)))


def _codes(*columns: NDArray[np.generic]) -> Ints:
    """A code (n,) for each distinct row of some columns."""
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        values, inverse = np.unique(column, return_inverse=True)
        codes = codes * len(values) + inverse
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


@compiled
def weight_of(siblings: Siblings, ended: int, waiting: int) -> float:
    """What the outcome of one task is worth to another."""
    if siblings.user[ended] < 0 or siblings.user[ended] != siblings.user[waiting]:
        return 0.0
    if siblings.shape[ended] == siblings.shape[waiting]:
        return SAME_SHAPE
    if siblings.width[ended] == siblings.width[waiting]:
        return SAME_WIDTH
    return SAME_USER


@compiled
def shift_of(siblings: Siblings, task: int, weight: float, total: float) -> float:
    """How far outcomes of that weight and weighted sum move a task's log runtime."""
    prior = siblings.log_runtime[task]
    strength = siblings.strength
    return (strength * prior + total) / (strength + weight) - prior
