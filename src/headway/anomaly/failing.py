"""Users and workflows whose tasks suddenly fail more often than they used to."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

FAILED: Final = ("failed", "timeout", "out_of_memory")
SUCCEEDED: Final = ("completed",)
PRIOR: Final = 10.0  # tasks of everybody that an owner without history is believed to have had
LEAST_RATE: Final = 0.01
MOST_RATE: Final = 0.9
RISES: Final = (0.25, 0.75)  # of the way from the usual rate to 1: what is tested for
MOST_EVIDENCE: Final = 60.0
MOST_LATEST: Final = 64


@dataclass(slots=True)
class _Owner:
    failed: float = 0.0
    ended: float = 0.0
    pending: list[bool] = field(default_factory=list)  # outcomes since the evidence was last none
    evidence: list[float] = field(default_factory=lambda: [0.0] * len(RISES))
    since_s: float = 0.0
    latest: deque[tuple[str, bool]] = field(default_factory=lambda: deque(maxlen=MOST_LATEST))


@dataclass(frozen=True, slots=True)
class Failing:
    """How much speaks for a sudden rise, since when, and the rates before and now."""

    evidence: float  # nats
    since_s: float
    usual: float
    now: float
    ids: tuple[str, ...]  # the latest tasks that failed


class Failures:
    """A sequential binomial test for each owner against the owner's own history.

    The log-likelihood ratio of a raised rate of failures against the usual one, summed while it is
    positive (CUSUM, Page 1954; for Bernoulli outcomes Reynolds, Stoumbos 1999). What was seen
    since the sum was last zero is not yet history.
    """

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str], _Owner] = {}
        self._failed = self._ended = 0.0

    def learn(
        self, owner: tuple[str, str], task_id: str, at_s: float, *, has_failed: bool
    ) -> Failing | None:
        """One more outcome; what it says, where it raised the evidence."""
        known = self._owners.setdefault(owner, _Owner(since_s=at_s))
        everybody = (self._failed + 0.05) / (self._ended + 1.0)
        usual = (known.failed + PRIOR * everybody) / (known.ended + PRIOR)
        usual = min(max(usual, LEAST_RATE), MOST_RATE)
        self._failed, self._ended = self._failed + has_failed, self._ended + 1.0
        if max(known.evidence) == 0.0:
            known.since_s = at_s
            known.latest.clear()
        known.latest.append((task_id, has_failed))
        known.pending.append(has_failed)
        was = max(known.evidence)
        for i, rise in enumerate(RISES):
            raised = usual + rise * (1.0 - usual)
            odds = raised / usual if has_failed else (1.0 - raised) / (1.0 - usual)
            total = known.evidence[i] + math.log(odds)
            known.evidence[i] = min(max(0.0, total), MOST_EVIDENCE)
        if max(known.evidence) == 0.0:
            known.failed += sum(known.pending)
            known.ended += len(known.pending)
            known.pending.clear()
        if max(known.evidence) <= was and not (has_failed and was >= MOST_EVIDENCE):
            return None
        latest = [failed for _, failed in known.latest]
        ids = tuple(name for name, failed in known.latest if failed)
        now = sum(latest) / len(latest)
        return Failing(max(known.evidence), known.since_s, usual, now, ids)

    def settle(self, owner: tuple[str, str]) -> None:
        """What was strange of an owner is over: it is history now."""
        known = self._owners.get(owner)
        if known is not None:
            known.failed += sum(known.pending)
            known.ended += len(known.pending)
            known.pending.clear()
            known.evidence = [0.0] * len(RISES)
