"""Which version answers which task while rollouts are under way.

Each rollout splits by a hash of its own. Where several are under way, the first whose challenger a
key belongs to answers it; the others see that key as none of theirs, so that no comparison mixes
two challengers.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headway.errors import HeadwayError
from headway.rollout.split import CHALLENGER, CHAMPION, place_of
from headway.serve.rollouts import FOLDER, read_rollouts, training_of
from headway.store.models import ModelStore

if TYPE_CHECKING:
    from pathlib import Path

    from headway.records import Task
    from headway.rollout import Rollout
    from headway.serve.advisor import Advisor, Answer, Models

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arm:
    """A rollout that is under way, with its challenger in memory."""

    rollout: Rollout
    models: Models


class Arms:
    """Answers by the version that a task's key belongs to; belongs to the thread of its advisor."""

    def __init__(self, advisor: Advisor, home: Path) -> None:
        self._advisor, self._home = advisor, home
        self._store = ModelStore(home)
        self._stamp: tuple[tuple[str, int], ...] = ()
        self._open: tuple[Arm, ...] = ()
        self._guard = threading.Lock()
        self.broken: dict[str, str] = {}  # rollout id -> why its challenger cannot answer
        self.refresh()

    def refresh(self) -> bool:
        """Take up what was decided of rollouts; whether there was any. Any thread may ask."""
        with self._guard:
            return self._refreshed()

    def _refreshed(self) -> bool:
        paths = sorted((self._home / FOLDER).glob("[0-9]*.log"))
        stamp = tuple((path.name, path.stat().st_size) for path in paths)
        if stamp == self._stamp:
            return False
        warm = {arm.rollout.challenger: arm.models for arm in self._open}
        arms = []
        for rollout in read_rollouts(self._home):
            if not _is_live(rollout) or rollout.rollout_id in self.broken:
                continue
            try:
                models = warm.get(rollout.challenger) or self._advisor.load(
                    training_of(self._store, rollout.challenger)
                )
            except HeadwayError as error:
                self._break(rollout, str(error))
                continue
            arms.append(Arm(rollout, models))
        self._stamp, self._open = stamp, tuple(arms)
        return True

    def models(self) -> tuple[Models, ...]:
        """Those of the challengers."""
        return tuple(arm.models for arm in self._open)

    def advise(self, task: Task, at_s: float, decision_id: str = "") -> Answer:
        """The answer of the version that the task belongs to, signed with its arm."""
        arms = self._open
        if not arms:
            return self._advisor.advise(task, at_s, decision_id=decision_id)
        current = dict(self._advisor.models.versions).get("history", "")
        entries, shadows, propensity, taken = [], [], 1.0, None
        for arm in arms:
            rollout = arm.rollout
            if current not in (rollout.champion, rollout.challenger):
                continue
            key, share = key_of(task, rollout.plan.key), rollout.share
            is_challenger = place_of(rollout.rollout_id, key) < share
            entries.append((rollout.rollout_id, rollout.stage, is_challenger, key))
            propensity *= share if is_challenger else 1.0 - share
            if is_challenger:
                taken = arm
                break
            if share == 0.0:
                shadows.append(arm)
        answer = None
        if taken is not None:
            answer = self._asked(taken, task, at_s)
            if answer is None:  # the champion answers, and nothing is learned of the rollout
                return self._advisor.advise(task, at_s, decision_id=decision_id)
        return replace(
            answer or self._advisor.advise(task, at_s),
            decision_id=decision_id,
            arm=(CHAMPION if taken is None else CHALLENGER) if entries else "",
            propensity=propensity,
            rollouts=tuple(entries),
            shadow=tuple(said for arm in shadows if (said := self._beside(arm, task, at_s))),
        )

    def _beside(self, arm: Arm, task: Task, at_s: float) -> dict[str, Any] | None:
        """What the challenger would have given, which nobody follows."""
        began_s = time.perf_counter()
        answer = self._asked(arm, task, at_s)
        if answer is None:
            return None
        return {
            "rollout_id": arm.rollout.rollout_id, "version": answer.version,
            "memory_bytes": answer.memory_bytes, "made_by": answer.made_by,
            "runtime_s": answer.runtime_s.value, "peak_bytes": answer.peak_bytes.value,
            "latency_s": time.perf_counter() - began_s,
        }  # fmt: skip

    def _asked(self, arm: Arm, task: Task, at_s: float) -> Answer | None:
        """The challenger's answer; None where it fails, which ends its rollout."""
        try:
            return self._advisor.advise(task, at_s, arm.models)
        except Exception as error:  # of a model that was never in use: nobody's request may fail
            log.exception("the challenger of %s failed", arm.rollout.rollout_id)
            self._break(arm.rollout, f"{type(error).__name__}: {error}")
            return None

    def _break(self, rollout: Rollout, why: str) -> None:
        log.warning("the challenger of %s cannot answer: %s", rollout.rollout_id, why)
        self.broken[rollout.rollout_id] = f"its challenger cannot answer ({why})"
        self._open = tuple(a for a in self._open if a.rollout.rollout_id != rollout.rollout_id)


def key_of(task: Task, kind: str) -> str:
    """What keeps its arm: workflow, user or task; the next of them where one is unknown.

    >>> from headway.records import Task
    >>> key_of(Task(cluster="c", id="7", submitted_s=0.0, user="ann"), "workflow")
    'user ann'
    """
    if kind == "workflow" and task.workflow:
        return f"workflow {task.workflow}"
    if kind in ("workflow", "user") and task.user:
        return f"user {task.user}"
    if task.id:
        return f"task {task.cluster}/{task.id}"
    return f"name {task.user}/{task.name}"


def _is_live(rollout: Rollout) -> bool:
    """Whether its challenger may have to answer."""
    return rollout.is_open or (rollout.status == "promoted" and not rollout.is_in_place)
