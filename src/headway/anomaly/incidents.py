"""From strange findings to alerts: one for each incident, held until it has been quiet."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from headway.anomaly.allowance import WEEK_S, Found, threshold_for
from headway.records import Alert

VERSION: Final = "tasks-1"
MOST_MEMBERS: Final = 1000
CRITICAL: Final = 2.0  # times the threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something strange, with its score; whether it is worth an alert is decided here."""

    kind: str
    about: str
    subject: str
    incident: str  # findings of one kind and one incident are one alert
    shares: str = ""  # kind whose threshold and incidents it shares; '' = has its own
    cluster: str
    at_s: float
    since_s: float
    score: float
    value: float | None = None
    low: float | None = None
    high: float | None = None
    causes: tuple[str, ...] = ()
    advice: str = ""


class Incidents:
    """Alerts that are on, and thresholds from what the past would have raised.

    rates: false alarms a week that each kind may raise. least: the smallest threshold of each kind
    whatever the past says. hold_s: an incident is over when it was quiet for so long. always:
    kinds that are facts, raised whatever their score.
    """

    def __init__(
        self,
        rates: Mapping[str, float],
        least: Mapping[str, float],
        hold_s: float,
        always: Sequence[str] = (),
    ) -> None:
        self._rates, self._least, self._hold_s = rates, least, hold_s
        self._past: dict[str, list[Found]] = {kind: [] for kind in rates}
        self._ranked: dict[str, list[float]] = {}
        self._open: dict[tuple[str, str], Alert] = {}
        self._last_s: dict[tuple[str, str], float] = {}
        self.thresholds: dict[str, float] = dict.fromkeys(rates, math.inf)
        self._always = dict.fromkeys(always, 0.0)

    def take(self, finding: Finding) -> Alert | None:
        """The alert that a finding raises or adds to; None where it does neither."""
        kind = finding.shares or finding.kind
        threshold = self._always.get(kind, self.thresholds.get(kind, math.inf))
        if math.isinf(threshold):
            if finding.score >= self._least[kind]:
                self._past[kind].append((finding.at_s, finding.incident, finding.score))
            return None
        if finding.score < threshold:
            return None
        key = (kind, finding.incident)
        is_on = key in self._open and finding.at_s - self._last_s[key] <= self._hold_s
        self._last_s[key] = finding.at_s
        before = self._open.get(key) if is_on else None
        if before is None:
            self._open[key] = self._raised(finding, threshold)
            return self._open[key]
        is_known = finding.subject in before.dimensions or finding.subject == before.subject
        if is_known or len(before.dimensions) >= MOST_MEMBERS:
            return None
        self._open[key] = replace(before, dimensions=(*before.dimensions, finding.subject))
        return self._open[key]

    def close(self, now_s: float) -> list[Alert]:
        """The alerts that have been quiet for long enough, with their ends."""
        over = [key for key, at_s in self._last_s.items() if now_s - at_s > self._hold_s]
        ended = [replace(self._open[key], ended_s=self._last_s[key]) for key in over]
        for key in over:
            del self._open[key], self._last_s[key]
        return ended

    def settle(self, learned_s: float) -> None:
        """Set the thresholds from the findings of learned_s seconds of the past."""
        for kind, found in self._past.items():
            found.sort()
            allowed = self._rates[kind] * learned_s / WEEK_S
            least = self._least[kind]
            self.thresholds[kind] = threshold_for(found, allowed, self._hold_s, least)
            self._ranked[kind] = sorted(score for _, _, score in found)
            self._past[kind] = []

    def _raised(self, finding: Finding, threshold: float) -> Alert:
        ranked = self._ranked.get(finding.shares or finding.kind, [])
        below = bisect.bisect_left(ranked, finding.score)
        return Alert(
            alert_id=f"{finding.cluster}/{finding.kind}/{finding.incident}/{finding.at_s:.0f}",
            at_s=finding.at_s,
            cluster=finding.cluster,
            about=finding.about,
            subject=finding.subject,
            kind=finding.kind,
            since_s=finding.since_s,
            severity="critical" if finding.score >= CRITICAL * threshold else "warning",
            score=(below + 1) / (len(ranked) + 2) if ranked else 1.0,
            value=finding.value,
            expected_low=finding.low,
            expected_high=finding.high,
            dimensions=(finding.subject,) if finding.about == "task" else (),
            causes=finding.causes,
            advice=finding.advice,
            made_by=VERSION,
        )
