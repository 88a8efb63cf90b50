"""Drift: the level of a series moved for good, seen on residuals without season or inertia."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from headway.anomaly import season
from headway.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TESTS: Final = ("adwin", "page_hinkley")
_BLOCK: Final = 16  # points whose mean is kept as one
_BLOCKS: Final = 64  # that are kept: the window is at most 1,024 points
MEAN, POINTS, KEPT, RATIO, LAST, INERTIA, SQUARE, HIGH, LOW = range(9)


class Drift:
    """A test for a change of the mean of whitened residuals; 3 = a change at the level `alpha`.

    Residuals are deviations from what is usual at this time of the day and week, less what the last
    one foretells of this one. adwin: the widest of the differences of means before and after any
    cut of a window of blocks, against its bound; what is before a cut that passes it is forgotten.
    page_hinkley: sums of residuals above their least and below their most.
    Source: Bifet, Gavalda (2007), "Learning from time-changing data with adaptive windowing", on
    blocks of 16 points; Page (1954); Hinkley (1971), "Inference about the change-point from
    cumulative sum tests".
    """

    def __init__(self, test: str = "adwin", alpha: float = 1e-4, slack: float = 0.25) -> None:
        """alpha: of adwin's bound; slack: of page_hinkley, deviations that are let pass."""
        if test not in TESTS:
            raise ConfigError(f"test must be one of {', '.join(TESTS)}, got {test!r}")
        if not 0.0 < alpha < 1.0:
            raise ConfigError(f"alpha must be in (0, 1), got {alpha}")
        self.settings: dict[str, Any] = {"test": test, "alpha": alpha, "slack": slack}
        self._test, self.alpha, self.slack = TESTS.index(test), alpha, slack
        self.state: dict[str, NDArray[Any]] = {}

    def measure(self, at_s: Floats, y: Floats) -> Floats:
        """The strangeness (n,) of the series with the point that follows, 3 = it drifted."""
        if not self.state:
            return np.full(len(y), np.nan)
        return _measure(at_s, y, *self._arguments())

    def learn(self, at_s: Floats, y: Floats) -> None:
        """The next point y (n,)."""
        if not self.state:
            blocks = np.zeros((len(y), _BLOCKS))
            own = np.zeros((len(y), 9))
            own[:, SQUARE] = 1.0
            self.state = season.empty(len(y)) | {"own": own, "blocks": blocks}
        _learn(at_s, y, *self._arguments())

    def _arguments(self) -> tuple[Any, ...]:
        arrays = (self.state[k] for k in ("season", "profile", "unrest", "own", "blocks"))
        return (*arrays, self._test, self.slack, self.alpha)


@njit(cache=True)
def _residual(at_s: float, y: float, s: Floats, profile: Any, unrest: Any, own: Floats) -> float:
    """The whitened residual of a point, in deviations, at most 5."""
    off = (y - season.expected(s, profile, at_s)) / season.spread(s, unrest, at_s)
    inertia = own[INERTIA] / max(own[SQUARE], 1e-6)
    off = min(max(off, -5.0), 5.0) - min(max(inertia, 0.0), 0.95) * own[LAST]
    return float(min(max(off, -5.0), 5.0))


@njit(cache=True)
def _measure(
    at_s: Floats, y: Floats, s: Floats, profile: Any, unrest: Any, own: Floats, blocks: Floats,
    test: int, slack: float, alpha: float,
) -> Floats:  # fmt: skip
    raw = np.full(len(y), np.nan)
    for i in range(len(y)):
        if math.isnan(y[i]):
            continue
        raw[i] = own[i, RATIO]
        if test == 1:
            z = _residual(at_s[i], y[i], s[i], profile[i], unrest[i], own[i])
            raw[i] = 0.3 * max(own[i, HIGH] + z - slack, own[i, LOW] - z - slack, 0.0)
    return raw


@njit(cache=True)
def _learn(
    at_s: Floats, y: Floats, s: Floats, profile: Any, unrest: Any, own: Floats, blocks: Floats,
    test: int, slack: float, alpha: float,
) -> None:  # fmt: skip
    for i in range(len(y)):
        if math.isnan(y[i]):
            continue
        if s[i, season.SEEN] > 20:
            z = _residual(at_s[i], y[i], s[i], profile[i], unrest[i], own[i])
            _sum(z, own[i], slack)
            if test == 0:
                _block(z, own[i], blocks[i], alpha)
            off = (y[i] - season.expected(s[i], profile[i], at_s[i])) / season.spread(
                s[i], unrest[i], at_s[i]
            )
            off = min(max(off, -5.0), 5.0)
            own[i, INERTIA] += 0.005 * (off * own[i, LAST] - own[i, INERTIA])
            own[i, SQUARE] += 0.005 * (off * off - own[i, SQUARE])
            own[i, LAST] = off
        season.learn(s[i], profile[i], unrest[i], at_s[i], y[i])


@njit(cache=True)
def _sum(z: float, own: Floats, slack: float) -> None:
    """Move both sums of Page and Hinkley; one that has passed twice its limit starts anew."""
    for side, sign in ((HIGH, 1.0), (LOW, -1.0)):
        own[side] = max(0.0, own[side] + sign * z - slack)
        if own[side] > 20.0:
            own[side] = 0.0


@njit(cache=True)
def _block(z: float, own: Floats, blocks: Floats, alpha: float) -> None:
    """Add a residual to the newest block; when it is full, look for a cut and forget before it."""
    own[POINTS] += 1
    own[MEAN] += (z - own[MEAN]) / own[POINTS]
    if own[POINTS] < _BLOCK:
        return
    kept = int(own[KEPT])
    if kept == _BLOCKS:
        blocks[:-1] = blocks[1:].copy()
        kept -= 1
    blocks[kept] = own[MEAN]
    kept += 1
    own[POINTS], own[MEAN] = 0.0, 0.0
    best, ratio = 0, 0.0
    middle = blocks[:kept].mean()
    variance = max(_BLOCK * ((blocks[:kept] - middle) ** 2).mean(), 0.25)
    for cut in range(2, kept - 1):
        before, after = blocks[:cut].mean(), blocks[cut:kept].mean()
        size = _BLOCK / (1.0 / cut + 1.0 / (kept - cut))
        log = math.log(2.0 * math.log(max(kept * _BLOCK, 3)) / alpha)
        bound = math.sqrt(2.0 / size * variance * log) + 2.0 / (3.0 * size) * log
        if abs(after - before) / bound > ratio:
            best, ratio = cut, abs(after - before) / bound
    own[RATIO] = 3.0 * ratio
    if ratio > 1.0:
        left = kept - best
        blocks[:left] = blocks[best:kept].copy()
        kept = left
    own[KEPT] = kept
