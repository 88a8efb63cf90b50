"""Quantiles of a target from linear models that learn one outcome at a time, with river.

Source: river (Montiel et al. 2021): running standardisation and stochastic gradient descent on the
pinball loss (Koenker, Bassett 1978), one model a level. Of river's regressors these were the best
and the cheapest on the first part of four histories: its adaptive trees and forests took 1 to 4 ms
an outcome and lost to the plain mean of the nearest history on three of them.
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

_RATE: Final = 0.01
_RANGE: Final = (-5.0, 5.0)  # standard deviations beyond which all numbers are alike
_MOMENTS: Final = ("counts", "means", "vars")


class Stream:
    """Linear quantiles of the ratio of log(1 + target) to its nearest history, learned on the go.

    Inputs are the anchors relative to the nearest one that is known, the nearest itself and the
    logs of `columns`. A lower bound counts only for the levels that lie below it. Outcomes are
    learned one by one, in blocks of `every`, so that a history can be followed quickly. What the
    river models have learned is numbers by name, so they are kept as JSON; nothing is replayed.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        anchors: Sequence[str],
        cap: str = "",
        levels: Sequence[float] = LEVELS,
        every: int = 1,
    ) -> None:
        """Look at the logs of the named columns and at the anchors, the nearest first."""
        self.levels = np.array(levels, dtype=np.float64)
        self._cap = cap
        columns = [*anchors, *columns]
        self._window = Window(
            columns, anchors, size=every, first_fit=every, every=every, is_steady=True
        )
        self._scaler: Any = None
        self._models: list[Any] = []

    def predict(self, x: Features) -> Estimate:
        """The levels for each row; refused before the first block."""
        return self._window.answer(x, "stream", self.levels, self._cap, self._logs)

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Learn outcomes one by one as their block is full."""
        self._window.learn(x, y, censored, self._take)

    def rows_to_refit(self) -> int:
        """How many outcomes from now the next block is taken."""
        return self._window.rows_to_refit()

    def save(self) -> dict[str, bytes]:
        """Weights and running moments as JSON, the outcomes that wait as arrays."""
        words: dict[str, Any] = {"levels": self.levels.tolist(), "cap": self._cap, "models": []}
        for model in self._models:
            words["models"].append([dict(model.weights), float(model.intercept)])
        if self._models:
            words["moments"] = [dict(getattr(self._scaler, part)) for part in _MOMENTS]
        return {"stream.json": json.dumps(words).encode(), "stream.npz": self._window.save()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Stream:
        """A Stream as it was saved."""
        words = json.loads(files["stream.json"])
        stream = cls((), anchors=(), cap=words["cap"], levels=words["levels"])
        stream._window = Window.load(files["stream.npz"])
        if words["models"]:
            stream._begin()
            for part, moments in zip(_MOMENTS, words["moments"], strict=True):
                getattr(stream._scaler, part).update(moments)
            for model, (weights, intercept) in zip(stream._models, words["models"], strict=True):
                model._weights.update(weights)
                model.intercept = intercept
        return stream

    def _names(self) -> list[str]:
        """What river calls the inputs."""
        return [str(i) for i in range(len(self._window.columns) + 1)]

    def _inputs(self, rows: Floats, anchored: Floats) -> Floats:
        """Numbers (n, d + 1) that a linear model can use, from rows (n, d)."""
        n_anchors = len(self._window.anchors)
        relative = rows[:, :n_anchors] - anchored[:, None]
        sizes = np.log1p(np.maximum(rows[:, n_anchors:], 0.0))
        return np.nan_to_num(np.column_stack([relative, sizes, anchored]))

    def _logs(self, rows: Floats, anchored: Floats) -> Floats:
        """The levels of the log target, (n, q)."""
        names, scaler = self._names(), self._scaler
        center = np.array([scaler.means[name] for name in names])
        scale = np.sqrt([scaler.vars[name] for name in names])
        inputs = self._inputs(rows, anchored) - center
        inputs = np.clip(inputs / np.where(scale > 0, scale, np.inf), *_RANGE)
        weights = [[model.weights.get(name, 0.0) for name in names] for model in self._models]
        intercepts = np.array([model.intercept for model in self._models])
        logs: Floats = anchored[:, None] + inputs @ np.array(weights).T + intercepts
        return logs

    def _begin(self) -> None:
        """Models that know nothing."""
        from river import linear_model, optim, preprocessing

        self._scaler = preprocessing.StandardScaler()
        self._models = [
            linear_model.LinearRegression(
                optimizer=optim.SGD(_RATE), loss=optim.losses.Quantile(float(level))
            )
            for level in self.levels
        ]

    def _take(self) -> None:
        """Learn the outcomes of a full block one by one."""
        if not self._models:
            self._begin()
        window, names = self._window, self._names()
        anchored = window.anchored
        for row, goal, is_bound in zip(
            self._inputs(window.x, anchored), window.log_y - anchored, window.censored, strict=True
        ):
            if np.isnan(goal):
                continue
            numbers = dict(zip(names, row.tolist(), strict=True))
            self._scaler.learn_one(numbers)
            placed = self._scaler.transform_one(numbers)
            placed = {name: min(max(x, _RANGE[0]), _RANGE[1]) for name, x in placed.items()}
            for model in self._models:
                if not (is_bound and goal <= model.predict_one(placed)):
                    model.learn_one(placed, float(goal))
