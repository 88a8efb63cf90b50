"""When the event loop waits for work, and what is waited for in it.

A queue that grows makes every answer late and none more frequent. A loop that hardly ever waits has
such a queue: then some are told at once to come again, and the others are answered in time.
"""

from __future__ import annotations

import selectors
from asyncio import get_running_loop
from collections import deque
from time import monotonic, thread_time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from concurrent.futures import Future

BUSIEST: Final = 0.9  # share of the time that a loop may work in the long run
BURST_S: Final = 0.15  # of work without a pause that is put up with


class Leisure:
    """Seconds that the loop may work without a pause: earned by waiting, spent by working.

    Where it has none left, nothing more should be begun. A burst, or what a stalled processor left
    to do, is worked off; only the processor's time in this thread is work. Belongs to the loop's
    thread. Ours, after token buckets.
    """

    def __init__(
        self,
        busiest: float = BUSIEST,
        burst_s: float = BURST_S,
        clock: Callable[[], float] = monotonic,
        worked: Callable[[], float] = thread_time,
    ) -> None:
        """busiest: share of the time that may be worked; burst_s: the most that can be earned."""
        self._worth = busiest / (1.0 - busiest)  # of a second's wait, in seconds of work
        self._most_s, self._clock, self._worked = burst_s, clock, worked
        self._left_s, self._since_s = burst_s, worked()  # left when the last wait had ended

    @property
    def is_spent(self) -> bool:
        """Whether the loop has worked for too long."""
        return self._left_s - (self._worked() - self._since_s) <= 0.0

    def wait(self, waited: Callable[[], Any]) -> Any:
        """What a call that waits for work says; counted as a pause."""
        began_s = self._clock()
        left_s = max(self._left_s - (self._worked() - self._since_s), 0.0)
        try:
            return waited()
        finally:
            waited_s = self._clock() - began_s
            self._left_s = min(left_s + self._worth * waited_s, self._most_s)
            self._since_s = self._worked()


class Watched:
    """The selector of an event loop, whose waits are counted."""

    def __init__(self, leisure: Leisure) -> None:
        """Count into leisure."""
        self._leisure, self._selector = leisure, selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> Any:
        """As a selector's; one that need not wait is no pause."""
        if timeout is not None and timeout <= 0.0:
            return self._selector.select(timeout)
        return self._leisure.wait(lambda: self._selector.select(timeout))

    def __getattr__(self, name: str) -> Any:
        """All else is the selector's own."""
        return getattr(self._selector, name)


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
