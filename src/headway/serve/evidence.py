"""What became of each arm's answers, stage by stage, from the log of decisions and outcomes.

Each stage is judged by its own answers alone: shares differ between stages, so pooling them would
take a change of the traffic over time for an effect. Within a stage the unit is the key that keeps
its arm, as the answers of one user are not independent.

Where an outcome comes again, the latest counts. In shadow the challenger's answer is held against
what came under the champion's: whether it was enough, and what it would have wasted.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.rollout.experiment import Moments
from headway.rollout.split import CHALLENGER, CHAMPION
from headway.serve.decisions import segments_of
from headway.store.journal import read_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

METRICS: Final = ("failures", "out_of_memory", "uncovered", "waste", "wait", "latency")
"""Lower is better in each: share of tasks that failed, that ran out of memory, whose peak was above
the memory given; GB-hours given and not used; seconds waited; seconds an answer took."""
FAILED: Final = ("failed", "out_of_memory", "timeout")
ARMS: Final = (CHAMPION, CHALLENGER)
_OF_DECISION: Final = ("at_s", "rollouts", "shadow", "arm", "memory_bytes", "latency_s")
_OF_OUTCOME: Final = ("at_s", "state", "memory_peak_bytes", "runtime_s", "wait_s")
"""What is kept in memory of a record, which may be kilobytes."""


@dataclass(slots=True)
class Stage:
    """One stage of one rollout: (2, METRICS) sums and counts by key, of each arm."""

    split: dict[str, set[str]] = field(default_factory=lambda: {arm: set() for arm in ARMS})
    sums: dict[str, dict[str, Floats]] = field(default_factory=lambda: {arm: {} for arm in ARMS})
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ARMS, 0))
    last_outcome_s: float = -math.inf
    waiting_since_s: float = math.inf  # oldest answer of the challenger since its last outcome

    def moments(self, arm: str) -> dict[str, Moments]:
        """Of each metric: y its sum by key, d how often it is known."""
        rows = list(self.sums[arm].values())
        if not rows:
            return {}
        kept = np.array(rows)  # (keys, 2, metrics)
        found = {}
        for number, name in enumerate(METRICS):
            known = kept[kept[:, 1, number] > 0, :, number]
            made = np.column_stack([known[:, 0], np.zeros(len(known)), known[:, 1]])
            found[name] = Moments(len(made), made.sum(axis=0), made.T @ made)
        return found

    def add(self, arm: str, key: str, values: Floats, sign: float) -> None:
        """One outcome (metrics,), NaN where a metric is unknown; sign -1 takes it back."""
        known = ~np.isnan(values)
        row = self.sums[arm].setdefault(key, np.zeros((2, len(METRICS))))
        row += sign * np.stack([np.where(known, values, 0.0), known])
        self.outcomes[arm] += int(sign)


class Evidence:
    """Reads on in a home's log where it stopped; belongs to one thread."""

    def __init__(self, home: str | Path) -> None:
        self._home = home
        self._ends: dict[Path, int] = {}
        self._decided: dict[str, Mapping[str, Any]] = {}
        self._came: dict[str, Mapping[str, Any]] = {}
        self._stages: dict[tuple[str, int], Stage] = {}

    def stage(self, rollout_id: str, number: int) -> Stage:
        """What is known of one stage."""
        return self._stages.setdefault((rollout_id, number), Stage())

    def read(self, since_s: float, now_s: float) -> None:
        """Take in what was logged meanwhile, but for files last written before since_s."""
        paths = segments_of(self._home)
        recent = [path for path, status in paths if status.st_mtime >= since_s]
        for record, _ in read_on(recent, self._ends):
            self.take(json.loads(record), now_s)

    def take(self, record: Mapping[str, Any], now_s: float) -> None:
        """One record of the log, in any order."""
        id_ = record["decision_id"]
        if record["kind"] == "decision" and record.get("rollouts") and id_ not in self._decided:
            decision = {name: record[name] for name in _OF_DECISION}
            self._decided[id_] = decision
            self._split(decision)
            if id_ in self._came:
                self._count(decision, self._came[id_], 1.0, now_s)
        elif record["kind"] == "outcome":
            before = self._came.get(id_)
            if before is not None and record["at_s"] < before["at_s"]:
                return
            self._came[id_] = {name: record[name] for name in _OF_OUTCOME}
            if id_ in self._decided:
                if before is not None:
                    self._count(self._decided[id_], before, -1.0, now_s)
                self._count(self._decided[id_], record, 1.0, now_s)

    def _split(self, decision: Mapping[str, Any]) -> None:
        """Count the keys of each arm."""
        for rollout_id, number, is_challenger, key in decision["rollouts"]:
            stage = self.stage(rollout_id, number)
            stage.split[CHALLENGER if is_challenger else CHAMPION].add(key)
            if is_challenger:
                stage.waiting_since_s = min(stage.waiting_since_s, decision["at_s"])

    def _count(
        self, decision: Mapping[str, Any], outcome: Mapping[str, Any], sign: float, now_s: float
    ) -> None:
        """Add what came of a decision to its arms, or take it back."""
        shadows = {said["rollout_id"]: said for said in decision["shadow"]}
        for rollout_id, number, is_challenger, key in decision["rollouts"]:
            stage = self.stage(rollout_id, number)
            if not is_challenger and decision["arm"] == CHALLENGER:
                continue  # another rollout's challenger answered
            at_s = min(outcome["at_s"], now_s)  # a clock that goes ahead is not believed
            stage.last_outcome_s = max(stage.last_outcome_s, at_s)
            if rollout_id in shadows:
                stage.add(CHAMPION, key, imagined(decision, decision, outcome), sign)
                stage.add(CHALLENGER, key, imagined(decision, shadows[rollout_id], outcome), sign)
            else:
                stage.add(CHALLENGER if is_challenger else CHAMPION, key,
                          served(decision, outcome), sign)  # fmt: skip
                if is_challenger:
                    stage.waiting_since_s = math.inf


def served(decision: Mapping[str, Any], outcome: Mapping[str, Any]) -> Floats:
    """(METRICS,) of an answer that was followed; NaN where one is unknown."""
    state = outcome["state"]
    if state in ("cancelled", "unknown"):
        return np.full(len(METRICS), math.nan)
    _, _, uncovered, waste, _, latency = imagined(decision, decision, outcome)
    wait_s = outcome["wait_s"]
    return np.array([
        float(state in FAILED), float(state == "out_of_memory"), uncovered, waste,
        math.nan if wait_s is None else wait_s, latency,
    ])  # fmt: skip


def imagined(
    decision: Mapping[str, Any], said: Mapping[str, Any], outcome: Mapping[str, Any]
) -> Floats:
    """(METRICS,) of an answer under which the task would have used what it used; else NaN."""
    found = np.full(len(METRICS), math.nan)
    found[METRICS.index("latency")] = said["latency_s"]
    given, followed = said["memory_bytes"], decision["memory_bytes"]
    peak, runtime_s = outcome["memory_peak_bytes"], outcome["runtime_s"]
    if given is None:
        return found
    is_short = None if peak is None else peak > given
    if outcome["state"] == "out_of_memory":  # it needed more than it was given, who knows how much
        is_short = True if followed is not None and given <= followed else None
    if is_short is None:
        return found
    found[METRICS.index("uncovered")] = float(is_short)
    if runtime_s is not None:
        wasted = given if is_short else given - (peak or 0)
        found[METRICS.index("waste")] = wasted / 1e9 * runtime_s / 3600.0
    return found
