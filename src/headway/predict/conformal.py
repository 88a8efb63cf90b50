"""Intervals that keep what they promise while the world drifts: a calibrating shell.

Each outcome is turned into a score z, the normal score of the level at which the wrapped
predictor's own distribution would have had it. A promised level is then read at the quantile of
the scores that came lately of tasks believed to be alike (as long, as uncertain, as close to their
limit), corrected by what was missed, in all and of tasks of the same kind.
"""

from __future__ import annotations

import io
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import numpy as np

from headway.predict.calibration import LEARN as LEARN
from headway.predict.calibration import SERVE as SERVE
from headway.predict.calibration import follow
from headway.protocols import Features
from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

LEVELS: Final = (0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995)
"""Levels that are served."""

_PAST: Final = 4096
_KINDS: Final = 1 << 13  # kinds of task that are told apart
_LEAST_SLOPE: Final = 0.02  # least growth of the log per unit of normal score
_SPREADS: Final = (2.0, 5.0)  # bounds of log of highest over lowest fitted level
_HEADROOMS: Final = (0.5, 2.0)  # bounds of log of the limit over the middle


class Refitted(Protocol):
    """A Predictor that says when it will change."""

    levels: Floats

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


@runtime_checkable
class Followed(Refitted, Protocol):
    """A Predictor that changes with every outcome and so must be told the order of events."""

    def follow(
        self, x: Features, kinds: Integers, rows: Integers, y: Floats, censored: NDArray[np.bool_]
    ) -> tuple[Estimate, Floats]:
        """Serve and learn: what was served, and the log quantiles (n, q) before each learning."""
        ...


class Conformal:
    """Any predictor, with levels that hold on the outcomes that come.

    The value stays the wrapped predictor's own: moving it with the level 0.5 cost 8 % of the
    error of log runtimes on one trace and 1 % on another.

    Source: Vovk et al. (2005), conformal predictive systems, over a rolling window; Gibbs, Candes
    (2021), equation 2, for the correction, here of the normal score instead of the level and in
    smaller steps where outcomes come late (ours); Vovk et al. (2005), section 4.5 (Mondrian), for
    one window a group of similar tasks; Angelopoulos, Candes, Tibshirani (2023), quantile
    tracking, for the offsets of each kind of task.
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
        self._normal = _normal_scores(self.levels)
        self._nodes = _normal_scores(base.levels)
        self._believed = tuple(f"believed_{level:g}" for level in base.levels)
        self._cap, self._middles = cap, tuple(middles)
        groups = (len(self._middles) + 1) * (len(_SPREADS) + 1)
        groups *= len(_HEADROOMS) + 1 if cap else 1
        self._window, self._sorted = np.zeros((groups, window)), np.zeros((groups, window))
        self._n = np.zeros(groups + 1, dtype=np.int64)
        self._now = np.tile(self._normal, (groups, 1))
        self._corrections = np.zeros(len(levels))
        self._past, self._step = np.zeros((_PAST, len(levels))), step
        self._offsets = np.zeros((_KINDS, len(levels)))
        self._counts = np.zeros(_KINDS, dtype=np.int64)

    def predict(self, x: Features) -> Estimate:
        """The served levels for each row."""
        rows = np.arange(len(x), dtype=np.int64)
        base = self._base.predict(x)
        logs = np.log1p(base.quantiles)
        return self._serve(x, np.full(len(x), SERVE), rows, np.full(len(x), np.nan), base, logs)

    def remember(self, x: Features) -> Features:
        """The same rows with what the wrapped predictor says of them now, for `learn` to look at.

        An outcome should be held against what was believed at its submission. From plain rows
        `learn` has to ask the wrapped predictor again, which knows more by then.
        """
        logs = np.log1p(self._base.predict(x).quantiles)
        names = (*x.names, *self._believed)
        return Features(names, np.concatenate([x.values, logs], 1), x.keys, x.at_s, x.version)

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
        x, believed = self._split(x)
        learns = np.flatnonzero(kinds == LEARN)
        begin = done = 0
        while begin < len(kinds):
            done += self._base.rows_to_refit()
            end = int(learns[done - 1]) + 1 if done <= len(learns) else len(kinds)
            need, local = np.unique(rows[begin:end], return_inverse=True)
            block = kinds[begin:end]
            mine = believed[need]
            answer = self._block(x.take(need), block, local, y[need], censored[need], mine)
            served = np.unique(local[block == SERVE])
            at = need[served]
            believed[at] = mine[served]
            value[at], quantiles[at] = answer.value[served], answer.quantiles[served]
            made_by[at], refused[at] = answer.made_by[served], answer.refused[served]
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
            now=self._now, corrections=self._corrections, past=self._past, offsets=self._offsets,
            counts=self._counts, step=np.array(self._step), cap=np.array(self._cap),
            middles=np.array(self._middles),
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
        own._now, own._corrections, own._past = arrays["now"], arrays["corrections"], arrays["past"]
        own._offsets, own._counts = arrays["offsets"], arrays["counts"]
        return own

    def _block(
        self, x: Features, kinds: Integers, rows: Integers, y: Floats, censored: NDArray[np.bool_],
        believed: Floats,
    ) -> Estimate:  # fmt: skip
        """Events on rows of x up to a refit of the wrapped predictor, which then has learned.

        believed (n, q): the log quantiles that were served before, NaN = asked for anew; those
        that are served now are written into it.
        """
        if isinstance(self._base, Followed):
            base, learned = self._base.follow(x, kinds, rows, y, censored)
        else:
            base = self._base.predict(x)
            learned = np.log1p(base.quantiles)
            ended = rows[kinds == LEARN]
            self._base.learn(x.take(ended), y[ended], censored[ended])
        served = kinds == SERVE
        believed[rows[served]] = np.log1p(base.quantiles[rows[served]])
        before = np.where(np.isnan(believed), learned, believed)
        return self._serve(x, kinds, rows, y, base, before)

    def _split(self, x: Features) -> tuple[Features, Floats]:
        """Features without what was remembered in them, and that, (n, q); NaN = nothing."""
        q = len(self._believed)
        if x.names[-q:] != self._believed:
            return x, np.full((len(x), q), np.nan)
        return Features(x.names[:-q], x.values[:, :-q], x.keys, x.at_s, x.version), x.values[:, -q:]

    def _serve(
        self, x: Features, kinds: Integers, rows: Integers, y: Floats, base: Estimate,
        before: Floats,
    ) -> Estimate:  # fmt: skip
        """Events on rows of x: what the wrapped predictor says now and what it said of outcomes."""
        logs, before = self._rising(np.log1p(base.quantiles)), self._rising(before)
        group, group_before = self._group(x, logs), self._group(x, before)
        out = np.full((len(x), len(self.levels)), np.nan)
        follow(
            kinds, rows, np.log1p(np.maximum(y, 0.0)), _lags(x), group, group_before, _kinds(x),
            self._nodes, logs, before, self.levels, self._normal, self._window, self._sorted,
            self._n, self._now, self._corrections, self._past, self._offsets, self._counts,
            self._step, out,
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

    def _rising(self, logs: Floats) -> Floats:
        """Log quantiles (n, q) that rise by a least slope."""
        floor = _LEAST_SLOPE * self._nodes
        return np.asarray(np.maximum.accumulate(logs - floor, axis=1) + floor)

    def _group(self, x: Features, logs: Floats) -> Integers:
        """The group (n,) of similar tasks that each row is calibrated with."""
        middle = logs[:, int(np.argmin(np.abs(self._nodes)))]
        group = np.searchsorted(np.log1p(self._middles), middle)
        group = group * (len(_SPREADS) + 1) + np.searchsorted(_SPREADS, logs[:, -1] - logs[:, 0])
        if self._cap:
            headroom = np.log1p(x.column(self._cap) * 1.05 + 120.0) - middle
            group = group * (len(_HEADROOMS) + 1) + np.searchsorted(_HEADROOMS, headroom)
        return group.astype(np.int64)


def _normal_scores(levels: Floats) -> Floats:
    """The normal score of each level, (q,)."""
    return np.array([NormalDist().inv_cdf(float(level)) for level in levels])


def _lags(x: Features) -> Integers:
    """About how many outcomes come between a task's submission and its own: those in flight."""
    if "all.waiting" not in x.names:
        return np.zeros(len(x), dtype=np.int64)
    flying = x.column("all.waiting") + x.column("all.running")
    return np.nan_to_num(flying).astype(np.int64)


def _kinds(x: Features) -> Integers:
    """The kind (n,) of each task, by its name or, without one, its user."""
    if "name" not in x.names:
        return np.zeros(len(x), dtype=np.int64)
    name, user = x.column("name"), x.column("user")
    kind = np.where(name >= 0, 2.0 * name, 2.0 * user + 1.0)
    return np.mod(kind, _KINDS).astype(np.int64)
