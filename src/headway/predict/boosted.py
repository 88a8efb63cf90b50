"""Quantiles of a target from gradient-boosted trees on the log scale, refitted as outcomes come.

Source: Friedman (2001), gradient boosting; Koenker, Bassett (1978), quantile loss; LightGBM.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from headway.predict.answer import answer
from headway.predict.forest import Forest
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
    "num_leaves": 31, "min_data_in_leaf": 50, "max_bin": 63,
    "feature_fraction": 0.5, "bagging_fraction": 0.5, "bagging_freq": 1, "extra_trees": True,
    "num_threads": 1, "deterministic": True, "force_col_wise": True, "verbosity": -1,
    "objective": "quantile",
}  # fmt: skip
RATES: Final = 5.0  # sum of the learning rates of all rounds


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
        whole: int = 0,
        settings: Mapping[str, float] | None = None,
    ) -> None:
        """Look at the named columns, at most at the latest `window` outcomes.

        anchors: columns with logs of the target, the nearest history first; cap: the column of
        the limit that no answer exceeds by more than 1 % and a minute; first_fit: outcomes
        before the first fit; whole: outcomes that are known already, see Window; rounds: fewer take
        larger steps; settings: of the library's training, in place of ours.
        """
        self.levels = np.array(levels, dtype=np.float64)
        self._cap, self._rounds, self._seed = cap, rounds, seed
        self._settings = dict(settings or {})
        self._window = Window(columns, anchors, size=window, first_fit=first_fit, whole=whole)
        self._texts: list[str] = []  # models: for each level of the target, of the ratio
        self._forest: Forest | None = None

    def predict(self, x: Features) -> Estimate:
        """The fitted levels for each row; refused before the first fit."""
        if self._forest is None:
            logs = np.full((len(x), len(self.levels)), np.nan)
        else:
            logs = _logs(self._forest, x.values, *self._window.places(x))
        refused = self._window.refusal()
        return answer(x, logs, self.levels, made_by=self.signature, refused=refused, cap=self._cap)

    @property
    def signature(self) -> str:
        """Who answers now."""
        return f"boosted-{self._window.fits}"

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
            "seed": self._seed, "settings": self._settings,
        }  # fmt: skip
        files = {"boosted.json": json.dumps(words).encode(), "boosted.npz": self._window.save()}
        files |= {
            name: text.encode() for name, text in zip(self._files(), self._texts, strict=False)
        }
        return files

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Boosted:
        """A Boosted as it was saved."""
        boosted = cls((), **json.loads(files["boosted.json"]))
        boosted._window = Window.load(files["boosted.npz"])
        if boosted._window.fits:
            boosted._texts = [files[name].decode() for name in boosted._files()]
            boosted._forest = Forest(boosted._texts)
        return boosted

    def _files(self) -> list[str]:
        """The name of each model's file."""
        return [f"boosted-{level:g}-{kind}.txt" for level in self.levels for kind in _MODELS]

    def _fit(self) -> None:
        """Fit all levels anew on the latest outcomes."""
        import lightgbm

        x, y, anchored = self._window.x, self._window.log_y, self._window.anchored
        weights = self._weights()
        binned = {
            "max_bin": _SETTINGS["max_bin"], "verbosity": -1, "num_threads": 1,
            "feature_pre_filter": not self._settings,  # smaller leaves than usual may be asked for
        }  # fmt: skip

        def data_of(label: Floats, weight: Floats | None, like: Any) -> Any:
            data = lightgbm.Dataset(x, label, weight=weight, reference=like, params=binned)
            return data.construct()

        whole = data_of(y, None, None)
        ratio = data_of(y - anchored, None, whole)

        def fitted(job: tuple[int, Any]) -> str:
            level, data = job
            if weights is not None:
                data = data_of(data.get_label(), weights[:, level], whole)
            settings = _SETTINGS | {"learning_rate": RATES / self._rounds} | self._settings
            settings |= {"seed": self._seed, "alpha": float(self.levels[level])}
            return str(lightgbm.train(settings, data, self._rounds).model_to_string())

        jobs = [(level, data) for level in range(len(self.levels)) for data in (whole, ratio)]
        with ThreadPoolExecutor(2) as threads:
            self._texts = list(threads.map(fitted, jobs))
        self._forest = Forest(self._texts)

    def _weights(self) -> Floats | None:
        """Weights (m, q) that leave out the lower bounds that say nothing; None = all count."""
        window = self._window
        if self._forest is None or not window.censored.any():
            return None
        weights = np.ones((len(window.x), len(self.levels)))
        at = np.flatnonzero(window.censored)
        places = np.arange(len(window.columns), dtype=np.uint32)
        fitted = _logs(self._forest, window.x[at], places, window.anchored[at])
        weights[at] = np.where(fitted < window.log_y[at, None], 1.0, 0.0)
        return weights


def _logs(forest: Forest, values: Floats, places: NDArray[np.uint32], anchored: Floats) -> Floats:
    """The levels of the log target (n, q) of rows whose columns are in these places."""
    logs: Floats = means_of(forest.predict(values, places), anchored)
    return logs


@njit(cache=True)
def means_of(answers: Floats, anchored: Floats) -> Floats:
    """The mean of each two models (n, 2 q), of the target and of its ratio to the anchor (n,)."""
    means = np.empty((len(answers), answers.shape[1] // 2))
    for i in range(len(answers)):
        for k in range(means.shape[1]):
            means[i, k] = 0.5 * (answers[i, 2 * k] + answers[i, 2 * k + 1] + anchored[i])
    return means
