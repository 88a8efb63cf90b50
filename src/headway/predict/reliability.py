"""Probabilities held against what came: corrected, and with how sure one can be of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST: Final = 0.002
"""No probability is believed to be closer to 0 or 1."""

_PRIOR_ROWS: Final = 60.0  # outcomes that "nothing needs correcting" is worth
_NEAR: Final = 0.5  # log odds within which scores are neighbours
_BLOCK: Final = 50  # outcomes in a row whose mean tells how much they cling together
_FEWEST: Final = 100


class Reliability(NamedTuple):
    """What the latest out-of-sample scores say of a new score; made anew now and then.

    scores (n,): their log odds in order, failures (n + 1,): how many there are below each.
    Source: Platt (1999), here with a prior that nothing needs correcting; the interval is the Beta
    posterior of the failure share among scores within half a unit of log odds, its size divided by
    the design effect (Kish 1965, section 8.2), since tasks that come together fail together.
    """

    slope: float
    shift: float
    effect: float
    scores: Floats
    failures: Floats


@njit(cache=True, nogil=True)
def log_odds(p: Any) -> Any:
    """Log p / (1 - p) of a number or of many, p held off 0 and 1."""
    p = np.minimum(np.maximum(p, LEAST), 1.0 - LEAST)
    return np.log(p / (1.0 - p))


@njit(cache=True, nogil=True)
def chance(log_odds: Any) -> Any:
    """The probability of log odds, a number or many."""
    return 1.0 / (1.0 + np.exp(-log_odds))


@njit(cache=True, nogil=True)
def reliability_of(scores: Floats, y: Floats) -> Reliability:
    """What scores (n,) as served and outcomes (n,), 0 or 1, say, in the order of their coming."""
    z = log_odds(scores)
    slope, shift = _platt(z, y) if len(y) >= _FEWEST else (1.0, 0.0)
    effect = _design_effect(chance(slope * z + shift), y)
    order = np.argsort(z, kind="mergesort")
    failures = np.zeros(len(y) + 1)
    failures[1:] = np.cumsum(y[order])
    return Reliability(slope, shift, effect, z[order], failures)


@njit(cache=True, nogil=True)
def corrected(score: Any, known: Reliability) -> Any:
    """Platt's probability of scores."""
    return chance(known.slope * log_odds(score) + known.shift)


@njit(cache=True, nogil=True)
def beta(score: float, p: float, known: Reliability) -> tuple[float, float]:
    """Parameters a, b of the Beta posterior around the probability p of a score."""
    z = log_odds(score)
    low = np.searchsorted(known.scores, z - _NEAR)
    high = np.searchsorted(known.scores, z + _NEAR, side="right")
    n = (high - low) / known.effect
    failures = (known.failures[high] - known.failures[low]) / known.effect
    return failures + 2.0 * p, n - failures + 2.0 * (1.0 - p)


def beta_quantiles(a: Floats, b: Floats, levels: Floats) -> Floats:
    """Quantiles (n, q) of Beta distributions with parameters a, b (n,)."""
    from scipy.special import betaincinv

    return betaincinv(a[:, None], b[:, None], levels[None, :])


@njit(cache=True, nogil=True)
def _platt(z: Floats, y: Floats) -> tuple[float, float]:
    """Slope and shift of the log odds that make past outcomes likeliest, by Newton's method."""
    slope, shift = 1.0, 0.0
    for _ in range(8):
        p = chance(slope * z + shift)
        weight = p * (1.0 - p)
        g0 = ((p - y) * z).sum() + _PRIOR_ROWS * (slope - 1.0)
        g1 = (p - y).sum() + 0.25 * _PRIOR_ROWS * shift
        h00 = (weight * z * z).sum() + _PRIOR_ROWS
        h01, h11 = (weight * z).sum(), weight.sum() + 0.25 * _PRIOR_ROWS
        determinant = h00 * h11 - h01 * h01
        slope -= (h11 * g0 - h01 * g1) / determinant
        shift -= (h00 * g1 - h01 * g0) / determinant
        slope, shift = min(max(slope, 0.2), 3.0), min(max(shift, -3.0), 3.0)
    return slope, shift


@njit(cache=True, nogil=True)
def _design_effect(p: Floats, y: Floats) -> float:
    """How many outcomes in a row tell as much as one that stands alone; at least 1."""
    blocks = len(y) // _BLOCK
    if blocks < 2:
        return 1.0
    begin = len(y) - blocks * _BLOCK
    missed = spread = 0.0
    for block in range(begin, len(y), _BLOCK):
        part = slice(block, block + _BLOCK)
        missed += (y[part] - p[part]).sum() ** 2
        spread += (p[part] * (1.0 - p[part])).sum()
    return float(max(1.0, missed / max(spread, 1e-9 * blocks)))
