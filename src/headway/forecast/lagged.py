"""What a model may know of a step ahead: lags, seasons, recent means and the calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.forecast.naive import filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]

_BACK: Final = 4  # periods of a season that the mean of its phase looks back


class Lagged:
    """Rows of features of a panel y (n_steps, n_series); every row knows only its origin's past.

    Each row is one series i at origin t, asked for the step t + h. Its values are less the level
    of the series at t and divided by its spread there, so that all series share one model.
    """

    def __init__(self, at_s: Floats, y: Floats, seasons: Sequence[int], step_s: float) -> None:
        """at_s (n_steps,), y (n_steps, n_series), seasons in steps of step_s seconds."""
        self.at_s, self.y, self.step_s = at_s, y, step_s
        self.seasons = sorted({m for m in seasons if m > 1}) or [1]
        short, long = self.seasons[0], self.seasons[-1]
        self._last = filled(y)
        windows = sorted({3, max(short // 4, 2), short, 7 * short, long})
        self._means = [_mean_back(y, window) for window in windows]
        level = _mean_back(y, max(short, 3))
        self._level = np.where(np.isfinite(level), level, self._last)
        base = _mean_back(y, 7 * max(short, 3))
        spread = np.sqrt(np.maximum(_mean_back((y - base) ** 2, 7 * max(short, 3)), 0.0))
        size = np.maximum.accumulate(np.nan_to_num(np.abs(self._last)), axis=0) if len(y) else y
        self._spread = np.maximum(np.nan_to_num(spread), 1e-3 * size + 1e-300)

    def scale(self, t: Places, i: Places) -> tuple[Floats, Floats]:
        """Level and spread (n,) of series i (n,) at origins t (n,)."""
        return self._level[t, i], self._spread[t, i]

    def rows(self, t: Places, i: Places, h: Places) -> Floats:
        """Features (n, d) of series i (n,) at origins t (n,) for h (n,) steps ahead."""
        level, spread = self.scale(t, i)
        columns = [self._last[t, i]]
        for m in self.seasons:
            ago = t + h - m * -(-h // m)  # the same phase, not after the origin
            near = [self._at(ago - k * m, i) for k in range(_BACK)]
            columns += [near[0], near[1], _mean_known(np.stack(near))]
        columns += [mean[t, i] for mean in self._means]
        scaled = [(column - level) / spread for column in columns]
        moment_s = self.at_s[t] + h * self.step_s
        calendar = [moment_s % 86400.0 / 3600.0, moment_s // 86400.0 % 7.0]
        before = np.log((np.abs(level) + spread) / spread)
        return np.column_stack([*scaled, *calendar, h, before])

    def _at(self, t: Places, i: Places) -> Floats:
        """Y at steps t of series i, NaN before the first."""
        return np.where(t >= 0, self.y[np.maximum(t, 0), i], np.nan)


def _mean_back(y: Floats, window: int) -> Floats:
    """Mean of the last `window` points up to each step, (n_steps, n_series); NaN = none known."""
    known = np.isfinite(y)
    total = np.cumsum(np.where(known, y, 0.0), axis=0)
    count = np.cumsum(known, axis=0, dtype=np.float64)
    if len(y) > window:
        total[window:] -= total[:-window].copy()
        count[window:] -= count[:-window].copy()
    return np.where(count > 0, total / np.maximum(count, 1.0), np.nan)


def _mean_known(x: Floats) -> Floats:
    """Mean over the first axis of what is a number; NaN where none is."""
    count = np.isfinite(x).sum(axis=0)
    return np.where(count > 0, np.nansum(x, axis=0) / np.maximum(count, 1), np.nan)
