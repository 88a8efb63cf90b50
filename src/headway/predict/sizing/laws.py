"""What recent tasks of one kind have in common: simple laws of the log of their peak memory.

Each law says what a task peaks at from all other tasks of the window; the one whose errors are
cheapest to be safe against is chosen, and a law that looks at more has to be clearly cheaper.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from headway.predict.sizing.margin import cost_of_request, margin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PEAK, HOURS, INPUT, REQUEST, TAG = 0, 1, 2, 3, 4
"""Columns of a window: log peak, hours, log input size, log request, then the tag's words."""

TAGS: Final = 3
BELIEVED: Final = TAG + TAGS
"""First column of what the predictors believed the log peak to be when the task was submitted."""

CONSTANT, BY_TAG, ASKED, SHARE, POWER, AFFINE, NEAREST, POWER_BY_TAG, FIRST_BELIEVED = range(9)
NAMES: Final = (
    "constant", "by tag", "request", "share of request", "power of input", "affine in input",
    "nearest inputs", "power of input by tag", "predictor",
)  # fmt: skip
"""The laws; what is believed by predictor k is law FIRST_BELIEVED + k."""

_DEARER: Final = 1.05  # by how much a law's waste is raised for what it looks at beside the peaks
_LEAST_HOURS: Final = 1e-4
_LEAST_COUNT: Final = 8  # tasks before a law looks at neighbours
_LEAST_BELIEVED: Final = 20  # tasks before a predictor is believed
_NEIGHBOURS: Final = 3
_WORD: Final = 0.5  # tasks that the next shorter beginning of a tag is worth


@njit(cache=True)
def fit(window: Floats, risk: float, usual: float, price: float, law: Floats) -> None:
    """Choose the law of a window (n, f) and write [law, a, b, margin, relative waste] into law.

    risk, usual and price: see margin.
    """
    terms = (risk, usual, price)
    n = len(window)
    peak, hours = window[:, PEAK], window[:, HOURS]
    errors = np.empty(n)
    mean = peak.mean()
    for j in range(n):
        errors[j] = (peak[j] - mean) * n / (n - 1) if n > 1 else 0.0
    law[4] = np.inf
    _weigh(law, CONSTANT, mean, 0.0, errors, peak, hours, terms, 1.0)
    if n >= 4 and window[:, TAG].max() >= 0.0:
        for j in range(n):
            errors[j] = peak[j] - _by_tag(window, peak, window[j], j)
        _weigh(law, BY_TAG, 0.0, 0.0, errors, peak, hours, terms, _DEARER)
    request = window[:, REQUEST]
    if not np.isnan(request).any():
        weights = np.maximum(hours, _LEAST_HOURS) * np.exp(request)
        cost = cost_of_request(peak - request, weights, price)
        if cost < law[4]:
            law[0], law[1], law[2], law[3], law[4] = ASKED, 0.0, 0.0, 0.0, cost
    if n >= 2 and not np.isnan(request).any() and request.max() - request.min() > 0.05:
        mean = (peak - request).mean()
        for j in range(n):
            errors[j] = (peak[j] - request[j] - mean) * n / (n - 1)
        _weigh(law, SHARE, mean, 0.0, errors, peak, hours, terms, _DEARER)
    size = window[:, INPUT]
    if n >= 5 and not np.isnan(size).any():
        _fit_size(window, size, errors, terms, law)
    for k in range(window.shape[1] - BELIEVED):
        believed = window[:, BELIEVED + k]
        if n >= _LEAST_BELIEVED and not np.isnan(believed).any():
            _weigh(
                law, FIRST_BELIEVED + k, 0.0, 0.0, peak - believed, peak, hours, terms, _DEARER**3
            )


@njit(cache=True)
def centre(law: Floats, window: Floats, row: Floats) -> float:
    """The log peak that the chosen law of a window says of a row (f,); NaN = it cannot say."""
    kind = int(law[0])
    if kind == CONSTANT:
        return law[1]
    if kind == BY_TAG:
        return _by_tag(window, window[:, PEAK], row, -1)
    if kind == ASKED:
        return row[REQUEST]
    if kind == SHARE:
        return law[1] + row[REQUEST]
    if kind == POWER:
        return law[1] + law[2] * row[INPUT]
    if kind == AFFINE:
        peak = law[1] + law[2] * math.expm1(row[INPUT])
        least = 0.2 * math.exp(window[:, PEAK].min())
        return math.log(peak) if peak > least else np.nan
    if kind == NEAREST:
        return _nearest(window[:, INPUT], window[:, PEAK], row[INPUT], -1)
    if kind == POWER_BY_TAG:
        rest = window[:, PEAK] - law[1] - law[2] * window[:, INPUT]
        return law[1] + law[2] * row[INPUT] + _by_tag(window, rest, row, -1)
    return row[BELIEVED + kind - FIRST_BELIEVED]


@njit(cache=True)
def is_told_by_window(law: Floats) -> bool:
    """Whether a law needs the outcomes that it was fitted on."""
    return int(law[0]) in (BY_TAG, AFFINE, NEAREST, POWER_BY_TAG)


@njit(cache=True)
def _weigh(
    law: Floats, kind: int, a: float, b: float, errors: Floats, peak: Floats, hours: Floats,
    terms: tuple[float, float, float], dearer: float,
) -> None:  # fmt: skip
    """Take a law if what it wastes, times `dearer`, is less than that of the law so far."""
    weights = np.maximum(hours, _LEAST_HOURS) * np.exp(peak - errors)
    above, waste = margin(errors, weights, terms[0], terms[1], terms[2])
    if dearer * waste < law[4]:
        law[0], law[1], law[2], law[3], law[4] = kind, a, b, above, dearer * waste


@njit(cache=True)
def _fit_size(
    window: Floats, size: Floats, errors: Floats, terms: tuple[float, float, float], law: Floats
) -> None:
    """The laws that look at the size of the input."""
    n = len(window)
    peak, hours = window[:, PEAK], window[:, HOURS]
    a, b, is_fitted = _line(size, peak, errors)
    if not is_fitted:
        return
    _weigh(law, POWER, a, b, errors, peak, hours, terms, _DEARER)
    if n >= _LEAST_COUNT and window[:, TAG].max() >= 0.0:
        rest, tagged = errors.copy(), np.empty(n)
        for j in range(n):
            tagged[j] = rest[j] - _by_tag(window, rest, window[j], j)
        _weigh(law, POWER_BY_TAG, a, b, tagged, peak, hours, terms, _DEARER**2)
    a, b, is_fitted = _line(np.expm1(size), np.exp(peak), errors)
    if is_fitted:
        for j in range(n):
            told = math.exp(peak[j]) - errors[j]
            errors[j] = peak[j] - math.log(max(told, 0.02 * math.exp(peak[j])))
        _weigh(law, AFFINE, a, b, errors, peak, hours, terms, _DEARER)
    if n >= _LEAST_COUNT:
        for j in range(n):
            errors[j] = peak[j] - _nearest(size, peak, size[j], j)
        _weigh(law, NEAREST, 0.0, 0.0, errors, peak, hours, terms, _DEARER)


@njit(cache=True)
def _line(x: Floats, y: Floats, errors: Floats) -> tuple[float, float, bool]:
    """Least squares of y on x; errors of each row when fitted without it, e / (1 - h)."""
    n = len(x)
    mean_x, mean_y = x.mean(), y.mean()
    squares = ((x - mean_x) ** 2).sum()
    if not squares > 1e-9 * n * mean_x * mean_x:
        return mean_y, 0.0, False
    b = ((x - mean_x) * (y - mean_y)).sum() / squares
    a = mean_y - b * mean_x
    for j in range(n):
        leverage = 1.0 / n + (x[j] - mean_x) ** 2 / squares
        errors[j] = (y[j] - a - b * x[j]) / max(1.0 - leverage, 0.05)
    return a, b, True


@njit(cache=True)
def _by_tag(window: Floats, values: Floats, row: Floats, skip: int) -> float:
    """Mean of the values whose tags begin like the row's, each beginning shrunk to the shorter.

    skip: a row of the window that does not count; -1 = none.
    """
    total, count = 0.0, 0
    for j in range(len(values)):
        if j != skip:
            total += values[j]
            count += 1
    mean = total / max(count, 1)
    for word in range(TAG, TAG + TAGS):
        if row[word] < 0.0:
            break
        total, count = 0.0, 0
        for j in range(len(values)):
            if j != skip and window[j, word] == row[word]:
                total += values[j]
                count += 1
        if count == 0:
            break
        mean = (total + _WORD * mean) / (count + _WORD)
    return mean


@njit(cache=True)
def _nearest(x: Floats, y: Floats, at: float, skip: int) -> float:
    """Mean y of the three rows whose x is nearest; skip: a row that does not count."""
    distances, values = np.full(_NEIGHBOURS, np.inf), np.zeros(_NEIGHBOURS)
    for j in range(len(x)):
        distance, value = abs(x[j] - at), y[j]
        if j == skip or distance >= distances[-1]:
            continue
        k = _NEIGHBOURS - 1
        while k > 0 and distances[k - 1] > distance:
            distances[k], values[k] = distances[k - 1], values[k - 1]
            k -= 1
        distances[k], values[k] = distance, value
    return values.mean()
