"""Quantiles of the future as an Estimate: in order, bounded by the past, refused with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.records import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVELS: Final = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
"""The levels that every forecaster answers."""

LEAST: Final = 3
"""With fewer observed points nothing says how far the next may be: refused."""

_FEW: Final = 40  # errors; fewer do not reach the outer levels by themselves


def answer(
    y: Floats,
    quantiles: Floats,
    *,
    made_by: str | NDArray[np.str_],
    refused: NDArray[np.str_],
    value: Floats | None = None,
) -> Estimate:
    """What is believed of the next steps, from quantiles (horizon, n_series, q) at LEVELS.

    y (n_steps, n_series): the past, which bounds the answer; made_by, refused (n_series,): of each
    series; value (horizon, n_series): if it is not the median. A series whose quantiles are not
    all finite is refused if no reason is given.
    """
    n = y.shape[1]
    refused = refused.astype("U200")
    is_lost = ~np.isfinite(quantiles).all(axis=(0, 2)) & (refused == "")
    refused[is_lost] = "its forecast is not a number"
    quantiles = bounded(np.sort(quantiles, axis=2), y)
    quantiles[:, refused != ""] = np.nan
    middle = quantiles[:, :, LEVELS.index(0.5)]
    value = middle.copy() if value is None else np.where(refused != "", np.nan, bounded(value, y))
    return Estimate(
        value=value,
        levels=np.array(LEVELS),
        quantiles=quantiles,
        made_by=np.full(n, made_by) if isinstance(made_by, str) else made_by,
        refused=refused,
    )


def bounded(forecast: Floats, y: Floats) -> Floats:
    """A forecast (horizon, n_series, ...) within three times the range of its past y.

    That is at most one range above the highest and below the lowest point of y (n_steps,
    n_series), and never negative where the past never was. A past without a point bounds nothing.
    """
    if not len(y):
        return forecast
    has_any = np.isfinite(y).any(axis=0)
    low = np.where(has_any, np.where(np.isfinite(y), y, np.inf).min(axis=0), -np.inf)
    high = np.where(has_any, np.where(np.isfinite(y), y, -np.inf).max(axis=0), np.inf)
    reach = np.where(has_any, high - low, 0.0)
    least = np.where(low >= 0, np.maximum(low - reach, 0.0), low - reach)
    shape = (1, -1) + (1,) * (forecast.ndim - 2)
    return np.clip(forecast, least.reshape(shape), (high + reach).reshape(shape))


def refusals(y: Floats, least: int = LEAST) -> NDArray[np.str_]:
    """Why each series (n_series,) is not answered, '' = it is: too few observed points."""
    observed = np.isfinite(y).sum(axis=0)
    reasons = [
        "" if n >= least else f"{n} observed points: at least {least} are needed" for n in observed
    ]
    return np.array(reasons, dtype="U200")


def error_quantiles(errors: Floats) -> Floats:
    """Quantiles at LEVELS of the next error, (n, q), from past errors (m, n); NaN = none.

    The order statistic of rank (m + 1) times the level, as in conformal prediction. Where there
    are fewer than 40 errors, a Student interval with their spread counts if it is wider. No error
    at all gives NaN.
    Source: Vovk, Gammerman, Shafer (2005), "Algorithmic learning in a random world".
    """
    from scipy.special import stdtrit

    levels = np.array(LEVELS)
    ordered = np.sort(errors, axis=0)  # NaN comes last
    m = np.isfinite(errors).sum(axis=0)
    place = np.clip((m[:, None] + 1) * levels - 1, 0, np.maximum(m - 1, 0)[:, None])
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(m - 1, 0)[:, None])
    share = place - below
    columns = np.arange(errors.shape[1])[:, None]
    if not len(errors):
        return np.full((errors.shape[1], len(levels)), np.nan)
    found = (1 - share) * ordered[below, columns] + share * ordered[above, columns]
    few = np.flatnonzero((m < _FEW) & (m > 0))
    for i in few:
        known = ordered[: m[i], i]
        spread = np.sqrt(np.mean(known**2)) * np.sqrt(1 + 1 / m[i])
        wide = stdtrit(max(m[i] - 1, 1), levels) * spread
        found[i] = np.where(levels < 0.5, np.minimum(found[i], wide), np.maximum(found[i], wide))
    return np.sort(found, axis=1)
