"""Runtime and peak memory of tasks by name and size of their input, learned one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headway.predict.online import Online
from headway.protocols import Features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.records import Estimate, Task

FEATURES = ("name", "input_bytes")
VERSION = "by-name-1"


class ByName:
    """What a small stream of tasks says of the next: two Online predictors and their features."""

    def __init__(self) -> None:
        self._codes: dict[str | None, int] = {}
        self._counts: dict[str | None, int] = {}
        self._runtime, self._memory = Online(), Online()
        self.changes = 0

    def features(self, tasks: Sequence[Task]) -> Features:
        """The features (n, 2) of tasks; a name that was never learned has code -1."""
        values = np.array(
            [
                (self._codes.get(t.name, -1), np.nan if t.input_bytes is None else t.input_bytes)
                for t in tasks
            ],
            dtype=np.float64,
        ).reshape(-1, len(FEATURES))
        moments = np.array([t.submitted_s for t in tasks])
        return Features(FEATURES, values, ("name",), moments, VERSION)

    def estimate(self, tasks: Sequence[Task]) -> tuple[Estimate, Estimate]:
        """Runtime in seconds and peak memory in bytes."""
        x = self.features(tasks)
        return self._runtime.predict(x), self._memory.predict(x)

    def age(self, name: str | None) -> int:
        """How often what is believed of a name has changed by enough to ask again.

        It grows with the logarithm of the tasks seen: 1, 2, 3, 4, 6, 8, 12, 16, 24, ...
        """
        count = self._counts.get(name, 0)
        doublings = count.bit_length()
        has_half = count >= 2 and bool(count >> (doublings - 2) & 1)
        return 2 * doublings + has_half

    def learn(self, task: Task) -> None:
        """Take an attempt that has ended; what was cut short is a lower bound."""
        if task.started_s is None or task.ended_s is None:
            return
        if task.state in ("cancelled", "unknown", "pending", "running"):
            return
        self._codes.setdefault(task.name, len(self._codes))
        age = self.age(task.name)
        self._counts[task.name] = self._counts.get(task.name, 0) + 1
        self.changes += self.age(task.name) != age
        x = self.features([task])
        is_short = np.array([task.state != "completed"])
        runtime_s = np.array([max(task.ended_s - task.started_s, 1e-6)])
        if task.state in ("completed", "timeout"):
            self._runtime.learn(x, runtime_s, is_short)
        if task.memory_peak_bytes is not None:
            self._memory.learn(x, np.array([float(task.memory_peak_bytes)]), is_short)
