"""Sizey's four regressions of one size on another, fitted and scored.

Source: Bader et al. (2024), "Sizey: Memory-efficient execution of scientific workflow tasks".
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MODELS: Final = 4
_NEIGHBOURS: Final = (2, 3, 5, 7, 9)
_FOLDS: Final = 3


class Four:
    """Linear, nearest neighbours, network and forest, fitted on x and y (n,) on a scale of 0..1.

    scores (4,): minus the mean relative error of outcomes left out, at least -1. fitted (4, n).
    """

    def __init__(self, x: Floats, y: Floats) -> None:
        self._low, self._wide = (x.min(), y.min()), (np.ptp(x), np.ptp(y))
        self._is_flat = not self._wide[0] > 0.0 or not self._wide[1] > 0.0
        self._mean = float(y.mean())
        self.scores = np.zeros(MODELS)
        self.fitted = np.full((MODELS, len(y)), self._mean)
        if self._is_flat:
            return
        self._x, self._y = (x - self._low[0]) / self._wide[0], (y - self._low[1]) / self._wide[1]
        self._line = np.polyfit(self._x, self._y, 1)
        self._neighbours, near = _best_neighbours(self._x, self._y)
        self._network, net = _network(self._x, self._y)
        self._forest, wood = _forest(self._x, self._y)
        left_out = self._to_bytes(np.array([_line_left_out(self._x, self._y), near, net, wood]))
        self.scores = -np.mean(np.minimum(np.abs(left_out - y) / y, 1.0), axis=1)
        self.fitted = self._to_bytes(self._scaled(self._x))

    def predict(self, x: float) -> Floats:
        """What each model says of one input size, (4,)."""
        if self._is_flat:
            return np.full(MODELS, self._mean)
        return self._to_bytes(self._scaled(np.array([(x - self._low[0]) / self._wide[0]])))[:, 0]

    def _scaled(self, x: Floats) -> Floats:
        column = x[:, None]
        return np.array([
            np.polyval(self._line, x), _nearest(self._x, self._y, x, self._neighbours),
            self._network.predict(column), self._forest.predict(column),
        ])  # fmt: skip

    def _to_bytes(self, scaled: Floats) -> Floats:
        found: Floats = self._low[1] + self._wide[1] * scaled
        return found


def _line_left_out(x: Floats, y: Floats) -> Floats:
    """Each outcome as the line through all others says it, (n,)."""
    line = np.polyval(np.polyfit(x, y, 1), x)
    leverage = 1.0 / len(x) + (x - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)
    return np.asarray(y - (y - line) / np.maximum(1.0 - leverage, 1e-3), dtype=np.float64)


def _nearest(x: Floats, y: Floats, at: Floats, k: int, *, leave_out: bool = False) -> Floats:
    """The mean of the k outcomes with the nearest inputs, weighed by 1 / distance, (m,)."""
    distance = np.abs(at[:, None] - x[None, :])
    if leave_out:
        np.fill_diagonal(distance, np.inf)
    k = min(k, len(x) - int(leave_out))
    chosen = np.argpartition(distance, k - 1, axis=1)[:, :k]
    weight = 1.0 / np.maximum(np.take_along_axis(distance, chosen, axis=1), 1e-9)
    return np.asarray(np.sum(weight * y[chosen], axis=1) / np.sum(weight, axis=1), np.float64)


def _best_neighbours(x: Floats, y: Floats) -> tuple[int, Floats]:
    """The number of neighbours that errs least on outcomes left out, and what it says of them."""
    found = {k: _nearest(x, y, x, k, leave_out=True) for k in _NEIGHBOURS}
    best = min(found, key=lambda k: float(np.mean(np.abs(found[k] - y))))
    return best, found[best]


def _network(x: Floats, y: Floats) -> tuple[Any, Floats]:
    """A network with two layers of 7, and what others of its kind say of folds left out."""
    from sklearn.neural_network import MLPRegressor

    left_out = np.empty(len(x))
    fold = np.arange(len(x)) % min(_FOLDS, len(x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged

        def fitted(rows: NDArray[np.bool_]) -> Any:
            network = MLPRegressor(
                hidden_layer_sizes=(7, 7), solver="lbfgs", max_iter=200, random_state=42
            )
            return network.fit(x[rows, None], y[rows])

        for number in np.unique(fold):
            left_out[fold == number] = fitted(fold != number).predict(x[fold == number, None])
        return fitted(np.ones(len(x), dtype=bool)), left_out


def _forest(x: Floats, y: Floats) -> tuple[Any, Floats]:
    """A forest of 25 trees, and what the trees that did not see an outcome say of it."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(25, max_depth=5, oob_score=True, random_state=42)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that few outcomes were in every tree
        forest.fit(x[:, None], y)
    return forest, np.where(np.isfinite(forest.oob_prediction_), forest.oob_prediction_, y.mean())
