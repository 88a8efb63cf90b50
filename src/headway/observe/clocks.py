"""Series whose points come at the same times, side by side in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.observe.grid import Points

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class InTime:
    """Series of one clock, the oldest first.

    at_s (t,); y (t, n), NaN where a series has no point; rows, order: for each series the rows of
    its points and their places in the file.
    """

    names: tuple[str, ...]
    at_s: Floats
    y: Floats
    rows: tuple[NDArray[np.intp], ...]
    order: tuple[NDArray[np.intp], ...]


def same_clock(points: Points, first: int) -> list[tuple[str, ...]]:
    """The names of series, those whose first points come at the same times together.

    Only the first so many times of each are looked at: what comes later changes no group.
    """
    groups: dict[bytes, list[str]] = {}
    for name, (at_s, _) in points.items():
        known = np.sort(at_s[np.isfinite(at_s)])
        groups.setdefault(known[:first].tobytes(), []).append(name)
    return [tuple(names) for names in groups.values()]


def in_time(points: Points, names: tuple[str, ...]) -> InTime:
    """Series on one clock in the order of time; points without a time are left out."""
    order = []
    for name in names:
        at_s = np.asarray(points[name][0])
        by_time = np.argsort(at_s, kind="stable")
        order.append(by_time[np.isfinite(at_s[by_time])])
    times = [np.asarray(points[name][0])[at] for name, at in zip(names, order, strict=True)]
    if all(np.array_equal(at_s, times[0]) for at_s in times[1:]):
        clock, rows = times[0], [np.arange(len(times[0]))] * len(names)
    else:
        nth = [np.arange(len(at_s)) - np.searchsorted(at_s, at_s) for at_s in times]
        keys = np.concatenate([np.column_stack(pair) for pair in zip(times, nth, strict=True)])
        moments, where = np.unique(keys, axis=0, return_inverse=True)
        clock = moments[:, 0]
        rows = np.split(where.reshape(-1), np.cumsum([len(at_s) for at_s in times])[:-1])
    y = np.full((len(clock), len(names)), np.nan)
    for i, (name, at) in enumerate(zip(names, order, strict=True)):
        y[rows[i], i] = np.asarray(points[name][1])[at]
    return InTime(names, clock, y, tuple(rows), tuple(order))
