"""Running tasks whose processors stand still though those of their kind never do for long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ACTIVE: Final = 0.02  # share of its processors from which on a task does something
USUAL: Final = 0.2  # lowest share among earlier tasks of its kind, from which on stillness counts
LEAST_S: Final = 900.0


@dataclass(slots=True)
class _Known:
    active_s: float  # when it last did something


class Stillness:
    """How long each running task has done nothing."""

    def __init__(self) -> None:
        """Start with no task."""
        self._tasks: dict[str, _Known] = {}

    def read(
        self, task_id: str, at_s: float, cpu_share: float, usual: float, started_s: float
    ) -> tuple[float, float] | None:
        """One more reading: (hours of work missed, still since); None = nothing to say.

        usual: the lowest share of its processors that a task of its kind used of late.
        """
        known = self._tasks.setdefault(task_id, _Known(started_s))
        if cpu_share >= ACTIVE:
            known.active_s = at_s
            return None
        still_s = at_s - known.active_s
        if usual < USUAL or still_s < LEAST_S:
            return None
        return still_s / 3600.0 * usual, known.active_s

    def forget(self, task_id: str) -> None:
        """The task has ended."""
        self._tasks.pop(task_id, None)
