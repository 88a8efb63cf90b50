"""Which node each of some tasks goes to: the one where least is left over.

Source: best fit over several resources, as of Hadary et al. (2020), "Protean". Here what is left is
summed as shares of the largest free amount of each resource. Fragmentation of shared GPUs is
schedule.packing's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta, Struct

from headway.serve.bodies import Amount, Bytes, TaskBody, Word

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NodeBody(Struct, forbid_unknown_fields=True):
    """What is free on a node; null = not limited."""

    name: Word
    free_cpus: Amount | None = None
    free_memory_bytes: Bytes | None = None
    free_gpus: Amount | None = None


class PlaceBody(Struct, forbid_unknown_fields=True):
    """POST /v1/place: tasks, the first one first, and nodes."""

    tasks: Annotated[list[TaskBody], Meta(max_length=1000)]
    nodes: Annotated[list[NodeBody], Meta(max_length=1000)]


def place(body: PlaceBody) -> list[dict[str, Any]]:
    """For each task its node, None where it fits on none, and why then.

    Needs that are not said are none: size a task first. Ties go to the first node.
    """
    free = np.array([_room(node) for node in body.nodes]).reshape(len(body.nodes), 3)
    limited = np.where(np.isfinite(free), free, 0.0)
    largest = np.maximum(limited.max(axis=0, initial=0.0), 1e-9)
    said = []
    for task in body.tasks:
        need = np.array([task.cpus_requested or 0.0, task.memory_requested_bytes or 0,
                         task.gpus or 0.0])  # fmt: skip
        fits = (free >= need).all(axis=1)
        if not fits.any():
            said.append({"id": task.id, "node": None, "refused": _why(free, need)})
            continue
        left = np.where(np.isfinite(free), free - need, 0.0) / largest
        at = int(np.argmin(np.where(fits, left.sum(axis=1), np.inf)))
        free[at] -= need
        said.append({"id": task.id, "node": body.nodes[at].name, "refused": ""})
    return said


def _room(node: NodeBody) -> list[float]:
    room = (node.free_cpus, node.free_memory_bytes, node.free_gpus)
    return [np.inf if amount is None else amount for amount in room]


def _why(free: NDArray[np.float64], need: NDArray[np.float64]) -> str:
    if not len(free):
        return "there are no nodes"
    short = [
        name
        for name, column, wanted in zip(("cpus", "memory", "gpus"), free.T, need, strict=True)
        if (column < wanted).all()
    ]
    return f"no node has enough {' and '.join(short)}" if short else "no node has enough of all"
