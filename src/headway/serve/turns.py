"""What one turn of the event loop may hold: answers that are made in it, and those that are kept.

A queue that grows makes every answer late and none more frequent. The loop works off what came in
turns; a turn that has worked for long enough makes no more answers, so that all wait for short
turns only, whoever is told to come again included.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

MOST_S: Final = 0.010  # of work in a turn; an answer takes up to four of them
BURST_S: Final = 0.1  # for which turns may be full before anybody is refused
IDLE_S: Final = 0.005  # without work after which a turn has begun with nothing left over


class Turn:
    """The seconds worked in this turn of the running loop; belongs to its thread.

    A burst, or what a stalled processor left, is worked off: turns must have been full for a while,
    as in Nichols, Jacobson (2012), CoDel.
    """

    def __init__(
        self,
        most_s: float = MOST_S,
        burst_s: float = BURST_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """most_s: from where on nothing more should be begun in a turn of many full ones."""
        self._most_s, self._burst_s, self._clock = most_s, burst_s, clock
        self._worked_s, self._is_on = 0.0, False
        self._ended_s = self._eased_s = -math.inf  # of the last turn, of the last that was not full

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be begun until the next turn."""
        is_worked = self._worked_s >= self._most_s
        return is_worked and self._clock() - self._eased_s >= self._burst_s

    def spend(self, took_s: float) -> None:
        """Count seconds that were worked until now."""
        if not self._is_on:  # what is called soon comes in the next turn
            self._is_on = True
            asyncio.get_running_loop().call_soon(self._end)
            began_s = self._clock() - took_s
            if began_s - self._ended_s > IDLE_S:
                self._eased_s = began_s
        self._worked_s += took_s

    def _end(self) -> None:
        self._ended_s = self._clock()
        if self._worked_s < self._most_s:
            self._eased_s = self._ended_s
        self._worked_s, self._is_on = 0.0, False


class Kept:
    """Waits for futures of another thread; those done together wake the loop once."""

    def __init__(self) -> None:
        """None is waited for."""
        self._done: deque[asyncio.Future[None]] = deque()

    async def wait(self, kept: Future[None]) -> None:
        """Return when it is done; what it raised is raised."""
        if not kept.done():
            loop = asyncio.get_running_loop()
            here: asyncio.Future[None] = loop.create_future()

            def tell(_: Future[None]) -> None:
                self._done.append(here)
                if len(self._done) == 1:  # else the loop is awake or will be
                    loop.call_soon_threadsafe(self._take)

            kept.add_done_callback(tell)
            await here
        kept.result()

    def _take(self) -> None:
        while self._done:
            here = self._done.popleft()
            if not here.done():
                here.set_result(None)
