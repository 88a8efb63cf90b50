"""Levels that are read where past outcomes say that they are: the compiled part of `conformal`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bounds = Sequence[float] | Floats
    Integers = NDArray[np.int64]

SERVE, LEARN = 0, 1
"""Kinds of event in `follow`."""

_PRIOR_SCORES: Final = 50.0  # how many scores the wrapped predictor's own word is worth
_CAUTION: Final = 1.3  # how much wider than its word it is believed to be wrong
_FARTHEST: Final = 6.0  # normal score beyond which all surprises are alike
_OWN_STEP: Final = 0.03  # least step of the offsets of a kind of task
_OWN_FIRST: Final = 0.5  # its first step
_MOST_SWING: Final = 0.3  # step of the correction times outcomes until it is felt
_LEAST_SLOPE: Final = 0.02  # least growth of the log per unit of normal score
_SPREADS: Final = (2.0, 5.0)  # bounds of log of highest over lowest fitted level
_FURTHER: Final = math.log(4.0)  # how far an answer may go beyond all seen and the middle
_FEW: Final = 100.0  # outcomes of which the largest says little
_HEADROOMS: Final = (0.5, 2.0)  # bounds of log of the limit over the middle

WHERE: Final = (
    "", "all.waiting", "all.running", "name", "user",
    "name.waiting", "name.running", "user.waiting", "user.running",
)  # fmt: skip
"""The columns that `follow` looks at; the first is the cap."""

_CAP, _WAITING, _, _NAME, _USER, _NAME_WAITING, _, _USER_WAITING, _ = range(9)


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
    kinds: Integers, rows: Integers, y: Floats, values: Floats, places: Integers,
    quantiles: Floats, before: Floats, nodes: Floats, middles: Floats, levels: Floats,
    normal: Floats, window: Floats, sorted_: Floats, n: Integers, now: Floats,
    corrections: Floats, offsets: Floats, counts: Integers, step: float, largest: Floats,
    promised: Floats, out: Floats,
) -> None:  # fmt: skip
    """Serve and learn rows in the order of the events.

    values (m, d): features, places (5,) where they have cap, waiting, running, name and user, -1 =
    not. quantiles and before (m, q): the wrapped predictor's at nodes when a row is served, and
    their logs just before it is learned. middles: bounds of log middles between groups.
    window, sorted_ (g, w) and n (g,) hold the scores of each group and how many came, the last one
    those of all; now (g, q) is where they put the levels. corrections (q,) are of all tasks,
    offsets (s, q) of one kind alone, counts (s,) how many came of it; the longer outcomes take to
    come, the smaller their steps, or they would swing ever wider. largest (1,): log of the largest
    outcome so far. promised (m, q): the scores that were served, against which an outcome is held
    (NaN = those of now). Written: promised and out (m, q) at a row's SERVE, out elsewhere NaN.
    """
    out[:] = math.nan
    logs, at = np.empty(len(nodes)), np.empty(len(levels))
    for event in range(len(kinds)):
        i = rows[event]
        kind = _kind(values[i], places, len(counts))
        if kinds[event] == SERVE:
            if math.isnan(quantiles[i, 0]):
                continue
            for k in range(len(nodes)):
                logs[k] = math.log1p(quantiles[i, k])
            g, most = _rising_group(logs, nodes, middles, values[i], places)
            _place(normal, now, n, g, window.shape[1], at)
            last, far = -np.inf, np.inf
            if n[-1] > 0 and not math.isfinite(most):
                far = max(largest[0], logs[np.argmin(np.abs(nodes))])
                far += _FURTHER * (1.0 + _FEW / n[-1])
            for k in range(len(levels)):
                promised[i, k] = at[k] + corrections[k] + offsets[kind, k]
                last = max(last, min(_value_at(promised[i, k], nodes, logs), far))
                out[i, k] = min(max(math.expm1(last), 0.0), most)
        elif not (math.isnan(y[i]) or math.isnan(before[i, 0])):
            logs[:] = before[i]
            g, _ = _rising_group(logs, nodes, middles, values[i], places)
            largest[0] = max(largest[0], math.log1p(max(y[i], 0.0)))
            z = _score_of(math.log1p(max(y[i], 0.0)), nodes, logs)
            moved = min(step, _MOST_SWING / (1.0 + _in_flight(values[i], places, _WAITING)))
            counts[kind] += 1
            closer = max(_OWN_STEP, _OWN_FIRST / counts[kind])
            closer = min(closer, _MOST_SWING / (1.0 + _in_flight(values[i], places, _NAME_WAITING)))
            _place(normal, now, n, g, window.shape[1], at)
            for k in range(len(levels)):
                bound = promised[i, k]
                if math.isnan(bound):
                    bound = at[k] + corrections[k] + offsets[kind, k]
                missed = levels[k] - (1.0 if z <= bound else 0.0)
                corrections[k] += moved * missed
                offsets[kind, k] += closer * missed
            for group in (g, len(window) - 1):
                _take_in(z, window[group], sorted_[group], n[group : group + 1])
                for k in range(len(levels)):
                    size = min(n[group], window.shape[1])
                    now[group, k] = _empirical(sorted_[group], size, levels[k])


@njit(cache=True)
def _rising_group(
    logs: Floats, nodes: Floats, middles: Floats, task: Floats, places: Integers
) -> tuple[int, float]:
    """The group of similar tasks of log quantiles, which are made to rise, and the task's cap."""
    for k in range(1, len(logs)):
        logs[k] = max(logs[k], logs[k - 1] + _LEAST_SLOPE * (nodes[k] - nodes[k - 1]))
    middle = logs[np.argmin(np.abs(nodes))]
    group = _among(middles, middle) * (len(_SPREADS) + 1)
    group += _among(_SPREADS, logs[-1] - logs[0])
    if places[_CAP] < 0:
        return group, np.inf
    most = task[places[_CAP]] * 1.05 + 120.0
    group = group * (len(_HEADROOMS) + 1) + _among(_HEADROOMS, math.log1p(most) - middle)
    return group, np.inf if math.isnan(most) else most


@njit(cache=True)
def _among(bounds: Bounds, value: float) -> int:
    """How many of some increasing bounds lie below a value; NaN = all."""
    n = 0
    while n < len(bounds) and not value <= bounds[n]:
        n += 1
    return n


@njit(cache=True)
def _in_flight(task: Floats, places: Integers, waiting: int) -> int:
    """About how many outcomes come between a task's submission and its own.

    waiting: where in places the tasks that wait are, behind them those that run: of all, or of
    the name, and then without a name of the user.
    """
    if places[waiting] < 0:
        waiting = _WAITING  # not told of names: as if all were of one
    if places[waiting] < 0:
        return 0
    flying = task[places[waiting]] + task[places[waiting + 1]]
    if waiting == _NAME_WAITING and math.isnan(flying):
        flying = task[places[_USER_WAITING]] + task[places[_USER_WAITING + 1]]
    return 0 if math.isnan(flying) else int(flying)


@njit(cache=True)
def _kind(task: Floats, places: Integers, kinds: int) -> int:
    """The kind of a task, by its name or, without one, its user."""
    if places[_NAME] < 0:
        return 0
    name = task[places[_NAME]]
    return int(2.0 * name if name >= 0 else 2.0 * task[places[_USER]] + 1.0) % kinds


def groups(middles: int, has_cap: bool) -> int:
    """How many groups of similar tasks there are, with so many bounds of middles."""
    spreads, headrooms = len(_SPREADS) + 1, len(_HEADROOMS) + 1
    return (middles + 1) * spreads * (headrooms if has_cap else 1)


@njit(cache=True)
def _place(normal: Floats, now: Floats, n: Integers, g: int, window: int, out: Floats) -> None:
    """Write the normal scores at which a group's levels are read, before corrections.

    With few scores of its own a group follows all groups together (the last one), and those with
    few scores the wrapped predictor's own word, taken with caution.
    """
    size, size_of_all = min(n[g], window), min(n[-1], window)
    own = size / (size + _PRIOR_SCORES)
    of_all = size_of_all / (size_of_all + _PRIOR_SCORES)
    for k in range(len(out)):
        wide = of_all * now[-1, k] + (1.0 - of_all) * _CAUTION * normal[k]
        out[k] = own * now[g, k] + (1.0 - own) * wide
