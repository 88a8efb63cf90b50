"""Why a decision must not be carried out: checks that hold whoever decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.protocols import Guard
    from headway.records import ClusterState, Decision

__all__ = ["fits_cluster", "is_advised", "within"]


def is_advised(decision: Decision, state: ClusterState) -> str:
    """A refusal to advise is never carried out."""
    return decision.refused


def fits_cluster(decision: Decision, state: ClusterState) -> str:
    """No allocation may be larger than the cluster: such a task would wait for ever."""
    if decision.cpus is not None and decision.cpus > state.total_cpus:
        return f"{decision.cpus:g} cpus are more than the cluster's {state.total_cpus:g}"
    asked, most = decision.memory_bytes, state.total_memory_bytes
    if asked is not None and most is not None and asked > most:
        return f"{asked} bytes are more than the cluster's {most}"
    return ""


def within(least_memory_bytes: int, most_memory_bytes: int) -> Guard:
    """A guard that keeps allocations of memory between two bounds.

    >>> from headway.records import ClusterState, Decision
    >>> state = ClusterState(
    ...     cluster="c", at_s=0.0, queued=(), running=(), total_cpus=1, free_cpus=1
    ... )
    >>> decision = Decision(
    ...     decision_id="1", at_s=0.0, cluster="c", id="7", action="size", memory_bytes=5
    ... )
    >>> within(10, 20)(decision, state)
    '5 bytes are outside 10..20'
    """

    def guard(decision: Decision, state: ClusterState) -> str:
        asked = decision.memory_bytes
        if asked is None or least_memory_bytes <= asked <= most_memory_bytes:
            return ""
        return f"{asked} bytes are outside {least_memory_bytes}..{most_memory_bytes}"

    return guard
