"""A home's answers over HTTP: what is asked, who may ask, what is answered."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from headway.errors import ConfigError, StoreError
from headway.serve import open_inference
from headway.serve.answering import Answering
from headway.serve.arriving import Arriving
from headway.serve.metrics import Metrics
from headway.serve.observing import BODIES as OBSERVED
from headway.serve.open_inference import OpenInference
from headway.serve.refused import Refused
from headway.serve.rollout_routes import ROOT, methods_of, scope_of
from headway.serve.tokens import refusal
from headway.serve.waits import UnderWay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from headway.serve.client import Client
    from headway.serve.observing import Observing
    from headway.serve.rollout_routes import Watch
    from headway.serve.tokens import Grant

log = logging.getLogger(__name__)

_JSON: Final = [("content-type", "application/json")]
_ENCODE: Final = msgspec.json.Encoder().encode
_SCOPES: Final = {
    "/v1/size": "decide", "/v1/order": "decide", "/v1/outcomes": "observe",
    "/v1/feedback": "observe", "/v1/events": "observe", "/v1/samples": "observe",
    "/v1/place": "decide", "/metrics": "operate",
}  # fmt: skip
_OPEN: Final = ("/live", "/ready", "/openapi.json")
_HEALTH_V2: Final = {"/v2/health/live": "/live", "/v2/health/ready": "/ready"}
T = TypeVar("T")


class Server:
    """Answers requests (RSGI) from a client; an answer is on the disk before it is given.

    tokens: grants by digest, see tokens.read_tokens; None = all may ask. most: requests that may be
    answered at once; more are told to come again, as they are where they would be late.
    """

    def __init__(
        self,
        client: Client,
        tokens: Mapping[bytes, Grant] | None,
        watch: Watch,
        observing: Observing,
        *,
        most: int = 256,
    ) -> None:
        self._client, self.tokens, self._watch, self._most = client, tokens, watch, most
        self._metrics, self._arriving = Metrics(), Arriving()
        self._answering, self._answered = Answering(client), UnderWay()
        self._inference, self._observing = OpenInference(client, self._answering), observing
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
            if refused.allow:
                headers.append(("allow", refused.allow))
        except Exception:  # of ours: the connection must not be left without an answer
            log.exception("%s %r failed", scope.method, scope.path)
            status, body = 500, _ENCODE({"error": "this is a fault of the server; see its log"})
        protocol.response_bytes(status, headers, body)
        self._metrics.count(_route_of(scope.path), status, time.perf_counter() - began_s)

    async def _routed(
        self, scope: Any, protocol: Any, headers: list[tuple[str, str]]
    ) -> tuple[int, bytes]:
        path = scope.path
        if path in _OPEN or path in _HEALTH_V2:
            return self._said_to_all(path, scope.method)
        if path == ROOT or path.startswith(f"{ROOT}/"):
            return await self._rollouts(scope, protocol)
        if path == open_inference.ROOT or path.startswith(f"{open_inference.ROOT}/"):
            return await self._inferred(scope, protocol, headers)
        if path not in _SCOPES:
            known = ", ".join((*_SCOPES, *_OPEN))
            raise Refused(404, f"there is no {path}; there are {known}")
        self._check_token(scope, _SCOPES[path])
        _check_method(path, scope.method, "GET" if path == "/metrics" else "POST")
        if path == "/metrics":
            headers[0] = ("content-type", "text/plain; version=0.0.4")
            return 200, self._metrics.text(self._gauges()).encode()
        if path in OBSERVED:
            seen = await self._admitted(
                scope, protocol, lambda text: self._observing.take(path, text)
            )
            return 200, _ENCODE(seen)
        key = scope.headers.get("idempotency-key") or ""
        return 200, await self._admitted(
            scope, protocol, lambda text: self._answering.answer(path, text, key)
        )

    async def _admitted(
        self, scope: Any, protocol: Any, answer: Callable[[bytes], Awaitable[T]]
    ) -> T:
        """What a body is answered, if there is room for one more."""
        if self.is_draining:
            raise Refused(503, "the server is going down")
        came_s = time.monotonic()
        self._check_room(came_s)
        self.under_way += 1
        try:
            text = await self._arriving.body(scope, protocol)
            self._check_room(came_s)
            number = self._answered.begin()
            try:
                return await answer(text)
            finally:
                self._answered.end(number)
        finally:
            self.under_way -= 1

    async def _inferred(
        self, scope: Any, protocol: Any, headers: list[tuple[str, str]]
    ) -> tuple[int, bytes]:
        """A request of the Open Inference Protocol."""
        path, method = scope.path, scope.method
        self._check_token(scope, "decide")
        _check_method(path, method, open_inference.methods_of(path))
        if method == "GET":
            status, said = self._inference.looked(path)
            return status, _ENCODE(said)
        header = scope.headers.get(open_inference.HEADER) or ""
        key = scope.headers.get("idempotency-key") or ""
        body, length = await self._admitted(
            scope, protocol, lambda text: self._inference.infer(path, text, header, key)
        )
        if length is not None:
            headers[0] = ("content-type", "application/octet-stream")
            headers.append((open_inference.HEADER, str(length)))
        return 200, body

    def _check_token(self, scope: Any, wanted: str) -> None:
        """Refuse who may not ask for a scope."""
        authorization = scope.headers.get("authorization") or ""
        status, sentence = refusal(self.tokens, authorization, wanted, time.time())
        if sentence:
            raise Refused(status, sentence)

    def _check_room(self, came_s: float) -> None:
        """Refuse what would make others late."""
        if len(self._answered) >= self._most:
            raise Refused(429, f"{self._most} requests are under way: come again")
        if self._answered.is_late(came_s, self.under_way):
            raise Refused(429, "more is asked than can be answered in time: come again")

    async def _rollouts(self, scope: Any, protocol: Any) -> tuple[int, bytes]:
        """What is asked and decided of rollouts, beside the answers."""
        path, method = scope.path, scope.method
        self._check_token(scope, scope_of(path, method))
        _check_method(path, method, methods_of(path))
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

    def _said_to_all(self, path: str, method: str) -> tuple[int, bytes]:
        """/live: the process answers. /ready: it should be asked; also without models."""
        _check_method(path, method, "GET, HEAD")
        if path == "/openapi.json":
            from headway.serve.openapi import openapi

            return 200, _ENCODE(openapi(is_guarded=self.tokens is not None))
        path = _HEALTH_V2.get(path, path)
        if path == "/ready" and self.is_draining:
            return 503, _ENCODE({"ready": False, "version": self._client.version})
        return 200, _ENCODE({path[1:]: True, "version": self._client.version})

    def _gauges(self) -> dict[str, float]:
        created_s = self._client.created_s
        gauges = {"requests_under_way": float(self.under_way)} | self._client.learning
        return gauges | ({"models_age_seconds": time.time() - created_s} if created_s else {})


def _check_method(path: str, method: str, allow: str) -> None:
    """Refuse a method that a route does not take."""
    if method not in allow.split(", "):
        raise Refused(405, f"{path} takes {allow}, got {method}", allow=allow)


def _route_of(path: str) -> str:
    """What a request is counted as."""
    for root in (ROOT, open_inference.ROOT):
        if path == root or path.startswith(f"{root}/"):
            return root
    return path if path in _SCOPES or path in _OPEN else "other"
