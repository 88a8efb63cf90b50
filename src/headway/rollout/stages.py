"""A rollout's life: shadow, then more and more of the traffic, to all of it or back to none.

A rollout is a value; every step gives the next one with the reason, so whoever keeps the last value
that was written can go on after a crash at any point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from headway.errors import ConfigError

if TYPE_CHECKING:
    from headway.rollout.experiment import Verdict

SHARES: Final = (0.0, 0.01, 0.05, 0.25, 0.5)  # of traffic; the first is shadow: asked, not followed
KEYS: Final = ("task", "user", "workflow")
ENDS: Final = ("promoted", "rolled back", "inconclusive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a rollout goes on. Times in seconds.

    dwell_s and dwell_outcomes: the least time and the challenger's outcomes at a stage before the
    next. budget_s: since the start, after which it ends inconclusive. silent_s: without a metric
    for so long it is taken back, for what is not seen cannot be trusted. key: what keeps its arm: a
    task, a user or a workflow. metric: what decides. margins: what a metric may get worse by.
    """

    shares: tuple[float, ...] = SHARES
    dwell_s: float = 3600.0
    dwell_outcomes: int = 200
    budget_s: float = 14 * 86400.0
    silent_s: float = 6 * 3600.0
    alpha: float = 0.05
    key: str = "task"
    metric: str = "failures"
    margins: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.shares, self.shares[1:], strict=False))
        if not self.shares or not rising or self.shares[0] < 0 or self.shares[-1] > 1:
            raise ConfigError(f"shares must rise within [0, 1], got {self.shares}")
        if min(self.dwell_s, self.budget_s, self.silent_s) < 0 or self.dwell_outcomes < 0:
            raise ConfigError("times and outcomes of a rollout's plan must be at least 0")
        if self.key not in KEYS:
            raise ConfigError(f"key must be one of {', '.join(KEYS)}, got {self.key!r}")
        if not 0.0 < self.alpha < 1.0:
            raise ConfigError(f"alpha must be in (0, 1), got {self.alpha}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One challenger of one model, and how far it has come."""

    rollout_id: str
    model: str
    champion: str  # version
    challenger: str  # version
    plan: Plan
    stage: int = 0  # index into plan.shares
    status: str = "running"  # running | paused | promoted | rolled back | inconclusive
    started_s: float
    stage_since_s: float
    why: str = "started"
    is_in_place: bool = False  # promoted, and the challenger is the current version

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.status not in ENDS

    @property
    def share(self) -> float:
        """Share of traffic whose answers the challenger gives; a paused one keeps its share."""
        if self.status == "promoted":
            return 1.0
        return self.plan.shares[self.stage] if self.is_open else 0.0


def begin(
    rollout_id: str, model: str, champion: str, challenger: str, plan: Plan, now_s: float
) -> Rollout:
    """A rollout at its first stage; ConfigError where both versions are the same."""
    if champion == challenger:
        raise ConfigError(f"{challenger} of {model!r} is in use already: nothing to roll out")
    return Rollout(
        rollout_id=rollout_id, model=model, champion=champion, challenger=challenger, plan=plan,
        started_s=now_s, stage_since_s=now_s,
    )  # fmt: skip


def advance(
    rollout: Rollout,
    verdict: Verdict,
    *,
    challenger_outcomes: int,
    last_outcome_s: float,
    is_split_wrong: bool,
    now_s: float,
    is_held: bool = False,
) -> Rollout:
    """The rollout after a look: taken back, raised, ended or as it was. Paused ones only go back.

    is_held: it looks worse, though not for sure: its share is not raised now.
    challenger_outcomes: at this stage (in shadow: answers that were compared with what came).
    last_outcome_s: when the newest outcome of either arm came; the start where there is none.
    """
    if not rollout.is_open:
        return rollout
    if is_split_wrong:
        return _ended(rollout, "rolled back", "arms got other shares than they should", now_s)
    if verdict.verdict == "roll back":
        return _ended(rollout, "rolled back", verdict.why, now_s)
    silence = now_s - max(last_outcome_s, rollout.stage_since_s)
    if silence > rollout.plan.silent_s:
        return _ended(rollout, "rolled back", f"no outcome came for {silence:.0f} s", now_s)
    if rollout.status == "paused":
        return rollout
    is_last = rollout.stage == len(rollout.plan.shares) - 1
    if verdict.verdict == "promote" and is_last:
        return _ended(rollout, "promoted", verdict.why, now_s)
    if now_s - rollout.started_s >= rollout.plan.budget_s:
        return _ended(rollout, "inconclusive", f"the budget is used up; {verdict.why}", now_s)
    has_dwelt = now_s - rollout.stage_since_s >= rollout.plan.dwell_s
    if is_last or is_held or not has_dwelt or challenger_outcomes < rollout.plan.dwell_outcomes:
        return rollout
    share = rollout.plan.shares[rollout.stage + 1]
    why = f"raised to {100 * share:g} % after {challenger_outcomes} outcomes; {verdict.why}"
    return replace(rollout, stage=rollout.stage + 1, stage_since_s=now_s, why=why)


def pause(rollout: Rollout, why: str) -> Rollout:
    """Stay at this share until resumed; guardrails still take it back."""
    return replace(_open(rollout), status="paused", why=why)


def resume(rollout: Rollout, why: str, now_s: float) -> Rollout:
    """Go on from where it was paused; the stage's dwell begins anew."""
    if _open(rollout).status != "paused":
        raise ConfigError(f"rollout {rollout.rollout_id!r} is not paused")
    return replace(rollout, status="running", stage_since_s=now_s, why=why)


def promote(rollout: Rollout, why: str, now_s: float) -> Rollout:
    """Give the challenger all traffic now, on a person's word."""
    return _ended(_open(rollout), "promoted", why, now_s)


def roll_back(rollout: Rollout, why: str, now_s: float) -> Rollout:
    """Take the challenger back now."""
    return _ended(_open(rollout), "rolled back", why, now_s)


def _open(rollout: Rollout) -> Rollout:
    if not rollout.is_open:
        raise ConfigError(f"rollout {rollout.rollout_id!r} has ended: {rollout.status}")
    return rollout


def _ended(rollout: Rollout, status: str, why: str, now_s: float) -> Rollout:
    return replace(rollout, status=status, why=why, stage_since_s=now_s)
