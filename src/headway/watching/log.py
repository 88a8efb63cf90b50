"""What a home keeps of alerts that are found, and which of them are news to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headway.alerts import alert_row, keep, kept, rules_of, store_of, verdicts_of, version_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from headway.records import Alert, Verdict


class AlertLog:
    """Keeps alerts; tells each once, however often a source is looked at anew."""

    def __init__(self, home: Path) -> None:
        """Begin with what is kept already."""
        self.home, self.store, self._rules = home, store_of(home), rules_of(home)
        self._is_over = {a.alert_id: a.ended_s is not None for a in kept(self.store)}
        self._verdicts: set[tuple[str, float]] = set()
        self._version = -1
        self.told = 0

    def keep(self, alerts: Sequence[Alert]) -> list[dict[str, Any]]:
        """Keep alerts; `{event, ..}` of those that are new (alert) or came to their end (over)."""
        if not alerts:
            return []
        latest = {alert.alert_id: alert for alert in alerts}
        keep(self.store, list(latest.values()))
        events = []
        for alert in sorted(latest.values(), key=lambda alert: alert.at_s):
            is_over = alert.ended_s is not None
            was_over = self._is_over.get(alert.alert_id)
            if was_over is None or (is_over and not was_over):
                event = "alert" if was_over is None else "over"
                self.told += was_over is None
                self._is_over[alert.alert_id] = is_over
                events.append({"event": event} | alert_row(alert, self._rules))
        return events

    def new_verdicts(self, cluster: str) -> list[Verdict]:
        """What persons said of the alerts of a source since this was asked last."""
        version = version_of(self.home, "verdict")
        if version == self._version:
            return []
        self._version = version
        every = verdicts_of(self.store, cluster)
        new = [v for v in every if (v.alert_id, v.at_s) not in self._verdicts]
        self._verdicts |= {(v.alert_id, v.at_s) for v in new}
        return new
