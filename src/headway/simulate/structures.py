"""The compiled structures of the simulator: tasks, a heap, a sorted queue and what runs.

Each is a tuple of arrays made once; `size` (or `bounds`) is an array so that it can be changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headway.schedule.compiled import bare, compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Jobs(NamedTuple):
    """What the kernel reads of n tasks in order of arrival, (n,) each."""

    submit_s: Floats
    runtime_s: Floats
    procs: NDArray[np.int64]
    order_s: Floats  # estimate by which a dynamic rule orders
    reserve_s: Floats  # estimate by which room is reserved
    backfill_s: Floats  # estimate by which it may go before the reservation
    limit_s: Floats  # to which an outlived estimate may grow
    key: Floats  # of a static order


class Heap(NamedTuple):
    """Tasks with the smallest key on top, ties by task."""

    key: Floats  # (capacity,)
    task: NDArray[np.int64]  # (capacity,)
    size: NDArray[np.int64]  # (1,)


class Queue(NamedTuple):
    """Waiting tasks sorted by key, ties by arrival, in [bounds[0], bounds[1])."""

    key: Floats  # (capacity,)
    task: NDArray[np.int64]
    procs: NDArray[np.int32]
    backfill_s: Floats
    bounds: NDArray[np.int64]  # (2,)


class Running(NamedTuple):
    """Running tasks sorted by the end that is believed, and as they stand in their slots.

    A task takes the next slot; the last one moves into a slot that is left.
    """

    end_s: Floats  # (capacity,) sorted
    procs: NDArray[np.int64]  # (capacity,) in that order
    task: NDArray[np.int64]
    slot_end_s: Floats  # (capacity,) by slot
    slot_procs: NDArray[np.int64]
    slot_task: NDArray[np.int64]
    slot: NDArray[np.int64]  # (n,) of each task
    size: NDArray[np.int64]  # (1,)


@compiled
def heap_of(capacity: int) -> Heap:
    """An empty heap."""
    return Heap(np.empty(capacity), np.empty(capacity, np.int64), np.zeros(1, np.int64))


@compiled
def queue_of(capacity: int) -> Queue:
    """An empty queue into which at most `capacity` tasks will ever be put."""
    return Queue(
        np.empty(capacity), np.empty(capacity, np.int64), np.empty(capacity, np.int32),
        np.empty(capacity), np.zeros(2, np.int64),
    )  # fmt: skip


@compiled
def running_of(capacity: int, n: int) -> Running:
    """No running tasks, with room for `capacity` of n."""
    return Running(
        np.empty(capacity),
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
        np.empty(capacity),
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
        np.empty(n, np.int64),
        np.zeros(1, np.int64),
    )


@bare
def push(heap: Heap, key: float, task: int) -> None:
    """Put a task into the heap."""
    i = heap.size[0]
    heap.size[0] = i + 1
    while i > 0:
        above = (i - 1) >> 1
        if heap.key[above] < key or (heap.key[above] == key and heap.task[above] < task):
            break
        heap.key[i] = heap.key[above]
        heap.task[i] = heap.task[above]
        i = above
    heap.key[i] = key
    heap.task[i] = task


@bare
def pop(heap: Heap) -> int:
    """Take the task with the smallest key out of a heap that is not empty."""
    top = heap.task[0]
    size = heap.size[0] - 1
    heap.size[0] = size
    key, task = heap.key[size], heap.task[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (
            heap.key[right] < heap.key[child]
            or (heap.key[right] == heap.key[child] and heap.task[right] < heap.task[child])
        ):
            child = right
        if key < heap.key[child] or (key == heap.key[child] and task < heap.task[child]):
            break
        heap.key[i] = heap.key[child]
        heap.task[i] = heap.task[child]
        i = child
    heap.key[i] = key
    heap.task[i] = task
    return top


@bare
def first_at_least(key: Floats, first: int, last: int, sought: float) -> int:
    """The first i in [first, last) of a sorted array with key[i] >= sought, or last."""
    while first < last:
        middle = (first + last) >> 1
        if key[middle] < sought:
            first = middle + 1
        else:
            last = middle
    return first


@bare
def first_above(key: Floats, first: int, last: int, sought: float) -> int:
    """The first i in [first, last) of a sorted array with key[i] > sought, or last."""
    while first < last:
        middle = (first + last) >> 1
        if key[middle] <= sought:
            first = middle + 1
        else:
            last = middle
    return first


@bare
def enqueue(queue: Queue, key: float, task: int, procs: int, backfill_s: float) -> int:
    """Put a task behind all of the same key; its place."""
    first, last = queue.bounds
    place = last
    if last > first and queue.key[last - 1] > key:
        place = first_above(queue.key, first, last, key)
        for i in range(last, place, -1):
            queue.key[i] = queue.key[i - 1]
            queue.task[i] = queue.task[i - 1]
            queue.procs[i] = queue.procs[i - 1]
            queue.backfill_s[i] = queue.backfill_s[i - 1]
    queue.key[place] = key
    queue.task[place] = task
    queue.procs[place] = procs
    queue.backfill_s[place] = backfill_s
    queue.bounds[1] = last + 1
    return place


@bare
def place_of(queue: Queue, key: float, task: int) -> int:
    """Where a waiting task of that key stands."""
    place = first_at_least(queue.key, queue.bounds[0], queue.bounds[1], key)
    while queue.task[place] != task:
        place += 1
    return place


@bare
def dequeue(queue: Queue, place: int) -> None:
    """Take the task at a place out."""
    first, last = queue.bounds
    if place == first:
        queue.bounds[0] = first + 1
        return
    for i in range(place, last - 1):
        queue.key[i] = queue.key[i + 1]
        queue.task[i] = queue.task[i + 1]
        queue.procs[i] = queue.procs[i + 1]
        queue.backfill_s[i] = queue.backfill_s[i + 1]
    queue.bounds[1] = last - 1


@compiled
def rekey(queue: Queue, is_changed: NDArray[np.bool_], keys: Floats) -> None:
    """Give the waiting tasks that are marked (by place from the first) other keys, in order.

    Those that keep their keys stand sorted already: the others are sorted and merged in.
    """
    first, last = queue.bounds
    task, procs = queue.task[first:last].copy(), queue.procs[first:last].copy()
    changed = np.flatnonzero(is_changed)
    changed = changed[np.argsort(task[changed])]
    changed = changed[np.argsort(keys[changed], kind="mergesort")]
    backfill_s = queue.backfill_s[first:last].copy()
    kept, moved = 0, 0
    for place in range(first, last):
        while kept < len(keys) and is_changed[kept]:
            kept += 1
        is_kept = moved == len(changed)
        if not is_kept and kept < len(keys):
            other = changed[moved]
            is_kept = keys[kept] < keys[other] or (
                keys[kept] == keys[other] and task[kept] < task[other]
            )
        if is_kept:
            i = kept
            kept += 1
        else:
            i = changed[moved]
            moved += 1
        queue.key[place], queue.task[place] = keys[i], task[i]
        queue.procs[place], queue.backfill_s[place] = procs[i], backfill_s[i]


@bare
def run(running: Running, end_s: float, task: int, procs: int) -> None:
    """Add a task that is believed to end at end_s."""
    size = running.size[0]
    running.size[0] = size + 1
    running.slot[task] = size
    running.slot_end_s[size] = end_s
    running.slot_procs[size] = procs
    running.slot_task[size] = task
    _insert(running, size, end_s, task, procs)


@bare
def release(running: Running, task: int) -> None:
    """Take out a task."""
    size = running.size[0] - 1
    running.size[0] = size
    slot = running.slot[task]
    _remove(running, size, running.slot_end_s[slot], task)
    running.slot_end_s[slot] = running.slot_end_s[size]
    running.slot_procs[slot] = running.slot_procs[size]
    running.slot_task[slot] = running.slot_task[size]
    running.slot[running.slot_task[size]] = slot


@bare
def release_ended(
    running: Running, start_s: Floats, runtime_s: Floats, now_s: float, ended: int
) -> None:
    """Take out the `ended` tasks that have ended by now, the one in the lowest slot first."""
    slot = 0
    while ended > 0:
        j = running.slot_task[slot]
        if start_s[j] + runtime_s[j] <= now_s:
            release(running, j)
            ended -= 1
        else:
            slot += 1


@bare
def believe(running: Running, task: int, end_s: float) -> None:
    """Change the end that is believed of a task."""
    slot, others = running.slot[task], running.size[0] - 1
    _remove(running, others, running.slot_end_s[slot], task)
    running.slot_end_s[slot] = end_s
    _insert(running, others, end_s, task, running.slot_procs[slot])


@bare
def _insert(running: Running, others: int, end_s: float, task: int, procs: int) -> None:
    place = first_above(running.end_s, 0, others, end_s)
    for i in range(others, place, -1):
        running.end_s[i] = running.end_s[i - 1]
        running.task[i] = running.task[i - 1]
        running.procs[i] = running.procs[i - 1]
    running.end_s[place] = end_s
    running.task[place] = task
    running.procs[place] = procs


@bare
def _remove(running: Running, others: int, end_s: float, task: int) -> None:
    place = first_at_least(running.end_s, 0, others + 1, end_s)
    while running.task[place] != task:
        place += 1
    for i in range(place, others):
        running.end_s[i] = running.end_s[i + 1]
        running.task[i] = running.task[i + 1]
        running.procs[i] = running.procs[i + 1]
