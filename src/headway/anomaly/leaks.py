"""Running tasks whose memory rises with no end."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headway.anomaly.expected import Band

KEPT: Final = 12  # latest readings of a task that are looked at
ENOUGH: Final = 5
FLOOR_BYTES: Final = 64e6
RISING: Final = 2.0  # standard deviations of Kendall's statistic
IN_A_ROW: Final = 2  # readings in a row that must agree


@dataclass(slots=True)
class _Readings:
    latest: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=KEPT))
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=IN_A_ROW))
    first_s: float | None = None  # when the rise was first seen


@dataclass(frozen=True, slots=True)
class Leak:
    """How strange a rise is, since when, how fast, and where it is heading."""

    score: float  # strangeness of the memory that it will have, in distances of the band
    since_s: float
    bytes_per_s: float
    heading_bytes: float


class Leaks:
    """Readings of running tasks against what is expected of their memory.

    A reading counts where the latest ones rise (Mann 1945, Kendall 1975) and the latest is the
    largest. It is judged by the memory that the task will have when it should end, along the
    median of the slopes of neighbouring readings (after Theil 1950, Sen 1968), but never more
    ahead than it has run: a task that fills its memory evenly heads for its usual peak.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, _Readings] = {}

    def read(
        self, task_id: str, at_s: float, held: float, band: Band, started_s: float, end_s: float
    ) -> Leak | None:
        """One more reading of a task that should end at end_s; None = nothing to say."""
        known = self._tasks.setdefault(task_id, _Readings())
        known.latest.append((at_s, held))
        if len(known.latest) < ENOUGH or 2.0 * held < band.middle:
            return None
        slope = self._slope(known)
        ahead_s = min(max(end_s - at_s, 0.0), at_s - started_s)
        heading = held + slope * ahead_s if slope > 0.0 else 0.0
        known.scores.append(band.strangeness(heading, FLOOR_BYTES) if slope > 0.0 else -math.inf)
        score = min(known.scores) if len(known.scores) == IN_A_ROW else -math.inf
        if score <= 1.0:
            known.first_s = None
            return None
        if known.first_s is None:
            known.first_s = known.latest[0][0]
        return Leak(score, known.first_s, slope, heading)

    def forget(self, task_id: str) -> None:
        """The task has ended."""
        self._tasks.pop(task_id, None)

    @staticmethod
    def _slope(known: _Readings) -> float:
        """Bytes a second, 0 where the readings do not rise for sure."""
        values = [held for _, held in known.latest]
        n = len(values)
        if values[-1] < max(values):
            return 0.0
        kendall = sum(
            (values[j] > values[i]) - (values[j] < values[i])
            for i in range(n - 1)
            for j in range(i + 1, n)
        )
        if kendall / math.sqrt(n * (n - 1) * (2 * n + 5) / 18.0) < RISING:
            return 0.0
        slopes = sorted((b - a) / (t - s) for (s, a), (t, b) in pairwise(known.latest) if t > s)
        return slopes[len(slopes) // 2] if slopes else 0.0
