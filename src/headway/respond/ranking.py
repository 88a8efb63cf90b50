"""Which action to try first: learned from what became of earlier ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np

    from headway.records import Action, Alert

PRIOR: Final = (2.0, 1.0)
"""Successes and failures that an action is believed to have had before the first."""
STEP: Final = 0.5
"""Failures more that each later action of a rule is believed to have had."""

Counts = dict[tuple[str, str], tuple[int, int]]


def ranked(
    kind: str, actions: Sequence[str], counts: Mapping[tuple[str, str], tuple[int, int]],
    rng: np.random.Generator,
) -> list[str]:  # fmt: skip
    """The actions for a kind of alert, the most promising first.

    counts: (kind, action) -> (successes, failures). Each action's share of successes is drawn from
    its Beta posterior, so that a bad start is looked at again now and then; without any outcome
    the order of the rule stays.
    Source: Thompson (1933); for Bernoulli outcomes Chapelle, Li (2011).
    """
    if not any((kind, action) in counts for action in actions):
        return list(actions)
    drawn = {}
    for place, action in enumerate(actions):
        good, bad = counts.get((kind, action), (0, 0))
        drawn[action] = rng.beta(PRIOR[0] + good, PRIOR[1] + STEP * place + bad)
    return sorted(actions, key=lambda action: -drawn[action])


def outcomes(history: Iterable[Action], alerts: Iterable[Alert], within_s: float) -> Counts:
    """How often each action helped, (kind, action) -> (successes, failures).

    It helped if it was done, nobody undid it before it expired, and no new alert of its kind about
    its subject was raised within within_s. One that failed did not. One that was done less than
    within_s before the latest of these records is not counted yet.
    """
    latest: dict[str, Action] = {}
    done_s: dict[str, float] = {}
    now_s = float("-inf")
    for action in history:
        latest[action.action_id] = action
        now_s = max(now_s, action.at_s)
        if action.state == "done":
            done_s[action.action_id] = action.at_s
    raised: dict[tuple[str, str], list[float]] = {}
    for alert in alerts:
        now_s = max(now_s, alert.at_s)
        for subject in {alert.subject, *alert.dimensions}:
            raised.setdefault((alert.kind, subject), []).append(alert.at_s)
    counts: Counts = {}
    for key, action in latest.items():
        helped = _helped(action, done_s.get(key), raised, now_s, within_s)
        if helped is not None:
            good, bad = counts.get((action.kind, action.action), (0, 0))
            counts[action.kind, action.action] = (good + helped, bad + (not helped))
    return counts


def _helped(
    action: Action, at_s: float | None, raised: Mapping[tuple[str, str], Sequence[float]],
    now_s: float, within_s: float,
) -> bool | None:  # fmt: skip
    """Whether one action helped; None = not known."""
    if action.state == "failed":
        return False
    if at_s is None:
        return None
    if action.state == "undone" and (action.expires_s is None or action.at_s < action.expires_s):
        return False
    again = raised.get((action.kind, action.subject), ())
    if any(at_s < other <= at_s + within_s for other in again):
        return False
    return True if now_s >= at_s + within_s else None
