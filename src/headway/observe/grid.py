"""Points of series, as they come, on one regular grid of times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headway.errors import InputError
from headway.protocols import Panel

Floats = NDArray[np.float64]
Points = Mapping[str, tuple[Floats, Floats]]
"""Series name -> times (n,) in UTC epoch seconds and values (n,), in any order; NaN = not known."""

STEPS_S: Final = (
    1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400, 21600,
    28800, 43200, 86400, 604800,
)  # fmt: skip
"""Steps that a nearly regular series is taken to have."""

COUNTERS: Final = ("_total", "_count", "_sum", "_bucket")
"""Endings of the names of counters that only rise, by the custom of Prometheus."""

_SLACK: Final = 0.05  # of a step by which points may be off it
_SPARSE: Final = 50  # steps per point beyond which a grid is taken for a mistake
_DAY_S: Final = 86400.0


def on_grid(points: Points, step_s: float = 0.0, phase_s: float = 0.0) -> tuple[Panel, list[str]]:
    """Series on one grid, and what to say of them.

    step_s: of the grid, which then begins at phase_s after the epoch, and a step takes what came in
    it; 0 = the most frequent step between their points, each of which goes to the nearest. Several
    points of a step become their mean. Series whose names end like a counter's become what they
    rose by in each step; where one falls it began anew at 0. InputError where no step can be told.
    """
    known = {name: _in_order(*pair) for name, pair in points.items()}
    if not any(len(t) for t, _ in known.values()):
        raise InputError("no series has a point with a time and a value")
    all_s = np.concatenate([t for t, _ in known.values()])
    is_asked = step_s > 0
    if not is_asked:
        step_s = usual_step_s([t for t, _ in known.values()])
        phase_s = _phase_s(all_s, step_s)
    shift = 1e-6 if is_asked else 0.5
    first, last = (
        int(np.floor((t - phase_s) / step_s + shift)) for t in (all_s.min(), all_s.max())
    )
    steps = last - first + 1
    if steps > _SPARSE * len(all_s) + 10_000:
        raise InputError(
            f"{len(all_s):,} points {step_s:g} s apart would be {steps:,} steps long: one of their"
            " times is wrong, or name the step that is meant"
        )
    y, shared = np.full((steps, len(known)), np.nan), 0
    for column, (name, (t, values)) in enumerate(known.items()):
        is_counter = counts_up(name)
        if is_counter:
            rise = rises(t, values, usual_step_s([t]) if len(t) > 1 else step_s)
            t, values = t[np.isfinite(rise)], rise[np.isfinite(rise)]
        cell = np.floor((t - phase_s) / step_s + shift).astype(np.intp) - first
        y[:, column], more = _filled(cell, values, steps, is_counter)
        shared += 0 if is_asked or is_counter else more
    said = f"{shared:,} steps hold more than one point of a series: their mean is taken"
    at_s = phase_s + step_s * np.arange(first, last + 1, dtype=np.float64)
    return Panel(tuple(known), at_s, y, step_s, seasons_of(step_s)), [said] if shared else []


def seasons_of(step_s: float) -> tuple[int, ...]:
    """A day and a week in steps, where they are whole and more than one.

    >>> seasons_of(3600.0), seasons_of(86400.0), seasons_of(1000.0)
    ((24, 168), (7,), ())
    """
    lengths = (_DAY_S / step_s, 7 * _DAY_S / step_s)
    return tuple(round(n) for n in lengths if n > 1.5 and abs(n - round(n)) < 1e-6)


def usual_step_s(times: Sequence[Floats]) -> float:
    """The most frequent time between neighbouring points; InputError where there are no two."""
    gaps = np.concatenate([np.diff(np.unique(t)) for t in times])
    if not len(gaps):
        raise InputError("a series has one point only: its step cannot be told")
    nice = np.array(STEPS_S, dtype=np.float64)
    near = nice[np.argmin(np.abs(np.log(nice[None, :] / gaps[:, None])), axis=1)]
    snapped = np.where(np.abs(near - gaps) <= _SLACK * near, near, np.round(gaps, 3))
    steps, counts = np.unique(snapped, return_counts=True)
    return float(steps[np.argmax(counts)])


def counts_up(name: str) -> bool:
    """Whether a series is a counter, by its name.

    >>> counts_up('http_requests_total{code="200"}'), counts_up("load")
    (True, False)
    """
    return name.split("{")[0].endswith(COUNTERS)


def rises(t: Floats, values: Floats, step_s: float) -> Floats:
    """What a counter rose by until each point (n,); NaN at the first and across a gap.

    Points are the oldest first. A fall is a new beginning at 0: what it then shows was counted
    since.
    """
    rise = np.diff(values, prepend=np.nan)
    rise = np.where(rise < 0, values, rise)
    is_next = np.diff(t, prepend=-np.inf) < 1.5 * step_s
    return np.asarray(np.where(is_next, rise, np.nan))


def _in_order(t: Floats, values: Floats) -> tuple[Floats, Floats]:
    """The points with a time and a value, oldest first."""
    kept = np.isfinite(t) & np.isfinite(values)
    order = np.argsort(t[kept], kind="stable")
    return t[kept][order], values[kept][order]


def _phase_s(t: Floats, step_s: float) -> float:
    """Where in a step the points lie, their circular mean."""
    turn = np.exp(2j * np.pi * (t % step_s) / step_s).mean()
    phase_s = round(float(np.angle(turn)) / (2 * np.pi) * step_s, 3) % step_s
    return 0.0 if step_s - phase_s < 0.001 else phase_s


def _filled(cell: NDArray[np.intp], values: Floats, steps: int, is_sum: bool) -> tuple[Floats, int]:
    """The mean or sum of the values of each step, (steps,), and how many hold more than one."""
    count = np.bincount(cell, minlength=steps)
    total = np.bincount(cell, values, minlength=steps)
    size = 1.0 if is_sum else np.maximum(count, 1)
    return np.where(count > 0, total / size, np.nan), int((count > 1).sum())
