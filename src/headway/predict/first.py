"""The first predictor that has an answer: what is served before there is enough history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headway.errors import ConfigError
from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.predict.conformal import Refitted
    from headway.protocols import Features


class First:
    """Each row is answered and signed by the first predictor that does not refuse it.

    All must give the same levels.
    """

    def __init__(self, predictors: Sequence[Refitted]) -> None:
        """Ask in this order."""
        if not predictors:
            raise ConfigError("predictors must not be empty, got none: give at least one")
        self._predictors = tuple(predictors)
        self.levels = self._predictors[0].levels

    def predict(self, x: Features) -> Estimate:
        """The answer of the first that has one, row by row."""
        answer = self._predictors[0].predict(x)
        if not (answer.refused != "").any():
            return answer
        value, quantiles = answer.value.copy(), answer.quantiles.copy()
        made_by, refused = answer.made_by.astype("U64"), answer.refused.astype("U128")
        for predictor in self._predictors[1:]:
            rows = np.flatnonzero(refused != "")
            if not len(rows):
                break
            other = predictor.predict(x.take(rows))
            value[rows], made_by[rows], refused[rows] = other.value, other.made_by, other.refused
            quantiles[rows] = other.quantiles
        return Estimate(
            value=value, levels=answer.levels, quantiles=quantiles, made_by=made_by, refused=refused
        )

    def learn(self, x: Features, y: NDArray[np.float64], censored: NDArray[np.bool_]) -> None:
        """All learn."""
        for predictor in self._predictors:
            predictor.learn(x, y, censored)

    def rows_to_refit(self) -> int:
        """How many outcomes from now one of them changes."""
        return min(predictor.rows_to_refit() for predictor in self._predictors)

    def save(self) -> dict[str, bytes]:
        """The files of all."""
        files: dict[str, bytes] = {}
        for predictor in self._predictors:
            files |= predictor.save()
        return files
