"""What Headway is held against: the plain methods, each fed in the same order of time."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_MARGIN = 1.15
_SERVE = 0
_COLD = 2  # the first outcomes of a kind of task, during which it gets its request


def last_two(kinds: Integers, rows: Integers, users: Sequence[object], y: Floats) -> Floats:
    """The mean of the last two outcomes of the user at each submission (n,); NaN = none yet.

    Source: Tsafrir, Etsion, Feitelson (2007), section 3.
    """
    seen: dict[object, tuple[float, float]] = {}
    value = np.full(len(y), np.nan)
    for kind, row in zip(kinds.tolist(), rows.tolist(), strict=True):
        user = users[row]
        if kind == _SERVE:
            if user in seen:
                last, before = seen[user]
                value[row] = last if np.isnan(before) else 0.5 * (last + before)
        else:
            last, _ = seen.get(user, (np.nan, np.nan))
            seen[user] = (float(y[row]), last)
    return value


def memory_allocations(
    kinds: Integers, rows: Integers, types: Sequence[object], peak: Floats, request: Floats
) -> dict[str, Floats]:
    """Bytes that each plain method gives each task at its submission, by name of the method.

    types: the kind of each task. A kind with fewer than two outcomes gets its request (NaN where
    there is none). Sources: running maximum with a margin as in Kubernetes' vertical autoscaler
    (its 15 %), the others are common practice.
    """
    history: dict[object, list[float]] = {}
    latest: dict[object, tuple[float, float]] = {}
    names = ("running max + 15 %", "max of last two", "p95 of history")
    given = {"request": request.copy()} | {name: request.copy() for name in names}
    for kind, row in zip(kinds.tolist(), rows.tolist(), strict=True):
        known = history.setdefault(types[row], [])
        if kind != _SERVE:
            insort(known, float(peak[row]))
            latest[types[row]] = (float(peak[row]), latest.get(types[row], (np.nan,))[0])
        elif len(known) >= _COLD:
            given[names[0]][row] = _MARGIN * known[-1]
            given[names[1]][row] = max(latest[types[row]])
            at = 0.95 * (len(known) - 1)
            low, high = known[int(at)], known[min(int(at) + 1, len(known) - 1)]
            given[names[2]][row] = low + (at - int(at)) * (high - low)
    return given


def split_conformal(
    kinds: Integers, rows: Integers, y: Floats, base: Floats, levels: Floats, window: int = 2_000
) -> Floats:
    """Plain rolling split conformal quantiles (n, q) of the log target around a base's quantiles.

    base (n, q) holds the base's own quantiles at the levels, as served at submission; each level
    is moved by the conformal quantile of its last `window` residuals of the log, in the order in
    which outcomes became known. Source: Romano, Patterson, Candes (2019), conformalised quantile
    regression, with each side calibrated for itself, over a rolling window.
    """
    logs, truth = np.log1p(base), np.log1p(np.maximum(y, 0.0))
    moved = logs.copy()
    ring = np.full((window, len(levels)), np.nan)
    shift, count = np.zeros(len(levels)), 0
    for kind, row in zip(kinds.tolist(), rows.tolist(), strict=True):
        if kind == _SERVE:
            moved[row] = logs[row] + shift
        elif np.isfinite(truth[row]) and np.isfinite(logs[row, 0]):
            ring[count % window] = truth[row] - logs[row]
            count += 1
            if count % 20 == 0:  # the shift hardly moves between two outcomes
                own = np.sort(ring[: min(count, window)], axis=0)
                at = np.clip(np.ceil(levels * (len(own) + 1)).astype(int) - 1, 0, len(own) - 1)
                shift = own[at, np.arange(len(levels))]
    return np.sort(np.maximum(np.expm1(moved), 0.0), axis=1)
