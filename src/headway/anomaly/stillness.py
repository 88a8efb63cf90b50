"""Running tasks whose processors stand still though those of their kind never do for so long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from headway.anomaly.expected import Recent

if TYPE_CHECKING:
    from headway.anomaly.expected import Kind

ACTIVE: Final = 0.02  # share of its processors from which on a task does something


@dataclass(slots=True)
class _Known:
    active_s: float  # when it last did something
    longest_s: float = 0.0  # that it did nothing, and went on


class Stillness:
    """How long each running task has done nothing, against what its kind did of late.

    least_s: stillness that is no matter, added to the longest of the latest tasks of the kind.
    """

    def __init__(self, least_s: float) -> None:
        self._least_s = least_s
        self._tasks: dict[str, _Known] = {}
        self._longest = Recent()

    def read(
        self, task_id: str, kind: Kind, at_s: float, cpu_share: float, started_s: float
    ) -> tuple[float, float, float] | None:
        """One more reading: (times as long as expected, still since, expected at most).

        None = nothing to say.
        """
        known = self._tasks.setdefault(task_id, _Known(started_s))
        still_s = at_s - known.active_s
        if cpu_share >= ACTIVE:
            known.longest_s = max(known.longest_s, still_s)
            known.active_s = at_s
            return None
        band = self._longest.band(kind)
        if band is None:
            return None
        most_s = band.high + self._least_s
        return (still_s / most_s, known.active_s, most_s) if still_s > most_s else None

    def end(self, task_id: str, kind: Kind, at_s: float, *, is_good: bool) -> None:
        """The task has ended; only one that completed says what is usual."""
        known = self._tasks.pop(task_id, None)
        if known is not None and is_good:
            self._longest.learn(kind, max(known.longest_s, at_s - known.active_s))
