"""The Open Inference Protocol v2: runtime, memory and size as models that any of its clients ask.

`runtime` and `memory` say what is believed of tasks; `size` decides and is logged as /v1/size is.
Source: the Open Inference Protocol v2 (REST), with its binary tensor data extension.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from headway import __version__
from headway.errors import ConfigError
from headway.serve.bodies import TaskBody
from headway.serve.refused import Refused
from headway.serve.tensors import read_infer, write_infer

if TYPE_CHECKING:
    from headway.records import Task
    from headway.serve.answering import Answering
    from headway.serve.client import Client
    from headway.serve.tensors import Column, InferBody

ROOT: Final = "/v2"
HEADER: Final = "inference-header-content-length"
MODELS: Final = ("runtime", "memory", "size")
MOST: Final = {"runtime": 1000, "memory": 1000, "size": 100}  # rows of a request
WORDS: Final = (
    "cluster", "id", "user", "group", "project", "workflow", "name", "tag", "queue", "container",
)  # fmt: skip
NUMBERS: Final = ("submitted_s", "cpus_requested", "gpus", "limit_s")
WHOLE: Final = ("attempt", "nodes", "memory_requested_bytes", "input_bytes")
_BELIEVED: Final = (
    ("value", "FP64", [-1]), ("quantiles", "FP64", [-1, -1]), ("levels", "FP64", [-1]),
    ("made_by", "BYTES", [-1]), ("refused", "BYTES", [-1]),
)  # fmt: skip
_GIVEN: Final = (
    ("memory_bytes", "FP64", [-1]), ("runtime_s", "FP64", [-1]), ("decision_id", "BYTES", [-1]),
    ("made_by", "BYTES", [-1]), ("refused", "BYTES", [-1]), ("arm", "BYTES", [-1]),
)  # fmt: skip


class OpenInference:
    """Answers the routes below /v2 from a client; belongs to the thread of its loop."""

    def __init__(self, client: Client, answering: Answering) -> None:
        """answering: decides sizes, and waits until they are kept."""
        self._client, self._answering = client, answering

    def looked(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and document of a GET; Refused where there is no such thing."""
        if path in (ROOT, f"{ROOT}/"):
            extensions = ["binary_tensor_data"]
            return 200, {"name": "headway", "version": __version__, "extensions": extensions}
        name, version, verb = self._found(path)
        if verb == "ready":
            is_ready = bool(version)
            return (200 if is_ready else 503), {"name": name, "ready": is_ready}
        if verb:
            raise Refused(404, f"there is no {path}")
        return 200, {
            "name": name, "versions": [version] if version else [], "platform": "headway",
            "inputs": [
                {"name": one, "datatype": kind, "shape": [-1]}
                for kind, names in (("BYTES", WORDS), ("FP64", NUMBERS + WHOLE)) for one in names
            ],
            "outputs": [
                {"name": one, "datatype": kind, "shape": shape}
                for one, kind, shape in (_GIVEN if name == "size" else _BELIEVED)
            ],
        }  # fmt: skip

    async def infer(
        self, path: str, body: bytes, header: str, key: str
    ) -> tuple[bytes, int | None]:
        """The answer to an inference request, and the length of its JSON where raw tensors follow.

        header: the length of the JSON of the request, '' = all of it. key: idempotency key of a
        `size`; row i has the key 'key/i'.
        """
        name, version, verb = self._found(path)
        if verb != "infer":
            raise Refused(404, f"there is no {path}")
        if header and not (header.isdecimal() and int(header) <= len(body)):
            raise Refused(400, f"{HEADER} must be at most {len(body)}, got {header!r}")
        try:
            asked, columns = read_infer(body, int(header) if header else None)
            tasks = tasks_of(columns, MOST[name])
            if name == "size":
                outputs = await self._sizes(tasks, key)
            else:
                outputs = self._believed(name, tasks)
            return write_infer(asked, _about(asked, name, version), outputs)
        except ConfigError as error:
            raise Refused(400, str(error)) from error

    def _found(self, path: str) -> tuple[str, str, str]:
        """Model, its version ('' = it has none) and verb of a path."""
        parts = path.removeprefix(f"{ROOT}/").split("/")
        versions, name = self._client.versions, parts[1] if len(parts) > 1 else ""
        if parts[0] != "models" or name not in MODELS:
            raise Refused(404, f"there is no {path}; the models are {', '.join(MODELS)}")
        rest, version = parts[2:], versions.get("sizing" if name == "size" else name, "")
        if rest[:1] == ["versions"]:
            if len(rest) < 2 or rest[1] != version:
                raise Refused(404, f"the version of {name} in use is {version or 'none'}")
            rest = rest[2:]
        if rest not in ([], ["ready"], ["infer"]):
            raise Refused(404, f"there is no {path}")
        return name, version, rest[0] if rest else ""

    def _believed(self, name: str, tasks: list[Task]) -> dict[str, Any]:
        n = len(tasks)
        estimate, reason = self._client.estimate(name, tasks)
        if estimate is None:
            nothing = np.full(n, math.nan)
            return {
                "value": nothing, "quantiles": np.empty((n, 0)), "levels": np.empty(0),
                "made_by": np.full(n, ""), "refused": np.full(n, reason),
            }  # fmt: skip
        return {
            name: getattr(estimate, name)
            for name in ("value", "quantiles", "levels", "made_by", "refused")
        }

    async def _sizes(self, tasks: list[Task], key: str) -> dict[str, Any]:
        answers = await self._answering.decide_all(tasks, key)
        words = ("decision_id", "made_by", "refused", "arm")
        return {
            "memory_bytes": _numbers([answer.memory_bytes for answer in answers]),
            "runtime_s": _numbers([answer.runtime_s.value for answer in answers]),
            **{name: np.array([getattr(a, name) for a in answers], dtype=str) for name in words},
        }


def methods_of(path: str) -> str:
    """The method that a route takes."""
    return "POST" if path.endswith("/infer") else "GET"


def tasks_of(columns: dict[str, Column], most: int) -> list[Task]:
    """The tasks that inputs describe, row by row; ConfigError where a field is none of a task's."""
    kinds = dict.fromkeys(WORDS, str) | dict.fromkeys(NUMBERS + WHOLE, float)
    for name, column in columns.items():
        if name not in kinds:
            raise ConfigError(f"there is no input {name!r}; there are {', '.join(kinds)}")
        if not all(isinstance(cell, kinds[name]) for cell in column):
            raise ConfigError(f"input {name!r} must be {'BYTES' if name in WORDS else 'FP64'}")
        if len(column) > most:
            raise ConfigError(f"a request has at most {most} rows, got {len(column)}")
    now_s, tasks = time.time(), []
    for number, row in enumerate(zip(*columns.values(), strict=True)):
        known = {
            name: _whole(cell) if name in WHOLE else cell
            for name, cell in zip(columns, row, strict=True)
            if _is_known(cell)
        }
        try:
            tasks.append(msgspec.convert(known, TaskBody).record(now_s))
        except msgspec.ValidationError as error:
            raise ConfigError(f"row {number} is no task: {error}") from error
    return tasks


def _is_known(cell: Any) -> bool:
    """Whether a cell says anything."""
    return cell != "" if isinstance(cell, str) else not math.isnan(cell)


def _whole(cell: Any) -> Any:
    """A number of a field that counts; one that is not whole is refused with its field."""
    return int(cell) if math.isfinite(cell) and cell == int(cell) else cell


def _about(asked: InferBody, name: str, version: str) -> dict[str, Any]:
    said = {"model_name": name, "model_version": version}
    return said | ({"id": asked.id} if asked.id else {})


def _numbers(values: list[Any]) -> Any:
    return np.array([math.nan if value is None else value for value in values], dtype=float)
