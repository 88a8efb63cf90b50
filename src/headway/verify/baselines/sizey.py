"""Sizey: four models of peak memory by input size for each kind of task, mixed by their scores.

Source: Bader et al. (2024), "Sizey: Memory-efficient execution of scientific workflow tasks":
linear, k-nearest-neighbour, neural and random-forest regression; the RAQ score (accuracy and
efficiency, with alpha = 0 as its authors run it, so accuracy); interpolation by the softmax of the
scores; for each model the offset that would have wasted least; a failed attempt gets the largest
peak seen. A port of the published code, which keeps the errors behind the offsets for all kinds
together: so does this one (apart, it wasted four times as much on two traces). That code lets the
choice of the offset see the task's own peak; this one does not. Models are refitted when outcomes
have grown by 5 %, not at each, with fixed sizes of forest and network, scored out of bag and by
leaving out, where it searches grids.
"""

from __future__ import annotations

import importlib.util
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.verify.baselines.seen import Given, follow
from headway.verify.baselines.sizey_models import MODELS, Four

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.verify.baselines.seen import Seen

    Floats = NDArray[np.float64]

MOST_TASKS: Final = 4_000  # one to two minutes
_GROWTH: Final = 1.05
_DEFAULT_OFFSET: Final = 0.05
_SURE: Final = 1.05  # the largest peak must exceed a failed allocation by so much


def sizey(seen: Seen) -> Given:
    """The mixture of the four models of the kind, raised by the mixture of their offsets."""
    if importlib.util.find_spec("sklearn") is None:
        reason = "left out: it needs scikit-learn, pip install 'headway[configure]'"
        return Given(np.full(len(seen.y), np.nan), why_not=reason)
    asked = int(np.sum(seen.is_judged))
    if asked > MOST_TASKS:
        reason = f"left out above {MOST_TASKS:,} tasks, here {asked:,}: too slow"
        return Given(np.full(len(seen.y), np.nan), why_not=reason)
    from threadpoolctl import threadpool_limits

    errors: list[list[float]] = [[] for _ in range(MODELS)]
    with threadpool_limits(1):
        return follow(seen, lambda: _Sizey(errors))


class _Sizey:
    """The four models of one kind; with one input size alone, all of them are the mean.

    errors: relative errors of each model when predicting, of all kinds, oldest first.
    """

    def __init__(self, errors: list[list[float]]) -> None:
        self._x: list[float] = []
        self._y: list[float] = []
        self._foretold: list[list[float]] = [[] for _ in range(MODELS)]  # of all outcomes
        self._errors = errors
        self._fitted_on = 0
        self._models: Four | None = None

    def give(self, input_bytes: float) -> tuple[float, float]:
        x = 0.0 if math.isnan(input_bytes) else input_bytes
        if len(self._y) >= _GROWTH * self._fitted_on:
            known = np.array(self._x), np.array(self._y)
            self._models, self._fitted_on = Four(*known), len(self._y)
            self._foretold = [list(column) for column in self._models.fitted]
        assert self._models is not None
        weights = np.exp(self._models.scores)
        weights /= weights.sum()
        offsets = np.array([self._offset(model) for model in range(MODELS)])
        raw = float(weights @ self._models.predict(x))
        given = raw * (1.0 + float(weights @ offsets))
        given = given if given > 0.0 else min(self._y)
        return given, self._next(given, x)

    def learn(self, y: float, input_bytes: float, runtime_s: float, at_s: float) -> None:
        x = 0.0 if math.isnan(input_bytes) else input_bytes
        if self._models is not None:
            for model, value in enumerate(self._models.predict(x).tolist()):
                self._foretold[model].append(value)
                self._errors[model].append((y - value) / y)
        self._x.append(x)
        self._y.append(y)

    def _next(self, given: float, x: float) -> float:
        """The largest peak seen, where that is clearly more and the input none of the largest."""
        at = int(np.argmax(self._y))
        is_beyond = x > self._x[at] and _rank_correlation(self._x, self._y) > 0.25
        return math.nan if is_beyond or self._y[at] < _SURE * given else self._y[at]

    def _offset(self, model: int) -> float:
        """Of four relative offsets the one that would have wasted least on all outcomes."""
        errors = np.array(self._errors[model])
        if len(errors) < 1:
            return _DEFAULT_OFFSET
        foretold, y = np.array(self._foretold[model]), np.array(self._y)
        foretold = np.where(foretold > 0.0, foretold, foretold[foretold > 0.0].min(initial=1e6))
        return min(_offsets(errors), key=lambda offset: _waste(foretold * (1.0 + offset), y))


def _offsets(errors: Floats) -> list[float]:
    """Spread without outliers, median and spread of what was too little, median of all."""
    size, under = np.abs(errors), errors[errors > 0.0]
    low, high = np.percentile(size, [10, 90])
    beyond = 1.5 * (high - low)
    usual = size[(size >= low - beyond) & (size <= high + beyond)]
    found = [float(np.std(usual)) if len(errors) > 1 else _DEFAULT_OFFSET]
    found.append(float(np.median(under)) if len(under) else _DEFAULT_OFFSET)
    found.append(float(np.median(size)))
    found.append(float(np.std(under)) if len(under) else _DEFAULT_OFFSET)
    return found


def _waste(given: Floats, y: Floats) -> float:
    """What is over, and for what fails the attempts that double until they suffice."""
    is_less = given < y
    power = 2.0 ** np.ceil(np.log2(np.maximum(y / given, 1.0)))
    failed = 1.5 * power * given - y
    return float(np.sum(np.where(is_less, failed, given - y)))


def _rank_correlation(x: list[float], y: list[float]) -> float:
    from scipy.stats import kendalltau

    return float(np.nan_to_num(kendalltau(x, y).statistic))
