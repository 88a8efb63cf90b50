"""Why an action must not happen now: switch, cooldown, rate and how much it would touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headway.records import Action
    from headway.respond.rules import Limits, Rule

HOUR_S: Final = 3600.0
OUT_OF_SERVICE: Final = ("drain",)


class Done:
    """What was done so far, as far as limits ask for it."""

    def __init__(self, history: Iterable[Action] = (), nodes: int = 0) -> None:
        """Take in the trail of earlier runs: a restart forgets no cooldown.

        nodes: how many the cluster has; 0 = unknown.
        """
        self._nodes = nodes
        self._last_s: dict[tuple[str, str, str], float] = {}
        self._recent: dict[str, tuple[float, float]] = {}  # action_id -> at_s, share of the queue
        self._drained: dict[str, str] = {}  # action_id -> node
        for action in history:
            self.add(action)

    def add(self, action: Action, share: float = 0.0) -> None:
        """One more change of an action's state; share of the tasks that it touches."""
        if action.state == "done":
            self._last_s[action.cluster, action.action, action.subject] = action.at_s
            self._recent[action.action_id] = (action.at_s, share)
            if action.action in OUT_OF_SERVICE:
                self._drained[action.action_id] = action.subject
        elif action.state == "undone":
            self._drained.pop(action.action_id, None)

    def why_not(
        self, action: Action, rule: Rule, limits: Limits, now_s: float, share: float
    ) -> str:
        """The limit that an action would break; '' = none."""
        last_s = self._last_s.get((action.cluster, action.action, action.subject))
        if last_s is not None and now_s - last_s < rule.cooldown_s:
            ago = now_s - last_s
            return f"cooldown: done {ago:.0f} s ago, again after {rule.cooldown_s:.0f} s"
        since_s = now_s - HOUR_S
        self._recent = {k: v for k, v in self._recent.items() if v[0] > since_s}
        if len(self._recent) >= limits.actions_per_hour:
            return f"rate: {limits.actions_per_hour} actions an hour are allowed"
        nodes = set(self._drained.values()) | {action.subject}
        most = limits.most_nodes(self._nodes)
        if action.action in OUT_OF_SERVICE and len(nodes) > most:
            return f"reach: {most} nodes at most may be out of service"
        touched = share + sum(part for _, part in self._recent.values())
        if share > 0.0 and touched > limits.queue_share:
            return f"reach: {touched:.0%} of the tasks, {limits.queue_share:.0%} are allowed"
        return ""
