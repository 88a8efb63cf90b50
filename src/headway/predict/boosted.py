"""Quantiles of a target from gradient-boosted trees on the log scale, refitted as outcomes come.

Source: Friedman (2001), gradient boosting; Koenker, Bassett (1978), quantile loss; LightGBM.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError
from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]

LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Levels that are fitted; others are read between and beyond them by whoever serves."""

_FIRST_FIT: Final = 50  # outcomes before the first fit
_GROWTH: Final = 1.5  # early on, refit when the outcomes have grown by this factor
_EVERY: Final = 5000  # later, after so many outcomes
_EVERY_SHARE: Final = 0.05  # and at the least after this share of all that were learned
_SETTINGS: Final[dict[str, Any]] = {
    "learning_rate": 0.1, "num_leaves": 31, "min_data_in_leaf": 20, "max_bin": 63,
    "feature_fraction": 0.2, "bagging_fraction": 0.5, "bagging_freq": 1, "force_col_wise": True,
    "num_threads": 1, "deterministic": True, "verbosity": -1, "objective": "quantile",
}  # fmt: skip


class Boosted:
    """LightGBM quantiles of log(1 + target) over the latest outcomes.

    Refits happen after fixed counts of outcomes, so that learning them in one call or in many is
    the same: at 50, then each time they have grown by half, later after every 5,000 or 5 %.
    Where a target is censored, y is a lower bound: such a row counts in a refit only for the
    levels whose last fit lies below it (there the direction of the error is known), and for all
    levels in the first fit.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        levels: Sequence[float] = LEVELS,
        window: int = 20_000,
        rounds: int = 60,
        seed: int = 0,
    ) -> None:
        """Look at the named columns, at most at the latest `window` outcomes."""
        self.levels = np.array(levels, dtype=np.float64)
        self._columns = tuple(columns)
        self._window, self._rounds, self._seed = window, rounds, seed
        self._x: list[Floats] = []
        self._y: list[Floats] = []
        self._censored: list[NDArray[np.bool_]] = []
        self._learned, self._fits, self._next_fit = 0, 0, _FIRST_FIT
        self._version = ""
        self._boosters: list[Any] = []

    def predict(self, x: Features) -> Estimate:
        """The fitted levels for each row; refused before the first fit."""
        n, q = len(x), len(self.levels)
        quantiles = np.full((n, q), np.nan)
        refused = np.full(n, "" if self._boosters else f"fewer than {_FIRST_FIT} outcomes", "U64")
        if self._boosters and n:
            rows = self._chosen(x)
            for i, booster in enumerate(self._boosters):
                quantiles[:, i] = booster.predict(rows, num_threads=1)
            quantiles = np.maximum(np.expm1(np.sort(quantiles, axis=1)), 0.0)
        return Estimate(
            value=quantiles[:, int(np.argmin(np.abs(self.levels - 0.5)))],
            levels=self.levels,
            quantiles=quantiles,
            made_by=np.full(n, f"boosted-{self._fits}"),
            refused=refused,
        )

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Keep outcomes and refit where the schedule says so."""
        rows = self._chosen(x)
        done = 0
        while done < len(y):
            step = min(self.rows_to_refit(), len(y) - done)
            self._x.append(rows[done : done + step])
            self._y.append(np.asarray(y[done : done + step], dtype=np.float64))
            self._censored.append(np.asarray(censored[done : done + step]))
            self._learned += step
            done += step
            if self._learned == self._next_fit:
                self._fit()

    def rows_to_refit(self) -> int:
        """How many outcomes from now the next refit comes."""
        return self._next_fit - self._learned

    def _chosen(self, x: Features) -> Floats:
        """The columns this predictor looks at, (n, d)."""
        if self._version and x.version != self._version:
            message = f"features version must be {self._version!r}, got {x.version!r}: refit"
            raise ConfigError(message)
        self._version = x.version
        return x.values[:, [x.names.index(name) for name in self._columns]]

    def _fit(self) -> None:
        """Fit all levels anew on the latest outcomes."""
        import lightgbm

        x = np.concatenate(self._x)[-self._window :]
        y = np.log1p(np.maximum(np.concatenate(self._y)[-self._window :], 0.0))
        censored = np.concatenate(self._censored)[-self._window :]
        self._x, self._y, self._censored = [x], [np.expm1(y)], [censored]
        weights = [self._weights(i, x, y, censored) for i in range(len(self.levels))]
        data = lightgbm.Dataset(
            x, y, params={"max_bin": _SETTINGS["max_bin"], "verbosity": -1}, free_raw_data=False
        ).construct()

        def fitted(level: int) -> Any:
            settings = _SETTINGS | {"alpha": float(self.levels[level]), "seed": self._seed}
            own = data
            if weights[level] is not None:
                own = lightgbm.Dataset(x, y, weight=weights[level], reference=data)
            return lightgbm.train(settings, own, self._rounds)

        with ThreadPoolExecutor(2) as threads:
            self._boosters = list(threads.map(fitted, range(len(self.levels))))
        self._fits += 1
        grown = max(_EVERY, int(_EVERY_SHARE * self._learned))
        self._next_fit = self._learned + min(grown, int((_GROWTH - 1.0) * self._learned))

    def _weights(
        self, level: int, x: Floats, y: Floats, censored: NDArray[np.bool_]
    ) -> Floats | None:
        """Weights (n,) that leave out the lower bounds that say nothing; None = all count."""
        if not self._boosters or not censored.any():
            return None
        weights = np.ones(len(y))
        at = np.flatnonzero(censored)
        weights[at] = (self._boosters[level].predict(x[at], num_threads=1) < y[at]).astype(float)
        return weights
