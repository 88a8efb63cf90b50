"""A home's answers in process: `headway.connect(HOME)`."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError, StoreError
from headway.schedule.rules import keys_of, rule_named
from headway.serve.advisor import STALE_S, Advisor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from headway.records import Task
    from headway.serve.advisor import Answer

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0  # seconds between two looks at which versions are current
KEPT: Final = 20_000  # tasks whose runtime is remembered between two orders
UNKNOWN_S: Final = 1e9  # stands for a runtime of which nothing is known: it goes last
RULES: Final = ("areaxt", "saf", "sjf", "fcfs")  # need no beginning of time to count from


def connect(
    home: str | Path, *, stale_s: float = STALE_S, clock: Callable[[], float] = time.time
) -> Client:
    """The answers of a home's trained models; ConfigError where there is no home.

    stale_s: age of the models from which a task gets what it asked for. clock: seconds now.
    """
    return Client(Advisor(home, stale_s=stale_s), clock)


class Client:
    """Asks for sizes and orders. Threads may share it; other versions are taken up by itself."""

    def __init__(self, advisor: Advisor, clock: Callable[[], float]) -> None:
        self._advisor, self._clock = advisor, clock
        self._guard = threading.Lock()
        self._looked_s = clock()
        self._runtimes: dict[tuple[str, str, int], float] = {}

    def size(self, task: Task) -> Answer:
        """What to give a task now, and what is believed of it."""
        with self._guard:
            now_s = self._clock()
            self._refresh(now_s)
            return self._advisor.advise(task, now_s)

    def order(self, queue: Sequence[Task], *, rule: str = "areaxt") -> list[Task]:
        """The tasks that wait, the one that should go first first.

        rule: areaxt, saf, sjf or fcfs, by the median runtime that is believed, else the limit; ties
        by arrival. Each task is described once, when it is first seen.
        """
        if rule not in RULES:
            raise ConfigError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
        chosen = rule_named(rule)
        with self._guard:
            now_s = self._clock()
            self._refresh(now_s)
            runtime_s = np.array([self._runtime(task, now_s) for task in queue])
        if not queue:
            return []
        submit_s = np.array([task.submitted_s for task in queue])
        procs = np.array([max(1, round(task.cpus_requested or 1.0)) for task in queue], np.int64)
        waits = np.maximum(now_s - submit_s, 0.0)
        keys = keys_of(chosen.number, runtime_s, procs, submit_s, waits)
        return [queue[row] for row in np.lexsort((submit_s, keys))]

    def _runtime(self, task: Task, now_s: float) -> float:
        """The runtime that a task is ordered by: what is believed, its limit, or UNKNOWN_S."""
        key = (task.cluster, task.id, task.attempt)
        known = self._runtimes.get(key)
        if known is None:
            said = self._advisor.estimate_runtime(task, now_s).value
            known = (task.limit_s or UNKNOWN_S) if said is None else said
            if len(self._runtimes) >= KEPT:
                del self._runtimes[next(iter(self._runtimes))]
            self._runtimes[key] = known
        return known

    def _refresh(self, now_s: float) -> None:
        """Take up other versions once in a while; what cannot be read leaves those in use."""
        if 0.0 <= now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        try:
            if self._advisor.refresh():
                self._runtimes.clear()
                log.info("now answering by %s", self._advisor.models.version)
        except StoreError as error:
            log.warning("the models in use stay: %s", error)
