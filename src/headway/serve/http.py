"""A home's answers over HTTP: what is asked, who may ask, what is answered."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headway.errors import ConfigError, StoreError
from headway.serve.arriving import Arriving
from headway.serve.bodies import FeedbackBody, OrderBody, OutcomesBody, SizeBody
from headway.serve.metrics import Metrics
from headway.serve.refused import Refused
from headway.serve.rollout_routes import ROOT, scope_of
from headway.serve.tokens import refusal
from headway.serve.waits import Kept, Leisure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from headway.records import Task
    from headway.serve.advisor import Answer, Said
    from headway.serve.client import Client
    from headway.serve.rollout_routes import Watch
    from headway.serve.tokens import Grant

log = logging.getLogger(__name__)

_JSON: Final = [("content-type", "application/json")]
_ENCODE: Final = msgspec.json.Encoder().encode
_DECODERS: Final[dict[str, Any]] = {
    "/v1/size": msgspec.json.Decoder(SizeBody),
    "/v1/order": msgspec.json.Decoder(OrderBody),
    "/v1/outcomes": msgspec.json.Decoder(OutcomesBody),
    "/v1/feedback": msgspec.json.Decoder(FeedbackBody),
}
_SCOPES: Final = {
    "/v1/size": "decide", "/v1/order": "decide", "/v1/outcomes": "observe",
    "/v1/feedback": "observe", "/metrics": "operate",
}  # fmt: skip
_OPEN: Final = ("/live", "/ready")


class Server:
    """Answers requests (RSGI) from a client; an answer is on the disk before it is given.

    tokens: grants by digest, see tokens.read_tokens; None = all may ask. most: requests that may be
    answered at once; more are told to come again, as they are where the loop's leisure is spent.
    """

    def __init__(
        self,
        client: Client,
        tokens: Mapping[bytes, Grant] | None,
        watch: Watch,
        *,
        leisure: Leisure,
        most: int = 256,
    ) -> None:
        self._client, self.tokens, self._watch, self._most = client, tokens, watch, most
        self._metrics, self._kept = Metrics(), Kept()
        self._leisure = leisure
        self._arriving, self._answering = Arriving(), 0
        self.under_way = 0  # also those whose body comes still
        self.is_draining = False

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """One request."""
        if scope.proto != "http":
            protocol.close(None)
            return
        began_s = time.perf_counter()
        headers = list(_JSON)
        try:
            status, body = await self._routed(scope, protocol, headers)
        except Refused as refused:
            status, body = refused.status, _ENCODE({"error": refused.sentence})
            if status in (429, 503):
                headers.append(("retry-after", "1"))
            if status == 401:
                headers.append(("www-authenticate", "Bearer"))
        except Exception:  # of ours: the connection must not be left without an answer
            log.exception("%s %r failed", scope.method, scope.path)
            status, body = 500, _ENCODE({"error": "this is a fault of the server; see its log"})
        protocol.response_bytes(status, headers, body)
        is_rollout = scope.path.startswith(ROOT)
        route = (
            ROOT
            if is_rollout
            else scope.path
            if scope.path in _SCOPES or scope.path in _OPEN
            else "other"
        )
        self._metrics.count(route, status, time.perf_counter() - began_s)

    async def _routed(
        self, scope: Any, protocol: Any, headers: list[tuple[str, str]]
    ) -> tuple[int, bytes]:
        path = scope.path
        if path in _OPEN:
            return self._health(path)
        if path == ROOT or path.startswith(f"{ROOT}/"):
            return await self._rollouts(scope, protocol)
        if path not in _SCOPES:
            known = ", ".join((*_SCOPES, *_OPEN))
            raise Refused(404, f"there is no {path}; there are {known}")
        status, sentence = refusal(
            self.tokens, scope.headers.get("authorization") or "", _SCOPES[path], time.time()
        )
        if sentence:
            raise Refused(status, sentence)
        wanted = "GET" if path == "/metrics" else "POST"
        if scope.method != wanted:
            raise Refused(405, f"{path} takes {wanted}, got {scope.method}")
        if path == "/metrics":
            headers[0] = ("content-type", "text/plain; version=0.0.4")
            return 200, self._metrics.text(self._gauges()).encode()
        if self.is_draining:
            raise Refused(503, "the server is going down")
        self._check_room()
        self.under_way += 1
        try:
            text = await self._arriving.body(scope, protocol)
            self._check_room()
            self._answering += 1
            try:
                return 200, await self._answered(path, _decoded(path, text), scope)
            finally:
                self._answering -= 1
        finally:
            self.under_way -= 1

    def _check_room(self) -> None:
        """Refuse what would make others late."""
        if self._answering >= self._most:
            raise Refused(429, f"{self._most} requests are under way: come again")
        if self._leisure.is_spent:
            raise Refused(429, "more is asked than can be answered in time: come again")

    async def _rollouts(self, scope: Any, protocol: Any) -> tuple[int, bytes]:
        """What is asked and decided of rollouts, beside the answers."""
        path, method = scope.path, scope.method
        status, sentence = refusal(
            self.tokens, scope.headers.get("authorization") or "", scope_of(path, method),
            time.time(),
        )  # fmt: skip
        if sentence:
            raise Refused(status, sentence)
        if method not in ("GET", "POST"):
            raise Refused(405, f"{path} takes GET or POST, got {method}")
        body = await self._arriving.body(scope, protocol) if method == "POST" else b""
        try:
            status, said = await asyncio.to_thread(
                self._watch.answer, method, path, body, time.time()
            )
        except ConfigError as error:
            raise Refused(400, str(error)) from error
        except StoreError as error:
            raise Refused(503, str(error)) from error
        return status, _ENCODE(said)

    async def _answered(self, path: str, body: Any, scope: Any) -> bytes:
        """What a route answers, when all that must be kept is on the disk."""
        now_s = time.time()
        if path == "/v1/size":
            key = scope.headers.get("idempotency-key") or ""
            return await self._sized(body.task.record(now_s), key)
        if path == "/v1/order":
            tasks = [task.record(now_s) for task in body.tasks]
            places = {id(task): place for place, task in enumerate(tasks)}
            try:
                ordered = self._client.order(tasks, rule=body.rule)
            except ConfigError as error:
                raise Refused(400, str(error)) from error
            said = {"order": [t.id for t in ordered], "places": [places[id(t)] for t in ordered]}
            return _ENCODE(said | {"rule": body.rule, "version": self._client.version})
        if path == "/v1/outcomes":
            kept = [self._client.outcome(one.record(now_s)) for one in body.outcomes]
        else:
            kept = [self._client.feedback(body.record(now_s))]
        for one in kept:
            await self._on_disk(one)
        return _ENCODE({"kept": len(kept)})

    async def _sized(self, task: Task, key: str) -> bytes:
        if len(key) > 256:
            raise Refused(400, "an idempotency key has at most 256 characters")
        try:
            answer, kept = self._client.decide(task, idempotency_key=key)
        except ConfigError as error:
            raise Refused(409, str(error)) from error
        await self._on_disk(kept)
        return _ENCODE(document_of(answer, task))

    async def _on_disk(self, kept: Future[None]) -> None:
        """Wait until a record is on the disk."""
        try:
            await self._kept.wait(kept)
        except (StoreError, ConfigError) as error:
            raise Refused(503, f"nothing was kept: {error}") from error

    def _health(self, path: str) -> tuple[int, bytes]:
        """/live: the process answers. /ready: it should be asked; also without models."""
        if path == "/ready" and self.is_draining:
            return 503, _ENCODE({"ready": False, "version": self._client.version})
        return 200, _ENCODE({path[1:]: True, "version": self._client.version})

    def _gauges(self) -> dict[str, float]:
        created_s = self._client.created_s
        gauges = {"requests_under_way": float(self.under_way)}
        return gauges | ({"models_age_seconds": time.time() - created_s} if created_s else {})


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
        return _DECODERS[path].decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"the body is not what {path} takes: {error}") from error
