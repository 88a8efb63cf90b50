"""The small mathematics that several parts share: slowdown, scores of quantiles, distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def bounded_slowdown(wait_s: Floats, runtime_s: Floats, floor_s: float = 10.0) -> Floats:
    """How many times longer a task took than it ran, very short runs counted as floor_s.

    Source: Feitelson, Rudolph (1998), "Metrics and benchmarking for parallel job scheduling".

    >>> bounded_slowdown(np.array([90.0, 0.0]), np.array([1.0, 5.0])).tolist()
    [9.1, 1.0]
    """
    return np.maximum(1.0, (wait_s + runtime_s) / np.maximum(runtime_s, floor_s))


def pinball_loss(y: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """Mean pinball loss (q,) of quantiles (n, q) at levels (q,) for outcomes y (n,).

    Source: Koenker, Bassett (1978), "Regression quantiles".
    """
    error = y[:, None] - quantiles
    return np.mean(np.maximum(levels * error, (levels - 1.0) * error), axis=0)


def winkler_score(y: Floats, low: Floats, high: Floats, coverage: float) -> Floats:
    """Width of each interval plus a fine for each miss, (n,); lower is better.

    Source: Winkler (1972), "A decision-theoretic approach to interval estimation".
    """
    fine = 2.0 / (1.0 - coverage)
    return (high - low) + fine * np.maximum(low - y, 0.0) + fine * np.maximum(y - high, 0.0)


def min_max_accuracy(y: Floats, predicted: Floats) -> Floats:
    """Smaller over larger of outcome and prediction, (n,) in [0, 1]; 1 = exact."""
    larger = np.maximum(np.maximum(y, predicted), 1e-9)
    return np.maximum(np.minimum(y, predicted), 0.0) / larger


def population_stability(expected: Floats, came: Floats, bins: int = 10) -> float:
    """Population stability index between two samples; above 0.25 is a jump. NaN is left out.

    Source: Siddiqi (2006), "Credit Risk Scorecards", with bins at quantiles of `expected`.
    """
    expected, came = expected[np.isfinite(expected)], came[np.isfinite(came)]
    if len(expected) == 0 or len(came) == 0:
        return float("nan")
    edges = np.unique(np.quantile(expected, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    p = np.bincount(np.searchsorted(edges, expected), minlength=len(edges) + 1) / len(expected)
    q = np.bincount(np.searchsorted(edges, came), minlength=len(edges) + 1) / len(came)
    p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return float(np.sum((q - p) * np.log(q / p)))
