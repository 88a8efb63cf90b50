"""EASY backfilling: the reservation of the first task that waits, and who may go before it.

Compiled functions on plain arrays, called by the simulator's kernel at every event.
Source: Mu'alem, Feitelson (2001), "Utilization, predictability, workloads, and user runtime
estimates in scheduling the IBM SP2 with backfilling".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headway.schedule.compiled import bare

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.signedinteger[Any]]

BLOCK = 16


@bare
def reservation(
    end_s: Floats, procs: Ints, running: int, free: int, needed: int, now_s: float
) -> tuple[float, int, bool]:
    """When `needed` processors will be free by estimate, how many are spare, and if that is sure.

    end_s (running,) increasing; no end is believed to be earlier than now_s + 1. Ends are counted
    one by one until there are enough. It is not sure if several tasks end at that moment: then
    their order decides what is spare (see spare_at).
    """
    at_s = now_s + 1.0
    i = 0
    while i < running and free < needed:
        free += procs[i]
        at_s = max(at_s, end_s[i])
        i += 1
    is_sure = (i < 2 or max(end_s[i - 2], now_s + 1.0) < at_s) and (i == running or end_s[i] > at_s)
    return at_s, free - needed, is_sure


@bare
def spare_at(
    at_s: float, end_s: Floats, procs: Ints, running: int, free: int, needed: int, now_s: float
) -> int:
    """How many processors are spare at a reservation, ends of that moment counted as they stand.

    end_s (running,) in any order, which decides among ends of the same moment.
    """
    for i in range(running):
        if max(end_s[i], now_s + 1.0) < at_s:
            free += procs[i]
    i = 0
    while i < running and free < needed:
        if max(end_s[i], now_s + 1.0) == at_s:
            free += procs[i]
        i += 1
    return free - needed


@bare
def next_narrow(procs: Ints, first: int, last: int, free: int) -> int:
    """The first i in [first, last) with procs[i] <= free, or last."""
    i = first
    while i + BLOCK <= last:
        narrow = 0
        for k in range(i, i + BLOCK):
            narrow += procs[k] <= free
        if narrow > 0:
            break
        i += BLOCK
    while i < last and procs[i] > free:
        i += 1
    return i


@bare
def next_backfill(
    procs: Ints, reserve_s: Floats, first: int, last: int, free: int, spare: int, window_s: float
) -> int:
    """The first i in [first, last) that may start now without delaying the reservation, or last.

    It must fit in `free`, and end by its estimate within window_s or fit in `spare`.
    """
    i = first
    while i + BLOCK <= last:
        found = 0
        for k in range(i, i + BLOCK):
            found += (procs[k] <= free) & ((reserve_s[k] <= window_s) | (procs[k] <= spare))
        if found > 0:
            break
        i += BLOCK
    while i < last:
        if procs[i] <= free and (reserve_s[i] <= window_s or procs[i] <= spare):
            break
        i += 1
    return i
