"""A loop that hardly ever waits is too busy; what is kept together wakes it once."""

import asyncio
import json
import time
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from headway.errors import StoreError
from headway.serve.waits import Kept, Leisure, Watched

pytest.importorskip("msgspec")


class Clock:
    """Seconds that pass when told to."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s

    def pass_(self, seconds):
        self.now_s += seconds


def spent_after(parts):
    """Whether leisure is spent after each of (worked s, waited s)."""
    clock = Clock()
    leisure, said = Leisure(busiest=0.9, burst_s=0.15, clock=clock, worked=clock), []
    for worked_s, waited_s in parts:
        clock.pass_(worked_s)
        said.append(leisure.is_spent)
        leisure.wait(lambda waited_s=waited_s: clock.pass_(waited_s))
    return said


def test_a_loop_that_works_without_a_pause_has_no_leisure_after_a_while():
    assert spent_after([(0.05, 0.0)] * 4) == [False, False, True, True]


def test_a_burst_is_worked_off():
    assert not any(spent_after([(0.14, 0.1)] * 10))


def test_who_pauses_a_tenth_of_the_time_has_leisure_for_ever():
    assert not any(spent_after([(0.0089, 0.0011)] * 1000))
    assert any(spent_after([(0.0095, 0.0005)] * 1000))


def test_the_waits_of_a_loop_are_counted():
    leisure = Leisure(burst_s=0.05)

    async def live():
        end_s = time.thread_time() + 0.08
        while time.thread_time() < end_s:
            await asyncio.sleep(0)  # turns that do not wait
        worked = leisure.is_spent
        await asyncio.sleep(0.05)
        return worked, leisure.is_spent

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Watched(leisure))) as runner:
        assert runner.run(live()) == (True, False)


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
    """A client that works 20 ms for an answer that is not to be had."""

    def decide(self, task, idempotency_key):
        end_s = time.thread_time() + 0.02
        while time.thread_time() < end_s:
            pass
        kept = Future()
        kept.set_exception(StoreError("none"))
        return None, kept


def test_where_there_is_no_leisure_who_comes_is_told_to_come_again():
    pytest.importorskip("granian")
    from headway.serve.http import Server

    async def live(server):
        asked = [Asked() for _ in range(3)]
        await asyncio.gather(*(server.__rsgi__(one.scope, one) for one in asked))
        return [one.status for one in asked], asked[1].headers

    server = Server(Slow(), None, None, None, leisure=Leisure(burst_s=0.01))
    status, headers = asyncio.run(live(server))
    assert status == [503, 429, 429]
    assert headers["retry-after"] == "1"
