"""The OpenAPI document of the server, made of the types that it decodes and of what it answers."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from headway import __version__
from headway.serve import answering, documents, observing, open_inference
from headway.serve.arriving import LARGEST
from headway.serve.rollout_routes import ReasonBody, StartBody
from headway.serve.tensors import InferBody
from headway.serve.tokens import SCOPES

ERRORS: Final = {
    400: "The request is not what the route takes; the sentence says how.",
    401: "A bearer token that is known here and has not expired is needed.",
    403: "The token has not the scope of the route.",
    404: "There is no such route, model or version.",
    405: "The route takes another method.",
    408: "The body did not come in time.",
    409: "The idempotency key came before with another task.",
    413: f"A body has at most {LARGEST} bytes.",
    415: "The body must be sent as application/json.",
    429: "More is asked than can be answered in time: come again.",
    500: "A fault of the server.",
    503: "The server goes down, or its disk cannot be written to: come again.",
}
_BODY: Final = (400, 408, 413, 415, 429, 503)


class Route(NamedTuple):
    """One operation: scope '' = open to all; body and said are msgspec types, several = any."""

    method: str
    path: str
    scope: str
    summary: str
    said: Any
    body: Any = None
    has_key: bool = False
    errors: tuple[int, ...] = ()


def _posted(path: str, scope: str, summary: str, said: Any, **more: Any) -> Route:
    body = (answering.BODIES | observing.BODIES)[path]
    return Route("post", path, scope, summary, said, body, **more)


_MODEL: Final = "/v2/models/{model}"
_VERSION: Final = f"{_MODEL}/versions/{{version}}"
_ROLLOUT: Final = "/v1/rollouts/{rollout_id}"
ROUTES: Final = (
    Route("get", "/live", "", "Whether the process answers.", documents.Health),
    Route("get", "/ready", "", "Whether it should be asked.", documents.Health, errors=(503,)),
    _posted("/v1/size", "decide", "What to give a task, or up to 100 of them.",
            (documents.Size, documents.Sizes), has_key=True, errors=(409,)),
    _posted("/v1/order", "decide", "Which task goes first.", documents.Order),
    _posted("/v1/place", "decide", "Which node each task goes to.", documents.Places),
    _posted("/v1/outcomes", "observe", "What became of decisions.", documents.Kept),
    _posted("/v1/feedback", "observe", "What a person thought of one.", documents.Kept),
    _posted("/v1/events", "observe", "What happened to tasks.", documents.Seen),
    _posted("/v1/samples", "observe", "Readings of metrics.", documents.Seen),
    Route("get", "/v1/rollouts", "observe", "Every rollout.", documents.Rollouts, errors=(400,)),
    Route("post", "/v1/rollouts", "operate", "Begin a rollout.", documents.Rollout, StartBody),
    Route("get", _ROLLOUT, "observe", "One rollout.", documents.Rollout, errors=(400, 404)),
    Route("get", f"{_ROLLOUT}/verdict", "observe", "What the outcomes say.", documents.Rollout,
          errors=(400, 404)),
    *(
        Route("post", f"{_ROLLOUT}/{verb}", scope, summary, documents.Rollout, ReasonBody,
              errors=errors)
        for verb, scope, summary, errors in (
            ("verdict", "observe", "For a webhook: 409 = take it back.", (404, 409)),
            ("promote", "operate", "Make the challenger the champion.", (404,)),
            ("pause", "operate", "Keep the share as it is.", (404,)),
            ("resume", "operate", "Go on.", (404,)),
            ("rollback", "operate", "Take the challenger back.", (404,)),
        )
    ),
    Route("get", "/metrics", "operate", "Counts and times for Prometheus.", str),
    Route("get", "/v2", "decide", "The server.", documents.InferenceServer),
    Route("get", "/v2/health/live", "", "Whether the process answers.", documents.Health),
    Route("get", "/v2/health/ready", "", "Whether it should be asked.", documents.Health,
          errors=(503,)),
    *(
        route
        for place in (_MODEL, _VERSION)
        for route in (
            Route("get", place, "decide", "A model.", documents.InferenceModel, errors=(404,)),
            Route("get", f"{place}/ready", "decide", "Whether a model answers.",
                  documents.ModelReady, errors=(404, 503)),
            Route("post", f"{place}/infer", "decide", "What a model says of tasks.",
                  documents.Inferred, InferBody, has_key=True, errors=(404, 409)),
        )
    ),
)  # fmt: skip


def openapi(*, is_guarded: bool) -> dict[str, Any]:
    """The document (OpenAPI 3.1); is_guarded: whether tokens are asked for."""
    kinds: list[Any] = [documents.Error]
    for route in ROUTES:
        kinds += [*_several(route.said), *_several(route.body)]
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    told = dict(zip(map(repr, kinds), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route, told, is_guarded)
    for path, item in paths.items():
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        if names:
            item["parameters"] = [_path_parameter(name) for name in names]
    bearer = {"type": "http", "scheme": "bearer", "description": f"Scopes: {', '.join(SCOPES)}."}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Headway", "version": __version__},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"bearer": bearer}},
    }


def _operation(route: Route, told: dict[str, Any], is_guarded: bool) -> dict[str, Any]:
    errors = {405, 500, *route.errors, *(_BODY if route.body is not None else ())}
    if is_guarded and route.scope:
        errors |= {401, 403}
    is_text = route.said is str
    kind = "text/plain" if is_text else "application/json"
    said = {"type": "string"} if is_text else _any_of(route.said, told)
    responses: dict[str, Any] = {
        "200": {"description": route.summary, "content": {kind: {"schema": said}}}
    }
    if "/infer" in route.path:
        raw: dict[str, Any] = {"application/octet-stream": {}}
        responses["200"]["content"] |= raw
    for status in sorted(errors):
        responses[str(status)] = {
            "description": ERRORS[status],
            "content": {"application/json": {"schema": _error_of(route, status, told)}},
        }
    operation: dict[str, Any] = {
        "operationId": f"{route.method} {route.path}",
        "summary": route.summary,
        "responses": responses,
    }
    if route.body is not None:
        content = {"application/json": {"schema": told[repr(route.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    if route.has_key:
        operation["parameters"] = [{
            "name": "Idempotency-Key", "in": "header",
            "description": "The same key gets the same answer again.",
            "schema": {"type": "string", "maxLength": answering.LONGEST_KEY},
        }]  # fmt: skip
    if is_guarded and route.scope:
        operation["security"] = [{"bearer": [route.scope]}]
    return operation


def _several(kinds: Any) -> tuple[Any, ...]:
    return () if kinds is None else kinds if isinstance(kinds, tuple) else (kinds,)


def _any_of(kinds: Any, told: dict[str, Any]) -> Any:
    schemas = [told[repr(kind)] for kind in _several(kinds)]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _error_of(route: Route, status: int, told: dict[str, Any]) -> Any:
    """What comes with an error; some say what they would have said."""
    error = told[repr(documents.Error)]
    if (status == 503 and "ready" in route.path) or route.path.endswith("/verdict"):
        return {"anyOf": [error, _any_of(route.said, told)]}
    return error


def _path_parameter(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if name == "model":
        schema = {"enum": list(open_inference.MODELS)}
    return {"name": name, "in": "path", "required": True, "schema": schema}
