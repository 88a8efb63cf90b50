"""The largest peak of a kind so far, with or without a margin: common practice."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from headway.verify.baselines.seen import follow

if TYPE_CHECKING:
    from headway.verify.baselines.seen import Given, Seen


def largest(seen: Seen, margin: float) -> Given:
    """(1 + margin) times the largest peak of the kind."""
    return follow(seen, lambda: _Largest(1.0 + margin))


class _Largest:
    def __init__(self, factor: float) -> None:
        self._factor, self._largest = factor, 0.0

    def give(self, input_bytes: float) -> tuple[float, float]:
        return self._factor * self._largest, math.nan

    def learn(self, y: float, input_bytes: float, runtime_s: float, at_s: float) -> None:
        self._largest = max(self._largest, y)
