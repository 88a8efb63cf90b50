"""What one turn of the event loop may hold: answers that are made in it, and those that are kept.

A queue that grows makes every answer late and none more frequent. The loop works off what came in
turns; a turn that has worked for long enough makes no more answers, so that all wait for short
turns only, whoever is told to come again included.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from concurrent.futures import Future

MOST_S: Final = 0.010  # of work in a turn; an answer takes up to four of them


class Turn:
    """The seconds worked in this turn of the running loop; belongs to its thread."""

    def __init__(self, most_s: float = MOST_S) -> None:
        """most_s: from where on nothing more should be begun in a turn."""
        self._most_s, self._worked_s, self._is_on = most_s, 0.0, False

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be begun until the next turn."""
        return self._worked_s >= self._most_s

    def spend(self, took_s: float) -> None:
        """Count seconds that were worked."""
        if not self._is_on:  # what is called soon comes in the next turn
            self._is_on = True
            asyncio.get_running_loop().call_soon(self._end)
        self._worked_s += took_s

    def _end(self) -> None:
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
