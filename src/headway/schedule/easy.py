"""A rule with EASY backfilling as a Policy: which waiting tasks of a live cluster start now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headway.errors import ConfigError
from headway.schedule.rules import keys_of, rule_named
from headway.schedule.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.protocols import Preferences
    from headway.records import ClusterState, Decision


class EasyPolicy:
    """Orders the queue by a rule on predicted runtimes and backfills what delays nobody.

    Room is reserved by requests, where they are known; a task may jump ahead if its prediction at
    backfill_level ends before the reservation. Memory is allocated at the predicted quantile
    nearest to coverage; a refused prediction keeps the request.
    """

    def __init__(
        self, rule: str = "saf", backfill_level: float = 0.75, coverage: float = 0.95
    ) -> None:
        """Choose a rule by name and the levels in (0, 1) of the quantiles that are used."""
        for name, level in (("backfill_level", backfill_level), ("coverage", coverage)):
            if not 0.0 < level < 1.0:
                raise ConfigError(f"{name} must be in (0, 1), got {level}")
        self._rule = rule_named(rule)
        self._backfill_level, self._coverage = backfill_level, coverage

    def decide(self, state: ClusterState, preferences: Preferences) -> Sequence[Decision]:
        """Starts, in the order in which they should be carried out; preferences are not used."""
        queue = Waiting(state, self._backfill_level, self._coverage)
        waited_s = np.array([state.at_s - task.submitted_s for task in state.queued])
        keys = keys_of(
            self._rule.number,
            np.maximum(queue.median_s, 1.0),
            queue.cpus,
            np.array([task.submitted_s for task in state.queued]),
            waited_s,
        )
        order = list(np.lexsort((-waited_s, keys)))
        started = []
        while order and queue.fits(order[0]):
            started.append(queue.start(order.pop(0)))
        if order:
            started += self._backfill(queue, order)
        return [queue.decision(row, f"easy {self._rule.name}") for row in started]

    def _backfill(self, queue: Waiting, order: list[int]) -> list[int]:
        """The tasks behind the first that start now without delaying its reservation."""
        at_s, spare = queue.reservation(order[0])
        rest = order[1:] if self._rule.backfills_by_key else sorted(order[1:])
        started = []
        for row in rest:
            if queue.may_go_before(row, at_s, spare):
                spare -= 0 if queue.ends_by(row, at_s) else queue.cpus[row]
                started.append(queue.start(row))
        return started
