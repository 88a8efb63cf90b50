"""What the routes below /v1 answer, when all that must be kept is on the disk."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headway.errors import ConfigError, StoreError
from headway.serve.bodies import FeedbackBody, OrderBody, OutcomesBody, SizeBody
from headway.serve.placing import PlaceBody, place
from headway.serve.refused import Refused
from headway.serve.waits import Kept

if TYPE_CHECKING:
    from concurrent.futures import Future

    from headway.records import Task
    from headway.serve.advisor import Answer, Said
    from headway.serve.client import Client

BODIES: Final[dict[str, Any]] = {
    "/v1/size": SizeBody, "/v1/order": OrderBody, "/v1/outcomes": OutcomesBody,
    "/v1/feedback": FeedbackBody, "/v1/place": PlaceBody,
}  # fmt: skip
LONGEST_KEY: Final = 256  # characters of an idempotency key
_DECODE: Final = {path: msgspec.json.Decoder(kind).decode for path, kind in BODIES.items()}
_ENCODE: Final = msgspec.json.Encoder().encode


class Answering:
    """Answers from a client; belongs to the thread of its loop."""

    def __init__(self, client: Client) -> None:
        self._client, self._kept = client, Kept()

    async def answer(self, path: str, text: bytes, key: str) -> bytes:
        """The document of a route; Refused where the body is not what it takes.

        key: of idempotency; '' = none.
        """
        body, now_s = _decoded(path, text), time.time()
        if path == "/v1/size":
            if (body.task is None) == (body.tasks is None):
                raise Refused(400, "the body must have either task or tasks")
            if body.task is None:
                return await self._sized_all([one.record(now_s) for one in body.tasks], key)
            return await self._sized(body.task.record(now_s), key)
        if path == "/v1/place":
            return _ENCODE({"places": place(body)})
        if path == "/v1/order":
            return self._ordered([task.record(now_s) for task in body.tasks], body.rule)
        if path == "/v1/outcomes":
            kept = [self._client.outcome(one.record(now_s)) for one in body.outcomes]
        else:
            kept = [self._client.feedback(body.record(now_s))]
        for one in kept:
            await self.on_disk(one)
        return _ENCODE({"kept": len(kept)})

    def decide(self, task: Task, key: str) -> tuple[Answer, Future[None]]:
        """An answer to log, and when it is; Refused where the key is none or another task's."""
        if len(key) > LONGEST_KEY:
            raise Refused(400, f"an idempotency key has at most {LONGEST_KEY} characters")
        try:
            return self._client.decide(task, idempotency_key=key)
        except ConfigError as error:
            raise Refused(409, str(error)) from error

    async def on_disk(self, kept: Future[None]) -> None:
        """Wait until a record is on the disk."""
        try:
            await self._kept.wait(kept)
        except (StoreError, ConfigError) as error:
            raise Refused(503, f"nothing was kept: {error}") from error

    async def _sized(self, task: Task, key: str) -> bytes:
        answer, kept = self.decide(task, key)
        await self.on_disk(kept)
        return _ENCODE(document_of(answer, task))

    async def decide_all(self, tasks: list[Task], key: str) -> list[Answer]:
        """Answers that are on the disk; row i has the key 'key/i', others come between."""
        said = []
        for number, task in enumerate(tasks):
            said.append(self.decide(task, f"{key}/{number}" if key else ""))
            await asyncio.sleep(0.0)
        for _, kept in said:
            await self.on_disk(kept)
        return [answer for answer, _ in said]

    async def _sized_all(self, tasks: list[Task], key: str) -> bytes:
        answers = await self.decide_all(tasks, key)
        documents = [document_of(a, task) for a, task in zip(answers, tasks, strict=True)]
        return _ENCODE({"answers": documents})

    def _ordered(self, tasks: list[Task], rule: str) -> bytes:
        places = {id(task): place for place, task in enumerate(tasks)}
        try:
            ordered = self._client.order(tasks, rule=rule)
        except ConfigError as error:
            raise Refused(400, str(error)) from error
        said = {"order": [t.id for t in ordered], "places": [places[id(t)] for t in ordered]}
        return _ENCODE(said | {"rule": rule, "version": self._client.version})


def document_of(answer: Answer, task: Task) -> dict[str, Any]:
    """The document of /v1/size."""
    return {
        "decision_id": answer.decision_id,
        "runtime_s": _believed(answer.runtime_s),
        "memory_bytes": _believed(answer.peak_bytes),
        "allocate": {
            "memory_bytes": answer.memory_bytes,
            "cpus": task.cpus_requested,
            "limit_s": task.limit_s,
        },
        "made_by": answer.made_by,
        "refused": answer.refused,
        "version": answer.version,
        "arm": answer.arm,
        "staleness_s": answer.staleness_s,
    }


def _believed(said: Said) -> dict[str, Any]:
    return {
        "value": said.value, "quantiles": said.quantiles, "levels": said.levels,
        "made_by": said.made_by, "refused": said.refused,
    }  # fmt: skip


def _decoded(path: str, body: bytes) -> Any:
    """The body as its struct; nesting beyond what the struct has is refused with it."""
    try:
        return _DECODE[path](body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"the body is not what {path} takes: {error}") from error
