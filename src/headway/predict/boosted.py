"""Quantiles of a target from gradient-boosted trees on the log scale, refitted as outcomes come.

Source: Friedman (2001), gradient boosting; Koenker, Bassett (1978), quantile loss; LightGBM.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.predict.answer import answer
from headway.predict.single_row import SingleRow
from headway.predict.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features
    from headway.records import Estimate

    Floats = NDArray[np.float64]

LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Levels that are fitted; others are read between and beyond them by whoever serves."""

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
    nearest history (`anchors`), which carries over to users never seen; when they are refitted is
    the Window's. Where an outcome is censored, y is a lower bound: such a row counts in a refit
    only for the levels whose last fit lies below it (there the direction of the error is known),
    and for all levels in the first fit. A runtime that was cut at the limit is not censored: the
    target is the time that the attempt takes up, and `cap` holds all answers below the limit
    (Powell 1986).
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
        self._cap, self._rounds, self._seed = cap, rounds, seed
        self._window = Window(columns, anchors, size=window, first_fit=first_fit)
        self._boosters: list[list[Any]] = []  # for each level: of the target, of the ratio
        self._single: SingleRow | None = None  # prepared at the first single row after a fit

    def predict(self, x: Features) -> Estimate:
        """The fitted levels for each row; refused before the first fit."""
        n, q = len(x), len(self.levels)
        logs = np.full((n, q), np.nan)
        if self._boosters and n:
            rows, anchored = self._window.rows(x)
            if n == 1:
                logs[0] = self._levels_of_one(rows, anchored)
            else:
                for i in range(q):
                    logs[:, i] = self._level(i, rows, anchored)
        made_by, refused = f"boosted-{self._window.fits}", self._window.refusal()
        return answer(x, logs, self.levels, made_by=made_by, refused=refused, cap=self._cap)

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Keep outcomes and refit where the schedule says so."""
        self._window.learn(x, y, censored, self._fit)

    def rows_to_refit(self) -> int:
        """How many outcomes from now the next refit comes."""
        return self._window.rows_to_refit()

    def save(self) -> dict[str, bytes]:
        """Models as LightGBM text, settings and the window of outcomes, by file name."""
        words = {
            "cap": self._cap, "levels": self.levels.tolist(), "rounds": self._rounds,
            "seed": self._seed,
        }  # fmt: skip
        files = {"boosted.json": json.dumps(words).encode(), "boosted.npz": self._window.save()}
        for level, both in zip(self.levels, self._boosters, strict=False):
            for kind, booster in zip(_MODELS, both, strict=True):
                files[f"boosted-{level:g}-{kind}.txt"] = booster.model_to_string().encode()
        return files

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Boosted:
        """A Boosted as it was saved."""
        boosted = cls((), **json.loads(files["boosted.json"]))
        boosted._window = Window.load(files["boosted.npz"])
        if boosted._window.fits:
            import lightgbm

            boosted._boosters = [
                [
                    lightgbm.Booster(model_str=files[f"boosted-{level:g}-{kind}.txt"].decode())
                    for kind in _MODELS
                ]
                for level in boosted.levels
            ]
        return boosted

    def _level(self, level: int, rows: Floats, anchored: Floats) -> Floats:
        """One level of the log target, (n,)."""
        plain, ratio = self._boosters[level]
        whole = plain.predict(rows, num_threads=1)
        return 0.5 * (whole + ratio.predict(rows, num_threads=1) + anchored)

    def _levels_of_one(self, row: Floats, anchored: Floats) -> Floats:
        """All levels of the log target for one row (1, d), through the fast call."""
        if self._single is None:
            boosters = [booster for both in self._boosters for booster in both]
            self._single = SingleRow(boosters, len(self._window.columns))
        answers = self._single.predict(row[0])
        return 0.5 * (answers[::2] + answers[1::2] + anchored)

    def _fit(self) -> None:
        """Fit all levels anew on the latest outcomes."""
        import lightgbm

        x, y, anchored = self._window.x, self._window.log_y, self._window.anchored
        weights = [self._weights(level) for level in range(len(self.levels))]
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
        self._single = None

    def _weights(self, level: int) -> Floats | None:
        """Weights (n,) that leave out the lower bounds that say nothing; None = all count."""
        censored, log_y = self._window.censored, self._window.log_y
        if not self._boosters or not censored.any():
            return None
        weights = np.ones(len(log_y))
        at = np.flatnonzero(censored)
        fitted = self._level(level, self._window.x[at], self._window.anchored[at])
        weights[at] = np.where(fitted < log_y[at], 1.0, 0.0)
        return weights
