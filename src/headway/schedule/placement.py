"""A learned placement: what is seen of a node if a task went there, and how it is weighed.

The cost of a node is a weighted sum of features of what would be left there, with weights of their
own for tasks without GPUs, that share a GPU, that take one and that take several. Fragmentation
gradient descent is one setting of the weights: search starts there. Our own; measured in
benchmarks/placement.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import bare
from headway.schedule.fragmentation import WHOLE, Nodes, Room, Shapes, points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEATURES: Final = (
    "points",  # of gradient descent (fragmentation.points), less is more, about GPUs
    "lost_more",  # growth of fragmentation, GPUs
    "cpu_left",  # shares of the node's own, after
    "memory_left",
    "gpu_left",  # free GPUs of GPUS, after
    "device_left",  # of the GPU that is shared, after; 0 = shares none
    "opens_gpu",  # 1 = shares a GPU that was wholly free
    "opens_node",  # 1 = nothing runs there
    "has_gpus",  # 1 = a node with GPUs
    "cpu_short",  # 0..1 how far CPU is short of what tasks of the free GPUs would ask, after;
    "cpu_spare",  # 0..1 how far it is more; both as shares of the largest node
    "lost_share",  # of the free GPUs, after
    "wanted",  # share of tasks that insist on GPU models of which the node's is one
    "place",  # 0..1 in the list of nodes
)
WIDE: Final = len(FEATURES)
KINDS: Final = ("none", "shared", "one", "several")
SIZE: Final = len(KINDS) * WIDE
PER_POINT: Final = 0.04  # GPUs: what a point is worth near no growth


class Scene(NamedTuple):
    """What does not change while tasks come and go, and room to write features into."""

    weights: Floats  # (KINDS, WIDE)
    largest: Floats  # (3,) CPU, memory, GPU thousandths of the largest node; at least 1
    cpu_per_gpu: float  # CPU thousandths that tasks with GPUs ask for each thousandth of GPU
    wanted: Floats  # (m,) the feature of that name
    x: Floats  # (WIDE,)


def scene_of(nodes: Nodes, shapes: Shapes, weights: Floats) -> Scene:
    """The scene for nodes and shapes; weights (SIZE,) flat."""
    has_gpu = shapes.gpus > 0
    asked = (shapes.share * shapes.gpus * shapes.gpu_milli).sum()
    cpu = (shapes.share * shapes.cpu_milli)[has_gpu].sum()
    insists = (shapes.models[None, :] & nodes.model[:, None]) != 0
    return Scene(
        np.ascontiguousarray(weights.reshape(len(KINDS), WIDE)),
        np.array(
            [
                max(values.max(), 1)
                for values in (nodes.cpu_milli, nodes.memory_mib, nodes.gpus * WHOLE)
            ],
            np.float64,
        ),
        float(cpu / max(asked, 1.0)),
        insists @ shapes.share,
        np.zeros(WIDE),
    )


def descent() -> Floats:
    """Weights (SIZE,) with which the learned placement is fragmentation gradient descent."""
    weights = np.zeros((len(KINDS), WIDE))
    weights[:, FEATURES.index("points")] = 1.0
    return weights.ravel()


@bare
def observe(
    nodes: Nodes, shapes: Shapes, room: Room, scene: Scene, s: int, i: int, device: int, lost: float
) -> None:
    """Write the features of node i with the GPUs of a task of shape s already taken.

    device: the GPU that is shared, -1 = none; lost: fragmentation then.
    """
    x = scene.x
    cpu = room.cpu_milli[i] - shapes.cpu_milli[s]
    gpu = 0
    for d in range(nodes.gpus[i]):
        gpu += room.gpu_milli[i, d]
    growth = lost - room.lost[i]
    x[0] = -PER_POINT * points(growth)
    x[1] = growth / WHOLE
    x[2] = cpu / nodes.cpu_milli[i]
    x[3] = (room.memory_mib[i] - shapes.memory_mib[s]) / nodes.memory_mib[i]
    x[4] = gpu / scene.largest[2]
    x[5] = 0.0
    x[6] = 0.0
    if device >= 0:
        x[5] = room.gpu_milli[i, device] / WHOLE
        x[6] = 1.0 if room.gpu_milli[i, device] + shapes.gpu_milli[s] == WHOLE else 0.0
    x[7] = 1.0 if room.cpu_milli[i] == nodes.cpu_milli[i] else 0.0
    x[8] = 1.0 if nodes.gpus[i] > 0 else 0.0
    needed = gpu * scene.cpu_per_gpu
    x[9] = min(max(needed - cpu, 0.0) / scene.largest[0], 1.0)
    x[10] = max(cpu - needed, 0.0) / scene.largest[0]
    x[11] = lost / gpu if gpu > 0 else 0.0
    x[12] = scene.wanted[i]
    x[13] = i / len(nodes.gpus)


@bare
def score(scene: Scene, shapes: Shapes, s: int) -> float:
    """The cost of what was observed for a task of shape s."""
    kind = min(shapes.gpus[s], 2) + (shapes.gpus[s] > 0)
    if shapes.gpus[s] == 1 and shapes.gpu_milli[s] < WHOLE:
        kind = 1
    total = 0.0
    for j in range(WIDE):
        total += scene.weights[kind, j] * scene.x[j]
    return total
