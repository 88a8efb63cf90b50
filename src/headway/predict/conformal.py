"""Intervals that keep what they promise while the world drifts: a calibrating shell.

Each outcome is turned into a score z, the normal score of the level at which the wrapped
predictor's own distribution would have had it. A promised level is then read at the quantile of
the scores that came lately of tasks believed to be alike (as long, as uncertain, as close to their
limit), corrected by what was missed.
"""

from __future__ import annotations

import io
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numba import njit

from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

LEVELS: Final = (0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995)
"""Levels that are served."""

_PRIOR_SCORES: Final = 50.0  # how many scores the wrapped predictor's own word is worth
_PAST: Final = 4096
_FARTHEST: Final = 6.0  # normal score beyond which all surprises are alike
_LEAST_SLOPE: Final = 0.02  # least growth of the log per unit of normal score
_MOST_SWING: Final = 0.3  # step of the correction times outcomes until it is felt
_SPREADS: Final = (2.0, 5.0)  # bounds of log of highest over lowest fitted level
_HEADROOMS: Final = (0.5, 2.0)  # bounds of log of the limit over the middle


SERVE, LEARN = 0, 1
"""Kinds of event in `Conformal.follow`."""


class Refitted(Protocol):
    """A Predictor that says when it will change."""

    def predict(self, x: Features) -> Estimate:
        """N rows -> n answers."""
        ...

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Outcomes in order of time."""
        ...

    def rows_to_refit(self) -> int:
        """How many outcomes from now its answers may change."""
        ...

    def save(self) -> dict[str, bytes]:
        """Everything it is, as bytes by file name."""
        ...


@njit(cache=True)
def _value_at(z: float, nodes: Floats, logs: Floats) -> float:
    """The log value at normal score z of a distribution known at some nodes; linear beyond."""
    q = len(nodes)
    i = 0
    while i < q - 2 and z > nodes[i + 1]:
        i += 1
    slope = (logs[i + 1] - logs[i]) / (nodes[i + 1] - nodes[i])
    return logs[i] + slope * (z - nodes[i])


@njit(cache=True)
def _score_of(log: float, nodes: Floats, logs: Floats) -> float:
    """The normal score at which a distribution has a log value; the inverse of `_value_at`."""
    q = len(nodes)
    i = 0
    while i < q - 2 and log > logs[i + 1]:
        i += 1
    slope = (logs[i + 1] - logs[i]) / (nodes[i + 1] - nodes[i])
    return min(max(nodes[i] + (log - logs[i]) / slope, -_FARTHEST), _FARTHEST)


@njit(cache=True)
def _take_in(z: float, window: Floats, sorted_: Floats, n: Integers) -> None:
    """Put a score into the rolling window and its sorted twin; n[0] were put before."""
    size = min(n[0], len(window))
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
def _empirical(sorted_: Floats, size: int, level: float) -> float:
    """The conformal quantile of the first `size` sorted scores, between neighbours linear."""
    at = min(max(level * (size + 1) - 1.0, 0.0), size - 1.0)
    i = int(at)
    if i >= size - 1:
        return sorted_[size - 1]
    return sorted_[i] + (at - i) * (sorted_[i + 1] - sorted_[i])


@njit(cache=True)
def _follow(
    kinds: Integers, rows: Integers, log_y: Floats, lags: Integers, group: Integers,
    nodes: Floats, logs: Floats, levels: Floats, normal: Floats, window: Floats, sorted_: Floats,
    n: Integers, corrections: Floats, past: Floats, step: float, out: Floats,
) -> None:  # fmt: skip
    """Serve and learn rows in the order of the events.

    window, sorted_ (g, w) and n (g + 1,) hold the scores of each group and how many came, in all
    last. past (m, q) remembers the corrections after each of the last m outcomes: an outcome is
    held against those of its submission, `lags` outcomes ago, not against today's; the longer
    that is, the smaller the step, or the correction would swing ever wider.
    """
    now = np.empty((len(window), len(levels)))
    for g in range(len(window)):
        now[g] = _served(levels, normal, sorted_[g], min(n[g], window.shape[1]))
    for event in range(len(kinds)):
        i = rows[event]
        g = group[i]
        if kinds[event] == SERVE:
            last = -np.inf
            for k in range(len(levels)):
                last = max(last, _value_at(now[g, k] + corrections[k], nodes, logs[i]))
                out[i, k] = last
        elif not (np.isnan(log_y[i]) or np.isnan(logs[i, 0])):
            z = _score_of(log_y[i], nodes, logs[i])
            past[n[-1] % len(past)] = corrections
            lag = min(lags[i], n[-1], len(past) - 1)
            then = past[(n[-1] - lag) % len(past)]
            moved = min(step, _MOST_SWING / (1.0 + lags[i]))
            for k in range(len(levels)):
                missed = levels[k] - (1.0 if z <= now[g, k] + then[k] else 0.0)
                corrections[k] += moved * missed
            _take_in(z, window[g], sorted_[g], n[g : g + 1])
            n[-1] += 1
            now[g] = _served(levels, normal, sorted_[g], min(n[g], window.shape[1]))


@njit(cache=True)
def _served(levels: Floats, normal: Floats, sorted_: Floats, size: int) -> Floats:
    """The normal scores at which the levels are read now, before corrections."""
    scores = normal.copy()
    weight = size / (size + _PRIOR_SCORES)
    if size > 0:
        for k in range(len(levels)):
            own = _empirical(sorted_, size, levels[k])
            scores[k] = weight * own + (1.0 - weight) * normal[k]
    return scores


def _lags(x: Features) -> Integers:
    """About how many outcomes come between a task's submission and its own: those in flight."""
    if "all.waiting" not in x.names:
        return np.zeros(len(x), dtype=np.int64)
    flying = x.column("all.waiting") + x.column("all.running")
    return np.nan_to_num(flying).astype(np.int64)


class Conformal:
    """Any predictor, with levels that hold on the outcomes that come.

    The value stays the wrapped predictor's own: moving it with the level 0.5 cost 8 % of the
    error of log runtimes on one trace and 1 % on another.

    Source: Vovk et al. (2005), conformal predictive systems, over a rolling window; Gibbs, Candes
    (2021), equation 2, for the correction, here of the normal score instead of the level and in
    smaller steps where outcomes come late (ours); Vovk et al. (2005), section 4.5 (Mondrian), for
    one window a group of similar tasks.
    """

    def __init__(
        self,
        base: Refitted,
        *,
        levels: Sequence[float] = LEVELS,
        window: int = 2_000,
        step: float = 0.005,
        cap: str = "",
        middles: Sequence[float] = (),
    ) -> None:
        """Wrap a predictor; calibrate on the latest `window` scores of each group of tasks.

        middles: bounds of the predicted middle, in the target's unit, between groups;
        cap: the column of a limit that no answer exceeds by more than 5 % and two minutes (of
        four archived workloads 0.1 to 0.6 % of the runtimes do).
        """
        self.levels = np.array(levels, dtype=np.float64)
        self._base = base
        self._normal = np.array([NormalDist().inv_cdf(level) for level in levels])
        self._cap, self._middles = cap, tuple(middles)
        groups = (len(self._middles) + 1) * (len(_SPREADS) + 1)
        groups *= len(_HEADROOMS) + 1 if cap else 1
        self._window, self._sorted = np.zeros((groups, window)), np.zeros((groups, window))
        self._n = np.zeros(groups + 1, dtype=np.int64)
        self._corrections = np.zeros(len(levels))
        self._past, self._step = np.zeros((_PAST, len(levels))), step

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

    def save(self) -> dict[str, bytes]:
        """The calibration and the wrapped predictor as bytes by file name."""
        stream = io.BytesIO()
        np.savez_compressed(
            stream, levels=self.levels, window=self._window, sorted=self._sorted, n=self._n,
            corrections=self._corrections, past=self._past,
            step=np.array(self._step), cap=np.array(self._cap), middles=np.array(self._middles),
        )  # fmt: skip
        return {"conformal.npz": stream.getvalue()} | self._base.save()

    @classmethod
    def load(cls, files: Mapping[str, bytes], base: Refitted) -> Conformal:
        """A Conformal as it was saved, around its predictor."""
        arrays = np.load(io.BytesIO(files["conformal.npz"]))
        own = cls(
            base,
            levels=arrays["levels"].tolist(),
            window=arrays["window"].shape[1],
            step=float(arrays["step"]),
            cap=str(arrays["cap"]),
            middles=arrays["middles"].tolist(),
        )
        own._window, own._sorted, own._n = arrays["window"], arrays["sorted"], arrays["n"]
        own._corrections, own._past = arrays["corrections"], arrays["past"]
        return own

    def _serve(self, x: Features, kinds: Integers, rows: Integers, y: Floats) -> Estimate:
        """Events on rows of x while the wrapped predictor stays as it is."""
        base = self._base.predict(x)
        nodes = np.array([NormalDist().inv_cdf(level) for level in base.levels])
        floor = _LEAST_SLOPE * nodes
        logs = np.maximum.accumulate(np.log1p(base.quantiles) - floor, axis=1) + floor
        out = np.full((len(x), len(self.levels)), np.nan)
        _follow(
            kinds, rows, np.log1p(np.maximum(y, 0.0)), _lags(x), self._group(x, nodes, logs),
            nodes, logs, self.levels, self._normal, self._window, self._sorted, self._n,
            self._corrections, self._past, self._step, out,
        )  # fmt: skip
        quantiles = np.maximum(np.expm1(out), 0.0)
        if self._cap:
            most = x.column(self._cap) * 1.05 + 120.0
            quantiles = np.where(np.isnan(out), out, np.fmin(quantiles, most[:, None]))
        return Estimate(
            value=base.value.copy(),
            levels=self.levels,
            quantiles=quantiles,
            made_by=np.char.add("conformal ", base.made_by.astype("U48")),
            refused=base.refused,
        )

    def _group(self, x: Features, nodes: Floats, logs: Floats) -> Integers:
        """The group (n,) of similar tasks that each row is calibrated with."""
        middle = logs[:, int(np.argmin(np.abs(nodes)))]
        group = np.searchsorted(np.log1p(self._middles), middle)
        group = group * (len(_SPREADS) + 1) + np.searchsorted(_SPREADS, logs[:, -1] - logs[:, 0])
        if self._cap:
            headroom = np.log1p(x.column(self._cap) * 1.05 + 120.0) - middle
            group = group * (len(_HEADROOMS) + 1) + np.searchsorted(_HEADROOMS, headroom)
        return group.astype(np.int64)
