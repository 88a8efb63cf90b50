"""Intervals that keep what they promise while the world drifts: a calibrating shell.

Each outcome is turned into a score z, the normal score of the level at which the wrapped
predictor's own distribution would have had it. A promised level is then read at the quantile of
the scores that came lately, corrected by what was missed.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numba import njit

from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

LEVELS: Final = (0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995)
"""Levels that are served."""

_LEAST_SLOPE: Final = 0.02  # least growth of the log per unit of normal score


SERVE, LEARN = 0, 1
"""Kinds of event in `Conformal.follow`."""


class Refitted(Protocol):
    """A Predictor that says when it will change."""

    def predict(self, x: Features) -> Estimate:
        """n rows -> n answers."""
        ...

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Outcomes in order of time."""
        ...

    def rows_to_refit(self) -> int:
        """How many outcomes from now its answers may change."""
        ...


@njit(cache=True)
def _value_at(z, nodes, logs):  # noqa: ANN001, ANN202
    """The log value at normal score z of a distribution known at some nodes; linear beyond."""
    q = len(nodes)
    i = 0
    while i < q - 2 and z > nodes[i + 1]:
        i += 1
    slope = (logs[i + 1] - logs[i]) / (nodes[i + 1] - nodes[i])
    return logs[i] + slope * (z - nodes[i])


@njit(cache=True)
def _score_of(log, nodes, logs):  # noqa: ANN001, ANN202
    """The normal score at which a distribution has a log value; the inverse of `_value_at`."""
    q = len(nodes)
    i = 0
    while i < q - 2 and log > logs[i + 1]:
        i += 1
    slope = (logs[i + 1] - logs[i]) / (nodes[i + 1] - nodes[i])
    return min(max(nodes[i] + (log - logs[i]) / slope, -12.0), 12.0)


@njit(cache=True)
def _calibrate(window, sorted_, n, corrections, z, levels, step):  # noqa: ANN001, ANN202
    """Take one score into the sorted window and move the corrections."""
    size = min(n[0], len(window))
    if size > 0:
        for k in range(len(levels)):
            at = _empirical(sorted_, size, levels[k]) + corrections[k]
            corrections[k] += step * (levels[k] - (1.0 if z <= at else 0.0))
    place = n[0] % len(window)
    if n[0] >= len(window):
        i = np.searchsorted(sorted_, window[place])
        sorted_[i : size - 1] = sorted_[i + 1 : size].copy()
        size -= 1
    window[place] = z
    i = np.searchsorted(sorted_[:size], z)
    sorted_[i + 1 : size + 1] = sorted_[i:size].copy()
    sorted_[i] = z
    n[0] += 1


@njit(cache=True)
def _empirical(sorted_, size, level):  # noqa: ANN001, ANN202
    """The conformal quantile of the first `size` sorted scores, between neighbours linear."""
    at = min(max(level * (size + 1) - 1.0, 0.0), size - 1.0)
    i = int(at)
    if i >= size - 1:
        return sorted_[size - 1]
    return sorted_[i] + (at - i) * (sorted_[i + 1] - sorted_[i])


@njit(cache=True)
def _follow(  # noqa: ANN202
    kinds,
    rows,
    log_y,
    nodes,
    logs,
    levels,
    normal,
    window,
    sorted_,
    n,
    corrections,
    least,
    step,
    out,  # noqa: ANN001
):
    """Serve (kind 0) and learn (kind 1) rows in the order of the events."""
    for event in range(len(kinds)):
        i = rows[event]
        if kinds[event] == LEARN:
            if not (np.isnan(log_y[i]) or np.isnan(logs[i, 0])):
                z = _score_of(log_y[i], nodes, logs[i])
                _calibrate(window, sorted_, n, corrections, z, levels, step)
            continue
        size = min(n[0], len(window))
        last = -np.inf
        for k in range(len(levels)):
            z = normal[k]
            if size > 0:
                own = _empirical(sorted_, size, levels[k]) + corrections[k]
                weight = size / (size + least)
                z = weight * own + (1.0 - weight) * z
            last = max(last, _value_at(z, nodes, logs[i]))
            out[i, k] = last


class Conformal:
    """Any predictor, with levels that hold on the outcomes that come.

    Source: Vovk et al. (2005), conformal predictive systems, over a rolling window; Gibbs, Candes
    (2021), equation 2, for the correction, here of the normal score instead of the level.
    """

    def __init__(
        self,
        base: Refitted,
        *,
        levels: Sequence[float] = LEVELS,
        window: int = 2_000,
        step: float = 0.02,
    ) -> None:
        """Wrap a predictor; calibrate on its latest `window` scores."""
        self.levels = np.array(levels, dtype=np.float64)
        self._base = base
        self._normal = np.array([NormalDist().inv_cdf(level) for level in levels])
        self._window, self._sorted = np.zeros(window), np.zeros(window)
        self._n = np.zeros(1, dtype=np.int64)
        self._corrections = np.zeros(len(levels))
        self._step, self._least = step, 50.0

    def predict(self, x: Features) -> Estimate:
        """The served levels for each row."""
        rows = np.arange(len(x), dtype=np.int64)
        return self._serve(x, np.full(len(x), SERVE), rows, np.full(len(x), np.nan))

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Calibrate on outcomes, then hand them on."""
        self.follow(x, np.full(len(x), LEARN), np.arange(len(x)), y, censored)

    def follow(
        self,
        x: Features,
        kinds: Integers,
        rows: Integers,
        y: Floats,
        censored: NDArray[np.bool_],
        progress: Callable[[float], None] | None = None,
    ) -> Estimate:
        """Serve and learn rows of x in the order of the events; what was served, by row.

        The same as `predict` and `learn` called for one event at a time, but in blocks between
        two refits of the wrapped predictor.
        """
        n = len(x)
        value, quantiles = np.full(n, np.nan), np.full((n, len(self.levels)), np.nan)
        made_by, refused = np.full(n, "", "U64"), np.full(n, "", "U128")
        learns = np.flatnonzero(kinds == LEARN)
        begin = done = 0
        while begin < len(kinds):
            done += self._base.rows_to_refit()
            end = int(learns[done - 1]) + 1 if done <= len(learns) else len(kinds)
            need, local = np.unique(rows[begin:end], return_inverse=True)
            block = kinds[begin:end]
            answer = self._serve(x.take(need), block, local, y[need])
            served = np.unique(local[block == SERVE])
            at = need[served]
            value[at], quantiles[at] = answer.value[served], answer.quantiles[served]
            made_by[at], refused[at] = answer.made_by[served], answer.refused[served]
            ended = rows[begin:end][block == LEARN]
            self._base.learn(x.take(ended), y[ended], censored[ended])
            begin = end
            if progress is not None:
                progress(begin / len(kinds))
        return Estimate(
            value=value, levels=self.levels, quantiles=quantiles, made_by=made_by, refused=refused
        )

    def rows_to_refit(self) -> int:
        """How many outcomes from now the wrapped predictor may change."""
        return self._base.rows_to_refit()

    def _serve(self, x: Features, kinds: Integers, rows: Integers, y: Floats) -> Estimate:
        """Events on rows of x while the wrapped predictor stays as it is."""
        base = self._base.predict(x)
        nodes = np.array([NormalDist().inv_cdf(level) for level in base.levels])
        floor = _LEAST_SLOPE * nodes
        logs = np.maximum.accumulate(np.log1p(base.quantiles) - floor, axis=1) + floor
        out = np.full((len(x), len(self.levels)), np.nan)
        _follow(
            kinds, rows, np.log1p(np.maximum(y, 0.0)), nodes, logs, self.levels, self._normal,
            self._window, self._sorted, self._n, self._corrections, self._least, self._step, out,
        )  # fmt: skip
        quantiles = np.maximum(np.expm1(out), 0.0)
        middle = int(np.argmin(np.abs(self.levels - 0.5)))
        return Estimate(
            value=quantiles[:, middle],
            levels=self.levels,
            quantiles=quantiles,
            made_by=np.char.add("conformal ", base.made_by.astype("U48")),
            refused=base.refused,
        )
