"""A log-normal guess around the nearest history there is: what is believed before any fit."""

from __future__ import annotations

import json
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features

_NEVER: Final = 2**62  # it has nothing to refit
_SPREAD: Final = 1.5  # standard deviation of the log where nothing is known of it
_SPREAD_COUNT: Final = 3.0  # outcomes that this is worth
_REQUEST_SHARE: Final = 0.2  # of its request a task is believed to use
_REQUEST_SPREAD: Final = 2.0


class Nearest:
    """The mean log of the first family of keys that has ended tasks, else a fifth of the request.

    No source: an own prior, there to be replaced by outcomes; its spread is shrunk towards 1.5
    log units. A task without any history and without a request is refused.
    """

    def __init__(
        self, families: Sequence[str], *, is_memory: bool = False, levels: Sequence[float]
    ) -> None:
        """Look at the families of keys in this order."""
        self.levels = np.array(levels, dtype=np.float64)
        self._families, self._is_memory = tuple(families), is_memory

    def predict(self, x: Features) -> Estimate:
        """Levels of a log-normal for each row, at most the limit of a runtime."""
        kind = "memory_" if self._is_memory else ""
        request = x.column("memory_requested_bytes" if self._is_memory else "limit_s")
        middle, spread = np.full(len(x), np.nan), np.full(len(x), _REQUEST_SPREAD)
        for family in self._families:
            mean = x.column(f"{family}.{kind}mean_log")
            n, own = x.column(f"{family}.{kind}ended"), x.column(f"{family}.{kind}std_log")
            shrunk = np.sqrt((n * own**2 + _SPREAD_COUNT * _SPREAD**2) / (n + _SPREAD_COUNT))
            is_new = np.isnan(middle) & np.isfinite(mean)
            middle, spread = np.where(is_new, mean, middle), np.where(is_new, shrunk, spread)
        middle = np.where(np.isnan(middle), np.log1p(_REQUEST_SHARE * request), middle)
        z = np.array([NormalDist().inv_cdf(level) for level in self.levels])
        quantiles = np.expm1(np.maximum(middle[:, None] + spread[:, None] * z, 0.0))
        if not self._is_memory:
            quantiles = np.fmin(quantiles, np.where(np.isnan(middle), np.nan, request)[:, None])
        refused = np.where(np.isnan(middle), "neither history nor a request to go by", "")
        return Estimate(
            value=quantiles[:, int(np.argmin(np.abs(self.levels - 0.5)))].copy(),
            levels=self.levels,
            quantiles=quantiles,
            made_by=np.full(len(x), "nearest-1"),
            refused=refused,
        )

    def learn(self, x: Features, y: NDArray[np.float64], censored: NDArray[np.bool_]) -> None:
        """Nothing: the history is in the features."""

    def rows_to_refit(self) -> int:
        """Never changes."""
        return _NEVER

    def save(self) -> dict[str, bytes]:
        """Its settings."""
        words = {
            "families": self._families,
            "is_memory": self._is_memory,
            "levels": self.levels.tolist(),
        }
        return {"nearest.json": json.dumps(words).encode()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Nearest:
        """As it was saved."""
        return cls(**json.loads(files["nearest.json"]))
