"""What a network reads of a panel: windows in their own scale, anchors and the calendar.

An anchor is a plain forecast of each coming step: the value a season ago, the mean of the same
phase over several seasons, that mean moved to the level of late, the last value, medians. The
networks mix anchors and add a rest, so that little has to be learned from little data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.intp]

_DAY_S: Final = 86_400.0
_CYCLES: Final = (7, 3)  # how many of the shortest season and of each longer one make a profile
_LATELY: Final = 3  # shortest seasons
_HALF_LIVES: Final = (1 / 8, 1 / 2)  # of what differs from a profile, in seasons
_CALM: Final = 0.1  # of the spread over the whole reach, at least, in a window that is calm
_FAR: Final = 30.0  # scales from the centre beyond which a value is not told apart


class Shape(NamedTuple):
    """How far a network looks back and ahead, in steps; seasons from short to long."""

    seasons: tuple[int, ...]
    context: int
    horizon: int

    @property
    def window(self) -> int:
        """Steps that centre and scale are taken from."""
        return 7 * self.seasons[0]

    @property
    def reach(self) -> int:
        """Steps before the origin that anything is taken from."""
        lagged = self.context + self.seasons[-1]
        return max(lagged, self.window, *(cycles * season for cycles, season in self.profiles()))

    def stretches(self) -> list[int]:
        """Steps, up to the origin, that medians are taken of."""
        first = self.seasons[0]
        return [max(first // 4, 1), max(first // 2, 1), first, _LATELY * first, self.window]

    def profiles(self) -> list[tuple[int, int]]:
        """How many of which season each profile is the mean of."""
        return [(_CYCLES[min(i, 1)], season) for i, season in enumerate(self.seasons)]


class Windows(NamedTuple):
    """What is known at b origins, in units of each window's own scale."""

    past: Singles  # (b, context, channels)
    ahead: Singles  # (b, horizon, features)
    anchors: Singles  # (b, horizon, k), NaN = not known
    width: Singles  # (b,) how far a value is from the one before it or a season before it
    target: Singles  # (b, horizon), NaN = not observed
    centre: Floats  # (b,) NaN = nothing was observed
    scale: Floats  # (b,)


def windows(
    y: Floats, start_s: float, step_s: float, series: Ints, origins: Ints, shape: Shape
) -> Windows:
    """The windows of series (b,) of y (n_series, n_steps) at origins (b,).

    An origin is the first step that is not known, as a column of y; start_s: time of column 0.
    What lies outside of y is not observed.
    """
    n, reach = y.shape[1], shape.reach
    at = origins[:, None] + np.arange(-reach, shape.horizon)
    values = y[series[:, None], np.clip(at, 0, n - 1)]
    values[(at < 0) | (at >= n)] = np.nan
    centre, scale = _centre_and_scale(values[:, :reach], shape.window)
    values = np.clip((values - centre[:, None]) / scale[:, None], -_FAR, _FAR)
    past, target = values[:, :reach], values[:, reach:]
    anchors = _anchors(past, shape)
    recent = past[:, -(shape.window + shape.seasons[-1]) :]
    errors = [_mean(np.abs(recent[:, lag:] - recent[:, :-lag])) for lag in (1, *shape.seasons)]
    errors = [np.nan_to_num(error, nan=1.0) for error in errors]
    calendar = _calendar(start_s + step_s * at.astype(np.float64))
    whole = [*(np.log(error + 0.01) for error in errors), np.arcsinh(np.nan_to_num(centre / scale))]
    return Windows(
        _channels(past, calendar[:, :reach], shape),
        _features(anchors, np.stack(whole, axis=1), calendar[:, reach:]),
        anchors.astype(np.float32),
        np.maximum(np.minimum(errors[0], errors[1]), 0.05).astype(np.float32),
        target.astype(np.float32),
        centre,
        scale,
    )


def _mean(x: Floats, weights: Floats | float = 1.0) -> Floats:
    """The weighted mean over axis 1 of what is observed, NaN where nothing is."""
    is_known = np.isfinite(x)
    total = np.sum(np.where(is_known, x, 0.0) * weights, axis=1)
    count = np.sum(is_known * weights, axis=1)
    return np.where(count > 0, total / np.where(count > 0, count, 1.0), np.nan)


def _median(x: Floats) -> Floats:
    """The lower median over axis 1 of what is observed, NaN where nothing is."""
    ordered = np.sort(x, axis=1)  # NaN comes last
    middle = np.maximum(np.isfinite(x).sum(axis=1) - 1, 0) // 2
    return np.take_along_axis(ordered, np.expand_dims(middle, 1), axis=1)[:, 0]


def _centre_and_scale(past: Floats, window: int) -> tuple[Floats, Floats]:
    """Mean and mean absolute deviation (b,) of late; the scale is never 0."""
    whole = _mean(past)
    centre = _mean(past[:, -window:])
    centre = np.where(np.isfinite(centre), centre, whole)
    spread = np.nan_to_num(_mean(np.abs(past[:, -window:] - centre[:, None])))
    scale = np.maximum(spread, _CALM * np.nan_to_num(_mean(np.abs(past - whole[:, None]))))
    size = np.abs(np.nan_to_num(centre))
    return centre, np.where(scale > 1e-9 * size, scale, size + 1e-9)


def _anchors(past: Floats, shape: Shape) -> Floats:
    """The plain forecasts (b, horizon, k)."""
    steps = np.arange(shape.horizon)
    first = shape.seasons[0]
    age = np.arange(first - 1, -1, -1.0)
    fades = [0.5 ** (age / (share * first)) for share in _HALF_LIVES]
    flat = [_last(past), _mean(past[:, -first:], fades[0]), _mean(past[:, -first:])]
    flat += [_median(past[:, -length:]) for length in shape.stretches()]
    anchors = [np.repeat(x[:, None], shape.horizon, axis=1) for x in flat]
    lately = past[:, -_LATELY * first :].reshape(len(past), _LATELY, first)
    anchors.append(_median(lately)[:, steps % first])
    for cycles, season in shape.profiles():
        seen = past[:, -cycles * season :].reshape(len(past), cycles, season)
        profile = _mean(seen)
        differs = (seen - profile[:, None]).reshape(len(past), -1)[:, -first:]
        moved = [profile + _mean(differs, fade)[:, None] for fade in fades]
        anchors += [x[:, steps % season] for x in (seen[:, -1], profile, _median(seen), *moved)]
    together = np.stack(anchors, axis=2)
    middle = _median(together.transpose(0, 2, 1))
    return np.concatenate([together, middle[:, :, None]], axis=2)


def _last(past: Floats) -> Floats:
    """The last observed value (b,), NaN where there is none."""
    place = past.shape[1] - 1 - np.argmax(np.isfinite(past)[:, ::-1], axis=1)
    return past[np.arange(len(past)), place]


def _calendar(at_s: Floats) -> Floats:
    """Hour of day and day of week (..., 4) as points on circles, UTC."""
    day = 2.0 * np.pi * (at_s % _DAY_S) / _DAY_S
    week = 2.0 * np.pi * (at_s / _DAY_S % 7.0) / 7.0
    return np.stack([np.sin(day), np.cos(day), np.sin(week), np.cos(week)], axis=-1)


def _channels(past: Floats, calendar: Floats, shape: Shape) -> Singles:
    """What an encoder reads of each past step: value, those of seasons ago, is it known, when."""
    reach, context = past.shape[1], shape.context
    lagged = [past[:, reach - lag - context : reach - lag] for lag in (0, *shape.seasons)]
    values = [*(np.arcsinh(np.nan_to_num(x)) for x in lagged), np.isfinite(lagged[0])]
    parts = [np.stack(values, axis=2), calendar[:, -context:]]
    return np.concatenate(parts, axis=2).astype(np.float32)


def _features(anchors: Floats, whole: Floats, calendar: Floats) -> Singles:
    """What is known of each coming step: anchors, the window as a whole (b, w), when, how far."""
    b, horizon, _ = anchors.shape
    far = np.linspace(0.0, 1.0, horizon)[None, :, None]
    parts = [
        np.arcsinh(np.nan_to_num(anchors)),
        np.repeat(whole[:, None], horizon, axis=1),
        calendar,
        np.repeat(far, b, axis=0),
    ]
    return np.concatenate(parts, axis=2).astype(np.float32)
