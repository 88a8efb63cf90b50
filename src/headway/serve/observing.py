"""What is seen of tasks and machines while they run, taken into the home's log."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from headway.errors import StoreError
from headway.serve.bodies import Amount, Bytes, Count, State, Word
from headway.serve.refused import Refused

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from headway.store import DeltaStore

Moment = Annotated[float, Meta(ge=0.0, le=4_102_444_800.0)]


class SeenTask(Struct, forbid_unknown_fields=True):
    """A task as far as it is known; the names and units of `records.Task`."""

    cluster: Word
    id: Annotated[str, Meta(min_length=1, max_length=1024)]
    attempt: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    user: Word | None = None
    group: Word | None = None
    project: Word | None = None
    workflow: Word | None = None
    name: Word | None = None
    tag: Word | None = None
    queue: Word | None = None
    node: Word | None = None
    container: Word | None = None
    parents: Annotated[tuple[Word, ...], Meta(max_length=10_000)] = ()
    submitted_s: Moment | None = None
    started_s: Moment | None = None
    ended_s: Moment | None = None
    cpus_requested: Amount | None = None
    cpus_allocated: Amount | None = None
    nodes: Count | None = None
    gpus: Amount | None = None
    limit_s: Amount | None = None
    memory_requested_bytes: Bytes | None = None
    memory_peak_bytes: Bytes | None = None
    memory_sampled_bytes: Bytes | None = None
    cpu_s: Amount | None = None
    read_bytes: Bytes | None = None
    input_bytes: Bytes | None = None
    state: State | Literal["pending", "running"] | None = None
    exit_code: Annotated[int, Meta(ge=-(1 << 31), le=1 << 31)] | None = None


class EventBody(Struct, forbid_unknown_fields=True):
    """Something happened to a task; the task is carried whole, as of that moment."""

    kind: Literal["submitted", "started", "ended"]
    at_s: Moment
    task: SeenTask


class EventsBody(Struct, forbid_unknown_fields=True):
    """POST /v1/events; those of one task in their order."""

    events: Annotated[list[EventBody], Meta(max_length=10_000)]


class SampleBody(Struct, forbid_unknown_fields=True):
    """One reading of a metric; the name of a metric ends in its unit."""

    cluster: Word
    source: Word
    metric: Word
    at_s: Moment
    value: Annotated[float, Meta(ge=-1e300, le=1e300)]


class SamplesBody(Struct, forbid_unknown_fields=True):
    """POST /v1/samples"""

    samples: Annotated[list[SampleBody], Meta(max_length=10_000)]


BODIES: Final[dict[str, Any]] = {"/v1/events": EventsBody, "/v1/samples": SamplesBody}
_DECODE: Final = {path: msgspec.json.Decoder(kind).decode for path, kind in BODIES.items()}


class Observing:
    """Keeps events and samples in a home's log, once however often they come."""

    def __init__(self, home: Path) -> None:
        self._log = home / "log"
        self._store: DeltaStore | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="headway-log")

    async def take(self, path: str, text: bytes) -> dict[str, Any]:
        """Counts of what was stored, was known and is not believed; on the disk by then."""
        try:
            body = _DECODE[path](text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(400, f"the body is not what {path} takes: {error}") from error
        loop = asyncio.get_running_loop()
        kept = self._events if path == "/v1/events" else self._samples
        try:
            return await loop.run_in_executor(self._thread, kept, body)
        except StoreError as error:
            raise Refused(503, f"nothing was kept: {error}") from error

    def close(self) -> None:
        """Write what was handed over."""
        self._thread.shutdown()

    def _events(self, body: EventsBody) -> dict[str, Any]:
        from headway.observe.check import check
        from headway.tables import complete, frame

        rows = [row_of(event) for event in body.events]
        checked = check(frame("task", rows).with_row_index("line"))
        wrong = checked.filter(checked["reason"].is_not_null()).select("line", "reason")
        good = complete("task", checked.filter(checked["reason"].is_null()))
        refused = [{"place": line, "reason": reason} for line, reason in wrong.iter_rows()]
        return self._append("task", good) | {"refused": refused}

    def _samples(self, body: SamplesBody) -> dict[str, Any]:
        from headway.tables import frame

        rows = [msgspec.structs.asdict(one) for one in body.samples]
        return self._append("sample", frame("sample", rows)) | {"refused": []}

    def _append(self, kind: str, rows: pl.DataFrame) -> dict[str, Any]:
        from headway.store import DeltaStore

        if self._store is None:
            self._store = DeltaStore(str(self._log))
        if rows.is_empty():
            return {"stored": 0, "duplicate": 0}
        done = self._store.append(kind, [rows])
        return {"stored": done.stored, "duplicate": done.duplicate}


def row_of(event: EventBody) -> dict[str, Any]:
    """The task of an event by field; what it does not say follows from the kind of event.

    One without a moment of submission has none: it is not believed.
    """
    seen = event.task
    known = {
        name: value for name in seen.__struct_fields__ if (value := getattr(seen, name)) is not None
    }
    states = {"submitted": "pending", "started": "running", "ended": "unknown"}
    return {f"{event.kind}_s": event.at_s, "state": states[event.kind]} | known
