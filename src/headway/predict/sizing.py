"""How many bytes to give each task: the cheapest way that has been enough for tasks of its kind.

No method gives the least waste on every cluster: quantiles of a model, the largest peak so far and
the user's own request all win somewhere. So each kind of task is given what a plain rule says, and
another candidate only where past tasks of that kind show that it wastes less and is enough as
often as was asked. Source: choice by own past waste as in Bader et al. (2024), Sizey, which weighs
models by it; the plain rule with its margin is Kubernetes' vertical autoscaler's; that the choice
must beat the rule by two standard errors is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from headway.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.protocols import Features
    from headway.records import Estimate

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_MARGIN: Final = 0.15  # above the largest peak so far, times 1 + 1 / outcomes
_LEAST_PEAKS: Final = 2  # outcomes of a kind before its largest peak is believed
_LEAST_COUNT: Final = 20.0  # outcomes of a kind before another candidate may be chosen
_DECAY: Final = 0.99  # weight of an outcome after the next one of its kind
_ERRORS: Final = 2.0  # standard errors by which coverage must be safe and waste lower
_RULE: Final = 0  # the candidate that is chosen until another one proves better
_DOUBLINGS: Final = 60
_GB_HOUR: Final = 1e9 * 3600.0
_SERVE: Final = 0


def sizes(
    served: Estimate,
    x: Features,
    kinds: Integers,
    rows: Integers,
    peak: Floats,
    runtime_s: Floats,
    coverage: float,
) -> Floats:
    """Bytes to give each task (n,) at its prediction, so that a share `coverage` has enough.

    served and x: what was predicted of and known about each task then; kinds and rows: predictions
    (0) and outcomes (1) in the order of time; peak and runtime_s (n,), NaN = not known, are looked
    at when their outcome comes. A task without history gets its request; NaN: it has none either.
    """
    if not served.levels[0] <= coverage <= served.levels[-1]:
        message = f"coverage must be in [{served.levels[0]}, {served.levels[-1]}], got {coverage}"
        raise ConfigError(message)
    candidates = _candidates(served, x, coverage)
    given = np.full(len(x), np.nan)
    group, request = _kind_of(x), x.column("memory_requested_bytes").copy()
    _choose(
        kinds, rows, candidates, group, peak, request, np.nan_to_num(runtime_s), coverage, given
    )
    return given


def _candidates(served: Estimate, x: Features, coverage: float) -> Floats:
    """What may be given, (n, c): the plain rule first, then the request, peaks and quantiles.

    Peaks with a margin never exceed the larger of request and peak, quantiles never the request.
    """
    request = x.column("memory_requested_bytes")
    is_named = x.column("name") >= 0
    parts = ("memory_max_bytes", "memory_ended")
    largest, count = (
        np.where(is_named, x.column(f"name_shape.{part}"), x.column(f"user_shape.{part}"))
        for part in parts
    )
    largest = np.where(count >= _LEAST_PEAKS, largest, np.nan)
    margin = _MARGIN * (1.0 + 1.0 / np.fmax(count, 1.0))
    found = []
    for more in (margin, 0.0, 0.5):
        roomy = np.fmin((1.0 + more) * largest, np.fmax(request, largest))
        found.append(np.where(np.isnan(roomy), request, roomy))
    found.insert(1, request)
    levels = served.levels
    right = int(np.clip(np.searchsorted(levels, coverage), 1, len(levels) - 1))
    share = (coverage - levels[right - 1]) / (levels[right] - levels[right - 1])
    logs = np.log1p(served.quantiles[:, [right - 1, right]])
    found.append(np.fmin(np.expm1((1.0 - share) * logs[:, 0] + share * logs[:, 1]), request))
    higher = np.flatnonzero(levels > coverage + 1e-9)
    found += [np.fmin(served.quantiles[:, k], request) for k in higher]
    return np.column_stack(found)


def _kind_of(x: Features) -> Integers:
    """A number for the kind of each task (n,): name, else nothing, with user and what was asked."""
    shape = ("name", "user", "cpus", "limit_s", "memory_requested_bytes")
    asked = np.column_stack([np.nan_to_num(x.column(name), nan=-1.0) for name in shape])
    _, kind = np.unique(asked, axis=0, return_inverse=True)
    return np.asarray(kind, dtype=np.int64).reshape(-1)


@njit(cache=True)
def _wasted(given: float, peak: float, request: float, runtime_s: float) -> float:
    """GB hours that one task would reserve in vain; a failed attempt takes its whole runtime."""
    failed, tried = 0.0, given
    for _ in range(_DOUBLINGS):
        if tried >= peak:
            break
        failed += tried
        tried = request if request > tried else max(2.0 * tried, 1e6)
    return (failed + tried - peak) * runtime_s / _GB_HOUR


@njit(cache=True)
def _best(
    n: float, enough: Floats, extra: Floats, extra2: Floats, offered: Floats, coverage: float
) -> int:
    """The candidate that has been enough as often as asked and surely wastes least."""
    best, least = _RULE, 0.0
    if n < _LEAST_COUNT:
        return best
    for k in range(len(offered)):
        share = (enough[k] + 1.0) / (n + 2.0)
        safe = share - _ERRORS * np.sqrt(share * (1.0 - share) / n)
        if np.isnan(offered[k]) or min(safe, enough[k] / n) < coverage:
            continue
        mean = extra[k] / n
        most = mean + _ERRORS * np.sqrt(max(extra2[k] / n - mean * mean, 0.0) / n)
        if most < least:
            best, least = k, most
    return best


@njit(cache=True)
def _choose(
    kinds: Integers, rows: Integers, candidates: Floats, group: Integers, peak: Floats,
    request: Floats, runtime_s: Floats, coverage: float, given: Floats,
) -> None:  # fmt: skip
    """Serve and learn tasks in the order of the events; what is served goes into given (n,).

    Of each kind is kept, fading: how many outcomes there were, how often each candidate was
    enough, and sum and sum of squares of what it wasted beyond the plain rule.
    """
    groups = group.max() + 1 if len(group) else 0
    n = np.zeros(groups)
    enough = np.zeros((groups, candidates.shape[1]))
    extra, extra2 = np.zeros_like(enough), np.zeros_like(enough)
    for event in range(len(kinds)):
        i = rows[event]
        g, offered = group[i], candidates[i]
        if kinds[event] == _SERVE:
            chosen = offered[_best(n[g], enough[g], extra[g], extra2[g], offered, coverage)]
            if np.isnan(chosen):  # neither request nor history: the most cautious quantile
                chosen = offered[-1]
            given[i] = chosen
            continue
        if np.isnan(peak[i]) or np.isnan(offered[_RULE]):
            continue
        usual = _wasted(offered[_RULE], peak[i], request[i], runtime_s[i])
        n[g] = _DECAY * n[g] + 1.0
        for k in range(len(offered)):
            enough[g, k] *= _DECAY
            extra[g, k] *= _DECAY
            extra2[g, k] *= _DECAY
            if not np.isnan(offered[k]):
                more = _wasted(offered[k], peak[i], request[i], runtime_s[i]) - usual
                enough[g, k] += 1.0 if offered[k] >= peak[i] else 0.0
                extra[g, k] += more
                extra2[g, k] += more * more
