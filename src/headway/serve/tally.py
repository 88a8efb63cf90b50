"""What became of decisions: joined with an outcome, still open, or expired; by version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from headway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EXPIRES_S: Final = 14 * 86400.0
"""Age of a decision from which no outcome is waited for; one that comes later is joined still."""


@dataclass(slots=True)
class _Life:
    """What is known of one decision."""

    at_s: float | None = None  # None = only its outcome has come
    version: str = ""
    refused: str = ""
    latency_s: float = 0.0
    outcome: Mapping[str, Any] | None = None
    said: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # feedback by user


def tally(
    records: Iterable[Mapping[str, Any]], now_s: float, *, expires_s: float = EXPIRES_S
) -> dict[str, Any]:
    """Counts of decisions as of now, in all and `by_version`: decisions = joined + open + expired.

    A decision counts once however often it was logged; of several outcomes, and of what one person
    said of it at several times, the latest counts. `without_decision`: outcomes whose decision has
    not come. adoption: share of decisions that were followed, of those where it is known;
    satisfaction: mean rating; None = nothing is known.
    """
    if not expires_s > 0.0:
        raise ConfigError(f"expires_s must be above 0, got {expires_s}")
    lives: dict[str, _Life] = {}
    for record in records:
        _take(lives.setdefault(record["decision_id"], _Life()), record)
    decided = [life for life in lives.values() if life.at_s is not None]
    versions = sorted({life.version for life in decided})
    return {
        **_counted(decided, now_s, expires_s),
        "without_decision": sum(x.at_s is None and x.outcome is not None for x in lives.values()),
        "by_version": [
            {"version": version}
            | _counted([life for life in decided if life.version == version], now_s, expires_s)
            for version in versions
        ],
    }


def _take(life: _Life, record: Mapping[str, Any]) -> None:
    """One more record of a decision."""
    if record["kind"] == "decision":
        if life.at_s is None:
            life.at_s, life.version = record["at_s"], record["version"]
            life.refused, life.latency_s = record["refused"], record["latency_s"]
    elif record["kind"] == "outcome":
        if life.outcome is None or record["at_s"] >= life.outcome["at_s"]:
            life.outcome = record
    else:
        heed(life.said, record)


def heed(said: dict[str, Mapping[str, Any]], record: Mapping[str, Any]) -> None:
    """Keep feedback on a decision; of what one person said of it the latest counts."""
    before = said.get(record["user"])
    if before is None or record["at_s"] >= before["at_s"]:
        said[record["user"]] = record


def opinions(said_of: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Adoption, satisfaction and the number of ratings, of feedback by user on some decisions."""
    ratings: list[int] = []
    followed: list[bool] = []
    for said in said_of:
        ratings += [one["rating"] for one in said.values() if one["rating"] is not None]
        known = [one["is_followed"] for one in said.values() if one["is_followed"] is not None]
        followed += [any(known)] if known else []
    return {
        "adoption": sum(followed) / len(followed) if followed else None,
        "satisfaction": sum(ratings) / len(ratings) if ratings else None,
        "ratings": len(ratings),
    }


def _counted(lives: list[_Life], now_s: float, expires_s: float) -> dict[str, Any]:
    joined = [life for life in lives if life.outcome is not None]
    left = [life for life in lives if life.outcome is None]
    expired = sum(now_s - (life.at_s or 0.0) > expires_s for life in left)
    latencies = sorted(life.latency_s for life in lives)
    return {
        "decisions": len(lives),
        "joined": len(joined),
        "open": len(left) - expired,
        "expired": expired,
        "refused": sum(bool(life.refused) for life in lives),
        "out_of_memory": sum(x.outcome["state"] == "out_of_memory" for x in joined if x.outcome),
        **opinions(life.said for life in lives),
        "latency_p50_s": latencies[len(latencies) // 2] if latencies else None,
        "latency_p99_s": latencies[(99 * len(latencies)) // 100] if latencies else None,
    }
