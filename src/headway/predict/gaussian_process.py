"""Runtime of one task over its configurations and input sizes: a Gaussian process on the log.

Source: Rasmussen, Williams (2006), equations 2.25, 2.26 and 2.30; the settings of the kernel are
not chosen but averaged over a grid by their marginal likelihood (section 5.2), which keeps a
process of three runs from being sure of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_AMPLITUDES: Final = (0.05, 0.15, 0.4, 1.0)  # log units by which configurations differ
_LENGTHS: Final = (0.7, 2.0, 5.0)  # over doublings of cores or memory, or to another node
_NOISES: Final = (0.01, 0.03, 0.1, 0.3)  # log units by which two runs alike differ
_LIKELY_AMPLITUDE, _LIKELY_NOISE = 0.3, 0.04
_SLOPE_SPREAD: Final = 0.7  # of the power of the input's size, around the prior's own
_BEND: Final = 0.2  # log units by which sizes depart from a power law
_BEND_LENGTH: Final = 1.5  # log units of size


@dataclass(frozen=True, slots=True)
class Beliefs:
    """Of n log runtimes: the mean, the variance of it, and the variance of a single run."""

    mean: Floats
    variance: Floats
    run_variance: Floats


def log_runtimes(
    x: Floats,
    size: Floats,
    y: Floats,
    rough: Floats,
    x_new: Floats,
    size_new: Floats,
    level_spread: float,
) -> Beliefs:
    """What runs at x (n, d) with log sizes (n,) and log runtimes y (n,) say of x_new (m, d).

    x: doublings, or 1 / sqrt(2) at the node's own column; y and the answer are relative to a prior
    mean; rough (n,): what in each run is chance beside the noise that all share, in log units;
    level_spread: how far off all of them together may be.
    """
    middle = float(size.mean()) if len(size) else float(size_new.mean())
    s, t = size - middle, size_new - middle
    shared = _shared(s, s, level_spread), _shared(s, t, level_spread)
    apart, apart_new = _distance(x, x), _distance(x, x_new)
    near, near_new = _near(s, s), _near(s, t)
    itself = level_spread**2 + (_SLOPE_SPREAD * t) ** 2 + _BEND**2
    found = []
    for amplitude, length, noise in product(_AMPLITUDES, _LENGTHS, _NOISES):
        own = amplitude**2 * _matern(apart / length) * (1.0 + 0.25 * near)
        own_new = amplitude**2 * _matern(apart_new / length) * (1.0 + 0.25 * near_new)
        k = shared[0] + own + np.diag(noise**2 + rough**2)
        lower = np.linalg.cholesky(k + 1e-9 * np.eye(len(y)))
        half = np.linalg.solve(lower, np.column_stack([y, shared[1] + own_new]))
        z, v = half[:, 0], half[:, 1:]
        evidence = -0.5 * z @ z - np.log(np.diag(lower)).sum()
        prior = -0.5 * np.log(amplitude / _LIKELY_AMPLITUDE) ** 2
        prior -= 0.5 * np.log(noise / _LIKELY_NOISE) ** 2
        variance = np.maximum(itself + 1.25 * amplitude**2 - (v * v).sum(axis=0), 1e-9)
        found.append((evidence + prior, z @ v, variance, noise**2))
    logs, means, variances, noises = (np.array(column) for column in zip(*found, strict=True))
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    mean = weight @ means
    variance = weight @ (variances + (means - mean) ** 2)
    return Beliefs(mean, variance, variance + float(weight @ noises))


def _shared(s: Floats, t: Floats, level_spread: float) -> Floats:
    """Covariance (n, m) of level, power and bend, which all configurations share."""
    power = _SLOPE_SPREAD**2 * s[:, None] * t[None, :]
    return level_spread**2 + power + _BEND**2 * _near(s, t)


def _near(s: Floats, t: Floats) -> Floats:
    """How alike (n, m) two log sizes are, in [0, 1]."""
    return np.exp(-0.5 * ((s[:, None] - t[None, :]) / _BEND_LENGTH) ** 2)


def _distance(x: Floats, z: Floats) -> Floats:
    """Euclidean distances (n, m)."""
    return np.sqrt(np.maximum(((x[:, None, :] - z[None, :, :]) ** 2).sum(axis=2), 0.0))


def _matern(r: Floats) -> Floats:
    """Matern covariance of smoothness 5/2 (Rasmussen, Williams, equation 4.17)."""
    scaled = np.sqrt(5.0) * r
    return (1.0 + scaled + scaled**2 / 3.0) * np.exp(-scaled)
