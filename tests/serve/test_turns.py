"""A turn of the event loop holds so much work and no more; what is kept wakes it once."""

import asyncio
import json
import time
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from headway.errors import StoreError
from headway.serve.turns import Kept, Turn

pytest.importorskip("msgspec")


def test_a_turn_is_full_when_enough_was_worked_in_it_and_the_next_is_not():
    async def live():
        turn = Turn(most_s=0.010)
        turn.spend(0.006)
        first = turn.is_full
        turn.spend(0.005)
        second = turn.is_full
        await asyncio.sleep(0)
        return first, second, turn.is_full

    assert asyncio.run(live()) == (False, True, False)


def test_many_that_are_kept_together_wake_the_loop_once():
    async def live():
        loop, kept = asyncio.get_running_loop(), Kept()
        futures = [Future() for _ in range(100)]
        waiting = [asyncio.create_task(kept.wait(one)) for one in futures]
        await asyncio.sleep(0)
        woken, call = [], loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *what: woken.append(what) or call(*what)
        for one in futures:
            one.set_result(None)
        await asyncio.gather(*waiting)
        return len(woken)

    assert asyncio.run(live()) == 1


def test_what_could_not_be_kept_is_raised_to_who_waits_for_it():
    async def live():
        failed, kept = Future(), Kept()
        waiting = asyncio.create_task(kept.wait(failed))
        await asyncio.sleep(0)
        failed.set_exception(StoreError("the disk is full"))
        await waiting

    with pytest.raises(StoreError, match="full"):
        asyncio.run(live())


class Asked:
    """A request and what was answered to it, in the form of the HTTP library."""

    def __init__(self):
        self.scope = SimpleNamespace(
            proto="http",
            path="/v1/size",
            method="POST",
            headers={"content-type": "application/json"},
        )

    async def __aiter__(self):
        yield json.dumps({"task": {}}).encode()

    def response_bytes(self, status, headers, body):
        self.status, self.headers = status, dict(headers)


class Slow:
    """A client that takes 20 ms for an answer that is not to be had."""

    def decide(self, task, idempotency_key):
        time.sleep(0.02)
        kept = Future()
        kept.set_exception(StoreError("none"))
        return None, kept


def test_what_comes_while_a_turn_is_full_is_told_to_come_again():
    pytest.importorskip("granian")
    from headway.serve.http import Server

    async def live():
        server, asked = Server(Slow(), None, None), [Asked() for _ in range(3)]
        await asyncio.gather(*(server.__rsgi__(one.scope, one) for one in asked))
        later = Asked()
        await server.__rsgi__(later.scope, later)
        return [one.status for one in (*asked, later)], asked[1].headers

    status, headers = asyncio.run(live())
    assert status == [503, 429, 429, 503]
    assert headers["retry-after"] == "1"
