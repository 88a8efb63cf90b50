"""EASY backfilling: the reservation of the first task that waits, and who may go before it.

Compiled functions on plain arrays, called by the simulator's kernel at every event.
Source: Mu'alem, Feitelson (2001), "Utilization, predictability, workloads, and user runtime
estimates in scheduling the IBM SP2 with backfilling".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

BLOCK = 16


@njit(cache=True)
def reservation(
    end_s: Floats, procs: Ints, running: int, free: int, needed: int, now_s: float
) -> tuple[float, int]:
    """When `needed` processors will be free by estimate, and how many are spare then.

    end_s (running,) increasing; no end is believed to be earlier than now_s + 1.
    """
    at_s = now_s + 1.0
    i = 0
    while i < running and (free < needed or end_s[i] <= at_s):
        free += procs[i]
        at_s = max(at_s, end_s[i])
        i += 1
    return at_s, free - needed


@njit(cache=True)
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


@njit(cache=True)
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
