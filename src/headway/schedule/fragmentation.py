"""What is free on nodes of CPU, memory and GPUs, and how much of the free GPUs nobody could use.

GPUs may be shared in thousandths. The fragmentation of a node is the share of a GPU that is free on
it but that a task drawn from the known shapes of tasks could not use, in expectation.
Source: Weng et al. (2023), "Beware of fragmentation: scheduling GPU-sharing workloads with
fragmentation gradient descent", USENIX ATC, sections 3.1 and 3.2. A change: a task that lacks
memory cannot run either; the paper looks at CPU and GPUs alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import bare, compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

GPUS: Final = 8  # of a node at the most
WHOLE: Final = 1000  # thousandths of a GPU


class Nodes(NamedTuple):
    """m nodes as they are when empty."""

    cpu_milli: Ints  # (m,)
    memory_mib: Ints  # (m,)
    gpus: Ints  # (m,) 0..GPUS
    model: Ints  # (m,) one bit for the model of its GPUs; 0 = it has none


class Shapes(NamedTuple):
    """The s shapes of tasks that are known, and how often each comes."""

    cpu_milli: Ints  # (s,)
    memory_mib: Ints  # (s,)
    gpus: Ints  # (s,)
    gpu_milli: Ints  # (s,) of each of its GPUs; below WHOLE only where gpus = 1
    models: Ints  # (s,) bits of the models it may run on; 0 = on any, and without GPUs
    share: Floats  # (s,) of all tasks, sums to 1
    kind: Ints  # (s,) which of the kinds below; -1 = no GPU
    kind_gpus: Ints  # (k,) different (GPUs, thousandths) that are asked for
    kind_milli: Ints  # (k,)


class Room(NamedTuple):
    """What is free now; changes while tasks come and go."""

    cpu_milli: Ints  # (m,)
    memory_mib: Ints  # (m,)
    gpu_milli: Ints  # (m, GPUS) 0 where there is no GPU
    lost: Floats  # (m,) fragmentation in thousandths of a GPU
    weight: Floats  # (k,) scratch: share of tasks of each kind that a node could run but for GPUs


@compiled
def room_of(nodes: Nodes, shapes: Shapes) -> Room:
    """Everything free."""
    m = len(nodes.gpus)
    room = Room(
        nodes.cpu_milli.copy(), nodes.memory_mib.copy(), np.zeros((m, GPUS), np.int64),
        np.zeros(m), np.zeros(len(shapes.kind_gpus)),
    )  # fmt: skip
    for i in range(m):
        room.gpu_milli[i, : nodes.gpus[i]] = WHOLE
        measure(nodes, shapes, room, i)
    return room


@bare
def fits(nodes: Nodes, shapes: Shapes, room: Room, s: int, i: int) -> bool:
    """Whether a task of shape s could start on node i now."""
    if shapes.cpu_milli[s] > room.cpu_milli[i] or shapes.memory_mib[s] > room.memory_mib[i]:
        return False
    if shapes.models[s] != 0 and shapes.models[s] & nodes.model[i] == 0:
        return False
    missing = shapes.gpus[s]
    for d in range(nodes.gpus[i]):
        missing -= room.gpu_milli[i, d] >= shapes.gpu_milli[s]
    return missing <= 0


@bare
def take(nodes: Nodes, shapes: Shapes, room: Room, s: int, i: int, device: int) -> int:
    """Start a task of shape s, which fits, on node i; the bits of the GPUs it has.

    device: the GPU of a task that shares one; -1 = the first ones with enough free.
    """
    room.cpu_milli[i] -= shapes.cpu_milli[s]
    room.memory_mib[i] -= shapes.memory_mib[s]
    missing, devices = shapes.gpus[s], 0
    for d in range(nodes.gpus[i]):
        is_taken = device in (d, -1) and room.gpu_milli[i, d] >= shapes.gpu_milli[s]
        if missing > 0 and is_taken:
            room.gpu_milli[i, d] -= shapes.gpu_milli[s]
            devices |= 1 << d
            missing -= 1
    measure(nodes, shapes, room, i)
    return devices


@bare
def give(nodes: Nodes, shapes: Shapes, room: Room, s: int, i: int, devices: int) -> None:
    """End a task of shape s that runs on node i with these bits of GPUs."""
    room.cpu_milli[i] += shapes.cpu_milli[s]
    room.memory_mib[i] += shapes.memory_mib[s]
    for d in range(nodes.gpus[i]):
        if devices & (1 << d):
            room.gpu_milli[i, d] += shapes.gpu_milli[s]
    measure(nodes, shapes, room, i)


@bare
def measure(nodes: Nodes, shapes: Shapes, room: Room, i: int) -> None:
    """Set the fragmentation of node i as it is now."""
    if nodes.gpus[i] > 0:
        weigh_kinds(nodes, shapes, room, i, room.cpu_milli[i], room.memory_mib[i])
        room.lost[i] = lost_on(nodes, shapes, room, i)


@bare
def weigh_kinds(
    nodes: Nodes, shapes: Shapes, room: Room, i: int, cpu_milli: int, memory_mib: int
) -> None:
    """Set room.weight for node i if that much CPU and memory were free on it."""
    for k in range(len(room.weight)):
        room.weight[k] = 0.0
    for s in range(len(shapes.share)):
        if (
            shapes.kind[s] >= 0
            and shapes.cpu_milli[s] <= cpu_milli
            and shapes.memory_mib[s] <= memory_mib
            and (shapes.models[s] == 0 or shapes.models[s] & nodes.model[i] != 0)
        ):
            room.weight[shapes.kind[s]] += shapes.share[s]


@bare
def lost_on(nodes: Nodes, shapes: Shapes, room: Room, i: int) -> float:
    """Fragmentation of node i in thousandths, with its free GPUs and what is in room.weight.

    All that is free is lost to a task that cannot run; else what lies on GPUs that have too little.
    """
    total = 0
    for d in range(nodes.gpus[i]):
        total += room.gpu_milli[i, d]
    lost = float(total)
    for k in range(len(room.weight)):
        if room.weight[k] > 0.0:
            enough, used = 0, 0
            for d in range(nodes.gpus[i]):
                if room.gpu_milli[i, d] >= shapes.kind_milli[k]:
                    enough += 1
                    used += room.gpu_milli[i, d]
            if enough >= shapes.kind_gpus[k]:
                lost -= room.weight[k] * used
    return lost


@bare
def points(growth: float) -> float:
    """The score of a node whose fragmentation would grow by so many thousandths: 0..100, whole.

    Source: the authors' simulator (hkust-adsl/kubernetes-scheduler-simulator), which rounds down.
    Nodes that are nearly as good are thus equal, and the first of them is filled first.
    """
    return float(math.floor(100.0 / (1.0 + math.exp(growth / WHOLE))))
