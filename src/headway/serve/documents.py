"""The documents that are answered, as types: what `/openapi.json` says of them.

A test holds them against what a server says.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct


class Error(Struct):
    """Why a request was refused, in a sentence."""

    error: str


class Health(Struct):
    """Whether the process answers or should be asked, and by which models."""

    version: str
    live: bool = False
    ready: bool = False


class Believed(Struct):
    """One number: null and a reason where it is refused."""

    value: float | None
    quantiles: list[float]
    levels: list[float]
    made_by: str
    refused: str


class Allocate(Struct):
    """What to give a task; null = nothing is known and nothing was asked for."""

    memory_bytes: int | None
    cpus: float | None
    limit_s: float | None


class Size(Struct):
    """The decision on one task."""

    decision_id: str
    runtime_s: Believed
    memory_bytes: Believed
    allocate: Allocate
    made_by: str
    refused: str
    version: str
    arm: str
    staleness_s: float


class Sizes(Struct):
    """The decisions on several tasks, in their order."""

    answers: list[Size]


class Order(Struct):
    """Ids of the tasks, the one that should go first first, and their places in the request."""

    order: list[str]
    places: list[int]
    rule: str
    version: str


class Place(Struct):
    """The node of one task; null and why where it fits on none."""

    id: str
    node: str | None
    refused: str


class Places(Struct):
    """The nodes of tasks, in their order."""

    places: list[Place]


class Kept(Struct):
    """How many records are on the disk."""

    kept: int


class NotBelieved(Struct):
    """A record that was not taken: its place in the request, and why."""

    place: int
    reason: str


class Seen(Struct):
    """What became of events or samples."""

    stored: int
    duplicate: int
    refused: list[NotBelieved]


class Rollout(Struct):
    """One rollout with its verdict as of now."""

    rollout_id: str
    status: str
    share: float
    stage: int
    stages: list[float]
    why: str
    champion: str
    challenger: str
    verdict: str
    verdict_why: str
    comparisons: list[dict[str, Any]]


class Rollouts(Struct):
    """Every rollout, newest first."""

    rollouts: list[Rollout]


class InferenceServer(Struct):
    """The server, to the Open Inference Protocol."""

    name: str
    version: str
    extensions: list[str]


class TensorKind(Struct):
    """The name, type and shape of a tensor; -1 = any length."""

    name: str
    datatype: Literal["FP64", "BYTES"]
    shape: list[int]


class InferenceModel(Struct):
    """A model, to the Open Inference Protocol."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorKind]
    outputs: list[TensorKind]


class ModelReady(Struct):
    """Whether a model answers."""

    name: str
    ready: bool


class Tensor(Struct):
    """An output; its data follow the JSON where parameters say binary_data_size."""

    name: str
    datatype: Literal["FP64", "BYTES"]
    shape: list[int]
    data: list[float | str | None] | None = None
    parameters: dict[str, Any] = {}


class Inferred(Struct):
    """The answer to an inference request."""

    model_name: str
    model_version: str
    outputs: list[Tensor]
    id: str = ""
