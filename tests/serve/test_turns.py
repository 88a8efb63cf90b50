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


def full_after(turns):
    """Whether a turn is full after each share of its work, for turns of (begins at, shares)."""

    async def live():
        now = [0.0]
        turn, said = Turn(most_s=0.010, burst_s=0.1, clock=lambda: now[0]), []
        for begins_s, shares in turns:
            now[0] = begins_s
            for share_s in shares:
                now[0] += share_s
                turn.spend(share_s)
                said.append(turn.is_full)
            await asyncio.sleep(0)
        return said

    return asyncio.run(live())


def test_a_turn_is_full_when_enough_was_worked_in_it_after_many_full_ones():
    many = [(k * 0.0121, [0.012]) for k in range(9)]
    assert full_after([*many, (9 * 0.0121, [0.006, 0.006]), (0.125, [0.006])]) == [
        *[False] * 8, True, False, True, False,
    ]  # fmt: skip


def test_a_burst_is_worked_off():
    assert not any(full_after([(k * 0.0121, [0.012]) for k in range(8)]))
    assert full_after([(0.0, [0.05]), (0.051, [0.03]), (1.0, [0.09])]) == [False] * 3


def test_turns_that_were_not_full_end_the_waiting():
    turns = [(k * 0.0121, [0.012 if k != 5 else 0.002]) for k in range(13)]
    assert not any(full_after(turns))


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
        server._turn = Turn(most_s=0.010, burst_s=0.0)
        await asyncio.gather(*(server.__rsgi__(one.scope, one) for one in asked))
        later = Asked()
        await server.__rsgi__(later.scope, later)
        return [one.status for one in (*asked, later)], asked[1].headers

    status, headers = asyncio.run(live())
    assert status == [503, 429, 429, 503]
    assert headers["retry-after"] == "1"
