"""Forecasts from gradient-boosted trees over lags, seasons and the calendar of all series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.forecast.answer import LEVELS, answer, bounded, refusals
from headway.forecast.lagged import Lagged
from headway.forecast.past import Past, read, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.records import Estimate

    Floats = NDArray[np.float64]

FITTED: Final = (0.025, 0.1, 0.5, 0.9, 0.975)
"""The levels that are fitted; the others are read between them, as of a normal distribution."""

FARTHEST: Final = 48
"""Steps ahead that are fitted unless told otherwise."""

_LEAST: Final = 40  # steps of a panel before the first fit
_FARTHEST: Final = 10.0  # spreads from the level; targets beyond are drawn in
_SETTINGS: Final[dict[str, Any]] = {
    "objective": "quantile", "num_leaves": 31, "max_bin": 63, "learning_rate": 0.1,
    "feature_fraction": 0.7, "bagging_fraction": 0.7, "bagging_freq": 1, "num_threads": 1,
    "deterministic": True, "force_col_wise": True, "verbosity": -1,
}  # fmt: skip


class Boosted:
    """LightGBM quantiles, one model of all series; the horizon is a feature.

    Fitted when there are 40 steps and again when the past has grown by `refit_growth`; between
    fits new points are looked at but not fitted. Steps beyond `farthest` are forecast from the
    medians before them.
    Source: LightGBM; Koenker, Bassett (1978), quantile loss; direct multi-step as in Ben Taieb et
    al. (2012).
    """

    name = "boosted"

    def __init__(
        self,
        seasons: Sequence[int] = (24,),
        *,
        step_s: float = 3600.0,
        seed: int = 0,
        farthest: int = FARTHEST,
        rounds: int = 100,
        rows: int = 150_000,
        refit_growth: float = 0.25,
    ) -> None:
        """seasons: periods in steps; farthest: steps ahead that are fitted; rows: at most so many
        pairs of an origin and a step ahead are drawn from the past.
        """
        self._settings: dict[str, Any] = {
            "seasons": list(seasons), "step_s": step_s, "seed": seed, "farthest": farthest,
            "rounds": rounds, "rows": rows, "refit_growth": refit_growth,
        }  # fmt: skip
        self._past = Past(step_s)
        self._models: list[Any] = []
        self._fitted_at = 0

    def learn(self, at_s: Floats, y: Floats) -> None:
        """Add the points y (n_steps, n_series) that follow, and refit if they are many."""
        self._past.append(at_s, y)
        due = max(_LEAST, self._fitted_at * (1.0 + self._settings["refit_growth"]))
        if len(self._past.y) >= due and self._past.y.shape[1]:
            self._fit()

    def forecast(self, horizon: int) -> Estimate:
        """The next steps: value (horizon, n_series), quantiles (horizon, n_series, q)."""
        self._past.ahead_s(horizon)
        at_s, y = self._past.at_s, self._past.y
        refused = refusals(y)
        if not self._models:
            refused[refused == ""] = f"{len(y)} steps: at least {_LEAST} are needed to fit"
        quantiles = np.empty((0, y.shape[1], len(LEVELS)))
        while len(quantiles) < horizon:
            more = self._ahead(at_s, y, min(self._settings["farthest"], horizon - len(quantiles)))
            quantiles = np.concatenate([quantiles, more])
            y = np.concatenate([y, bounded(more[:, :, LEVELS.index(0.5)], self._past.y)])
            at_s = np.concatenate([self._past.at_s, self._past.ahead_s(len(quantiles))])
        return answer(self._past.y, quantiles, made_by=self.name, refused=refused)

    def save(self, folder: Path) -> None:
        """Keep it in a folder, the trees as LightGBM text."""
        write(folder, self.name, {**self._settings, "fitted_at": self._fitted_at}, self._past)
        for level, model in zip(FITTED, self._models, strict=False):
            (folder / f"boosted-{level:g}.txt").write_text(model.model_to_string())

    @classmethod
    def load(cls, folder: Path) -> Boosted:
        """A Boosted as it was saved."""
        import lightgbm

        _, settings, past = read(folder)
        fitted_at = settings.pop("fitted_at")
        boosted = cls(**settings)
        boosted._past, boosted._fitted_at = past, fitted_at
        if fitted_at:
            texts = [(folder / f"boosted-{level:g}.txt").read_text() for level in FITTED]
            boosted._models = [lightgbm.Booster(model_str=text) for text in texts]
        return boosted

    def _lagged(self, at_s: Floats, y: Floats) -> Lagged:
        return Lagged(at_s, y, self._settings["seasons"], self._settings["step_s"])

    def _fit(self) -> None:
        """Fit all levels anew on rows drawn from the past."""
        import lightgbm

        lagged, y = self._lagged(self._past.at_s, self._past.y), self._past.y
        rng = np.random.default_rng(self._settings["seed"])
        n = min(self._settings["rows"], y.size * self._settings["farthest"] // 4)
        h = rng.integers(1, self._settings["farthest"] + 1, n)
        i = rng.integers(0, y.shape[1], n)
        first = min(self._settings["seasons"], default=1)
        t = (rng.random(n) * (len(y) - h - first)).astype(np.intp) + first
        is_possible = (t >= 0) & (t + h < len(y))
        t, i, h = t[is_possible], i[is_possible], h[is_possible]
        level, spread = lagged.scale(t, i)
        target = (y[t + h, i] - level) / spread
        known = np.isfinite(target)
        if not known.any():
            return
        x = lagged.rows(t[known], i[known], h[known])
        label = np.clip(target[known], -_FARTHEST, _FARTHEST)
        settings = _SETTINGS | {"seed": self._settings["seed"]}
        settings["min_data_in_leaf"] = int(np.clip(len(x) // 200, 5, 100))
        data = lightgbm.Dataset(x, label, params={**settings, "feature_pre_filter": False})
        self._models = [
            lightgbm.train({**settings, "alpha": level}, data, self._settings["rounds"])
            for level in FITTED
        ]
        self._fitted_at = len(y)

    def _ahead(self, at_s: Floats, y: Floats, steps: int) -> Floats:
        """Quantiles (steps, n_series, q) of the next steps; NaN before the first fit."""
        n = y.shape[1]
        if not self._models or not len(y) or not n:
            return np.full((steps, n, len(LEVELS)), np.nan)
        lagged = self._lagged(at_s, y)
        h, i = (a.ravel() for a in np.mgrid[1 : steps + 1, 0:n])
        t = np.full(len(h), len(y) - 1)
        x = lagged.rows(t, i, h)
        level, spread = lagged.scale(t, i)
        found = np.sort(np.column_stack([model.predict(x) for model in self._models]), axis=1)
        quantiles = level[:, None] + spread[:, None] * _between(found)
        return np.asarray(quantiles.reshape(steps, n, len(LEVELS)))


def _between(found: Floats) -> Floats:
    """Quantiles (n, q) at LEVELS from those at FITTED (n, 5), straight in normal scores."""
    from scipy.special import ndtri

    known, wanted = ndtri(np.array(FITTED)), ndtri(np.array(LEVELS))
    above = np.clip(np.searchsorted(known, wanted), 1, len(known) - 1)
    share = (wanted - known[above - 1]) / (known[above] - known[above - 1])
    return np.asarray((1 - share) * found[:, above - 1] + share * found[:, above])
