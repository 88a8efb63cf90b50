"""Quantiles of a target from XGBoost, all levels in one model, refitted as outcomes come.

Source: Chen, Guestrin (2016), XGBoost; its objective reg:quantileerror with several levels at once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.predict.boosted import LEVELS
from headway.predict.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features
    from headway.records import Estimate

    Floats = NDArray[np.float64]

_SETTINGS: Final[dict[str, Any]] = {
    "objective": "reg:quantileerror", "tree_method": "hist", "nthread": 1, "verbosity": 0,
    "eta": 0.1, "max_depth": 6, "min_child_weight": 20, "max_bin": 64, "subsample": 0.5,
    "colsample_bynode": 0.25,
}  # fmt: skip
_MODELS: Final = ("xgboosted-target.ubj", "xgboosted-ratio.ubj")


class XGBoosted:
    """XGBoost quantiles of log(1 + target) over the latest outcomes.

    The mean of two models, each of all levels at once: one of the target, one of its ratio to the
    nearest history. A lower bound (censored) counts in a refit only where the last fit's middle
    lies below it, and everywhere in the first fit.
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
        settings: Mapping[str, float] | None = None,
    ) -> None:
        """Look at the named columns, at most at the latest `window` outcomes; see Boosted."""
        self.levels = np.array(levels, dtype=np.float64)
        self._cap, self._rounds, self._seed = cap, rounds, seed
        self._settings = dict(settings or {})
        self._window = Window(columns, anchors, size=window, first_fit=first_fit)
        self._boosters: list[Any] = []  # of the target, of its ratio to the nearest history

    def predict(self, x: Features) -> Estimate:
        """The fitted levels for each row; refused before the first fit."""
        return self._window.answer(x, "xgboosted", self.levels, self._cap, self._logs)

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Keep outcomes and refit where the schedule says so."""
        self._window.learn(x, y, censored, self._fit)

    def rows_to_refit(self) -> int:
        """How many outcomes from now the next refit comes."""
        return self._window.rows_to_refit()

    def save(self) -> dict[str, bytes]:
        """The model in XGBoost's own binary JSON, settings and the window of outcomes."""
        words = {
            "cap": self._cap, "levels": self.levels.tolist(), "rounds": self._rounds,
            "seed": self._seed, "settings": self._settings,
        }  # fmt: skip
        files = {"xgboosted.json": json.dumps(words).encode(), "xgboosted.npz": self._window.save()}
        for name, booster in zip(_MODELS, self._boosters, strict=False):
            files[name] = bytes(booster.save_raw("ubj"))
        return files

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> XGBoosted:
        """An XGBoosted as it was saved."""
        boosted = cls((), **json.loads(files["xgboosted.json"]))
        boosted._window = Window.load(files["xgboosted.npz"])
        if boosted._window.fits:
            import xgboost

            boosted._boosters = [
                xgboost.Booster({"nthread": 1}, model_file=bytearray(files[name]))
                for name in _MODELS
            ]
        return boosted

    def _logs(self, rows: Floats, anchored: Floats) -> Floats:
        """The levels of the log target, (n, q)."""
        whole, ratio = (
            booster.inplace_predict(rows, validate_features=False).reshape(len(rows), -1)
            for booster in self._boosters
        )
        logs: Floats = 0.5 * (whole + ratio + anchored[:, None])
        return logs

    def _fit(self) -> None:
        """Fit all levels anew on the latest outcomes."""
        import xgboost

        window = self._window
        data = xgboost.QuantileDMatrix(
            window.x, window.log_y, weight=self._weights(), max_bin=_SETTINGS["max_bin"], nthread=1
        )
        settings = _SETTINGS | self._settings
        settings |= {"quantile_alpha": self.levels, "seed": self._seed}
        boosters = []
        for label in (window.log_y, window.log_y - window.anchored):
            data.set_label(label)
            boosters.append(xgboost.train(settings, data, self._rounds))
        self._boosters = boosters

    def _weights(self) -> Floats:
        """Weights (m,) that leave out the lower bounds that say nothing."""
        window, weights = self._window, np.ones(len(self._window.x))
        at = np.flatnonzero(window.censored)
        if self._boosters and len(at):
            fitted = self._logs(window.x[at], window.anchored[at])
            middle = fitted[:, int(np.argmin(np.abs(self.levels - 0.5)))]
            weights[at] = np.where(middle < window.log_y[at], 1.0, 0.0)
        return weights
