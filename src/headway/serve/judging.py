"""A look at every rollout under way: judged by its evidence, raised, ended or taken back."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Final

from headway.errors import ConfigError
from headway.rollout import Metric, advance, judge, roll_back
from headway.rollout.experiment import Verdict, split_is_wrong
from headway.rollout.split import CHALLENGER, CHAMPION
from headway.serve.evidence import METRICS, Evidence
from headway.serve.rollouts import change, read_changes, read_rollouts, settle
from headway.store.models import ModelStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from headway.rollout import Plan, Rollout

log = logging.getLogger(__name__)

MARGINS: Final = {
    "failures": 0.02, "out_of_memory": 0.01, "uncovered": 0.02, "wait": 60.0, "latency": 0.01,
}  # fmt: skip
"""What a guardrail may become worse by, in its own unit; set a rollout's with Plan.margins."""


def step(home: Path, evidence: Evidence, broken: Mapping[str, str], now_s: float) -> list[Rollout]:
    """Look once; the rollouts that became something else by it.

    broken: rollouts whose challenger cannot answer, and why: they are taken back.
    """
    settle(home, now_s)
    open_ = [r for r in read_rollouts(home) if r.is_open]
    if not open_:
        return []
    evidence.read(min(r.started_s for r in open_), now_s)
    current = ModelStore(home).current("history")
    changed = []
    for seen in open_:
        after = _looked(seen, evidence, broken.get(seen.rollout_id, ""), current, now_s)
        if after == seen:
            continue
        # A person may have decided meanwhile: then theirs stays.
        took = change(
            home, seen.rollout_id, lambda r, seen=seen, after=after: after if r == seen else r,  # type: ignore[misc]
            by="headway", now_s=now_s,
        )  # fmt: skip
        log.warning("%s of %s: %s (%s)", took.status, took.rollout_id, took.challenger, took.why)
        changed.append(took)
    return changed


def _looked(
    rollout: Rollout, evidence: Evidence, broken: str, current: str, now_s: float
) -> Rollout:
    """What a rollout becomes by one look."""
    if broken:
        return roll_back(rollout, broken, now_s)
    if current != rollout.champion:
        return roll_back(rollout, f"{current} is in use instead of {rollout.champion}", now_s)
    stage = evidence.stage(rollout.rollout_id, rollout.stage)
    verdict = verdict_of(rollout, evidence)
    last_s = min(stage.last_outcome_s, stage.waiting_since_s)
    return advance(
        rollout, verdict, challenger_outcomes=stage.outcomes[CHALLENGER],
        last_outcome_s=last_s if math.isfinite(last_s) else rollout.stage_since_s,
        is_split_wrong=split_is_wrong(_split_of(rollout, evidence)),
        is_held=bool(held(rollout.plan, verdict)), now_s=now_s,
    )  # fmt: skip


def verdict_of(rollout: Rollout, evidence: Evidence) -> Verdict:
    """What the outcomes of the present stage say; each stage has its part of alpha."""
    stage, plan = evidence.stage(rollout.rollout_id, rollout.stage), rollout.plan
    return judge(
        metrics_of(plan), stage.moments(CHAMPION), stage.moments(CHALLENGER),
        alpha=plan.alpha / len(plan.shares),
    )  # fmt: skip


def metrics_of(plan: Plan) -> list[Metric]:
    """The metric that decides, and those that must not become worse."""
    margins = MARGINS | dict(plan.margins)
    unknown = [name for name in (plan.metric, *margins) if name not in METRICS]
    if unknown:
        raise ConfigError(f"there is no metric {unknown[0]!r}; there are {', '.join(METRICS)}")
    guards = [
        Metric(name=name, kind="ratio", is_guardrail=True, margin=margin)
        for name, margin in margins.items() if name != plan.metric
    ]  # fmt: skip
    return [Metric(name=plan.metric, kind="ratio"), *guards]


def held(plan: Plan, verdict: Verdict) -> str:
    """Why the share is not raised now though nothing is sure; '' = it may be."""
    margins = MARGINS | dict(plan.margins)
    worse = [c for c in verdict.comparisons if c.difference > margins.get(c.metric, math.inf)]
    return f"{worse[0].metric} looks worse by {worse[0].difference:.4g}" if worse else ""


def document_of(rollout: Rollout, evidence: Evidence) -> dict[str, Any]:
    """A rollout, its verdict as of now and the comparisons behind it."""
    verdict = verdict_of(rollout, evidence)
    stage = evidence.stage(rollout.rollout_id, rollout.stage)
    margins = {m.name: m.margin for m in metrics_of(rollout.plan) if m.is_guardrail}
    ended = {"promoted": "promote", "rolled back": "roll back", "inconclusive": "inconclusive"}
    return {
        "rollout_id": rollout.rollout_id, "status": rollout.status, "share": rollout.share,
        "stage": rollout.stage, "stages": list(rollout.plan.shares), "why": rollout.why,
        "champion": rollout.champion, "challenger": rollout.challenger,
        "key": rollout.plan.key, "metric": rollout.plan.metric, "alpha": rollout.plan.alpha,
        "started_s": rollout.started_s, "stage_since_s": rollout.stage_since_s,
        "verdict": ended.get(rollout.status, verdict.verdict),
        "verdict_why": verdict.why if rollout.is_open else rollout.why,
        "held": held(rollout.plan, verdict) if rollout.is_open else "",
        "keys": {arm: len(keys) for arm, keys in stage.split.items()},
        "outcomes": dict(stage.outcomes),
        "comparisons": [
            {
                "metric": c.metric, "is_guardrail": c.metric in margins,
                "margin": margins.get(c.metric), "champion": _known(c.champion),
                "challenger": _known(c.challenger), "difference": _known(c.difference),
                "low": _known(c.low), "high": _known(c.high), "n_champion": c.n_champion,
                "n_challenger": c.n_challenger,
            }
            for c in verdict.comparisons
        ],
    }  # fmt: skip


def documents(
    home: Path, evidence: Evidence, rollout_id: str, now_s: float
) -> list[dict[str, Any]]:
    """Every rollout of a home with what changed it, newest first; one where its id is given."""
    kept = [r for r in read_rollouts(home) if rollout_id in ("", r.rollout_id)]
    if rollout_id and not kept:
        raise ConfigError(f"there is no rollout {rollout_id!r} in {home}")
    if kept:
        evidence.read(min(r.started_s for r in kept), now_s)
    changes: dict[str, list[dict[str, Any]]] = {}
    for one in read_changes(home):
        row = {name: one[name] for name in ("at_s", "by", "status", "stage", "why")}
        changes.setdefault(one["rollout_id"], []).append(row)
    return [document_of(r, evidence) | {"changes": changes[r.rollout_id]} for r in reversed(kept)]


def _split_of(rollout: Rollout, evidence: Evidence) -> list[tuple[int, int, float]]:
    """Keys of champion and challenger at each stage so far, and the share that was meant."""
    stages = [evidence.stage(rollout.rollout_id, n).split for n in range(rollout.stage + 1)]
    return [
        (len(split[CHAMPION]), len(split[CHALLENGER]), share)
        for split, share in zip(stages, rollout.plan.shares, strict=False)
    ]


def _known(x: float) -> float | None:
    return x if math.isfinite(x) else None
