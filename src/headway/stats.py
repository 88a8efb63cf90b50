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


def mase(y: Floats, forecast: Floats, past: Floats, season: int) -> Floats:
    """Mean absolute scaled error (n_series,) of a forecast (horizon, n_series) of y.

    The scale is the mean absolute error in the past (n_steps, n_series) of the value a season (in
    steps) before. NaN in y or past is left out; NaN where nothing is left or the scale is 0.
    Source: Hyndman, Koehler (2006), "Another look at measures of forecast accuracy".
    """
    error = _mean_known(np.abs(y - forecast))
    scale = _mean_known(np.abs(past[season:] - past[:-season]))
    return error / np.where(scale > 0, scale, np.nan)


def smape(y: Floats, forecast: Floats) -> Floats:
    """Symmetric mean absolute percentage error (n_series,) of a forecast (horizon, n_series).

    In [0, 200]; two zeros are no error. NaN in y is left out.
    Source: Makridakis, Spiliotis, Assimakopoulos (2020), "The M4 competition".
    """
    size = np.abs(y) + np.abs(forecast)
    return _mean_known(200.0 * np.abs(y - forecast) / np.where(size == 0, 1.0, size))


def weighted_quantile_loss(y: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """Mean over levels (q,) of twice the pinball loss per unit of y (horizon, n_series).

    (n_series,) from quantiles (horizon, n_series, q). NaN in y is left out; NaN where y is all 0.
    Source: Gneiting, Ranjan (2011); as scaled by Salinas et al. (2020), "DeepAR".
    """
    error = y[:, :, None] - quantiles
    loss = np.maximum(levels * error, (levels - 1.0) * error).mean(axis=2)
    size = np.nansum(np.abs(y), axis=0)
    return 2.0 * np.nansum(loss, axis=0) / np.where(size > 0, size, np.nan)


def share_below(y: Floats, quantiles: Floats) -> Floats:
    """How often (q,) the outcomes y (...) were at or below their quantiles (..., q).

    Pairs with NaN are left out. Near the level of each quantile where the forecast is honest.
    """
    known = np.isfinite(y)[..., None] & np.isfinite(quantiles)
    axes = tuple(range(y.ndim))
    below = ((y[..., None] <= quantiles) & known).sum(axis=axes)
    return below / np.maximum(known.sum(axis=axes), 1)


def interval_coverage(y: Floats, quantiles: Floats, levels: Floats, coverage: float) -> float:
    """How often y (...) was within the central interval of its quantiles (..., q) at levels (q,).

    coverage: of the interval, such as 0.8 for the one from level 0.1 to 0.9. Pairs with NaN are
    left out.
    """
    low = quantiles[..., np.argmin(np.abs(levels - (1.0 - coverage) / 2.0))]
    high = quantiles[..., np.argmin(np.abs(levels - (1.0 + coverage) / 2.0))]
    known = np.isfinite(y) & np.isfinite(low)
    inside = (y >= low) & (y <= high)
    return float(inside[known].mean()) if known.any() else float("nan")


def _mean_known(x: Floats) -> Floats:
    """Mean over the first axis of what is a number; NaN where none is."""
    known = np.isfinite(x).sum(axis=0)
    return np.nansum(x, axis=0) / np.where(known > 0, known, np.nan)
