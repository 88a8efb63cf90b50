"""The alerts kept in a home folder, what persons said of them, and how far each source was seen."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from headway.errors import ConfigError, StoreError
from headway.records import Alert, Verdict, as_row
from headway.respond import DEFAULT, load_rules
from headway.store import DeltaStore
from headway.tables import frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from headway.protocols import Store
    from headway.respond import Rules

WORDS: Final = {"real": True, "noise": False}
EVER: Final = (float("-inf"), float("inf"))
_SEEN: Final = "seen.json"


def store_of(home: Path) -> DeltaStore:
    """The log in a home folder."""
    return DeltaStore(str(home / "log"))


def keep(store: Store, alerts: Sequence[Alert]) -> int:
    """Keep alerts in their latest states; how many were new or had changed."""
    if not alerts:
        return 0
    latest = {alert.alert_id: alert for alert in alerts}
    rows = [as_row(alert) for alert in latest.values()]
    return store.append("alert", [frame("alert", rows)]).stored


def kept(store: Store) -> list[Alert]:
    """Every alert in its latest state, in order of time."""
    return [Alert(**_whole(row)) for row in store.read("alert", *EVER).iter_rows(named=True)]


def verdicts_of(store: Store, cluster: str) -> list[Verdict]:
    """What persons said of the alerts of one cluster or file, in order of time."""
    rows = store.read("verdict", *EVER).iter_rows(named=True)
    return [Verdict(**_whole(row)) for row in rows if row["cluster"] == cluster]


def version_of(home: Path, kind: str) -> int:
    """How often records of a kind were added to the log of a home: it grows with each time."""
    try:
        return sum(
            name.endswith(".json") for name in os.listdir(home / "log" / kind / "_delta_log")
        )
    except OSError:
        return 0


def seen_until_s(home: Path, cluster: str) -> float | None:
    """The newest moment of a source that was looked at for this home; None = none ever was."""
    known = _seen(home).get(cluster)
    return float(known) if isinstance(known, (int, float)) else None


def saw(home: Path, cluster: str, until_s: float) -> None:
    """Remember that a source was looked at until a moment; it never goes back."""
    known = _seen(home)
    if until_s <= float(known.get(cluster, float("-inf"))):
        return
    part = home / f".{_SEEN}.{os.getpid()}.part"
    try:
        home.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(known | {cluster: until_s}, sort_keys=True))
        part.replace(home / _SEEN)
    except OSError as error:
        raise StoreError(f"{home / _SEEN} cannot be written: {error.strerror}") from error


def judge_alert(home: Path, alert_id: str, word: str, *, by: str = "", now_s: float) -> None:
    """Keep a person's verdict, real or noise; the next detect or watch of its series heeds it.

    It counts for what comes after the newest moment that was seen: what was scored stays as it is.
    The same word again changes nothing. ConfigError for another word or an id that is not kept.
    """
    if word not in WORDS:
        raise ConfigError(f"a verdict must be real or noise, got {word!r}")
    if not alert_id:
        raise ConfigError(f"{word} needs the id of one alert; `headway alerts` lists them")
    store = store_of(home)
    alert = next((a for a in kept(store) if a.alert_id == alert_id), None)
    if alert is None:
        raise ConfigError(f"no alert {alert_id!r} is kept in {home}; `headway alerts` lists them")
    before = [v for v in verdicts_of(store, alert.cluster) if v.alert_id == alert_id]
    if not before or before[-1].is_real != WORDS[word]:
        last_s = alert.at_s if alert.ended_s is None else max(alert.ended_s, alert.at_s)
        known_s = seen_until_s(home, alert.cluster)
        verdict = Verdict(
            alert_id=alert_id, at_s=now_s, cluster=alert.cluster, dimensions=alert.dimensions,
            is_real=WORDS[word], known_s=last_s if known_s is None else max(known_s, last_s),
            user=by,
        )  # fmt: skip
        store.append("verdict", [frame("verdict", [as_row(verdict)])])


def alerts_of(home: Path, *, only_open: bool = False) -> dict[str, Any]:
    """The alerts of a home folder, the latest first, and what would be done about each."""
    store = store_of(home)
    alerts = kept(store)
    verdicts = store.read("verdict", *EVER)
    said = dict(zip(verdicts["alert_id"], verdicts["is_real"], strict=True))
    rules = rules_of(home)
    shown = [a for a in alerts if a.ended_s is None or not only_open]
    shown.sort(key=lambda alert: alert.at_s, reverse=True)
    return {
        "alerts": [alert_row(alert, rules, said) for alert in shown],
        "open": sum(alert.ended_s is None for alert in alerts),
        "closed": sum(alert.ended_s is not None for alert in alerts),
        "home": str(home),
    }


def rules_of(home: Path, rules: Path | None = None) -> Rules:
    """The rules asked for, those of the home folder, or the ones that Headway ships."""
    own = home / "respond.toml"
    return load_rules(rules or (own if own.exists() else DEFAULT))


def alert_row(
    alert: Alert, rules: Rules | None = None, said: Mapping[str, bool] | None = None
) -> dict[str, Any]:
    """An alert as the command line says it; with rules, what `headway respond` would do."""
    row: dict[str, Any] = {
        "id": alert.alert_id,
        "start": iso(alert.at_s),
        "since": iso(alert.since_s),
        "end": None if alert.ended_s is None else iso(alert.ended_s),
        "severity": alert.severity,
        "score": alert.score,
        "expected": [alert.expected_low, alert.expected_high],
        "came": alert.value,
        "causes": list(alert.causes),
        "with": [name for name in alert.dimensions if name != alert.subject],
    }
    if rules is not None:
        rule = rules.rule_for(alert)
        verdict = (said or {}).get(alert.alert_id)
        row |= {
            "state": "open" if alert.ended_s is None else "closed",
            "kind": alert.kind,
            "about": alert.about,
            "subject": alert.subject,
            "cluster": alert.cluster,
            "advice": alert.advice,
            "would_do": [] if rule is None else list(rule.actions),
            "verdict": None if verdict is None else "real" if verdict else "noise",
            "made_by": alert.made_by,
        }
    return row


def iso(at_s: float) -> str:
    """A moment as ISO 8601 in UTC; parts of a second where there are some.

    >>> iso(0.0), iso(1.5)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.500000Z')
    """
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")


def _seen(home: Path) -> dict[str, Any]:
    """{cluster: newest moment}; empty where nothing readable is kept."""
    try:
        known = json.loads((home / _SEEN).read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a table as the fields of a record: lists are tuples there."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
