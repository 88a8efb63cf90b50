"""Levels that are read where past outcomes say that they are: the compiled part of `conformal`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

SERVE, LEARN = 0, 1
"""Kinds of event in `follow`."""

_PRIOR_SCORES: Final = 50.0  # how many scores the wrapped predictor's own word is worth
_FARTHEST: Final = 6.0  # normal score beyond which all surprises are alike
_OWN_STEP: Final = 0.03  # least step of the offsets of a kind of task
_OWN_FIRST: Final = 0.5  # its first step
_MOST_SWING: Final = 0.3  # step of the correction times outcomes until it is felt


@njit(cache=True)
def _value_at(z: float, nodes: Floats, logs: Floats) -> float:
    """The log value at normal score z of a distribution known at some nodes; linear beyond."""
    q = len(nodes)
    i = 0
    while i < q - 2 and z > nodes[i + 1]:
        i += 1
    slope = (logs[i + 1] - logs[i]) / (nodes[i + 1] - nodes[i])
    return logs[i] + slope * (z - nodes[i])


@njit(cache=True)
def _score_of(log: float, nodes: Floats, logs: Floats) -> float:
    """The normal score at which a distribution has a log value; the inverse of `_value_at`."""
    q = len(nodes)
    i = 0
    while i < q - 2 and log > logs[i + 1]:
        i += 1
    slope = (logs[i + 1] - logs[i]) / (nodes[i + 1] - nodes[i])
    return min(max(nodes[i] + (log - logs[i]) / slope, -_FARTHEST), _FARTHEST)


@njit(cache=True)
def _take_in(z: float, window: Floats, sorted_: Floats, n: Integers) -> None:
    """Put a score into the rolling window and its sorted twin; n[0] were put before."""
    size = min(n[0], len(window))
    place = n[0] % len(window)
    if n[0] >= len(window):
        i = np.searchsorted(sorted_, window[place])
        sorted_[i : size - 1] = sorted_[i + 1 : size].copy()
        size -= 1
    window[place] = z
    i = np.searchsorted(sorted_[:size], z)
    sorted_[i + 1 : size + 1] = sorted_[i:size].copy()
    sorted_[i] = z
    n[0] += 1


@njit(cache=True)
def _empirical(sorted_: Floats, size: int, level: float) -> float:
    """The conformal quantile of the first `size` sorted scores, between neighbours linear."""
    at = min(max(level * (size + 1) - 1.0, 0.0), size - 1.0)
    i = int(at)
    if i >= size - 1:
        return sorted_[size - 1]
    return sorted_[i] + (at - i) * (sorted_[i + 1] - sorted_[i])


@njit(cache=True)
def follow(
    kinds: Integers, rows: Integers, log_y: Floats, lags: Integers, group: Integers,
    group_before: Integers, own: Integers, nodes: Floats, logs: Floats, before: Floats,
    levels: Floats, normal: Floats, window: Floats, sorted_: Floats, n: Integers, now: Floats,
    corrections: Floats, past: Floats, offsets: Floats, counts: Integers, step: float, out: Floats,
) -> None:  # fmt: skip
    """Serve and learn rows in the order of the events.

    logs and before (m, q): the wrapped predictor's quantiles at nodes when a row is served and
    just before it is learned, group and group_before (m,) the groups that they put it into.
    window, sorted_ (g, w) and n (g + 1,) hold the scores of each group and how many came, in all
    last; now (g, q) is where they put the levels. past (m, q) remembers the corrections after each
    of the last m outcomes: an outcome is held against those of its submission, `lags` outcomes
    ago, not against today's; the longer that is, the smaller the step, or the correction would
    swing ever wider. offsets (s, q) correct the tasks of one kind alone, counts (s,) how many came
    of it; own is the kind of each row.
    """
    for event in range(len(kinds)):
        i = rows[event]
        kind = own[i]
        if kinds[event] == SERVE:
            g = group[i]
            last = -np.inf
            for k in range(len(levels)):
                z = now[g, k] + corrections[k] + offsets[kind, k]
                last = max(last, _value_at(z, nodes, logs[i]))
                out[i, k] = last
        elif not (np.isnan(log_y[i]) or np.isnan(before[i, 0])):
            g = group_before[i]
            z = _score_of(log_y[i], nodes, before[i])
            past[n[-1] % len(past)] = corrections
            lag = min(lags[i], n[-1], len(past) - 1)
            then = past[(n[-1] - lag) % len(past)]
            moved = min(step, _MOST_SWING / (1.0 + lags[i]))
            counts[kind] += 1
            closer = max(_OWN_STEP, _OWN_FIRST / counts[kind])
            closer = min(closer, 10.0 * _MOST_SWING / (1.0 + lags[i]))
            for k in range(len(levels)):
                missed = levels[k] - (1.0 if z <= now[g, k] + then[k] + offsets[kind, k] else 0.0)
                corrections[k] += moved * missed
                offsets[kind, k] += closer * missed
            _take_in(z, window[g], sorted_[g], n[g : g + 1])
            n[-1] += 1
            _place(levels, normal, sorted_[g], min(n[g], window.shape[1]), now[g])


@njit(cache=True)
def _place(levels: Floats, normal: Floats, sorted_: Floats, size: int, out: Floats) -> None:
    """Write the normal scores at which the levels are read, before corrections."""
    weight = size / (size + _PRIOR_SCORES)
    for k in range(len(levels)):
        out[k] = weight * _empirical(sorted_, size, levels[k]) + (1.0 - weight) * normal[k]
