"""What is waited for in the event loop: answers that are under way, records that are to be kept.

A queue that grows makes every answer late and none more frequent. Where many are under way and the
oldest of them is late, who comes is told at once to come again, and the others are answered soon;
but not in a stall or after it: it leaves a queue that is gone in a moment.
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections import deque
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from concurrent.futures import Future

FEW: Final = 16  # answers under way that nobody is refused for
LATE_S: Final = 0.015  # from when on one is late; it takes about as long again
STANDING_S: Final = 0.05  # a queue that was seen again after this is no burst: it stands,
ANSWERED: Final = 32  # if so many were answered meanwhile: else the disk or the machine does
CALM_S: Final = 0.2  # without a queue, after which the next one may be a burst again


class UnderWay:
    """The answers that are under way, oldest first; belongs to the loop's thread.

    Few that are late wait for a disk or a processor that stalled; many are a queue.

    Source: Nichols, Jacobson (2012), controlled delay: a bad queue is one that stands.
    """

    def __init__(
        self, few: int = FEW, late_s: float = LATE_S, clock: Callable[[], float] = monotonic
    ) -> None:
        """few: that nobody is refused for; late_s: the age at which one is late."""
        self._few, self._late_s, self._clock = few, late_s, clock
        self._since_s: dict[int, float] = {}
        self._next = 0
        self._begun_s = self._seen_s = -inf  # when the queue was first and last seen
        self._ended = self._ended_before = 0  # answers in all, and when it was first seen

    def __len__(self) -> int:
        return len(self._since_s)

    def is_late(self, came_s: float, requests: int) -> bool:
        """Whether one of so many that came at a moment of the clock is in a queue that stands.

        Its own body is counted as late only among many: it may be sent slowly.
        """
        now_s = self._clock()
        if not self._is_queue(now_s, came_s, requests):
            return False
        if now_s - self._seen_s > CALM_S:
            self._begun_s, self._ended_before = now_s, self._ended
        self._seen_s = now_s
        is_moving = self._ended - self._ended_before >= ANSWERED
        return is_moving and now_s - self._begun_s >= STANDING_S

    def _is_queue(self, now_s: float, came_s: float, requests: int) -> bool:
        if requests >= self._few and now_s - came_s >= self._late_s:
            return True
        if len(self._since_s) < self._few:
            return False
        return now_s - next(iter(self._since_s.values())) >= self._late_s

    def begin(self) -> int:
        """One more, and the number to `end` it by."""
        self._next += 1
        self._since_s[self._next] = self._clock()
        return self._next

    def end(self, number: int) -> None:
        """One was answered or refused."""
        del self._since_s[number]
        self._ended += 1


class Kept:
    """Waits for futures of another thread; those done together wake the loop once."""

    def __init__(self) -> None:
        """None is waited for."""
        self._done: deque[asyncio.Future[None]] = deque()

    async def wait(self, kept: Future[None]) -> None:
        """Return when it is done; what it raised is raised."""
        if not kept.done():
            loop = get_running_loop()
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
