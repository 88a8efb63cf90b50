"""From alerts to actions: chosen, limited, rehearsed, approved where asked for, written down.

Nothing here knows the time: it comes in as now_s.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError, HeadwayError
from headway.records import Action
from headway.respond.limits import Done
from headway.respond.ranking import ranked
from headway.respond.rules import MODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from headway.records import Alert
    from headway.respond.ranking import Counts
    from headway.respond.rules import Rule, Rules

log = logging.getLogger(__name__)

OPEN: Final = ("proposed", "refused")
"""States from which an action may still be done."""
NOT_NOW: Final = ("stopped", "cooldown", "rate", "reach")
"""What reasons begin with that may be gone the next time."""


@dataclass(frozen=True, slots=True)
class Hand:
    """What carries an action out and, where there is a way back, undoes it; both say what they did.

    HeadwayError if it was not done.
    """

    do: Callable[[Action], str]
    undo: Callable[[Action], str] | None = None


class Responder:
    """Does what rules say about alerts, as far as the mode goes.

    hands: what carries each action out. audit: keeps each change of state, before and after acting.
    history: the trail of earlier runs. stopped: why nothing may act now; '' = nothing is in the
    way. gain: what a simulation expects of an action, in core-seconds. share: how much of the
    queue an action touches, in [0, 1]. nodes: how many the cluster has, 0 = unknown.
    counts: what became of earlier actions (see `outcomes`).
    """

    def __init__(
        self,
        rules: Rules,
        hands: Mapping[str, Hand],
        audit: Callable[[Action], None],
        *,
        mode: str = "observe",
        history: Iterable[Action] = (),
        stopped: Callable[[], str] = lambda: "",
        gain: Callable[[Action], float] | None = None,
        share: Callable[[Action], float] = lambda _: 0.0,
        nodes: int = 0,
        counts: Counts | None = None,
        seed: int = 0,
    ) -> None:
        if mode not in MODES:
            raise ConfigError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        self._rules, self._hands, self._audit, self._mode = rules, hands, audit, mode
        self._stopped, self._gain, self._share = stopped, gain, share
        self._counts, self._rng = counts or {}, np.random.default_rng(seed)
        self._now: dict[str, Action] = {}  # the latest state of each action
        trail = sorted(history, key=lambda action: action.at_s)
        self._done = Done(trail, nodes)
        for action in trail:
            self._now[action.action_id] = action

    def respond(self, alert: Alert, now_s: float) -> list[Action]:
        """What is done, proposed or refused because of an alert; it may come again as it grows."""
        rule = self._rules.rule_for(alert)
        if rule is None or alert.ended_s is not None:
            return []
        subjects = alert.dimensions if alert.about == "task" else (alert.subject,)
        changes = [self._one(alert, rule, subject, now_s) for subject in subjects]
        return [change for change in changes if change is not None]

    def approve(self, action_id: str, now_s: float, by: str) -> Action:
        """Do what was proposed; ConfigError if nothing of that id waits for approval."""
        action = self._known(action_id)
        if action.state != "proposed" or action.mode == "observe":
            how = "only observed" if action.state == "proposed" else action.state
            raise ConfigError(f"action {action_id} is {how}: nothing waits to be approved")
        if action.expires_s is not None and now_s >= action.expires_s:
            return self._change(action, "refused", now_s, "the proposal has expired")
        approved = self._change(action, "approved", now_s, f"approved by {by}", by)
        return self._carry_out(approved, self._rule_named(action.rule), now_s)

    def refuse(self, action_id: str, now_s: float, by: str) -> Action:
        """A person says no to what was proposed."""
        action = self._known(action_id)
        if action.state != "proposed":
            raise ConfigError(f"action {action_id} is {action.state}: there is nothing to refuse")
        return self._change(action, "refused", now_s, f"refused by {by}", by)

    def undo(self, action_id: str, now_s: float, by: str) -> Action:
        """Take back what was done; ConfigError where it was not, or where there is no way back."""
        action = self._known(action_id)
        if action.state != "done":
            raise ConfigError(f"action {action_id} is {action.state}: only what is done is undone")
        hand = self._hands.get(action.action)
        if hand is None or hand.undo is None:
            raise ConfigError(f"{action.action} cannot be undone")
        why = self._stopped()
        if why:
            raise ConfigError(f"{why}: nothing acts, nothing is undone")
        return self._change(action, "undone", now_s, f"{hand.undo(action)} (by {by})", by)

    def expire(self, now_s: float) -> list[Action]:
        """Void old proposals; take back what was done for a time that is over."""
        changes = []
        for action in list(self._now.values()):
            if action.expires_s is None or now_s < action.expires_s:
                continue
            if action.state == "proposed":
                changes.append(self._change(action, "refused", now_s, "nobody answered in time"))
            hand = self._hands.get(action.action)
            if action.state == "done" and hand and hand.undo and not self._stopped():
                changes.append(self._undone(action, hand.undo, now_s))
        return changes

    def states(self) -> list[Action]:
        """The latest state of every action, oldest first."""
        return sorted(self._now.values(), key=lambda action: action.at_s)

    def _one(self, alert: Alert, rule: Rule, subject: str, now_s: float) -> Action | None:
        """The change that an alert brings about one subject; None = all was said before."""
        change = None
        for name in ranked(alert.kind, rule.actions, self._counts, self._rng):
            action = self._proposal(alert, rule, name, subject, now_s)
            before = self._now.get(action.action_id)
            if before is not None and not _may_try(before, action):
                if before.state == "failed":
                    continue
                return change
            change = self._decide(action, rule, before, now_s)
            if change is None or change.state != "failed":
                return change
        return change

    def _decide(
        self, action: Action, rule: Rule, before: Action | None, now_s: float
    ) -> Action | None:
        """Propose, refuse or do one action."""
        if action.action not in self._hands:
            reason = f"nothing here can {action.action.replace('_', ' ')}"
            return self._change(action, "refused", now_s, reason)
        why = self._why_not(action, rule, now_s)
        if why:
            if before is not None and _gist(before.reason) == _gist(why):
                return None
            return self._change(action, "refused", now_s, why)
        if self._gain is not None:
            gain = self._gain(action)
            action = replace(action, expected_gain=gain)
            if gain <= rule.least_gain:
                least = f"{rule.least_gain:.0f} core-seconds are asked for"
                reason = f"simulation: it would gain {gain:.0f}, more than {least}"
                return self._change(action, "refused", now_s, reason)
        if action.mode == "act":
            approved = self._change(action, "approved", now_s, f"rule {rule.name!r}")
            return self._carry_out(approved, rule, now_s)
        if before is not None and before.state == "proposed":
            return None
        asked = "would be done" if action.mode == "observe" else "waits for approval"
        return self._change(action, "proposed", now_s, asked)

    def _carry_out(self, action: Action, rule: Rule, now_s: float) -> Action:
        why = self._why_not(action, rule, now_s)
        if why:
            return self._change(action, "refused", now_s, why)
        try:
            said = self._hands[action.action].do(action)
        except HeadwayError as error:
            return self._change(action, "failed", now_s, str(error))
        expires_s = None if rule.expires_s is None else now_s + rule.expires_s
        return self._change(replace(action, expires_s=expires_s), "done", now_s, said)

    def _why_not(self, action: Action, rule: Rule, now_s: float) -> str:
        why = self._stopped()
        if why:
            return f"stopped: {why}"
        return self._done.why_not(action, rule, self._rules.limits, now_s, self._share(action))

    def _undone(self, action: Action, undo: Callable[[Action], str], now_s: float) -> Action:
        try:
            return self._change(action, "undone", now_s, f"{undo(action)} (its time was over)")
        except HeadwayError as error:
            log.warning("action %s is over and was not undone: %s", action.action_id, error)
            said = f"its time is over, it was not undone: {error}"
            return self._change(replace(action, expires_s=None), "done", now_s, said)

    def _change(
        self, action: Action, state: str, now_s: float, reason: str, by: str = ""
    ) -> Action:
        """Write down that an action comes into a state."""
        changed = replace(
            action, state=state, at_s=now_s, reason=reason, made_by=by or action.made_by
        )
        self._audit(changed)
        self._now[changed.action_id] = changed
        self._done.add(changed, self._share(changed) if state == "done" else 0.0)
        log.info("action %s %s: %s %s", changed.action_id, state, changed.action, changed.subject)
        return changed

    def _proposal(self, alert: Alert, rule: Rule, name: str, subject: str, now_s: float) -> Action:
        mode = MODES[min(MODES.index(self._mode), MODES.index(rule.mode))]
        text = "\0".join((alert.alert_id, name, subject))
        return Action(
            action_id=hashlib.sha256(text.encode()).hexdigest()[:10],
            alert_id=alert.alert_id,
            at_s=now_s,
            cluster=alert.cluster,
            kind=alert.kind,
            mode=mode,
            action=name,
            about=alert.about,
            subject=subject,
            state="proposed",
            rule=rule.name,
            expires_s=None if rule.expires_s is None else now_s + rule.expires_s,
            made_by="rules" if not self._counts else "rules, ranked",
        )

    def _known(self, action_id: str) -> Action:
        found = self._now.get(action_id)
        if found is None:
            raise ConfigError(f"no action {action_id!r} is known; see the list of actions")
        return found

    def _rule_named(self, name: str) -> Rule:
        rule = next((rule for rule in self._rules.rules if rule.name == name), None)
        if rule is None:
            raise ConfigError(f"rule {name!r} is gone: what it proposed cannot be done")
        return rule


def _may_try(before: Action, action: Action) -> bool:
    """Whether an action that came up before may be tried again as it is asked for now."""
    if before.state == "refused":
        return before.reason.startswith(NOT_NOW)
    wants_more = MODES.index(action.mode) > MODES.index(before.mode)
    return before.state == "proposed" and wants_more


def _gist(reason: str) -> str:
    """What a reason begins with, without its numbers."""
    return reason.split(":")[0]
