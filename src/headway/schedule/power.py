"""Which processors of a machine are powered while it works through a schedule.

Work is packed: the processors that are busy are always the first ones, so that the last ones rest
longest. A processor that has been idle for SLEEP_AFTER_S is switched off, and boots for BOOT_S at
full power when it is needed again; the task does not wait for that. The constants are round figures
of servers of 16 to 64 processors, a processor's share each: what changes between two schedules is
how long idle stretches are and how often they are broken, whatever the constants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.schedule.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.signedinteger[Any]]

ACTIVE_W: Final = 10.0
IDLE_W: Final = 5.0
OFF_W: Final = 0.5
SLEEP_AFTER_S: Final = 600.0
BOOT_S: Final = 120.0
PRICE_HOUR: Final = 0.05  # of a processor that is powered, in any currency


class Power(NamedTuple):
    """Processor-seconds of a schedule by what was done with them, and how often one booted."""

    busy_s: float
    idle_s: float  # powered
    boots: int

    def watt_s(self, whole_s: float) -> float:
        """Energy in all, if the machine was there for so many processor-seconds."""
        off_s = max(whole_s - self.busy_s - self.idle_s, 0.0)
        booting = ACTIVE_W * BOOT_S * self.boots
        return ACTIVE_W * self.busy_s + IDLE_W * self.idle_s + OFF_W * off_s + booting

    def price(self) -> float:
        """What the powered time costs, booting included."""
        return PRICE_HOUR * (self.busy_s + self.idle_s + BOOT_S * self.boots) / 3600.0


def power_of(start_s: Floats, runtime_s: Floats, procs: Ints) -> Power:
    """How tasks that start at start_s (n,) keep processors powered.

    >>> power_of(np.array([0.0, 1000.0]), np.array([100.0, 100.0]), np.array([2, 1]))
    Power(busy_s=300.0, idle_s=1800.0, boots=3)
    """
    at_s = np.concatenate([start_s, start_s + runtime_s])
    change = np.concatenate([procs, -procs]).astype(np.int64)
    order = np.lexsort((change, at_s))  # ends before starts of the same moment
    idle_s, boots = _rests(at_s[order], change[order])
    return Power(float(np.dot(runtime_s, procs)), float(idle_s), int(boots))


@compiled
def _rests(at_s: Floats, change: Ints) -> tuple[float, int]:
    """Powered idle processor-seconds and boots, of changes (m,) of the number of busy ones.

    The processors that come to rest last are the first to work again: a stack.
    """
    since_s, procs = np.empty(len(at_s)), np.empty(len(at_s), np.int64)
    size, idle_s, boots = 0, 0.0, 0
    for i in range(len(at_s)):
        if change[i] < 0:
            since_s[size], procs[size] = at_s[i], -change[i]
            size += 1
        needed = max(change[i], 0)
        while needed > 0 and size > 0:
            taken = min(needed, procs[size - 1])
            rested_s = at_s[i] - since_s[size - 1]
            idle_s += taken * min(rested_s, SLEEP_AFTER_S)
            if rested_s > SLEEP_AFTER_S:
                boots += taken
            procs[size - 1] -= taken
            needed -= taken
            if procs[size - 1] == 0:
                size -= 1
        boots += needed  # for the first time
    for i in range(size):
        idle_s += procs[i] * SLEEP_AFTER_S
    return idle_s, boots
