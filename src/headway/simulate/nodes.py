"""Tasks of several resources on nodes: which are admitted until nothing fits, or when each starts.

What a task would cost on a node is kept for each (shape, node) and computed anew only on nodes that
changed since: placing by fragmentation on 1,500 nodes takes tens of microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.schedule.compiled import bare, compiled
from headway.schedule.fragmentation import GPUS, Nodes, Room, Shapes, give, room_of, take
from headway.schedule.packing import LEARNED, POLICIES, RANDOM, cost_on, is_shared
from headway.schedule.placement import SIZE, Scene, descent, scene_of
from headway.simulate.structures import Heap, heap_of, pop, push

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class Placed(NamedTuple):
    """What became of n tasks, and what is free at the end."""

    start_s: Floats  # (n,) NaN = never started
    node: Ints  # (n,) -1 = never started
    devices: Ints  # (n,) bits of its GPUs
    room: Room


class Costs(NamedTuple):
    """What is known of the cost of each shape on each node, (s, m), and of when nodes changed."""

    cost: Floats
    device: NDArray[np.int8]
    seen: NDArray[np.int32]  # the version of the node at which it was computed
    version: NDArray[np.int32]  # (m,)


def admit(
    nodes: Nodes, shapes: Shapes, shape: Ints, policy: str, *, weights: Floats | None = None,
    seed: int = 0,
) -> Placed:  # fmt: skip
    """Tasks of these shapes (n,) come one by one and never end; one that fits nowhere is refused.

    policy: a name of POLICIES; weights (SIZE,) of "learned"; seed: of "random". What is known of
    the shapes' shares is what `shapes` says, not what comes.
    """
    number, scene = _settings(nodes, shapes, policy, weights)
    draws = np.random.default_rng(seed).random((len(shape) if number == RANDOM else 1, 2))
    return _admit(nodes, shapes, shape, number, scene, draws)


def replay(
    nodes: Nodes, shapes: Shapes, shape: Ints, submit_s: Floats, runtime_s: Floats, policy: str, *,
    weights: Floats | None = None, seed: int = 0, walks: bool = True,
) -> Placed:  # fmt: skip
    """Tasks come at submit_s (n,), sorted, and run for runtime_s (n,).

    At every event first what ends is released, then arrivals are added, then the queue is walked in
    order of arrival and each task that fits is started; with walks False the first that does not
    fit blocks those behind it. A task that fits on no empty node is refused and blocks nobody.
    """
    n = len(shape)
    if submit_s.shape != (n,) or runtime_s.shape != (n,) or np.any(np.diff(submit_s) < 0.0):
        raise ConfigError(f"submit_s and runtime_s must be {n} numbers, submit_s in order")
    if n and not runtime_s.min() > 0.0:
        raise ConfigError(f"runtime_s must be positive, got {runtime_s.min()}")
    number, scene = _settings(nodes, shapes, policy, weights)
    draws = np.random.default_rng(seed).random((n if number == RANDOM else 1, 2))
    return _replay(nodes, shapes, shape, submit_s, runtime_s, number, scene, draws, walks)


def _settings(
    nodes: Nodes, shapes: Shapes, policy: str, weights: Floats | None
) -> tuple[int, Scene]:
    if policy not in POLICIES:
        raise ConfigError(f"policy must be one of {', '.join(POLICIES)}, got {policy}")
    if (weights is not None) != (POLICIES[policy] == LEARNED):
        raise ConfigError(f"weights belong to policy learned and to no other, got {policy}")
    weights = descent() if weights is None else weights
    if weights.shape != (SIZE,) or not np.isfinite(weights).all():
        raise ConfigError(f"weights must be {SIZE} finite numbers, got shape {weights.shape}")
    return POLICIES[policy], scene_of(nodes, shapes, weights)


@compiled
def _admit(
    nodes: Nodes, shapes: Shapes, shape: Ints, policy: int, scene: Scene, draws: Floats
) -> Placed:
    n = len(shape)
    placed = _nothing(n, nodes, shapes)
    costs = _costs(nodes, shapes)
    for j in range(n):
        if _place(nodes, shapes, placed, costs, policy, scene, draws, shape[j], j):
            placed.start_s[j] = 0.0
    return placed


@compiled
def _replay(
    nodes: Nodes, shapes: Shapes, shape: Ints, submit_s: Floats, runtime_s: Floats,
    policy: int, scene: Scene, draws: Floats, walks: bool,
) -> Placed:  # fmt: skip
    n = len(shape)
    placed = _nothing(n, nodes, shapes)
    costs = _costs(nodes, shapes)
    fits_empty = np.zeros(len(shapes.share), np.bool_)
    for s in range(len(fits_empty)):
        for i in range(len(nodes.gpus)):
            cost, _ = cost_on(policy, nodes, shapes, placed.room, scene, s, i)
            fits_empty[s] |= cost < np.inf
    ends = heap_of(n)
    waiting, many, arrived = np.empty(n, np.int64), 0, 0
    tried = np.full(len(shapes.share), -1)  # the event at which a shape last fitted nowhere
    event = 0
    while arrived < n or ends.size[0] > 0:
        now_s = np.inf if arrived == n else submit_s[arrived]
        if ends.size[0] > 0:
            now_s = min(now_s, ends.key[0])
        _release(nodes, shapes, placed, costs, shape, ends, now_s)
        while arrived < n and submit_s[arrived] <= now_s:
            if fits_empty[shape[arrived]]:
                waiting[many] = arrived
                many += 1
            arrived += 1
        kept, is_blocked = 0, False
        for place in range(many):
            j = waiting[place]
            s = shape[j]
            if (
                not is_blocked
                and tried[s] != event
                and _place(nodes, shapes, placed, costs, policy, scene, draws, s, j)
            ):
                placed.start_s[j] = now_s
                push(ends, now_s + runtime_s[j], j)
                continue
            tried[s] = event
            is_blocked = not walks
            waiting[kept] = j
            kept += 1
        many = kept
        event += 1
    return placed


@compiled
def _nothing(n: int, nodes: Nodes, shapes: Shapes) -> Placed:
    return Placed(np.full(n, np.nan), np.full(n, -1), np.zeros(n, np.int64), room_of(nodes, shapes))


@compiled
def _costs(nodes: Nodes, shapes: Shapes) -> Costs:
    m, k = len(nodes.gpus), len(shapes.share)
    return Costs(
        np.zeros((k, m)), np.zeros((k, m), np.int8), np.full((k, m), -1, np.int32),
        np.zeros(m, np.int32),
    )  # fmt: skip


@bare
def _release(
    nodes: Nodes, shapes: Shapes, placed: Placed, costs: Costs, shape: Ints, ends: Heap,
    now_s: float,
) -> None:  # fmt: skip
    while ends.size[0] > 0 and ends.key[0] <= now_s:
        j = pop(ends)
        give(nodes, shapes, placed.room, shape[j], placed.node[j], placed.devices[j])
        costs.version[placed.node[j]] += 1


@bare
def _place(
    nodes: Nodes, shapes: Shapes, placed: Placed, costs: Costs, policy: int, scene: Scene,
    draws: Floats, s: int, j: int,
) -> bool:  # fmt: skip
    """Start task j of shape s on the cheapest node; False if it fits nowhere."""
    room, version = placed.room, costs.version
    cost, seen = costs.cost[s], costs.seen[s]
    lowest, chosen, fitting = np.inf, -1, 0
    for i in range(len(version)):
        if seen[i] != version[i]:
            cost[i], costs.device[s, i] = cost_on(policy, nodes, shapes, room, scene, s, i)
            seen[i] = version[i]
        fitting += cost[i] < np.inf
        if cost[i] < lowest:
            lowest, chosen = cost[i], i
    if chosen < 0:
        return False
    device = int(costs.device[s, chosen])
    if policy == RANDOM:
        chosen = _drawn_node(cost, int(draws[j, 0] * fitting))
        device = _drawn_device(nodes, shapes, room, s, chosen, draws[j, 1])
    placed.devices[j] = take(nodes, shapes, room, s, chosen, device)
    placed.node[j] = chosen
    version[chosen] += 1
    return True


@bare
def _drawn_node(cost: Floats, place: int) -> int:
    """The node at a place among those on which it fits."""
    for i in range(len(cost)):
        if cost[i] < np.inf:
            if place == 0:
                return i
            place -= 1
    return -1


@bare
def _drawn_device(nodes: Nodes, shapes: Shapes, room: Room, s: int, i: int, draw: float) -> int:
    """One of the GPUs that a task could share on a node; -1 = it shares none."""
    if not is_shared(shapes, s):
        return -1
    enough = 0
    for d in range(GPUS):
        enough += d < nodes.gpus[i] and room.gpu_milli[i, d] >= shapes.gpu_milli[s]
    place = int(draw * enough)
    for d in range(GPUS):
        if d < nodes.gpus[i] and room.gpu_milli[i, d] >= shapes.gpu_milli[s]:
            if place == 0:
                return d
            place -= 1
    return -1
