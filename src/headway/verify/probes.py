"""A history with its new kinds of task probed: a few run first, the others wait for the outcome.

What is held back starts later, and so does what needed it. The gain is in memory, the cost in
time: both are told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LONGEST_S: Final = 3600.0
"""How long a task is held back at most."""

_GROWTH: Final = 5  # tasks of a kind that may run for each that has ended
_KIND: Final = ("cluster", "workflow", "name", "user", "cpus_requested", "memory_requested_bytes")


@dataclass(frozen=True, slots=True)
class Probed:
    """The table as it would have gone, and by how much each task (n,) started later, in seconds."""

    tasks: pl.DataFrame
    delay_s: Floats

    def cost(self) -> dict[str, float]:
        """What probing cost in time; later_by_s: by how much the last task ended later."""
        if not len(self.delay_s):
            return dict.fromkeys(
                ("held_share", "mean_delay_s", "longest_delay_s", "later_by_s"), 0.0
            )
        ended = self.tasks["ended_s"].cast(pl.Float64).fill_null(-np.inf).to_numpy()
        return {
            "held_share": float(np.mean(self.delay_s > 0.0)),
            "mean_delay_s": float(np.mean(self.delay_s)),
            "longest_delay_s": float(np.max(self.delay_s)),
            "later_by_s": float(np.max(ended) - np.max(ended - self.delay_s)),
        }


def probed(tasks: pl.DataFrame, probes: int = 2, longest_s: float = LONGEST_S) -> Probed:
    """A table in which of each new kind only `probes` tasks run until all of these have ended.

    Then five times as many may run as have ended, and so on: the first to end are the smallest,
    and a wave that starts at one moment would share one mistake. No task is held back for longer
    than longest_s. A task also starts no earlier than all earlier tasks of its workflow and tag
    have ended that had ended when it really started: these it is taken to have needed (the table
    may not tell). How the cluster would have filled the gaps is not modelled.

    Source: none for the rule; an outcome a kind is the budget of this active learning, growing as
    the window of TCP's slow start does.
    """
    if probes < 1:
        raise ConfigError(f"probes must be at least 1, got {probes}")
    start, end = (
        tasks[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("started_s", "ended_s")
    )
    kinds = tasks.select(_KIND).rows()
    instances = tasks.select("cluster", "workflow", "tag").rows()
    moved = start.copy()
    running: dict[Any, list[float]] = {}  # ends of the tasks of each kind that were let go
    before: dict[Any, list[tuple[float, float]]] = {}  # real and moved end of each tag's tasks
    for i in np.argsort(start, kind="stable"):
        if np.isnan(start[i]) or np.isnan(end[i]):
            continue
        earlier = before.setdefault(instances[i], []) if instances[i][2] is not None else []
        needed = [late for real, late in earlier if real <= start[i]]
        at = max([start[i], *needed])
        known = running.setdefault(kinds[i], [])
        moved[i] = at = _released(known, probes, at, longest_s)
        known.append(at + end[i] - start[i])
        earlier.append((end[i], at + end[i] - start[i]))
    delay = np.nan_to_num(moved - start)
    shifted = tasks.with_columns(
        started_s=pl.col("started_s") + pl.Series(delay),
        ended_s=pl.col("ended_s") + pl.Series(delay),
    )
    return Probed(shifted, delay)


def _released(known: list[float], probes: int, at: float, longest_s: float) -> float:
    """When a task may start that is ready at a moment, by the ends of its kind that were let go."""
    if len(known) < probes:
        return at
    needed = max(probes, len(known) // (1 + _GROWTH))
    return max(at, min(sorted(known)[needed - 1], at + longest_s))
