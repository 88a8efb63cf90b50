"""The load of a cluster over time, counted from its tasks: arrivals, queue, demand, use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from headway.errors import ConfigError, NotEnoughData
from headway.observe.grid import seasons_of
from headway.protocols import Panel

Floats = NDArray[np.float64]

KINDS: Final = (
    "arrivals", "core_s_asked", "queued_tasks", "queued_cores", "running_tasks", "cores",
    "memory_bytes", "gpus", "core_s_done", "memory_byte_s_done",
)  # fmt: skip
"""What can be counted in each step.

Booked at the submission: `arrivals` (tasks), `core_s_asked` (cores times the limit). Means over the
step: `queued_tasks`, `queued_cores`, `running_tasks`, `cores`, `memory_bytes` (as requested),
`gpus`. Booked at the end, when it is known: `core_s_done` (cores times the runtime),
`memory_byte_s_done` (peak memory times the runtime).
"""

OTHERS: Final = "(others)"


def load_of(
    tasks: pl.DataFrame,
    step_s: float,
    kinds: Sequence[str] = KINDS,
    *,
    by: str = "",
    most: int = 50,
    until_s: float | None = None,
) -> Panel:
    """Series of the load of a table of tasks, each named by its kind, or `kind group`.

    by: a column whose values are counted apart (queue, user, workflow, ...), at most so many as
    `most`, the rest as `(others)`. Each step [at_s, at_s + step_s) is counted from what was known
    at its end; the last one ends at or before until_s (default: the last submission), what came
    later is not looked at. Kinds of which nothing is known are left out. NotEnoughData where there
    is no whole step.
    """
    _check(tasks, step_s, kinds, by)
    submitted = _column(tasks, "submitted_s")
    until_s = float(submitted.max()) if until_s is None and len(submitted) else until_s or 0.0
    begin_s = np.floor(submitted.min() / step_s) * step_s if len(submitted) else 0.0
    steps = int((until_s - begin_s) // step_s)
    if steps < 1:
        raise NotEnoughData(f"{len(submitted):,} tasks do not fill one step of {step_s:g} s")
    tasks = tasks.filter(pl.col("submitted_s") < begin_s + steps * step_s)
    names, codes = _groups(tasks, by, most)
    count = _Counting(begin_s, step_s, steps, codes, len(names))
    counted = _counted(tasks, count, begin_s + steps * step_s)
    columns, labels = [], []
    for kind in kinds:
        series = counted[kind]()
        if series is not None:
            columns.append(series)
            labels += [f"{kind} {name}".strip() for name in names]
    at_s = begin_s + step_s * np.arange(steps, dtype=np.float64)
    y = np.concatenate(columns, axis=1) if columns else np.empty((steps, 0))
    return Panel(tuple(labels), at_s, y, step_s, seasons_of(step_s))


class _Counting:
    """Sums over steps and groups, (n_steps, n_groups)."""

    def __init__(
        self, begin_s: float, step_s: float, steps: int, codes: NDArray[np.intp], groups: int
    ) -> None:
        self._begin_s, self._step_s = begin_s, step_s
        self._shape, self._codes = (steps, groups), codes

    def booked(self, at_s: Floats, amount: Floats) -> Floats | None:
        """Sum of the amounts (n,) at their moments (n,); None where no amount is known."""
        if not np.isfinite(amount).any():
            return None
        return self._summed(at_s, amount)

    def held(self, from_s: Floats, to_s: Floats, amount: Floats) -> Floats | None:
        """Mean of the amounts (n,) held from and to their moments (n,); NaN = never, not yet."""
        if not np.isfinite(amount).any():
            return None
        total = np.zeros(self._shape)
        amount = np.where(np.isfinite(from_s), amount, np.nan)
        for at_s, sign in ((from_s, 1.0), (to_s, -1.0)):
            left_s = self._step_s - (at_s - self._begin_s) % self._step_s
            first = self._summed(at_s, sign * amount * left_s)
            later = self._summed(at_s, sign * amount * self._step_s)
            total += first
            total[1:] += np.cumsum(later, axis=0)[:-1]
        return np.maximum(total / self._step_s, 0.0)

    def _summed(self, at_s: Floats, amount: Floats) -> Floats:
        steps, groups = self._shape
        place = (at_s - self._begin_s) / self._step_s
        known = np.isfinite(amount) & np.isfinite(place) & (place >= 0) & (place < steps)
        at = place[known].astype(np.intp) * groups + self._codes[known]
        total = np.bincount(at, amount[known], minlength=steps * groups).astype(np.float64)
        return total.reshape(self._shape)


def _counted(
    tasks: pl.DataFrame, count: _Counting, end_s: float
) -> dict[str, Callable[[], Floats | None]]:
    """How each kind is counted, by its name; moments from end_s on have not come yet."""
    submitted, started, ended = (
        _column(tasks, name) for name in ("submitted_s", "started_s", "ended_s")
    )
    started, ended = (np.where(t < end_s, t, np.nan) for t in (started, ended))
    asked, given = _column(tasks, "cpus_requested"), _column(tasks, "cpus_allocated")
    cores = np.where(np.isfinite(given), given, asked)
    waits_until = np.where(np.isfinite(started), started, ended)
    one, ran_s = np.ones(len(submitted)), ended - started
    memory, gpus = _column(tasks, "memory_requested_bytes"), _column(tasks, "gpus")
    peak = _column(tasks, "memory_peak_bytes")
    return {
        "arrivals": lambda: count.booked(submitted, one),
        "core_s_asked": lambda: count.booked(submitted, asked * _column(tasks, "limit_s")),
        "queued_tasks": lambda: count.held(submitted, waits_until, one),
        "queued_cores": lambda: count.held(submitted, waits_until, asked),
        "running_tasks": lambda: count.held(started, ended, one),
        "cores": lambda: count.held(started, ended, cores),
        "memory_bytes": lambda: count.held(started, ended, memory),
        "gpus": lambda: count.held(started, ended, gpus),
        "core_s_done": lambda: count.booked(ended, cores * ran_s),
        "memory_byte_s_done": lambda: count.booked(ended, peak * ran_s),
    }


def _check(tasks: pl.DataFrame, step_s: float, kinds: Sequence[str], by: str) -> None:
    if not step_s > 0:
        raise ConfigError(f"step_s must be above 0, got {step_s}")
    wrong = [kind for kind in kinds if kind not in KINDS]
    if wrong:
        raise ConfigError(f"kinds must be of {', '.join(KINDS)}, got {', '.join(wrong)}")
    if by and by not in tasks.columns:
        raise ConfigError(f"by must be a column of tasks, such as queue or user, got {by!r}")


def _groups(tasks: pl.DataFrame, by: str, most: int) -> tuple[list[str], NDArray[np.intp]]:
    """The names of the groups, the largest first, and the group of each task, (n,)."""
    if not by:
        return [""], np.zeros(tasks.height, dtype=np.intp)
    group = tasks[by].cast(pl.String).fill_null("(none)")
    sizes = group.value_counts(sort=True, name="n").sort(["n", by], descending=[True, False])
    kept = sizes[by].to_list()[:most]
    code = {name: i for i, name in enumerate(kept)}
    names = [*kept, OTHERS] if sizes.height > most else kept
    return names, np.array([code.get(name, len(kept)) for name in group], dtype=np.intp)


def _column(tasks: pl.DataFrame, name: str) -> Floats:
    """A column of tasks as numbers (n,), NaN = not known."""
    if name not in tasks.columns:
        return np.full(tasks.height, np.nan)
    return np.asarray(tasks[name].cast(pl.Float64).fill_null(np.nan).to_numpy())
