"""What is strange about series of one clock, told point by point as they come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.anomaly.alerts import Alerting
from headway.anomaly.bands import Bands
from headway.anomaly.calibrated import LEAST_POINTS, observed
from headway.anomaly.ensemble import Ensemble
from headway.anomaly.policy import usual_policy
from headway.anomaly.series_causes import causes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from headway.anomaly.calibrated import Calibrated
    from headway.anomaly.policy import AlertPolicy
    from headway.records import Alert, Verdict

    Floats = NDArray[np.float64]

MOST_KNOWN: Final = 10_000  # alerts of which it is remembered what members said


@dataclass(frozen=True, slots=True)
class Seen:
    """One point of n series: score, what came and the band it was expected in, each (n,).

    NaN = cannot say. alerts: those that the point raised, grew or ended.
    """

    scores: Floats
    y: Floats
    low: Floats
    high: Floats
    alerts: tuple[Alert, ...]


class SeriesWatch:
    """Scores of n series and alerts about them; a point is scored before it is learned.

    counters (n,): series that only rise are watched by what they rose; a fall is a new beginning,
    and across a gap nothing is known. The step of the series, by which a gap is told and incidents
    end, is the median of the first LEAST_POINTS moments: nothing is scored before them.
    """

    def __init__(
        self,
        names: Sequence[str],
        one: Calibrated | Ensemble,
        *,
        counters: Sequence[bool] = (),
        cluster: str = "",
        policy_of: Callable[[float], AlertPolicy] = usual_policy,
        with_alerts: bool = True,
        verdicts: Sequence[Verdict] = (),
    ) -> None:
        """one: a new detector; policy_of: by the step in seconds; verdicts: see `judge`."""
        self.names, self.detector, self._one = tuple(names), one.name, one
        self._counters = np.array(counters or [False] * len(names))
        self._policy_of = policy_of
        self._alerting = Alerting(self.names, policy_of(60.0), cluster=cluster, made_by=one.name)
        self.with_alerts, self._bands = with_alerts, Bands()
        self._gaps: list[float] = []
        self._moments = 0
        self.last_s = -np.inf
        self._before_s = np.full(len(names), -np.inf)  # of the last point known of each counter
        self._before = np.full(len(names), np.nan)
        self._causes: dict[str, tuple[str, ...]] = {}  # of open alerts
        self._said: dict[str, Floats] = {}  # what each member said where an alert was raised
        self._waiting = sorted(verdicts, key=lambda verdict: (verdict.known_s, verdict.at_s))

    def step(self, at_s: float, y: Floats) -> Seen:
        """The next point y (n,), NaN = not observed; moments never go back."""
        self._take_verdicts(at_s)
        self._learn_step(at_s)
        y = self._rises(at_s, observed(y))
        scores = self._one.score(at_s, y)
        low, high = self._band(at_s, y)
        alerts: list[Alert] = []
        if self.with_alerts:
            for alert in self._alerting.step(at_s, scores, y, low, high):
                alerts.append(self._explained(at_s, y, alert))
            self._bands.learn(np.full(len(y), at_s), y)
        self._one.learn(at_s, y)
        return Seen(scores, y, low, high, tuple(alerts))

    def open(self) -> tuple[Alert, ...]:
        """The alerts that are still on, the oldest first."""
        return tuple(
            replace(a, causes=self._causes.get(a.alert_id, ())) for a in self._alerting.open()
        )

    def judge(self, verdicts: Sequence[Verdict]) -> None:
        """Persons' verdicts on alerts: each counts from the first point after its `known_s` on.

        The thresholds of the alert's series and the weights of members move; an alert that was not
        raised here moves thresholds only.
        """
        self._waiting = sorted(
            [*self._waiting, *verdicts], key=lambda verdict: (verdict.known_s, verdict.at_s)
        )

    def _take_verdicts(self, at_s: float) -> None:
        while self._waiting and self._waiting[0].known_s < at_s:
            verdict = self._waiting.pop(0)
            said = self._said.get(verdict.alert_id)
            if said is None:
                self._alerting.judge_series(verdict.dimensions, verdict.is_real)
                continue
            self._alerting.judge(verdict.alert_id, verdict.is_real)
            if isinstance(self._one, Ensemble):
                self._one.judge(said, verdict.is_real)

    def _learn_step(self, at_s: float) -> None:
        """The first moments say how far points are apart."""
        if self._moments < LEAST_POINTS:
            self._moments += 1
            if np.isfinite(self.last_s) and at_s > self.last_s:
                self._gaps.append(at_s - self.last_s)
                self._alerting.follow(self._policy_of(self._step_s()))
        self.last_s = at_s

    def _step_s(self) -> float:
        return float(np.median(self._gaps)) if self._gaps else 60.0

    def _rises(self, at_s: float, y: Floats) -> Floats:
        """What counters rose by since their last point; other series as they are."""
        if not self._counters.any():
            return y
        rise = np.where(y < self._before, y, y - self._before)
        rise[at_s - self._before_s >= 1.5 * self._step_s()] = np.nan
        is_known = np.isfinite(y)
        self._before[is_known], self._before_s[is_known] = y[is_known], at_s
        return np.where(self._counters, rise, y)

    def _band(self, at_s: float, y: Floats) -> tuple[Floats, Floats]:
        """Between what each series (n,) was expected; NaN before anything is known."""
        if not self._bands.state:
            return np.full(len(y), np.nan), np.full(len(y), np.nan)
        return self._bands.band(np.full(len(y), at_s))

    def _explained(self, at_s: float, y: Floats, alert: Alert) -> Alert:
        """An alert with its causes, which stay what they were when it was raised."""
        key = alert.alert_id
        if key not in self._causes:
            i = self.names.index(alert.subject)
            if isinstance(self._one, Ensemble):
                self._said[key] = self._one.scores(at_s, y)[:, i]
            else:
                self._said[key] = self._one.score(at_s, y)[[i]]
            if len(self._said) > MOST_KNOWN:
                del self._said[next(iter(self._said))]
            self._causes[key] = causes_of(self._one, self._said[key], alert)
        causes = self._causes[key] if alert.ended_s is None else self._causes.pop(key)
        return replace(alert, causes=causes)
