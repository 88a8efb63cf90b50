"""What a failure model is held against: plain methods, fed in the same order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from headway.protocols import Features
    from headway.verify.replay import Replayed

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

METHODS: Final = ("base rate", "last of kind", "share of kind", "plain LightGBM")
_SERVE: Final = 0
_FIRST_FIT, _GROWTH, _EVERY, _EVERY_SHARE = 50, 0.3, 3_000, 0.05  # as often as our own trees


def plain_methods(replayed: Replayed, tasks: pl.DataFrame) -> dict[str, Floats]:
    """The probability (n,) that each of METHODS gives each task when it is predicted; NaN = none.

    A kind is a user's name of task; where a history knows neither, what was asked for in a queue.
    """
    kinds, rows, y = replayed.kinds, replayed.rows, replayed.outcome
    of_kind, alike = kinds_of(tasks), [0] * tasks.height
    base = running_share(kinds, rows, alike, y)
    found = (
        base,
        *_of_kind(kinds, rows, of_kind, y),
        plain_trees(kinds, rows, replayed.features, y),
    )
    return {name: np.where(np.isnan(p), base, p) for name, p in zip(METHODS, found, strict=True)}


def kinds_of(tasks: pl.DataFrame) -> list[object]:
    """What a task is compared with: user and name, else queue, processors and limit."""
    for columns in (("user", "name"), ("queue", "cpus_requested", "limit_s")):
        if any(tasks[column].null_count() < tasks.height for column in columns):
            return list(zip(*(tasks[column].to_list() for column in columns), strict=True))
    return [None] * tasks.height


def running_share(kinds: Integers, rows: Integers, types: Sequence[object], y: Floats) -> Floats:
    """The share of failures of a type so far at each prediction (n,), NaN before any.

    One half is added to failures and successes alike (Jeffreys 1946), so that no share is 0 or 1.
    """
    counts: dict[object, tuple[float, float]] = {}
    value = np.full(len(y), np.nan)
    for kind, row in zip(kinds.tolist(), rows.tolist(), strict=True):
        n, failures = counts.get(types[row], (0.0, 0.0))
        if kind == _SERVE:
            value[row] = (failures + 0.5) / (n + 1.0) if n else np.nan
        elif np.isfinite(y[row]):
            counts[types[row]] = (n + 1.0, failures + y[row])
    return value


def _of_kind(
    kinds: Integers, rows: Integers, types: Sequence[object], y: Floats
) -> tuple[Floats, Floats]:
    """The last outcome of the kind (n,) as a probability, and the kind's running share (n,).

    How far the last outcome can be trusted is itself counted: the share of failures so far after a
    failure, and after a success, of the same kind.
    """
    last: dict[object, float] = {}
    counts = {0.0: [0.5, 1.0], 1.0: [0.5, 1.0]}  # failures and outcomes after each last outcome
    before = np.full(len(y), np.nan)
    value = np.full(len(y), np.nan)
    for kind, row in zip(kinds.tolist(), rows.tolist(), strict=True):
        if kind == _SERVE:
            before[row] = last.get(types[row], np.nan)
            if np.isfinite(before[row]):
                failures, n = counts[before[row]]
                value[row] = failures / n
        elif np.isfinite(y[row]):
            last[types[row]] = float(y[row])
            if np.isfinite(before[row]):
                counts[before[row]][0] += y[row]
                counts[before[row]][1] += 1.0
    return value, running_share(kinds, rows, types, y)


def plain_trees(kinds: Integers, rows: Integers, x: Features, y: Floats) -> Floats:
    """LightGBM's classifier as it comes, on the same features (n,), refitted on all outcomes."""
    import lightgbm

    settings: dict[str, Any] = {"objective": "binary", "num_threads": 1, "verbosity": -1}
    values = x.values[:, [i for i, name in enumerate(x.names) if ".memory_" not in name]]
    known = np.flatnonzero((kinds != _SERVE) & np.isfinite(y[rows]))
    value, begin, due, model = np.full(len(y), np.nan), 0, _FIRST_FIT, None
    while begin < len(kinds):
        end = int(known[due - 1]) + 1 if due <= len(known) else len(kinds)
        served = rows[begin:end][kinds[begin:end] == _SERVE]
        if model is not None and len(served):
            value[served] = model.predict(values[served], num_threads=1)
        past = rows[known[:due]]
        if end < len(kinds) and 0.0 < y[past].mean() < 1.0:
            data = lightgbm.Dataset(values[past], y[past])
            model = lightgbm.train(settings, data)
        step = max(_EVERY, int(_EVERY_SHARE * due))
        due, begin = due + min(step, max(20, int(_GROWTH * due))), end
    return value
