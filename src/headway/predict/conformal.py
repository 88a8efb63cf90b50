"""Intervals that keep what they promise while the world drifts: a calibrating shell.

Each outcome is turned into a score z, the normal score of the level at which the wrapped
predictor's own distribution would have had it. A promised level is then read at the quantile of
the scores that came lately of tasks believed to be alike (as long, as uncertain, as close to their
limit), corrected by what was missed, in all and of tasks of the same kind.
"""

from __future__ import annotations

import io
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import numpy as np

from headway.predict.answer import repeated
from headway.predict.calibration import LEARN as LEARN
from headway.predict.calibration import SERVE as SERVE
from headway.predict.calibration import WHERE, follow, groups
from headway.protocols import Features
from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from headway.predict.one_row import Asked

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

LEVELS: Final = (0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995)
"""Levels that are served."""

_KINDS: Final = 1 << 13  # kinds of task that are told apart


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
        # asked once: of a single update's time it would be a third
        self._followed = base if isinstance(base, Followed) else None
        self._normal = _normal_scores(self.levels)
        self._nodes = _normal_scores(base.levels)
        self._believed = (
            *(f"believed_{level:g}" for level in base.levels),
            *(f"promised_{level:g}" for level in levels),
        )
        self._cap, self._middles = cap, tuple(middles)
        self._log_middles = np.log1p(np.array(self._middles, dtype=np.float64))
        g = groups(len(self._middles), bool(cap)) + 1  # the last one is of all
        self._window, self._sorted = np.zeros((g, window)), np.zeros((g, window))
        self._n = np.zeros(g, dtype=np.int64)
        self._now = np.tile(self._normal, (g, 1))
        self._corrections = np.zeros(len(levels))
        self._step, self._largest = step, np.zeros(1)
        self._offsets = np.zeros((_KINDS, len(levels)))
        self._counts = np.zeros(_KINDS, dtype=np.int64)
        self._names: tuple[str, ...] = ()  # of the features that the places are of
        self._plain: tuple[str, ...] = ()  # names without and with what is believed, made once
        self._with_believed = self._believed
        self._places = np.zeros(0, dtype=np.int64)
        self._asked: Asked | None = None  # by one_row, of what it is now

    def __getstate__(self) -> dict[str, Any]:
        """All but what holds the arrays of this very object."""
        return self.__dict__ | {"_asked": None}

    def predict(self, x: Features) -> Estimate:
        """The served levels for each row."""
        rows = np.arange(len(x), dtype=np.int64)
        base = self._base.predict(x)
        nothing = np.empty((len(x), len(self._believed)))
        return self._serve(x, np.zeros_like(rows), rows, base.value, base, nothing)

    def believe(self, x: Features) -> Estimate:
        """What the wrapped predictor says; its value is the one of `predict`."""
        return self._base.predict(x)

    def remember(self, x: Features) -> Features:
        """The same rows with what the wrapped predictor says of them now, for `learn` to look at.

        An outcome should be held against what was believed at its submission. From plain rows
        `learn` has to ask the wrapped predictor again, which knows more by then.
        """
        rows = np.arange(len(x), dtype=np.int64)
        base = self._base.predict(x)
        believed = np.empty((len(x), len(self._believed)))
        believed[:, : len(self._nodes)] = np.log1p(base.quantiles)
        self._serve(x, np.zeros_like(rows), rows, base.value, base, believed)
        if self._plain is not x.names:
            self._plain, self._with_believed = x.names, (*x.names, *self._believed)
        values = np.concatenate([x.values, believed], 1)
        return Features(self._with_believed, values, x.keys, x.at_s, x.version)

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Calibrate on outcomes, then hand them on."""
        x, believed = self._split(x)
        begin = 0
        while begin < len(y):
            n = min(self._base.rows_to_refit(), len(y) - begin)
            part = slice(begin, begin + n)
            self._block(
                x.take(part), np.full(n, LEARN), np.arange(n), y[part], censored[part],
                believed[part],
            )  # fmt: skip
            begin += n

    def follow(
        self,
        x: Features,
        kinds: Integers,
        rows: Integers,
        y: Floats,
        censored: NDArray[np.bool_],
        progress: Callable[[float], None] | None = None,
        pauses: Sequence[int] = (),
        paused: Callable[[int], None] | None = None,
    ) -> Estimate:
        """Serve and learn rows of x in the order of the events; what was served, by row.

        The same as `predict` and `learn` called for one event at a time, but in blocks between
        two refits of the wrapped predictor. pauses: rising places of events; `paused` is told the
        number of each before its event, when all events before it and no other have happened.
        """
        n = len(x)
        value, quantiles = np.full(n, np.nan), np.full((n, len(self.levels)), np.nan)
        made_by, refused = np.full(n, "", "U64"), np.full(n, "", "U128")
        x, believed = self._split(x)
        learns = np.flatnonzero(kinds == LEARN)
        begin = pause = 0
        while begin < len(kinds):
            while paused is not None and pause < len(pauses) and pauses[pause] <= begin:
                paused(pause)
                pause += 1
            done = int(np.searchsorted(learns, begin)) + self._base.rows_to_refit()
            end = int(learns[done - 1]) + 1 if done <= len(learns) else len(kinds)
            end = min(end, pauses[pause]) if paused is not None and pause < len(pauses) else end
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
            now=self._now, corrections=self._corrections, largest=self._largest,
            offsets=self._offsets, counts=self._counts, step=np.array(self._step),
            cap=np.array(self._cap), middles=np.array(self._middles),
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
        own._now, own._corrections = arrays["now"], arrays["corrections"]
        own._largest = arrays["largest"]
        own._offsets, own._counts = arrays["offsets"], arrays["counts"]
        return own

    def _block(
        self, x: Features, kinds: Integers, rows: Integers, y: Floats, censored: NDArray[np.bool_],
        believed: Floats,
    ) -> Estimate:  # fmt: skip
        """Events on rows of x up to a refit of the wrapped predictor, which then has learned.

        believed (n, ..): the log quantiles and the scores that were served before, NaN = asked
        for anew; those that are served now are written into it.
        """
        self._asked = None
        if self._followed is not None:
            base, learned = self._followed.follow(x, kinds, rows, y, censored)
        else:
            base = self._base.predict(x)
            learned = np.log1p(base.quantiles)
            ended = rows[kinds == LEARN]
            self._base.learn(x.take(ended), y[ended], censored[ended])
        served, q = rows[kinds == SERVE], len(self._nodes)
        believed[served, :q] = np.log1p(base.quantiles[served])
        believed[:, :q] = np.where(np.isnan(believed[:, :q]), learned, believed[:, :q])
        return self._serve(x, kinds, rows, y, base, believed)

    def _split(self, x: Features) -> tuple[Features, Floats]:
        """Features without what was remembered in them, and that, (n, q); NaN = nothing."""
        q = len(self._believed)
        if x.names[-q:] != self._believed:
            return x, np.full((len(x), q), np.nan)
        if self._with_believed is not x.names:
            self._plain, self._with_believed = x.names[:-q], x.names
        return Features(self._plain, x.values[:, :-q], x.keys, x.at_s, x.version), x.values[:, -q:]

    def places_in(self, names: tuple[str, ...]) -> Integers:
        """Where the columns that calibration looks at are among names, -1 = none."""
        if self._names is not names:
            wanted = (self._cap, *WHERE[1:])
            self._places = np.array([names.index(w) if w in names else -1 for w in wanted])
            self._names = names
        return self._places

    def _serve(
        self, x: Features, kinds: Integers, rows: Integers, y: Floats, base: Estimate,
        believed: Floats,
    ) -> Estimate:  # fmt: skip
        """Events on rows of x: what the wrapped predictor says now and what was said before."""
        out, q = np.empty((len(x), len(self.levels))), len(self._nodes)
        follow(
            kinds, rows, y, x.values, self.places_in(x.names), base.quantiles, believed[:, :q],
            self._nodes, self._log_middles, self.levels, self._normal, self._window, self._sorted,
            self._n, self._now, self._corrections, self._offsets, self._counts, self._step,
            self._largest,
            believed[:, q:], out,
        )  # fmt: skip
        return Estimate(
            value=base.value.copy(),
            levels=self.levels,
            quantiles=out,
            made_by=_signed(base.made_by),
            refused=base.refused,
        )


def _signed(made_by: NDArray[np.str_]) -> NDArray[np.str_]:
    """Signatures with that of the calibration before them."""
    if len(made_by) == 1:
        return repeated(f"conformal {made_by[0]}", 1)
    return np.strings.add("conformal ", made_by)


def _normal_scores(levels: Floats) -> Floats:
    """The normal score of each level, (q,)."""
    return np.array([NormalDist().inv_cdf(float(level)) for level in levels])
