"""What is done about the alerts of a home folder: its log, its rules, its switch, joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from headway.alerts import kept, rules_of
from headway.anomaly.slow_nodes import names_of
from headway.errors import ConfigError
from headway.records import Action, as_row
from headway.respond import (
    Responder,
    Sender,
    command_hands,
    model_hands,
    outcomes,
    start,
    stop,
    stopped,
)
from headway.store import DeltaStore, ModelStore
from headway.tables import frame

if TYPE_CHECKING:
    from pathlib import Path

    from headway.protocols import Store
    from headway.records import Alert

VERBS: Final = ("", "approve", "refuse", "undo", "stop", "start")
WITHIN_S: Final = 7 * 86400.0
"""For how long an alert must not come again for an action to have helped."""
NODES_S: Final = 30 * 86400.0
"""Nodes that ran a task within this time before now are the cluster's."""
OLD_S: Final = 7 * 86400.0
"""Alerts older than this are not acted on."""


def respond_home(
    home: Path, verb: str, action_id: str, *, mode: str, rules: Path | None, by: str, now_s: float
) -> dict[str, Any]:
    """What the alerts of a home folder lead to now, or what a person decided about one action.

    The document has the mode, the switch, what changed now and the latest state of every action.
    ConfigError for an unknown verb, or an id that the verb cannot be used on.
    """
    if verb not in VERBS:
        raise ConfigError(f"respond knows {', '.join(VERBS[1:])}, got {verb!r}")
    if bool(action_id) != (verb in ("approve", "refuse", "undo")):
        raise ConfigError("approve, refuse and undo need the id of one action, the others none")
    if verb == "stop":
        stop(home, f"stopped by {by or 'a person'}")
    elif verb == "start":
        start(home)
    store = DeltaStore(str(home / "log"))
    alerts = kept(store)
    responder = _responder(home, store, alerts, mode, rules, now_s)
    changed: list[Action] = []
    if verb == "approve":
        changed = [responder.approve(action_id, now_s, by or "a person")]
    elif verb == "refuse":
        changed = [responder.refuse(action_id, now_s, by or "a person")]
    elif verb == "undo":
        changed = [responder.undo(action_id, now_s, by or "a person")]
    elif not verb:
        changed = responder.expire(now_s)
        for alert in alerts:
            if now_s - alert.at_s <= OLD_S:
                changed += responder.respond(alert, now_s)
    return {
        "mode": mode,
        "stopped": stopped(home)(),
        "alerts": len(alerts),
        "changed": [as_row(action) for action in changed],
        "actions": [as_row(action) for action in responder.states()],
        "home": str(home),
    }


def _responder(
    home: Path, store: Store, alerts: list[Alert], mode: str, rules: Path | None, now_s: float
) -> Responder:
    known = rules_of(home, rules)
    every = store.read("action", float("-inf"), float("inf"))
    trail = [Action(**row) for row in every.iter_rows(named=True)]
    hands = model_hands(ModelStore(home)) | command_hands(known)
    if known.webhook is not None:
        sent = [a.alert_id for a in trail if a.action == "webhook" and a.state == "done"]
        by_id = {alert.alert_id: alert for alert in alerts}
        hands["webhook"] = Sender(known.webhook, sent).hand(by_id.get)

    def audit(action: Action) -> None:
        store.append("action", [frame("action", [as_row(action)])])

    return Responder(
        known, hands, audit, mode=mode, history=trail, stopped=stopped(home),
        nodes=_nodes(store, now_s), counts=outcomes(trail, alerts, WITHIN_S), seed=len(trail),
    )  # fmt: skip


def _nodes(store: Store, now_s: float) -> int:
    """How many nodes have run a task of late."""
    held = store.read("task", now_s - NODES_S, now_s)["node"].drop_nulls().unique()
    return len({name for text in held for name in names_of(text)})
