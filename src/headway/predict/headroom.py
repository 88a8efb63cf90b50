"""Memory for a task as a multiple of what its class has used: what is known of it, and headroom.

The basis is the largest peak among the latest outcomes of a class that are known when the task is
submitted, of a coarser class where there are none, and the request where nothing has ended. What it
is multiplied by is one constant, or a small network of what is known of the class; the network
needs no library. Outcomes count from the end of their task on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl
from numba import njit

from headway.errors import ConfigError
from headway.predict.sizing.sizes import LEAST_BYTES, bytes_in_vain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

VERSION: Final = "headroom-1"
FEATURES: Final = (
    "log_ended", "spread", "log_max_over_median", "log_max_over_last", "log_request_over_basis",
    "is_fine", "is_coarse", "is_unseen", "missed_of_class", "missed_of_all", "log_hours",
    "log_basis", "log_pending", "log_limit",
)  # fmt: skip
"""What is known of a task at its submission; logarithms are natural, of counts over 5."""
WINDOW: Final = 32  # latest outcomes of a class that count
HIDDEN: Final = 16
SCALE: Final = 1.0
"""By how much an output of 1 of the network moves the logarithm of the headroom."""
SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "constants": (3,),
    "first": (len(FEATURES), HIDDEN),
    "first_bias": (HIDDEN,),
    "second": (HIDDEN, HIDDEN),
    "second_bias": (HIDDEN,),
    "last": (HIDDEN, 1),
    "last_bias": (1,),
}
"""Every weight by name, in the order in which they lie in the flat array; constants are logarithms
of the headroom over what a class, a coarser class has used, and over the request."""
SIZE: Final = sum(int(np.prod(shape)) for shape in SHAPES.values())
_FADING: Final = 0.9  # of what was missed in a class, an outcome
_FADING_ALL: Final = 0.98
FINE, COARSE, UNSEEN = range(3)
"""The class itself, a coarser one, or the request, where nothing has ended."""


class Known(NamedTuple):
    """What is known of n tasks at submission, and what came of them."""

    x: Floats  # (n, FEATURES)
    basis: Floats  # (n,) bytes; NaN = nothing has ended and nothing was asked for
    level: Ints  # (n,) what the basis is of: FINE, COARSE or UNSEEN
    request: Floats  # (n,) bytes, NaN = none
    peak: Floats  # (n,) bytes, NaN = never known
    hours: Floats  # (n,) that an attempt takes
    submitted_s: Floats  # (n,)


def known_of(tasks: pl.DataFrame) -> Known:
    """A table of tasks in order of submission with what was known of each."""
    fine = ("workflow", "name", "user", "cpus_requested", "memory_requested_bytes")
    coarse = ("user",) if _is_flat(tasks) else ("workflow", "name")
    keys = np.column_stack([_codes(tasks, fine), _codes(tasks, coarse)])
    submitted_s, started_s, ended_s = (
        _numbers(tasks, name) for name in ("submitted_s", "started_s", "ended_s")
    )
    hours = np.maximum(ended_s - started_s, 0.0) / 3600.0
    peak = _numbers(tasks, "memory_peak_bytes")
    peak = np.where((peak > 0.0) & np.isfinite(hours), np.maximum(peak, LEAST_BYTES), np.nan)
    request = _numbers(tasks, "memory_requested_bytes")
    request = np.where(request > 0.0, request, np.nan)
    limit_s = _numbers(tasks, "limit_s")
    ends = np.flatnonzero(np.isfinite(peak) & np.isfinite(ended_s))
    at_s = np.concatenate([ended_s[ends], submitted_s])
    event = np.concatenate([-1 - ends, np.arange(len(peak))])
    order = np.lexsort((event >= 0, at_s))  # of one moment, ends come first
    x, basis = np.zeros((len(peak), len(FEATURES))), np.full(len(peak), np.nan)
    level = np.zeros(len(peak), np.int64)
    _follow(event[order], keys, peak, hours, request, limit_s, x, basis, level)
    return Known(x, basis, level, request, peak, hours, submitted_s)


def constants(fine: float, coarse: float = 1.0, unseen: float = 1.0) -> Floats:
    """Weights (SIZE,) of fixed headroom: factors over what a class, a coarser class has used, and
    over a request.
    """
    if not (fine > 0.0 and coarse > 0.0 and unseen > 0.0):
        raise ConfigError(f"headroom must be positive, got {fine}, {coarse}, {unseen}")
    weights = np.zeros(SIZE)
    weights[:3] = np.log([fine, coarse, unseen])
    return weights


def log_headroom(weights: Floats, x: Floats, level: Ints) -> Floats:
    """The logarithm (n,) of the headroom of tasks with features x (n, FEATURES)."""
    if weights.shape != (SIZE,):
        raise ConfigError(f"weights must be {SIZE} numbers, got {weights.shape}")
    parts, at = {}, 0
    for name, shape in SHAPES.items():
        size = int(np.prod(shape))
        parts[name] = weights[at : at + size].reshape(shape)
        at += size
    hidden = np.tanh(x @ parts["first"] + parts["first_bias"])
    hidden = np.tanh(hidden @ parts["second"] + parts["second_bias"])
    moved = (hidden @ parts["last"] + parts["last_bias"])[:, 0]
    return np.asarray(parts["constants"][level] + SCALE * moved)


def sized(known: Known, logs: Floats) -> Floats:
    """Bytes (n,) by the logarithm of the headroom; no more than was asked for, unless the class
    has used more.
    """
    most = np.fmax(known.request, np.where(known.level == UNSEEN, 0.0, known.basis))
    most = np.where(np.isnan(known.request), np.inf, most)
    return np.asarray(np.clip(known.basis * np.exp(logs), LEAST_BYTES, most))


def wasted(known: Known, first: Floats) -> Floats:
    """GB-hours (n,) that all attempts reserve beyond the peak, if the first is given `first`."""
    largest = np.where(known.level == UNSEEN, 0.0, known.basis)
    return bytes_in_vain(first, largest, known.request, known.peak) * known.hours / 1e9


def picked(known: Known, rows: NDArray[np.bool_] | Ints) -> Known:
    """Some of the tasks."""
    return Known._make(values[rows] for values in known)


def _is_flat(tasks: pl.DataFrame) -> bool:
    """Whether no task is of a workflow: then users are alike in more than names."""
    return "workflow" not in tasks.columns or tasks["workflow"].is_null().all()


def _codes(tasks: pl.DataFrame, names: tuple[str, ...]) -> Ints:
    """A number for each combination of values."""
    there = [pl.col(name).cast(pl.String).fill_null("") for name in names if name in tasks.columns]
    joined = tasks.select(pl.concat_str(there, separator="\x1f")).to_series()
    return joined.rank("dense").to_numpy().astype(np.int64) - 1


def _numbers(tasks: pl.DataFrame, name: str) -> Floats:
    if name not in tasks.columns:
        return np.full(tasks.height, np.nan)
    return tasks[name].cast(pl.Float64).fill_null(np.nan).to_numpy().copy()


@njit(cache=True)
def _follow(
    event: Ints, keys: Ints, peak: Floats, hours: Floats, request: Floats, limit_s: Floats,
    x: Floats, basis: Floats, level: Ints,
) -> None:  # fmt: skip
    """Serve tasks (event = row) and learn ends (event = -1 - row), in order of time."""
    many = keys.max() + 1
    ring = np.zeros((2, many, WINDOW))
    ended, pending = np.zeros((2, many), np.int64), np.zeros((2, many), np.int64)
    missed, log_hours = np.zeros((2, many)), np.zeros((2, many))
    missed_of_all = 0.0
    for i in event:
        if i < 0:
            j = -1 - i
            is_missed = 1.0 if peak[j] > basis[j] else 0.0
            missed_of_all += (1.0 - _FADING_ALL) * (is_missed - missed_of_all)
            for fine in range(2):
                key = keys[j, fine]
                ring[fine, key, ended[fine, key] % WINDOW] = math.log(peak[j])
                ended[fine, key] += 1
                pending[fine, key] -= 1
                step = max(1.0 - _FADING, 1.0 / ended[fine, key])
                missed[fine, key] += step * (is_missed - missed[fine, key])
                log_hour = math.log(hours[j] + 1e-3)
                log_hours[fine, key] += step * (log_hour - log_hours[fine, key])
            continue
        which = 0
        while which < 2 and ended[which, keys[i, which]] == 0:
            which += 1
        level[i] = which
        x[i, 5 + which] = 1.0
        x[i, 9] = missed_of_all
        x[i, 12] = math.log1p(max(pending[0, keys[i, 0]], 0)) / 5.0
        limit_hours = limit_s[i] / 3600.0 if limit_s[i] > 0.0 else 1.0
        x[i, 10] = x[i, 13] = math.log(limit_hours + 1e-3) / 5.0
        for fine in range(2):
            pending[fine, keys[i, fine]] += 1
        if which == 2:
            basis[i] = request[i]
        else:
            key = keys[i, which]
            _tell(ring[which, key], ended[which, key], x[i])
            basis[i] = math.exp(x[i, 11])
            x[i, 8], x[i, 10] = missed[which, key], log_hours[which, key] / 5.0
            if not math.isnan(request[i]):
                x[i, 4] = min(max(math.log(request[i] / basis[i]), -3.0), 5.0)
        x[i, 11] = (math.log(basis[i]) - 20.0) / 5.0 if basis[i] > 0.0 else 0.0


@njit(cache=True)
def _tell(ring: Floats, ended: int, x: Floats) -> None:
    """What the latest outcomes of a class say; x[11] is the logarithm of their largest."""
    n = min(ended, WINDOW)
    logs = np.sort(ring[:n])
    x[0] = math.log1p(ended) / 5.0
    x[1] = logs.std()
    x[2] = logs[-1] - logs[n // 2]
    x[3] = logs[-1] - ring[(ended - 1) % WINDOW]
    x[11] = logs[-1]
