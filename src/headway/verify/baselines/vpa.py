"""As Kubernetes' vertical autoscaler recommends memory: p90 of a decaying histogram + 15 %.

Source: kubernetes/autoscaler, vertical-pod-autoscaler, recommender: buckets from 10 MB, each 5 %
wider than the one before, up to 1 TB; a sample loses half of its weight in 24 h; the target is the
end of the bucket in which the 90 % point lies, plus a margin of 15 %. There each sample is the
peak of a container's day; here it is the peak of a task, weighed by its end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.verify.baselines.seen import follow

if TYPE_CHECKING:
    from headway.verify.baselines.seen import Given, Seen

_FIRST_BYTES: Final = 1e7
_GROWTH: Final = 1.05
_MOST_BYTES: Final = 1e12
_HALF_LIFE_S: Final = 86400.0
_LEVEL: Final = 0.9
_MARGIN: Final = 1.15
_BUCKETS: Final = 1 + math.ceil(math.log(_MOST_BYTES * (_GROWTH - 1) / _FIRST_BYTES + 1, _GROWTH))
_ENDS: Final = _FIRST_BYTES * (_GROWTH ** np.arange(1, _BUCKETS + 1) - 1.0) / (_GROWTH - 1.0)
_MOST_HALVES: Final = 500.0  # weights are rescaled before they outgrow a float


def vpa(seen: Seen) -> Given:
    """The recommended target for the kind of each task."""
    return follow(seen, _Histogram)


class _Histogram:
    def __init__(self) -> None:
        self._weights = np.zeros(_BUCKETS)
        self._reference_s = math.nan

    def give(self, input_bytes: float) -> tuple[float, float]:
        up_to = np.cumsum(self._weights)
        bucket = int(np.searchsorted(up_to, _LEVEL * up_to[-1]))
        return _MARGIN * float(_ENDS[min(bucket, _BUCKETS - 1)]), math.nan

    def learn(self, y: float, input_bytes: float, runtime_s: float, at_s: float) -> None:
        if math.isnan(self._reference_s):
            self._reference_s = at_s
        halves = (at_s - self._reference_s) / _HALF_LIFE_S
        if halves > _MOST_HALVES:
            self._weights *= 2.0**-halves
            self._reference_s, halves = at_s, 0.0
        bucket = min(int(np.searchsorted(_ENDS, y, side="right")), _BUCKETS - 1)
        self._weights[bucket] += 2.0 ** max(halves, -_MOST_HALVES)
