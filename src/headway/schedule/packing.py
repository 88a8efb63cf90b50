"""Where a task goes: rules that weigh the nodes on which it fits, the lowest cost first.

    first-fit    the first in the list                     Johnson (1973), bin packing
    best-fit     least left over, summed over resources    Hadary et al. (2020), "Protean"
    worst-fit    most left over (spread)                   Kubernetes, LeastAllocated
    tetris       largest dot product of demand and room    Grandl et al. (2014), "Multi-resource
                                                           packing for cluster schedulers"
    least-dot    smallest dot product                      Weng et al. (2023), their "DotProd"
    gpu-packing  shared GPUs, then free GPUs of used       Weng et al. (2022), "MLaaS in the wild",
                 nodes, then idle nodes                    as coded for Weng et al. (2023)
    random       any node, any GPU                         baseline
    fgd          fragmentation grows least, in whole       Weng et al. (2023), as coded
                 points (fragmentation.points)
    fgd-exact    fragmentation grows least                 Weng et al. (2023), as written
    learned      a weighted sum of what is seen            our own (schedule.placement)

Ties go to the first in the list. best-fit, tetris and least-dot share a GPU that leaves least,
worst-fit one that leaves most. Memory counts among the resources; in the sources of 2023 it does
not. Tasks without GPUs are not told apart by gpu-packing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from headway.schedule.compiled import bare
from headway.schedule.fragmentation import (
    WHOLE,
    Nodes,
    Room,
    Shapes,
    fits,
    lost_on,
    points,
    weigh_kinds,
)  # fmt: skip
from headway.schedule.placement import Scene, observe, score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FIRST, BEST, WORST, TETRIS, LEAST_DOT, PACKING, RANDOM, FGD, EXACT, LEARNED = range(10)
POLICIES: Final = {
    "first-fit": FIRST,
    "best-fit": BEST,
    "worst-fit": WORST,
    "tetris": TETRIS,
    "least-dot": LEAST_DOT,
    "gpu-packing": PACKING,
    "random": RANDOM,
    "fgd": FGD,
    "fgd-exact": EXACT,
    "learned": LEARNED,
}


@bare
def cost_on(
    policy: int, nodes: Nodes, shapes: Shapes, room: Room, scene: Scene, s: int, i: int
) -> tuple[float, int]:
    """What it costs to put a task of shape s on node i, and which GPU it would share.

    Infinite where it does not fit; -1 = it shares none.
    """
    if not fits(nodes, shapes, room, s, i):
        return math.inf, -1
    if policy in (FGD, EXACT, LEARNED):
        return _searched(policy, nodes, shapes, room, scene, s, i)
    device = _device(policy, nodes, shapes, room, s, i)
    if policy in (FIRST, RANDOM):
        return 0.0, device
    if policy == PACKING:
        return _packing(nodes, shapes, room, s, i, device), device
    if policy in (TETRIS, LEAST_DOT):
        dot = _dot(policy == TETRIS, nodes, shapes, room, scene, s, i)
        return (-dot if policy == TETRIS else dot), device
    left = _left(shapes, nodes, room, scene, s, i)
    return (left if policy == BEST else -left), device


@bare
def is_shared(shapes: Shapes, s: int) -> bool:
    """Whether a task of shape s takes a part of one GPU."""
    return shapes.gpus[s] == 1 and shapes.gpu_milli[s] < WHOLE


@bare
def _device(policy: int, nodes: Nodes, shapes: Shapes, room: Room, s: int, i: int) -> int:
    """The GPU to share by a rule: the first, the fullest or the emptiest with enough free."""
    if not is_shared(shapes, s):
        return -1
    chosen = -1
    for d in range(nodes.gpus[i]):
        free = room.gpu_milli[i, d]
        if free < shapes.gpu_milli[s]:
            continue
        if (
            chosen < 0
            or (policy == WORST and free > room.gpu_milli[i, chosen])
            or (policy not in (FIRST, WORST) and free < room.gpu_milli[i, chosen])
        ):
            chosen = d
    return chosen


@bare
def free_gpu(nodes: Nodes, room: Room, i: int) -> int:
    """Thousandths of GPUs that are free on a node."""
    free = 0
    for d in range(nodes.gpus[i]):
        free += room.gpu_milli[i, d]
    return free


@bare
def _left(shapes: Shapes, nodes: Nodes, room: Room, scene: Scene, s: int, i: int) -> float:
    """What would be left, each resource as a share of the largest node's, summed."""
    gpu = free_gpu(nodes, room, i) - shapes.gpus[s] * shapes.gpu_milli[s]
    return float(
        (room.cpu_milli[i] - shapes.cpu_milli[s]) / scene.largest[0]
        + (room.memory_mib[i] - shapes.memory_mib[s]) / scene.largest[1]
        + gpu / scene.largest[2]
    )


@bare
def _dot(
    by_node: bool, nodes: Nodes, shapes: Shapes, room: Room, scene: Scene, s: int, i: int
) -> float:
    """Demand times room, each as a share of the node's own capacity or of the largest node's."""
    cpu, memory, gpu = scene.largest
    if by_node:
        cpu, memory = float(nodes.cpu_milli[i]), float(nodes.memory_mib[i])
        gpu = max(float(nodes.gpus[i] * WHOLE), 1.0)
    asked = shapes.gpus[s] * shapes.gpu_milli[s]
    return float(
        shapes.cpu_milli[s] * room.cpu_milli[i] / (cpu * cpu)
        + shapes.memory_mib[s] * room.memory_mib[i] / (memory * memory)
        + asked * free_gpu(nodes, room, i) / (gpu * gpu)
    )


@bare
def _packing(nodes: Nodes, shapes: Shapes, room: Room, s: int, i: int, device: int) -> float:
    """0.. a shared GPU, 1.. free GPUs of a node in use, 2.. an idle node; less free goes first."""
    if shapes.gpus[s] == 0:
        return 0.0
    free = 0
    for d in range(nodes.gpus[i]):
        free += room.gpu_milli[i, d] == WHOLE
    if free == nodes.gpus[i]:
        return 2.0 + free / 10.0
    if device >= 0 and room.gpu_milli[i, device] < WHOLE:
        return float(room.gpu_milli[i, device] / WHOLE)
    return 1.0 + free / 10.0


@bare
def _searched(
    policy: int, nodes: Nodes, shapes: Shapes, room: Room, scene: Scene, s: int, i: int
) -> tuple[float, int]:
    """The cheapest GPU of a node for a rule that looks at what fragmentation would be."""
    cpu = room.cpu_milli[i] - shapes.cpu_milli[s]
    memory = room.memory_mib[i] - shapes.memory_mib[s]
    if nodes.gpus[i] > 0:
        weigh_kinds(nodes, shapes, room, i, cpu, memory)
    shares = is_shared(shapes, s)
    lowest, chosen = math.inf, -1
    for d in range(nodes.gpus[i] if shares else 1):
        if shares and not _is_new(shapes, room, s, i, d):
            continue
        device = d if shares else -1
        taken = _borrow(nodes, shapes, room, s, i, device)
        lost = lost_on(nodes, shapes, room, i) if nodes.gpus[i] > 0 else 0.0
        if policy == FGD:
            cost = -points(lost - room.lost[i])
        elif policy == EXACT:
            cost = lost - room.lost[i]
        else:
            observe(nodes, shapes, room, scene, s, i, device, lost)
            cost = score(scene, shapes, s)
        for back in range(nodes.gpus[i]):
            if taken & (1 << back):
                room.gpu_milli[i, back] += shapes.gpu_milli[s]
        if cost < lowest:
            lowest, chosen = cost, device
    return lowest, chosen


@bare
def _is_new(shapes: Shapes, room: Room, s: int, i: int, d: int) -> bool:
    """Whether a GPU has enough free and is not as full as an earlier one of the node."""
    for other in range(d):
        if room.gpu_milli[i, other] == room.gpu_milli[i, d]:
            return False
    return bool(room.gpu_milli[i, d] >= shapes.gpu_milli[s])


@bare
def _borrow(nodes: Nodes, shapes: Shapes, room: Room, s: int, i: int, device: int) -> int:
    """Take the GPUs alone for a moment; their bits."""
    missing, taken = shapes.gpus[s], 0
    for d in range(nodes.gpus[i]):
        if missing > 0 and device in (d, -1) and room.gpu_milli[i, d] >= shapes.gpu_milli[s]:
            room.gpu_milli[i, d] -= shapes.gpu_milli[s]
            taken |= 1 << d
            missing -= 1
    return taken
