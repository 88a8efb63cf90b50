"""Probabilities held against what came: corrected, and with how sure one can be of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST: Final = 0.002
"""No probability is believed to be closer to 0 or 1."""

_PRIOR_ROWS: Final = 60.0  # outcomes that "nothing needs correcting" is worth
_NEAR: Final = 0.5  # log odds within which scores are neighbours
_BLOCK: Final = 50  # outcomes in a row whose mean tells how much they cling together
_FEWEST: Final = 100


def log_odds(p: Floats) -> Floats:
    """Log p / (1 - p), p held off 0 and 1."""
    p = np.clip(p, LEAST, 1.0 - LEAST)
    return np.log(p / (1.0 - p))


def chance(log_odds: Floats) -> Floats:
    """The probability of log odds."""
    return 1.0 / (1.0 + np.exp(-log_odds))


class Reliability:
    """What the latest out-of-sample scores say of a new score; made anew now and then.

    Source: Platt (1999), here with a prior that nothing needs correcting; the interval is the Beta
    posterior of the failure share among scores within half a unit of log odds, its size divided by
    the design effect (Kish 1965, section 8.2), since tasks that come together fail together.
    """

    def __init__(self, scores: Floats, y: Floats) -> None:
        """Scores (n,) as served and outcomes (n,), 0 or 1, in the order in which they came."""
        z = log_odds(scores)
        self.slope, self.shift = _platt(z, y) if len(y) >= _FEWEST else (1.0, 0.0)
        self._effect = _design_effect(chance(self.slope * z + self.shift), y)
        order = np.argsort(z, kind="stable")
        self._sorted = z[order]
        self._failures = np.concatenate([[0.0], np.cumsum(y[order])])

    def corrected(self, score: Floats) -> Floats:
        """Platt's probability of scores (n,)."""
        return chance(self.slope * log_odds(score) + self.shift)

    def beta(self, score: Floats, p: Floats) -> tuple[Floats, Floats]:
        """Parameters a, b (n,) of the Beta posterior around the probabilities p (n,) of scores."""
        z = log_odds(score)
        low = np.searchsorted(self._sorted, z - _NEAR)
        high = np.searchsorted(self._sorted, z + _NEAR, side="right")
        n = (high - low) / self._effect
        failures = (self._failures[high] - self._failures[low]) / self._effect
        return failures + 2.0 * p, n - failures + 2.0 * (1.0 - p)


def beta_quantiles(a: Floats, b: Floats, levels: Floats) -> Floats:
    """Quantiles (n, q) of Beta distributions with parameters a, b (n,)."""
    from scipy.special import betaincinv

    return betaincinv(a[:, None], b[:, None], levels[None, :])


def _platt(z: Floats, y: Floats) -> tuple[float, float]:
    """Slope and shift of the log odds that make past outcomes likeliest, by Newton's method."""
    slope, shift = 1.0, 0.0
    for _ in range(8):
        p = chance(slope * z + shift)
        weight = p * (1.0 - p)
        g0 = float((p - y) @ z) + _PRIOR_ROWS * (slope - 1.0)
        g1 = float((p - y).sum()) + 0.25 * _PRIOR_ROWS * shift
        h00 = float(weight @ (z * z)) + _PRIOR_ROWS
        h01, h11 = float(weight @ z), float(weight.sum()) + 0.25 * _PRIOR_ROWS
        determinant = h00 * h11 - h01 * h01
        slope -= (h11 * g0 - h01 * g1) / determinant
        shift -= (h00 * g1 - h01 * g0) / determinant
        slope, shift = min(max(slope, 0.2), 3.0), min(max(shift, -3.0), 3.0)
    return slope, shift


def _design_effect(p: Floats, y: Floats) -> float:
    """How many outcomes in a row tell as much as one that stands alone; at least 1."""
    blocks = len(y) // _BLOCK
    if blocks < 2:
        return 1.0
    whole = slice(len(y) - blocks * _BLOCK, None)
    missed = (y - p)[whole].reshape(blocks, _BLOCK).sum(axis=1)
    return max(1.0, float(np.mean(missed**2) / max(np.sum((p * (1.0 - p))[whole]) / blocks, 1e-9)))
