"""The live loop on one screen: observe, store, learn, predict, decide, guard, apply."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headway.errors import ClusterError
from headway.features import History
from headway.protocols import Features, Preferences, Remembering
from headway.records import Decision, Event, Task, as_row, outcome_of, prediction_of
from headway.tables import frame

if TYPE_CHECKING:
    from headway.protocols import Cluster, Guard, Policy, Predictor, Store
    from headway.records import ClusterState, Estimate

log = logging.getLogger(__name__)

_Key = tuple[str, str, int]


class Engine:
    """Steers one cluster: every step reads what happened, learns from it and decides what is next.

    predictors maps a target (runtime_s, memory_bytes) to its Predictor. No step uses what had not
    happened: a task is described at its submission, predicted by what ended before, and learned
    when it ends.
    """

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        predictors: Mapping[str, Predictor],
        policy: Policy,
        *,
        history: History | None = None,
        guards: Sequence[Guard] = (),
        preferences: Preferences = Preferences(),  # noqa: B008
    ) -> None:
        """Join the parts; nothing is read or decided yet."""
        self._cluster, self._store, self._policy = cluster, store, policy
        self._predictors, self._guards, self._preferences = predictors, guards, preferences
        self._history = history or History()
        self._cursor = ""
        self._described: dict[_Key, Features] = {}  # of tasks that have not ended
        self._believed: dict[_Key, dict[str, Features]] = {}  # with what was believed, by target
        self._decided: dict[_Key, Decision] = {}  # of tasks that have not ended
        self._numbers = itertools.count(1)

    def step(self) -> tuple[Decision, ...]:
        """Once around the loop; the decisions that were carried out."""
        batch = self._cluster.events(self._cursor)
        self._observe(batch.events)
        self._cursor = batch.cursor
        state = self._cluster.state()
        tasks = [*state.queued, *state.running]
        estimates = self._predict(tasks, state.at_s)
        state = replace(state, estimates=estimates)
        decided = self._policy.decide(state, self._preferences)
        carried = tuple(d for d in map(self._sign, decided) if self._carry_out(d, state))
        self._store.append("decision", [frame("decision", [as_row(d) for d in carried])])
        return carried

    def _observe(self, events: Sequence[Event]) -> None:
        """Log what happened, then let the history and the predictors know it, in order."""
        self._store.append("task", [frame("task", [as_row(e.task) for e in events])])
        outcomes = []
        for event in events:
            task = event.task
            key = (task.cluster, task.id, task.attempt)
            if event.kind == "submitted":
                x = self._described[key] = self._history.submit(task)
                self._believed[key] = {
                    target: predictor.remember(x) if isinstance(predictor, Remembering) else x
                    for target, predictor in self._predictors.items()
                }
                self._log_predictions(task, x)
            elif event.kind == "started":
                self._history.start(task)
            elif event.kind == "ended" and key in self._described:
                del self._described[key]
                self._learn(task, self._believed.pop(key))
                self._history.end(task)
                if key in self._decided:
                    outcomes.append(outcome_of(self._decided.pop(key), task))
        self._store.append("outcome", [frame("outcome", [as_row(o) for o in outcomes])])

    def _learn(self, task: Task, believed: Mapping[str, Features]) -> None:
        """Teach each predictor the outcome it has, beside what it believed at the submission.

        A peak at which a task ran out of memory is a lower bound. A runtime that was cut at the
        limit is not: what is predicted is how long the attempt takes up the cluster.
        """
        is_cut = {"memory_bytes": task.state == "out_of_memory"}
        for target, predictor in self._predictors.items():
            y = _result(task, target)
            if y is not None:
                censored = np.array([is_cut.get(target, False)])
                predictor.learn(believed[target], np.array([y]), censored)

    def _predict(self, tasks: Sequence[Task], at_s: float) -> dict[str, Estimate]:
        """What each predictor says of each task now, by how it was described at its submission."""
        known = [self._described.get((t.cluster, t.id, t.attempt)) for t in tasks]
        rows = [
            x if x is not None else self._history.look(t, at_s)
            for x, t in zip(known, tasks, strict=True)
        ]
        if not rows:
            return {}
        x = replace(
            rows[0],
            values=np.concatenate([r.values for r in rows]),
            at_s=np.concatenate([r.at_s for r in rows]),
        )
        return {target: predictor.predict(x) for target, predictor in self._predictors.items()}

    def _log_predictions(self, task: Task, x: Features) -> None:
        """Write down what was believed of a task when it came."""
        said = [
            prediction_of(task, task.submitted_s, target, predictor.predict(x))
            for target, predictor in self._predictors.items()
        ]
        self._store.append("prediction", [frame("prediction", [as_row(p) for p in said])])

    def _sign(self, decision: Decision) -> Decision:
        """A decision with its own id and the features as they were served."""
        x = self._described.get((decision.cluster, decision.id, decision.attempt))
        named = decision.decision_id or f"{decision.cluster}/{decision.id}/{next(self._numbers)}"
        if x is None:
            return replace(decision, decision_id=named)
        return replace(
            decision,
            decision_id=named,
            feature_names=x.names,
            features=tuple(x.values[0].tolist()),
            features_version=x.version,
        )

    def _carry_out(self, decision: Decision, state: ClusterState) -> bool:
        """Apply a decision unless a guard or the cluster says no; whether it was applied."""
        for guard in self._guards:
            reason = guard(decision, state)
            if reason:
                log.warning("task %s: %s not applied: %s", decision.id, decision.action, reason)
                return False
        try:
            self._cluster.apply(decision)
        except ClusterError as error:
            log.warning("task %s: %s failed: %s", decision.id, decision.action, error)
            return False
        log.info("task %s: %s by %s", decision.id, decision.action, decision.made_by)
        self._decided[(decision.cluster, decision.id, decision.attempt)] = decision
        return True


def _result(task: Task, target: str) -> float | None:
    """The target's value of a task that has ended; None if it is not known."""
    if target == "memory_bytes":
        return None if task.memory_peak_bytes is None else float(task.memory_peak_bytes)
    if task.ended_s is None or task.started_s is None:
        return None
    return max(0.0, task.ended_s - task.started_s)
