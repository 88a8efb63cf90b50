"""One alert per incident: which scores are raised, when, how loudly and how often."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.anomaly.policy import AlertPolicy
from headway.anomaly.rarity import rarity
from headway.anomaly.together import Together
from headway.errors import ConfigError
from headway.records import Alert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DAY_S: Final = 86_400.0
_STEP: Final = 0.25  # decades of rarity by which a verdict or an alert moves a threshold
_MOST: Final = 12.0  # decades: rarer cannot be told


class Alerting:
    """Turns scores of n series into alerts, one per incident, point by point.

    names (n,) of the series; groups (n,): series of one group (a node, a service) that turn strange
    together are one incident; () = only correlated ones are.
    """

    def __init__(
        self,
        names: Sequence[str],
        policy: AlertPolicy | None = None,
        *,
        cluster: str = "",
        about: str = "series",
        kind: str = "series",
        made_by: str = "",
        groups: Sequence[str] = (),
    ) -> None:
        """Begin with nothing open."""
        if groups and len(groups) != len(names):
            raise ConfigError(f"groups must be one a series, got {len(groups)} for {len(names)}")
        self.names, self._groups = tuple(names), tuple(groups)
        self._signed: dict[str, Any] = {
            "cluster": cluster, "about": about, "kind": kind, "made_by": made_by
        }  # fmt: skip
        self._place = f"{cluster}/" if cluster else ""
        n = len(names)
        self.follow(policy or AlertPolicy())
        self._offset = np.zeros(n)  # decades that verdicts added to each series' threshold
        self._lift = np.zeros(n)  # decades that its own alerts added, fading
        self._since_s, self._strange_s = np.full(n, np.nan), np.full(n, np.nan)
        self._raised_s = np.full(n, -np.inf)
        self._incident: list[str] = [""] * n  # the open alert that each series is part of
        self._open: dict[str, Alert] = {}
        self._known: dict[str, tuple[int, ...]] = {}  # series of the last alerts, for verdicts
        self._at_s: float | None = None
        self._together = Together(n)

    def follow(self, policy: AlertPolicy) -> None:
        """Go by this policy from now on."""
        self.policy = policy
        self._base = rarity(np.array([policy.threshold]))[0]

    def step(
        self,
        at_s: float,
        scores: Floats,
        y: Floats | None = None,
        low: Floats | None = None,
        high: Floats | None = None,
    ) -> tuple[Alert, ...]:
        """Alerts that this point raised, grew or ended; an alert keeps its alert_id throughout.

        scores (n,), NaN = cannot say; y (n,) what came; low and high (n,) the band it was expected
        in. A moment that is not later than the last one is passed over.
        """
        if self._at_s is not None and at_s <= self._at_s:
            return ()
        scores = np.asarray(scores, dtype=np.float64)
        none = np.full(len(scores), np.nan)
        y, low, high = (none if x is None else np.asarray(x) for x in (y, low, high))
        if len(scores) != len(self.names):
            raise ConfigError(f"scores must be ({len(self.names)},), got {scores.shape}")
        self._relax(at_s)
        rare = np.nan_to_num(rarity(scores))
        is_strange = rare >= self._base + self._offset + self._lift
        self._together.learn(rare)
        if not is_strange.any() and np.isnan(self._since_s).all():
            return ()
        is_strange &= self._is_directed(y, low, high)
        if any(begin <= at_s < end for begin, end in self.policy.maintenance):
            is_strange[:] = False
        begins = is_strange & np.isnan(self._since_s)
        self._since_s[begins] = at_s
        self._strange_s[is_strange] = at_s
        changed = self._close(at_s, np.isfinite(scores))
        ready = is_strange & (at_s - self._since_s >= self.policy.least_s)
        ready &= at_s - self._raised_s >= self.policy.hold_s
        for i in sorted(np.flatnonzero(ready).tolist(), key=lambda i: -rare[i]):
            if not self._incident[i]:
                alert = self._raise(i, at_s, scores, rare, (y, low, high))
                changed[alert.alert_id] = alert
        return tuple(changed.values())

    def open(self) -> tuple[Alert, ...]:
        """The alerts that are still on, the oldest first."""
        return tuple(self._open.values())

    def judge(self, alert_id: str, is_real: bool) -> None:
        """A person's verdict: after noise its series need rarer points, after real ones less rare.

        ConfigError for an alert that is not known.
        """
        if alert_id not in self._known:
            raise ConfigError(f"alert_id must be of an alert raised here, got {alert_id!r}")
        self.judge_series([self.names[i] for i in self._known[alert_id]], is_real)

    def judge_series(self, names: Sequence[str], is_real: bool) -> None:
        """A verdict on an alert of these series, wherever it was raised; others are passed over."""
        step = -_STEP / 2.0 if is_real else _STEP
        at = [i for i, name in enumerate(self.names) if name in names]
        self._offset[at] = np.clip(self._offset[at] + step, -1.0, 3.0)

    def threshold(self) -> Floats:
        """The score (n,) from which each series is strange now."""
        decades = self._base + self._offset + self._lift
        return np.asarray(1.0 - 10.0**-decades, dtype=np.float64)

    def _relax(self, at_s: float) -> None:
        """Lower the threshold by the time that passed, where a budget sets it."""
        passed_s = 0.0 if self._at_s is None else at_s - self._at_s
        if self.policy.budget_per_day is not None:
            passed = min(passed_s / _DAY_S, 1.0)
            self._base = max(1.0, self._base - _STEP * self.policy.budget_per_day * passed)
        if self.policy.lift and self.policy.fade_s > 0:
            self._lift *= 0.5 ** (passed_s / self.policy.fade_s)
        self._at_s = at_s

    def _is_directed(self, y: Floats, low: Floats, high: Floats) -> NDArray[np.bool_]:
        """Whether each point is on the side that is looked at; where no band is known, it is."""
        if self.policy.direction == "both":
            return np.ones(len(y), dtype=np.bool_)
        side = y > high if self.policy.direction == "up" else y < low
        return side | np.isnan(y) | np.isnan(low) | np.isnan(high)

    def _close(self, at_s: float, is_known: NDArray[np.bool_]) -> dict[str, Alert]:
        """End the incidents of which every series has been quiet for long enough."""
        over = is_known & (at_s - self._strange_s > self.policy.quiet_s)
        over |= (
            is_known
            & ~np.isnan(self._since_s)
            & (at_s > self._strange_s)
            & (np.array([not x for x in self._incident]))
        )
        ended: dict[str, Alert] = {}
        for i in np.flatnonzero(over & ~np.isnan(self._since_s)).tolist():
            alert_id, self._incident[i] = self._incident[i], ""
            last_s, self._since_s[i] = float(self._strange_s[i]), np.nan
            if alert_id and alert_id not in self._incident:
                ended[alert_id] = replace(self._open.pop(alert_id), ended_s=last_s)
        return ended

    def _raise(
        self, i: int, at_s: float, scores: Floats, rare: Floats, came: tuple[Floats, ...]
    ) -> Alert:
        """Series i joins an open incident that it belongs to, or becomes one of its own."""
        self._raised_s[i] = at_s
        self._lift[i] += self.policy.lift
        for alert in reversed(self._open.values()):
            if at_s - alert.at_s <= self.policy.group_s and self._is_part(i, alert):
                self._known[alert.alert_id] += (i,)
                alert = replace(
                    alert,
                    dimensions=(*alert.dimensions, self.names[i]),
                    score=max(alert.score, float(scores[i])),
                )
                break
        else:
            y, low, high = (None if np.isnan(x[i]) else float(x[i]) for x in came)
            alert = Alert(
                alert_id=f"{self._place}{self.names[i]}@{at_s:.13g}", at_s=at_s,
                subject=self.names[i],
                since_s=float(self._since_s[i]), score=float(scores[i]),
                severity=self._severity(rare[i]), value=y, expected_low=low, expected_high=high,
                dimensions=(self.names[i],), **self._signed,
            )  # fmt: skip
            self._known[alert.alert_id] = (i,)
            if len(self._known) > 10_000:
                del self._known[next(iter(self._known))]
            if self.policy.budget_per_day is not None:
                self._base = min(self._base + _STEP, _MOST)
        self._open[alert.alert_id] = alert
        self._incident[i] = alert.alert_id
        return alert

    def _is_part(self, i: int, alert: Alert) -> bool:
        """Whether series i turned strange with the first series of an alert."""
        first = self._known[alert.alert_id][0]
        if self._groups and self._groups[i] == self._groups[first]:
            return True
        return self._together.correlation(i, first) >= self.policy.correlation

    def _severity(self, rare: float) -> str:
        critical = rarity(np.array([self.policy.critical]))[0]
        if rare >= critical:
            return "critical"
        return "warning" if rare >= 0.5 * (critical + self._base) else "info"
