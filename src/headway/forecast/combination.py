"""Which members to believe for which series, how much, and how wide the answer must then be.

Everything is read from forecasts whose outcomes have come, at the last few origins. The loss of a
member on a series is mostly luck where few origins are known, so it is drawn towards how the member
does over all series. Members far behind the best are left out; of the others the median by weight
is taken, level by level. The mixture is then as wide as its own past, without the origin that is
judged, needed it to be.

Source: weights that fall exponentially with past loss are Vovk (1990), "Aggregating strategies";
robust averages after leaving out the worst are Jose and Winkler (2008), "Simple robust averages of
forecasts". The median by weight, shrinking towards all series, and widths by ratio are our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.forecast.answer import LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PULL: Final = 6.0  # origins that what is known of all series counts for
SHARPNESS: Final = 6.0  # by which log losses are multiplied before they are weights
WORST: Final = 1.35  # times the loss of the best member, beyond which a member is left out
OWN: Final = 0.5  # share of a series' own past in its widths, the rest of all series
WIDEST: Final = 4.0  # factor on a width at the most, and its inverse at the least


def losses(y: Floats, quantiles: Floats, scale: Floats) -> Floats:
    """Mean pinball loss (m, o, n) over steps and levels, in units of scale (n,).

    y (o, h, n) came where members had said quantiles (m, o, h, n, q); NaN where nothing came, or
    where a member had not answered.
    """
    levels = np.array(LEVELS)
    error = y[None, ..., None] - quantiles
    pinball = np.maximum(levels * error, (levels - 1.0) * error).mean(axis=-1)
    known = np.isfinite(pinball)
    counts = known.sum(axis=2)
    sums = np.where(known, pinball, 0.0).sum(axis=2)
    said = np.isfinite(quantiles).all(axis=(2, 4))  # (m, o, n)
    return np.where((counts > 0) & said, sums / np.maximum(counts, 1), np.nan) / scale


def weights_of(loss: Floats) -> Floats:
    """Shares (m, n) that sum to 1 over members, from losses (m, o, n); NaN = not known.

    A series of which nothing is known takes the shares of all series; a member that failed to
    answer a series at any origin at which others did has no share in it.
    """
    m, origins, n = loss.shape
    if origins == 0 or m == 1:
        return np.full((m, n), 1.0 / m)
    logs = np.log(np.maximum(loss, 1e-9))
    is_judged = np.isfinite(logs).any(axis=0)  # (o, n)
    has_failed = (~np.isfinite(logs) & is_judged).any(axis=1)  # (m, n)
    usual = _mean(logs, np.isfinite(logs), axis=0)  # (o, n), over members
    less = logs - usual
    of_all = _mean(less, np.isfinite(less), axis=(1, 2))
    count = is_judged.sum(axis=0)
    own = _mean(less, np.isfinite(less), axis=1)
    drawn = (count * np.nan_to_num(own) + PULL * of_all[:, None]) / (count + PULL)
    drawn[has_failed] = np.inf
    drawn[:, has_failed.all(axis=0)] = of_all[:, None]
    behind = drawn - drawn.min(axis=0)
    raw = np.where(behind <= np.log(WORST), np.exp(-SHARPNESS * behind), 0.0)
    return raw / raw.sum(axis=0)


def mixed(quantiles: Floats, weights: Floats) -> Floats:
    """Quantiles (..., n, q) of members' (m, ..., n, q): the median by weights (m, n) at each level.

    Between the two members in the middle it is a line, so that two alike give their mean. Members
    that have not answered a series (NaN) leave their share to the others.
    """
    m, n = weights.shape
    shape = (m,) + (1,) * (quantiles.ndim - 3) + (n, 1)
    answered = np.isfinite(quantiles)
    share = np.where(answered, weights.reshape(shape), 0.0)
    share = np.where(share.sum(axis=0) > 0, share, answered.astype(np.float64))
    order = np.argsort(np.where(answered, quantiles, np.inf), axis=0)
    said = np.take_along_axis(quantiles, order, axis=0)
    share = np.take_along_axis(share, order, axis=0)
    middle = np.cumsum(share, axis=0) - 0.5 * share  # of the share of each, in order
    half = 0.5 * share.sum(axis=0)
    above = np.minimum((middle < half).sum(axis=0), np.maximum(answered.sum(axis=0) - 1, 0))
    below = np.maximum(above - 1, 0)
    low, high = (np.take_along_axis(said, at[None], axis=0)[0] for at in (below, above))
    first, last = (np.take_along_axis(middle, at[None], axis=0)[0] for at in (below, above))
    gap = np.where(last > first, last - first, 1.0)
    return np.asarray(low + np.clip((half - first) / gap, 0.0, 1.0) * (high - low))


def widths(y: Floats, quantiles: Floats, loss: Floats) -> Floats:
    """Factors (n, q) by which distances from the median must grow for levels to hold.

    For each level, the quantile at that level of (came - median) / (quantile - median) over past
    steps of y (o, h, n) and members' quantiles (m, o, h, n, q), each origin mixed by the losses
    (m, o, n) of the others. Of a series' own past and of all series, in equal parts.
    """
    origins, _, n = y.shape
    if origins < 2:
        return np.ones((n, len(LEVELS)))
    past = np.stack([
        mixed(quantiles[:, o], weights_of(np.delete(loss, o, axis=1))) for o in range(origins)
    ])  # fmt: skip
    middle = past[..., LEVELS.index(0.5)]
    found = np.ones((n, len(LEVELS)))
    for i, level in enumerate(LEVELS):
        if level == 0.5:
            continue
        reach = np.abs(past[..., i] - middle)
        side = 1.0 if level > 0.5 else -1.0
        tiny = 1e-9 * np.maximum(np.abs(middle), 1e-9)
        ratio = side * (y - middle) / np.maximum(reach, tiny)
        wanted = level if level > 0.5 else 1.0 - level
        found[:, i] = _needed(ratio.reshape(-1, n), wanted)
    return found


def _needed(ratio: Floats, level: float) -> Floats:
    """The level's quantile (n,) of ratios (k, n), of each series and of all, in equal parts."""
    known = np.isfinite(ratio)
    of_all = float(np.quantile(ratio[known], level)) if known.any() else 1.0
    of_all = float(np.clip(of_all, 1.0 / WIDEST, WIDEST))
    n = ratio.shape[1]
    own = np.array([
        np.quantile(ratio[known[:, i], i], level) if known[:, i].any() else of_all
        for i in range(n)
    ])  # fmt: skip
    own = np.clip(own, 1.0 / WIDEST, WIDEST)
    return OWN * own + (1.0 - OWN) * of_all


def widened(quantiles: Floats, factors: Floats) -> Floats:
    """Quantiles (..., n, q) with distances from the median times factors (n, q)."""
    middle = quantiles[..., [LEVELS.index(0.5)]]
    return np.sort(middle + factors * (quantiles - middle), axis=-1)


def _mean(x: Floats, known: NDArray[np.bool_], axis: int | tuple[int, ...]) -> Floats:
    """Mean of what is known; 0 where nothing is."""
    count = known.sum(axis=axis)
    total = np.where(known, x, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), 0.0))
