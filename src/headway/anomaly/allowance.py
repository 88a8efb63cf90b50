"""The threshold at which a score would have raised no more alarms than allowed on its own past."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WEEK_S: Final = 7 * 86400.0
_COUNTED: Final = 5.0  # alarms allowed on the past above which the threshold is read off it
_TAIL: Final = 20  # incidents from which the tail is continued where it is not

Found = tuple[float, str, float]  # at_s, what it is about, score


def incidents_at(found: Sequence[Found], threshold: float, hold_s: float) -> int:
    """How many incidents a threshold makes of scores in order of time.

    What is about one thing is one incident until it was quiet for hold_s (runs declustering).
    """
    last: dict[str, float] = {}
    count = 0
    for at_s, about, score in found:
        if score >= threshold:
            count += at_s - last.get(about, -math.inf) > hold_s
            last[about] = at_s
    return count


def threshold_for(found: Sequence[Found], allowed: float, hold_s: float, least: float) -> float:
    """The lowest threshold from `least` on that would have made at most `allowed` incidents.

    found: scores in order of time. Below five allowed incidents too little of the past is left to
    count: the tail of the 20 largest is continued as an exponential.
    Source: peaks over threshold, Pickands (1975), with shape 0; for streams as in Siffer et al.
    (2017), "Anomaly detection in streams with extreme value theory", without its refitting.
    """
    scores = sorted({score for _, _, score in found if score >= least})
    if not scores:
        return least
    if allowed >= _COUNTED:
        return _lowest(found, scores, allowed, hold_s, least)
    start = _lowest(found, scores, float(_TAIL), hold_s, least)
    peaks = _peaks(found, start, hold_s)
    if not peaks:
        return max(least, scores[-1])
    excess = sum(peaks) / len(peaks) - start
    beyond = math.log(max(len(peaks) / max(allowed, 1e-9), 1.0))
    return max(least, start + max(excess, 0.05 * abs(start)) * beyond)


def _lowest(
    found: Sequence[Found], scores: Sequence[float], allowed: float, hold_s: float, least: float
) -> float:
    """The lowest of some scores that makes at most `allowed` incidents, or just above them all."""
    if incidents_at(found, least, hold_s) <= allowed:
        return least
    low, high = 0, len(scores)
    while low < high:
        middle = (low + high) // 2
        if incidents_at(found, scores[middle], hold_s) <= allowed:
            high = middle
        else:
            low = middle + 1
    above = math.nextafter(scores[-1], math.inf)
    return scores[low] if low < len(scores) else above


def _peaks(found: Sequence[Found], threshold: float, hold_s: float) -> list[float]:
    """The largest score of each incident at a threshold."""
    last: dict[str, float] = {}
    peaks: list[float] = []
    at: dict[str, int] = {}
    for at_s, about, score in found:
        if score < threshold:
            continue
        if at_s - last.get(about, -math.inf) > hold_s:
            at[about] = len(peaks)
            peaks.append(score)
        peaks[at[about]] = max(peaks[at[about]], score)
        last[about] = at_s
    return peaks
