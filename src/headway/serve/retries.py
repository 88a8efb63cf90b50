"""What tasks had that ran out of memory: their next attempt is given more."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from headway.predict.sizing.sizes import next_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headway.records import Task
    from headway.serve.advisor import Answer

KEPT: Final = 50_000  # answers whose outcome may come, and tasks that failed

Key = tuple[str, str, str]  # cluster, id and user


class Retries:
    """Knows the latest answers and the tasks that had too little. Threads may share it."""

    def __init__(self) -> None:
        self._given: dict[str, tuple[Key, float]] = {}
        self._failed: dict[Key, float] = {}
        self._guard = threading.Lock()

    def raised(self, task: Task, answer: Answer) -> Answer:
        """The answer, or one with more memory where an attempt before had too little.

        As `next_bytes` of the largest that failed; signed by what would have been given and `after
        out of memory`.
        """
        if task.attempt < 2 or not task.id:
            return answer
        with self._guard:
            failed = self._failed.get((task.cluster, task.id, task.user or ""), 0.0)
        if not failed:
            return answer
        asked = task.memory_requested_bytes
        more = math.ceil(next_bytes(failed, 0.0, math.nan if asked is None else float(asked)))
        if (answer.memory_bytes or 0) >= more:
            return answer
        return replace(
            answer, memory_bytes=more, made_by=f"{answer.made_by}, after out of memory".lstrip(", ")
        )

    def gave(self, task: Task, answer: Answer) -> None:
        """Remember an answer, so that its outcome can be told apart."""
        if task.id and answer.memory_bytes is not None:
            key = (task.cluster, task.id, task.user or "")
            self._note(answer.decision_id, key, float(answer.memory_bytes))

    def note(self, decision: Mapping[str, Any]) -> None:
        """As `gave`, of a decision in the log."""
        task, given = decision["task"], decision["memory_bytes"]
        if task.get("id") and given is not None:
            key = (task.get("cluster", ""), task["id"], task.get("user", ""))
            self._note(decision["decision_id"], key, float(given))

    def take(self, outcome: Mapping[str, Any]) -> None:
        """Look at an outcome: whether it says that what was given was too little."""
        with self._guard:
            known = self._given.get(outcome["decision_id"])
            if known is None:
                return
            key, given = known
            peak = outcome["memory_peak_bytes"]
            is_short = outcome["state"] == "out_of_memory"
            if is_short or (outcome["state"] == "failed" and peak is not None and peak > given):
                if key not in self._failed and len(self._failed) >= KEPT:
                    del self._failed[next(iter(self._failed))]
                self._failed[key] = max(self._failed.get(key, 0.0), given)

    def _note(self, decision_id: str, key: Key, given: float) -> None:
        with self._guard:
            if decision_id not in self._given and len(self._given) >= KEPT:
                del self._given[next(iter(self._given))]
            self._given[decision_id] = key, given
