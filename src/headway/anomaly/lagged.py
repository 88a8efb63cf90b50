"""The last rows of a panel, filled and on one scale: what joint detectors look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    State = dict[str, NDArray[Any]]

FIRST: Final = 32  # rows after which a joint detector is fitted for the first time
INPUTS: Final = 512  # numbers in a window at most: the window is shorter where series are many
_FAR: Final = 10.0  # deviations beyond which a value is taken as that far off
_SLOW: Final = 1.0 / 1000  # rate of the usual error
LEAST: Final = 0.05
"""Error, in deviations of a series, below which nothing is strange."""
_TRIMMED: Final = 256  # windows without which none is left out
_KEPT_SHARE: Final = 0.95
_OUTLIER: Final = 5.0  # usual errors that an error counts at most


def empty(n: int, kept: int) -> State:
    """The state of n series of which nothing is known; kept: rows that are remembered."""
    if n > INPUTS:
        raise ConfigError(f"a joint detector takes at most {INPUTS} series, got {n}")
    return {
        "rows": np.full((kept, n), np.nan),  # a ring
        "count": np.zeros(1, dtype=np.int64),  # rows so far
        "centre": np.zeros(n),
        "scale": np.ones(n),
        "error": np.zeros(n),  # the usual error of a fitted model
        "errors": np.zeros(n),  # of which it is the mean
    }


def length(n: int, window: int) -> int:
    """Rows in a window of n series."""
    return max(1, min(window, INPUTS // max(n, 1)))


def is_due(count: int, every: int) -> bool:
    """Whether a model is fitted anew after so many rows: at 32, 64, 128, ... and each `every`."""
    if count % every == 0:
        return count > 0
    return FIRST <= count < every and count & (count - 1) == 0


def learn(state: State, y: Floats) -> None:
    """Remember the point y (n,); what was not observed is what was last seen."""
    rows, count = state["rows"], int(state["count"][0])
    rows[count % len(rows)] = np.where(np.isfinite(y), y, rows[(count - 1) % len(rows)])
    state["count"][0] += 1


def newest(state: State, y: Floats, window: int) -> Floats:
    """The window (rows, n) that ends in the point y (n,), oldest first; what is not known is 0."""
    before = length(len(y), window) - 1
    at = int(state["count"][0]) - 1 - np.arange(before, -1, -1)
    seen = state["rows"][at % len(state["rows"])]
    seen = np.concatenate([seen[1:], np.where(np.isfinite(y), y, seen[-1])[None]])
    return _bounded(standard(state, seen))


def windows(state: State, window: int) -> Floats:
    """All windows (m, rows * n) of what is remembered, oldest first."""
    count, (kept, n) = int(state["count"][0]), state["rows"].shape
    known = min(count, kept)
    ordered = state["rows"][(count - known + np.arange(known)) % kept]
    ordered = _bounded(standard(state, ordered))
    rows = length(n, window)
    seen = np.lib.stride_tricks.sliding_window_view(ordered, min(rows, known), axis=0)
    seen = seen.transpose(0, 2, 1)
    if known < rows:
        seen = np.pad(seen, ((0, 0), (rows - known, 0), (0, 0)), mode="edge")
    return seen.reshape(len(seen), -1)


def standard(state: State, y: Floats) -> Floats:
    """Points y (..., n) in the scale of the windows, as far off as they are; NaN = not known."""
    return np.asarray((y - state["centre"]) / state["scale"], dtype=np.float64)


def rescale(state: State) -> None:
    """Take the mean and deviation of what is remembered as the scale of the windows.

    A value that is ten robust deviations from the median counts as if it were just so far off.
    """
    rows = state["rows"][: int(state["count"][0])]
    rows = np.where(np.isfinite(rows), rows, np.nan_to_num(_quantiles(rows, (0.5,))[0]))
    low, middle, high = _quantiles(rows, (0.25, 0.5, 0.75))
    bound = np.where(high > low, _FAR * (high - low) / 1.349, np.inf)
    rows = np.clip(rows, middle - bound, middle + bound)
    state["centre"] = rows.mean(axis=0)
    state["scale"] = np.maximum(rows.std(axis=0), 1e-3 * np.abs(state["centre"]) + 1e-9)


def strangeness(state: State, error: Floats, least: Floats | float = LEAST) -> Floats:
    """Errors (n,) of a model, without sign, in units of what is usual; least: part of a unit."""
    return np.asarray(np.abs(error) / (1.2533 * state["error"] + least), dtype=np.float64)


def learn_error(state: State, error: Floats, least: Floats | float = LEAST) -> None:
    """Take in the errors (n,) of the newest point; one far off counts as five usual ones."""
    ok = np.isfinite(error)
    size = np.where(ok, np.abs(error), 0.0)
    bound = np.where(state["errors"] > 20, _OUTLIER * (state["error"] + least), np.inf)
    state["errors"] += ok
    rate = np.where(ok, np.maximum(1.0 / np.maximum(state["errors"], 1.0), _SLOW), 0.0)
    state["error"] += rate * (np.minimum(np.minimum(size, bound), 1e30) - state["error"])


def usual(windows: NDArray[Any], errors: Floats) -> NDArray[Any]:
    """The windows (m, inputs) but for the twentieth part with the largest errors (m,).

    A model fitted to them does not take an incident of the last days for a habit, as long as it is
    rare. Source: the concentration step of Rousseeuw, Van Driessen (1999), "A fast algorithm for
    the minimum covariance determinant estimator".
    """
    if len(windows) < _TRIMMED:
        return windows
    return windows[errors <= np.quantile(errors, _KEPT_SHARE)]


def _bounded(x: Floats) -> Floats:
    """Standardised values within bounds; 0 where they are not known."""
    return np.clip(np.nan_to_num(x), -_FAR, _FAR)


def _quantiles(x: Floats, levels: tuple[float, ...]) -> Floats:
    """Lower quantiles (q, n) of what is known in x (m, n), NaN where nothing is."""
    ordered = np.sort(x, axis=0)  # NaN comes last
    last = np.maximum(np.isfinite(x).sum(axis=0) - 1, 0)
    at = np.arange(x.shape[1])
    return np.stack([ordered[(level * last).astype(np.intp), at] for level in levels])
