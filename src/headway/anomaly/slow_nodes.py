"""Nodes on which tasks run slower than the same kind of tasks does elsewhere."""

from __future__ import annotations

import bisect
import math
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headway.anomaly.expected import Kind
    from headway.records import Task

POWERS: Final = (2.0, 4.0, 10.0)
"""How far the ranks of runs on a slow node are pushed up: the density u -> a u**(a - 1) of ranks
u in (0, 1), which are uniform on a node like all others. Each is tested for."""
KEPT: Final = 24  # runs of a kind that are compared with
ENOUGH: Final = 4  # runs elsewhere, without which nothing is compared
MOST_NODES: Final = 8  # of one task: wider ones say little about each of their nodes
ONE_KIND: Final = 0.5  # share of the evidence that each further run of one kind in a day counts
MOST_EVIDENCE: Final = 40.0
DAY_S: Final = 86400.0
_RANGE: Final = re.compile(r"^(.*)\[([\d,-]+)\]$")


def nodes_of(task: Task) -> tuple[str, ...]:
    """The nodes that a task holds."""
    return names_of(task.node or "")


def names_of(node: str) -> tuple[str, ...]:
    """The nodes that a list of them names, as Slurm writes it.

    >>> names_of("a[08-10,12],b")
    ('a08', 'a09', 'a10', 'a12', 'b')
    """
    found: list[str] = []
    for part in re.findall(r"[^,\[]+(?:\[[^\]]*\])?", node):
        match = _RANGE.match(part)
        if match is None:
            found.append(part)
            continue
        for numbers in match[2].split(","):
            first, _, last = numbers.partition("-")
            span = range(int(first), int(last or first) + 1)
            found += [f"{match[1]}{number:0{len(first)}d}" for number in span]
    return tuple(found)


@dataclass(slots=True)
class _Node:
    evidence: list[float] = field(default_factory=lambda: [0.0] * len(POWERS))
    since_s: float = 0.0  # when the evidence was last none
    came: dict[Kind, tuple[float, int]] = field(default_factory=dict)  # day, runs of a kind
    ratios: deque[float] = field(default_factory=lambda: deque(maxlen=16))


class SlowNodes:
    """Evidence against each node, from pairs of runs of one kind on it and elsewhere.

    A sequential test of ranks: the log-likelihood ratio of "longer than elsewhere" (a Lehmann
    alternative, Lehmann 1953) against "as elsewhere", summed while it is positive (CUSUM, Page
    1954). Ranks need no scale, so that no single run convicts a node. Runs of one kind on one day
    are not independent: each further one counts half of the one before (our own choice).
    """

    def __init__(self) -> None:
        self._runs: dict[Kind, deque[tuple[float, frozenset[str]]]] = {}
        self._nodes: dict[str, _Node] = {}

    def learn(
        self, task: Task, kind: Kind, runtime_s: float, floor_s: float
    ) -> list[tuple[str, float, float, float]]:
        """One more task that completed or reached its limit, and the nodes that it speaks against.

        Each as (node, evidence in nats, since_s, times slower).
        """
        nodes = nodes_of(task)
        if not nodes:
            return []
        came = math.log(runtime_s + floor_s)
        runs = self._runs.setdefault(kind, deque(maxlen=KEPT))
        found = []
        if len(nodes) <= MOST_NODES:
            for name in nodes:
                elsewhere = sorted(run for run, places in runs if name not in places)
                if len(elsewhere) >= ENOUGH:
                    found += self._weigh(name, task, kind, came, elsewhere)
        runs.append((came, frozenset(nodes)))
        return found

    def times_slower(self, name: str) -> float:
        """The median ratio of the latest runs on a node to runs elsewhere; 1 = none is known."""
        node = self._nodes.get(name)
        if node is None or len(node.ratios) < ENOUGH:
            return 1.0
        return math.exp(sorted(node.ratios)[len(node.ratios) // 2])

    def _weigh(
        self, name: str, task: Task, kind: Kind, came: float, elsewhere: list[float]
    ) -> list[tuple[str, float, float, float]]:
        at_s = task.ended_s or 0.0
        node = self._nodes.setdefault(name, _Node(since_s=at_s))
        ratio = came - elsewhere[len(elsewhere) // 2]
        below, up_to = bisect.bisect_left(elsewhere, came), bisect.bisect_right(elsewhere, came)
        rank = (0.5 * (below + up_to) + 0.5) / (len(elsewhere) + 1)
        day = at_s // DAY_S
        before, times = node.came.get(kind, (day, 0))
        times = times if before == day else 0
        node.came[kind] = (day, times + 1)
        was = max(node.evidence)
        if was == 0.0:
            node.since_s = task.started_s or at_s
            node.ratios.clear()
        node.ratios.append(ratio)
        for i, power in enumerate(POWERS):
            gain = ONE_KIND**times * (math.log(power) + (power - 1.0) * math.log(rank))
            node.evidence[i] = min(max(0.0, node.evidence[i] + gain), MOST_EVIDENCE)
        now = max(node.evidence)
        return [(name, now, node.since_s, self.times_slower(name))] if now > was else []
