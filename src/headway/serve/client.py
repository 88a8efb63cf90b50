"""A home's answers in process: `headway.connect(HOME)`."""

from __future__ import annotations

import logging
import threading
import time
from array import array
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError, StoreError
from headway.records import Task
from headway.schedule.rules import keys_of, rule_named
from headway.serve.advisor import STALE_S, Advisor
from headway.serve.arms import Arms
from headway.serve.decisions import DecisionLog, id_of
from headway.serve.recalled import digest_of, marked, recall
from headway.serve.retries import Retries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headway.records import Estimate, Feedback, Outcome
    from headway.serve.advisor import Answer, Models

log = logging.getLogger(__name__)

LOOK_S: Final = 0.25  # seconds between two looks at which versions are current
KEPT: Final = 20_000  # tasks whose runtime is remembered between two orders, and keys
UNKNOWN_S: Final = 1e9  # stands for a runtime of which nothing is known: it goes last
RULES: Final = ("areaxt", "saf", "sjf", "fcfs")  # need no beginning of time to count from
_DONE: Final[Future[None]] = Future()  # of what is on the disk already, or goes to none
_DONE.set_result(None)


def connect(
    home: str | Path,
    *,
    stale_s: float = STALE_S,
    is_logged: bool = True,
    is_learning: bool = False,
    clock: Callable[[], float] = time.time,
) -> Client:
    """The answers of a home's trained models; ConfigError where there is no home.

    stale_s: age of the models from which a task gets what it asked for. clock: seconds now.
    is_logged: keep every answer below `<home>/decisions`. is_learning: a Learner teaches the models
    beside the answers.
    """
    advisor = Advisor(home, stale_s=stale_s, is_learning=is_learning)
    decisions = DecisionLog(home) if is_logged else None
    client = Client(advisor, Arms(advisor, Path(home)), clock, decisions)
    if decisions is not None:
        client.remember(recall(home, KEPT))
    return client


class Client:
    """Asks for sizes and orders. Threads may share it; other versions are taken up by itself."""

    def __init__(
        self,
        advisor: Advisor,
        arms: Arms,
        clock: Callable[[], float],
        decisions: DecisionLog | None = None,
    ) -> None:
        self._advisor, self._clock, self._decisions = advisor, clock, decisions
        self.arms = arms
        self.retries = Retries()
        self.learning: dict[str, float] = {}  # what a Learner says of itself
        self.is_refreshing = True  # False: another thread calls refresh
        self.alone = self._guard = threading.Lock()  # held by whoever asks or changes the models
        self._looked_s = clock()
        self._runtimes: dict[tuple[str, str, int], tuple[Task, float]] = {}
        self._keyed: dict[str, tuple[str, Answer, Future[None]]] = {}  # by decision_id

    def size(self, task: Task, *, idempotency_key: str = "") -> Answer:
        """What to give a task now, and what is believed of it; logged within milliseconds."""
        return self.decide(task, idempotency_key=idempotency_key)[0]

    def decide(self, task: Task, *, idempotency_key: str = "") -> tuple[Answer, Future[None]]:
        """As `size`, and a Future that is done when the answer is on the disk.

        The same key within the last KEPT gets the same answer (without features), also from a
        process that was started since; ConfigError where it came with another task. A key gives
        the same decision_id for ever.
        """
        began_s = time.perf_counter()
        id_, keyed = id_of(idempotency_key), None
        with self._guard:
            if idempotency_key and id_ in self._keyed and not _is_lost(self._keyed[id_][2]):
                digest, answer, kept = self._keyed[id_]
                if digest != digest_of(task):
                    raise ConfigError(
                        f"idempotency key {idempotency_key!r} came before with another task"
                    )
                return answer, kept
            now_s = self._clock()
            self._refresh(now_s)
            answer = self.retries.raised(task, self.arms.advise(task, now_s, id_))
            self.retries.gave(task, answer)
            if idempotency_key:
                keyed = marked(task, answer)
            if self._decisions is None:
                kept = _DONE
            else:
                latency_s = time.perf_counter() - began_s
                kept = self._decisions.decide(task, answer, latency_s, keyed)
            if keyed is not None:
                if len(self._keyed) >= KEPT:
                    del self._keyed[next(iter(self._keyed))]
                # its features stay in the log: 20,000 answers with theirs are 100 MB
                said_again = replace(answer, feature_names=(), features=array("d"))
                self._keyed[id_] = keyed["task"], said_again, kept
            return answer, kept

    def remember(self, known: dict[str, tuple[str, Answer]]) -> None:
        """Give these answers again where their keys come again; see recalled.recall."""
        self._keyed |= {id_: (digest, answer, _DONE) for id_, (digest, answer) in known.items()}

    def outcome(self, outcome: Outcome) -> Future[None]:
        """What became of a decision: also days later, again, or before the decision came."""
        said = {"decision_id": outcome.decision_id, "state": outcome.state}
        self.retries.take(said | {"memory_peak_bytes": outcome.memory_peak_bytes})
        return self._log().outcome(outcome)

    def feedback(self, feedback: Feedback) -> Future[None]:
        """What a person thought of a decision and whether it was followed."""
        return self._log().feedback(feedback)

    def close(self) -> None:
        """Write all that was answered; nothing may be asked after."""
        if self._decisions is not None:
            self._decisions.close()

    def _log(self) -> DecisionLog:
        if self._decisions is None:
            raise ConfigError("this client keeps no log: connect with is_logged=True")
        return self._decisions

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
            runtime_s = np.array(self._runtimes_of(queue, now_s))
        if not queue:
            return []
        submit_s = np.array([task.submitted_s for task in queue])
        procs = np.array([max(1, round(task.cpus_requested or 1.0)) for task in queue], np.int64)
        waits = np.maximum(now_s - submit_s, 0.0)
        keys = keys_of(chosen.number, runtime_s, procs, submit_s, waits)
        return [queue[row] for row in np.lexsort((submit_s, keys))]

    def _runtimes_of(self, queue: Sequence[Task], now_s: float) -> list[float]:
        """The runtime that each is ordered by: what is believed, its limit, or UNKNOWN_S."""
        keys = [(task.cluster, task.id, task.attempt) for task in queue]
        known = [self._runtimes.get(key) for key in keys]
        runtime_s = [0.0 if found is None else found[1] for found in known]
        new = [
            i for i, (found, task) in enumerate(zip(known, queue, strict=True))
            if found is None or (found[0] is not task and found[0] != task)
        ]  # fmt: skip
        said = self._advisor.estimate_runtimes([queue[i] for i in new], now_s)
        for i, value in zip(new, said, strict=True):
            task = queue[i]
            runtime_s[i] = (task.limit_s or UNKNOWN_S) if value is None else value
            if len(self._runtimes) >= KEPT:
                del self._runtimes[next(iter(self._runtimes))]
            self._runtimes[keys[i]] = task, runtime_s[i]
        return runtime_s

    def estimate(self, target: str, tasks: Sequence[Task]) -> tuple[Estimate | None, str]:
        """What is believed of the runtime or memory of tasks, a row each; else None and why."""
        with self._guard:
            now_s = self._clock()
            self._refresh(now_s)
            return self._advisor.estimate(target, tasks, now_s)

    @property
    def versions(self) -> dict[str, str]:
        """Version of each model that answers now, by name."""
        return dict(self._advisor.models.versions)

    @property
    def version(self) -> str:
        """The versions that answer now; '' = there are no models."""
        return self._advisor.models.version

    @property
    def created_s(self) -> float:
        """When the models that answer were trained; 0 = there are none."""
        return self._advisor.models.created_s

    def live_models(self) -> tuple[Models, ...]:
        """Those that may answer now: the current ones and the challengers'."""
        return (self._advisor.models, *self.arms.models())

    def warm_up(self) -> None:
        """Ask once for nothing, so that neither the first answer nor order waits for a compiler."""
        now_s = self._clock()
        nothing = Task(cluster="", id="", submitted_s=now_s)
        self._advisor.advise(nothing, now_s)
        self._advisor.estimate_runtimes([nothing], now_s)

    def refresh(self) -> None:
        """Take up other versions; what cannot be read leaves those in use. For one thread."""
        try:
            if self._advisor.refresh():
                self._runtimes.clear()
                log.info("now answering by %s", self.version)
            self.arms.refresh()
        except StoreError as error:
            log.warning("the models in use stay: %s", error)

    def _refresh(self, now_s: float) -> None:
        """Take up other versions once in a while, where nobody else sees to it."""
        if self.is_refreshing and not 0.0 <= now_s - self._looked_s < LOOK_S:
            self._looked_s = now_s
            self.refresh()


def _is_lost(kept: Future[None]) -> bool:
    """Whether an answer could not be written: nobody was given it."""
    return kept.done() and kept.exception() is not None
