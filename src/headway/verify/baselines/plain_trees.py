"""LightGBM with usual settings on what is known at submission, refitted as outcomes come.

Source: Ke et al. (2017), LightGBM; the bound for memory is split conformal: Papadopoulos et al.
(2002), Lei et al. (2018), "Distribution-free predictive inference for regression", algorithm 2,
one-sided.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.verify.baselines.seen import SERVE, Given, follow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.verify.baselines.seen import Seen

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

COVERAGE: Final = 0.95
_FIRST_FIT: Final = 50
_GROWTH: Final = 1.3  # a refit each time the outcomes have grown by this factor
_WINDOW: Final = 20_000
_CALIBRATION: Final = 4  # one outcome in so many is kept from the fit
_OWN_FIRST_FIT: Final = 10
_OWN_GROWTH: Final = 1.1
_OWN_ROUNDS: Final = 100
_OWN_CALIBRATION: Final = 2
_SETTINGS: Final[dict[str, Any]] = {
    "num_leaves": 31, "learning_rate": 0.05, "min_data_in_leaf": 5, "verbosity": -1,
    "num_threads": 1, "deterministic": True, "force_col_wise": True, "seed": 0,
}  # fmt: skip
_ROUNDS: Final = 200


def sized_by_trees(seen: Seen) -> Given:
    """Predicted memory, raised by the conformal quantile of what was missed at 95 %, at most asked.

    Where most inputs have a known size, each kind has trees of its own that look at the size
    alone; else trees for all kinds look at what is known of a task and say the log of memory.
    """
    if 2 * np.isfinite(seen.input_bytes[seen.is_judged]).sum() > seen.is_judged.sum():
        return follow(seen, _OfSize)
    first = _followed(seen, "regression", is_bound=True)
    return Given(np.where(np.isnan(first), seen.request, np.fmin(first, seen.request)))


def timed_by_trees(seen: Seen) -> Given:
    """The median of log runtime, at most the request."""
    return Given(np.fmin(_followed(seen, "regression_l1", is_bound=False), seen.request))


def _followed(seen: Seen, objective: str, *, is_bound: bool) -> Floats:
    """What the latest fit said at each prediction (n,); NaN before the first fit."""
    x = _columns(seen)
    learns = np.flatnonzero(seen.kinds != SERVE)
    learned = seen.rows[learns]
    value = np.full(len(seen.y), np.nan)
    counts = _fits(len(learned))
    ends = [*(int(learns[count - 1]) for count in counts[1:]), len(seen.kinds)]
    for count, end in zip(counts, ends, strict=False):
        begin = int(learns[count - 1])
        events = slice(begin, end)
        asked = seen.rows[events][seen.kinds[events] == SERVE]
        past = learned[max(0, count - _WINDOW) : count]
        if len(asked):
            value[asked] = _fitted(x, np.log1p(seen.y), past, asked, objective, is_bound=is_bound)
    return value


def _fits(n: int) -> list[int]:
    """The counts of outcomes after which the trees are fitted."""
    counts, count = [], float(_FIRST_FIT)
    while count <= n:
        counts.append(int(count))
        count *= _GROWTH
    return counts


def _columns(seen: Seen) -> Floats:
    """What is known of each task itself (n, d): kind and user as codes, requests, input, hour."""
    plain = [name for name in seen.x.names if "." not in name]
    columns = [seen.x.column(name) for name in plain]
    return np.column_stack([seen.kind, seen.input_bytes, *columns])


def _fitted(
    x: Floats, log_y: Floats, past: Integers, asked: Integers, objective: str, *, is_bound: bool
) -> Floats:
    """Answers for the rows `asked` of trees fitted on the rows `past`."""
    import lightgbm

    is_kept = np.arange(len(past)) % _CALIBRATION == _CALIBRATION - 1
    fitting = past[~is_kept] if is_bound else past
    data = lightgbm.Dataset(x[fitting], log_y[fitting], categorical_feature=[0])
    trees = lightgbm.train(_SETTINGS | {"objective": objective}, data, _ROUNDS)
    answer = np.asarray(trees.predict(x[asked], num_threads=1), dtype=np.float64)
    if is_bound:
        kept = past[is_kept]
        answer = answer + _raised(log_y[kept] - trees.predict(x[kept], num_threads=1))
    return np.maximum(np.expm1(answer), 0.0)


class _OfSize:
    """Trees of one kind by the size of the input; half of the outcomes calibrate."""

    def __init__(self) -> None:
        self._x: list[float] = []
        self._y: list[float] = []
        self._trees: Any = None
        self._fitted_on, self._raised = 0, 0.0

    def give(self, input_bytes: float) -> tuple[float, float]:
        n = len(self._y)
        if n < _OWN_FIRST_FIT:
            return max(self._y), math.nan
        if n >= _OWN_GROWTH * self._fitted_on:
            self._fit()
        answer = float(self._trees.predict(np.array([[input_bytes]]), num_threads=1)[0])
        return max(answer + self._raised, min(self._y)), math.nan

    def learn(self, y: float, input_bytes: float, runtime_s: float, at_s: float) -> None:
        self._x.append(input_bytes)
        self._y.append(y)

    def _fit(self) -> None:
        import lightgbm

        self._fitted_on = len(self._y)
        shuffled = np.random.default_rng(0).permutation(self._fitted_on)[-_WINDOW:]
        x, y = np.array(self._x)[shuffled, None], np.array(self._y)[shuffled]
        is_kept = np.arange(len(y)) % _OWN_CALIBRATION == 0
        data = lightgbm.Dataset(x[~is_kept], y[~is_kept])
        settings = _SETTINGS | {"objective": "regression", "learning_rate": 0.1}
        self._trees = trees = lightgbm.train(settings, data, _OWN_ROUNDS)
        self._raised = _raised(y[is_kept] - trees.predict(x[is_kept], num_threads=1))


def _raised(missed: Floats) -> float:
    """The conformal quantile of what was missed (n,)."""
    at = min(math.ceil(COVERAGE * (len(missed) + 1)), len(missed)) - 1
    return float(np.sort(missed)[at])
