"""A queue whose oldest is late takes no more; what is kept together wakes the loop once."""

import asyncio
import json
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from headway.errors import StoreError
from headway.serve.waits import ANSWERED, CALM_S, STANDING_S, Kept, UnderWay

pytest.importorskip("msgspec")


class Clock:
    """Seconds that pass when told to."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def a_queue(*ages_s, few=3):
    """A clock, and answers that have been under way for so long."""
    clock = Clock()
    under_way = UnderWay(few=few, late_s=0.025, clock=clock)
    for before_s, age_s in zip((ages_s[0], *ages_s), ages_s, strict=False):
        clock.now_s += before_s - age_s
        under_way.begin()
    clock.now_s += ages_s[-1]
    return clock, under_way


def again(clock, under_way, ages_s, answered=ANSWERED):
    """The same queue of others, as long after as a burst may last; so many were answered."""
    while len(under_way):
        under_way.end(next(iter(under_way._since_s)))
    for _ in range(answered - len(ages_s)):
        under_way.end(under_way.begin())
    clock.now_s += 1.01 * STANDING_S
    for age_s in ages_s:
        under_way._since_s[under_way.begin()] = clock.now_s - age_s
    return under_way.is_late(clock.now_s, len(ages_s))


def late(*ages_s, answered=ANSWERED):
    """Whether one more is late in a queue when it is first seen, and again."""
    clock, under_way = a_queue(*ages_s)
    first = under_way.is_late(clock.now_s, len(ages_s))
    return first, again(clock, under_way, ages_s, answered)


def test_many_answers_of_which_the_oldest_is_late_are_a_queue_once_they_stand():
    assert late(0.03, 0.01, 0.0) == (False, True)
    assert late(0.02, 0.01, 0.0) == (False, False)


def test_few_answers_that_are_late_are_no_queue():
    assert late(9.0, 8.0) == (False, False)


def test_where_hardly_anything_is_answered_something_stalls_and_nobody_is_refused():
    assert late(0.03, 0.01, 0.0, answered=ANSWERED - 1) == (False, False)


def test_a_burst_after_a_stall_is_no_queue_that_stands():
    ages_s = (0.2, 0.1, 0.0)
    clock, under_way = a_queue(*ages_s)
    assert not under_way.is_late(clock.now_s, 3)
    clock.now_s += CALM_S  # and then another one
    assert not again(clock, under_way, ages_s)
    assert again(clock, under_way, ages_s)


def test_one_that_came_late_is_in_a_queue_only_among_many():
    clock, under_way = a_queue(0.03, 0.01, 0.0)
    assert not under_way.is_late(0.0, 3)  # a burst, so far
    assert again(clock, under_way, (0.0,) * 2) is False
    assert [under_way.is_late(0.0, n) for n in (1, 3)] == [False, True]
    assert not under_way.is_late(clock.now_s - 0.02, 3)


def test_what_was_answered_is_waited_for_no_more():
    ages_s = (0.03, 0.01, 0.0)
    clock, under_way = a_queue(*ages_s)
    assert not under_way.is_late(clock.now_s, 3)
    assert again(clock, under_way, ages_s)
    under_way.end(next(iter(under_way._since_s)))
    under_way.begin()
    assert (under_way.is_late(clock.now_s, 3), len(under_way)) == (False, 3)


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


class Waiting:
    """A client whose answers are never kept until they fail."""

    def __init__(self):
        self.kept = []

    def decide(self, task, idempotency_key):
        self.kept.append(Future())
        return None, self.kept[-1]


def test_who_comes_to_a_queue_that_is_late_is_told_to_come_again():
    pytest.importorskip("granian")
    from headway.serve.http import Server

    async def live(client):
        server, asked = Server(client, None, None, None), [Asked() for _ in range(18)]
        server._answered = UnderWay(few=16, late_s=0.5)
        tasks = [asyncio.create_task(server.__rsgi__(one.scope, one)) for one in asked[:16]]
        await asyncio.sleep(0.6)
        tasks.append(asyncio.create_task(server.__rsgi__(asked[16].scope, asked[16])))
        await asyncio.sleep(2 * STANDING_S)
        for _ in range(ANSWERED):
            server._answered.end(server._answered.begin())
        tasks.append(asyncio.create_task(server.__rsgi__(asked[17].scope, asked[17])))
        await asyncio.wait_for(tasks[-1], 10.0)
        for kept in client.kept:
            kept.set_exception(StoreError("none"))
        await asyncio.gather(*tasks)
        return [one.status for one in asked], asked[-1].headers

    status, headers = asyncio.run(live(Waiting()))
    assert status == [503] * 17 + [429]
    assert headers["retry-after"] == "1"
