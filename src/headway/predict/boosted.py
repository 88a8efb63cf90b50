"""Quantiles of a target from gradient-boosted trees on the log scale, refitted as outcomes come.

Source: Friedman (2001), gradient boosting; Koenker, Bassett (1978), quantile loss; LightGBM.
"""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError
from headway.predict.single_row import SingleRow
from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]

LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Levels that are fitted; others are read between and beyond them by whoever serves."""

_GROWTH: Final = 1.6  # early on, refit when the outcomes have grown by this factor
_EVERY: Final = 6000  # later, after so many outcomes
_EVERY_SHARE: Final = 0.05  # and at the least after this share of all that were learned
_MODELS: Final = ("target", "ratio")
_SETTINGS: Final[dict[str, Any]] = {
    "learning_rate": 0.1, "num_leaves": 31, "min_data_in_leaf": 50, "max_bin": 63,
    "feature_fraction": 0.5, "bagging_fraction": 0.5, "bagging_freq": 1, "extra_trees": True,
    "num_threads": 1, "deterministic": True, "force_col_wise": True, "verbosity": -1,
    "objective": "quantile",
}  # fmt: skip


class Boosted:
    """LightGBM quantiles of log(1 + target) over the latest outcomes.

    Each level is the mean of two models: one of the target itself and one of its ratio to the
    nearest history (`anchors`), which carries over to users never seen. Refits happen after
    fixed counts of outcomes, so that learning them in one call or in many is the same: at
    `first_fit`, then each time they have grown by 60 %, later after every 6,000 or 5 %.
    Where an outcome is censored, y is a lower bound: such a row counts in a refit only for the
    levels whose last fit lies below it (there the direction of the error is known), and for all
    levels in the first fit. A runtime that was cut at the limit is not censored: the target is
    the time that the attempt takes up, and `cap` holds all answers below the limit (Powell 1986).
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        anchors: Sequence[str] = (),
        cap: str = "",
        levels: Sequence[float] = LEVELS,
        window: int = 20_000,
        rounds: int = 50,
        seed: int = 0,
        first_fit: int = 50,
    ) -> None:
        """Look at the named columns, at most at the latest `window` outcomes.

        anchors: columns with logs of the target, the nearest history first; cap: the column of
        the limit that no answer exceeds by more than 1 % and a minute; first_fit: outcomes
        before the first fit.
        """
        self.levels = np.array(levels, dtype=np.float64)
        self._columns, self._anchors, self._cap = tuple(columns), tuple(anchors), cap
        self._window, self._rounds, self._seed = window, rounds, seed
        self._x = np.zeros((0, len(self._columns)))
        self._y = np.zeros(0)
        self._anchored = np.zeros(0)
        self._censored = np.zeros(0, dtype=bool)
        self._waiting: list[tuple[Floats, Floats, Floats, NDArray[np.bool_]]] = []
        self._learned, self._fits, self._next_fit = 0, 0, first_fit
        self._first_fit = first_fit
        self._usual = 0.0  # the log of the target where there is no anchor
        self._version = ""
        self._boosters: list[list[Any]] = []  # for each level: of the target, of the ratio
        self._single: SingleRow | None = None  # prepared at the first single row after a fit
        self._places: tuple[tuple[str, ...], list[int]] = ((), [])

    def predict(self, x: Features) -> Estimate:
        """The fitted levels for each row; refused before the first fit."""
        n, q = len(x), len(self.levels)
        quantiles = np.full((n, q), np.nan)
        reason = "" if self._boosters else f"fewer than {self._first_fit} outcomes to learn from"
        if self._boosters and n:
            self._check(x)
            rows, anchored = self._chosen(x), np.nan_to_num(self._anchor(x), nan=self._usual)
            if n == 1:
                quantiles[0] = self._levels_of_one(rows, anchored)
            else:
                for i in range(q):
                    quantiles[:, i] = self._level(i, rows, anchored)
            quantiles = np.sort(quantiles, axis=1)
            if self._cap:
                quantiles = np.fmin(quantiles, np.log1p(x.column(self._cap) * 1.01 + 60.0)[:, None])
            quantiles = np.maximum(np.expm1(quantiles), 0.0)
        return Estimate(
            value=quantiles[:, int(np.argmin(np.abs(self.levels - 0.5)))].copy(),
            levels=self.levels,
            quantiles=quantiles,
            made_by=np.full(n, f"boosted-{self._fits}"),
            refused=np.full(n, reason),
        )

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Keep outcomes and refit where the schedule says so."""
        self._check(x)
        self._version = x.version
        done = 0
        while done < len(y):
            part = slice(done, done + min(self.rows_to_refit(), len(y) - done))
            rows = x.take(part)
            log = np.log1p(np.maximum(np.asarray(y[part], dtype=np.float64), 0.0))
            known = np.array(censored[part], dtype=bool)
            self._waiting.append((self._chosen(rows), log, self._anchor(rows), known))
            self._learned += len(rows)
            done += len(rows)
            if self._learned == self._next_fit:
                self._fit()

    def rows_to_refit(self) -> int:
        """How many outcomes from now the next refit comes."""
        return self._next_fit - self._learned

    def save(self) -> dict[str, bytes]:
        """Models as LightGBM text, settings and the window of outcomes, by file name."""
        self._gather()
        words = {
            "columns": self._columns, "anchors": self._anchors, "cap": self._cap,
            "levels": self.levels.tolist(), "window": self._window, "rounds": self._rounds,
            "seed": self._seed, "first_fit": self._first_fit,
            "learned": self._learned, "fits": self._fits,
            "next_fit": self._next_fit, "version": self._version, "usual": self._usual,
        }  # fmt: skip
        stream = io.BytesIO()
        np.savez_compressed(
            stream, x=self._x, y=self._y, anchored=self._anchored, censored=self._censored
        )
        files = {"boosted.json": json.dumps(words).encode(), "boosted.npz": stream.getvalue()}
        for level, both in zip(self.levels, self._boosters, strict=False):
            for kind, booster in zip(_MODELS, both, strict=True):
                files[f"boosted-{level:g}-{kind}.txt"] = booster.model_to_string().encode()
        return files

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Boosted:
        """A Boosted as it was saved."""
        words = json.loads(files["boosted.json"])
        settings = ("anchors", "cap", "levels", "window", "rounds", "seed", "first_fit")
        boosted = cls(words["columns"], **{name: words[name] for name in settings})
        boosted._learned, boosted._fits = words["learned"], words["fits"]
        boosted._next_fit, boosted._version = words["next_fit"], words["version"]
        boosted._usual = words["usual"]
        arrays = np.load(io.BytesIO(files["boosted.npz"]))
        boosted._x, boosted._y = arrays["x"], arrays["y"]
        boosted._anchored, boosted._censored = arrays["anchored"], arrays["censored"]
        if boosted._fits:
            import lightgbm

            boosted._boosters = [
                [
                    lightgbm.Booster(model_str=files[f"boosted-{level:g}-{kind}.txt"].decode())
                    for kind in _MODELS
                ]
                for level in boosted.levels
            ]
        return boosted

    def _gather(self) -> None:
        """Join what came since the last fit to the window of outcomes."""
        parts = [(self._x, self._y, self._anchored, self._censored), *self._waiting]
        self._waiting = []
        self._x, self._y, self._anchored, self._censored = (
            np.concatenate(column)[-self._window :] for column in zip(*parts, strict=True)
        )

    def _check(self, x: Features) -> None:
        """Say no to features of another definition."""
        if self._version and x.version != self._version:
            message = f"features version must be {self._version!r}, got {x.version!r}: learn anew"
            raise ConfigError(message)

    def _chosen(self, x: Features) -> Floats:
        """The columns this predictor looks at, (n, d)."""
        if self._places[0] is not x.names:
            self._places = (x.names, [x.names.index(name) for name in self._columns])
        return x.values[:, self._places[1]]

    def _anchor(self, x: Features) -> Floats:
        """The log of the target in the nearest history, (n,); NaN = there is none."""
        anchor = np.full(len(x), np.nan)
        for name in self._anchors:
            anchor = np.where(np.isnan(anchor), x.column(name), anchor)
        return anchor

    def _level(self, level: int, rows: Floats, anchored: Floats) -> Floats:
        """One level of the log target, (n,)."""
        plain, ratio = self._boosters[level]
        whole = plain.predict(rows, num_threads=1)
        return 0.5 * (whole + ratio.predict(rows, num_threads=1) + anchored)

    def _levels_of_one(self, row: Floats, anchored: Floats) -> Floats:
        """All levels of the log target for one row (1, d), through the fast call."""
        if self._single is None:
            boosters = [booster for both in self._boosters for booster in both]
            self._single = SingleRow(boosters, len(self._columns))
        answers = self._single.predict(row[0])
        return 0.5 * (answers[::2] + answers[1::2] + anchored)

    def _fit(self) -> None:
        """Fit all levels anew on the latest outcomes."""
        import lightgbm

        self._gather()
        x, y = self._x, self._y
        weights = [self._weights(level) for level in range(len(self.levels))]
        self._usual = float(np.median(y))
        anchored = np.nan_to_num(self._anchored, nan=self._usual)
        binned = {"max_bin": _SETTINGS["max_bin"], "verbosity": -1, "num_threads": 1}

        def data_of(label: Floats, weight: Floats | None, like: Any) -> Any:
            data = lightgbm.Dataset(x, label, weight=weight, reference=like, params=binned)
            return data.construct()

        whole = data_of(y, None, None)
        ratio = data_of(y - anchored, None, whole)

        def fitted(job: tuple[int, Any]) -> Any:
            level, data = job
            if weights[level] is not None:
                data = data_of(data.get_label(), weights[level], whole)
            settings = _SETTINGS | {"alpha": float(self.levels[level]), "seed": self._seed}
            return lightgbm.train(settings, data, self._rounds)

        jobs = [(level, data) for level in range(len(self.levels)) for data in (whole, ratio)]
        with ThreadPoolExecutor(2) as threads:
            boosters = list(threads.map(fitted, jobs))
        self._boosters = [boosters[i : i + 2] for i in range(0, len(boosters), 2)]
        self._fits += 1
        self._single = None
        grown = max(_EVERY, int(_EVERY_SHARE * self._learned))
        self._next_fit = self._learned + min(grown, int((_GROWTH - 1.0) * self._learned))

    def _weights(self, level: int) -> Floats | None:
        """Weights (n,) that leave out the lower bounds that say nothing; None = all count."""
        if not self._boosters or not self._censored.any():
            return None
        weights = np.ones(len(self._y))
        at = np.flatnonzero(self._censored)
        anchored = np.nan_to_num(self._anchored[at], nan=self._usual)
        fitted = self._level(level, self._x[at], anchored)
        weights[at] = np.where(fitted < self._y[at], 1.0, 0.0)
        return weights
