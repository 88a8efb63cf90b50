"""The bodies of requests: what may stand in them, and the records that they become."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from headway.records import Feedback, Outcome, Task

Word = Annotated[str, Meta(max_length=1024)]
Amount = Annotated[float, Meta(ge=0.0, le=1e15)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Bytes = Annotated[int, Meta(ge=0, le=1 << 60)]
Time = Annotated[float, Meta(ge=-1e12, le=1e12)]
State = Literal["completed", "failed", "timeout", "out_of_memory", "cancelled", "unknown"]


class TaskBody(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A task that was not run yet; the names and units of `records.Task`. inputs: bytes by name."""

    cluster: Word = ""
    id: Word = ""
    attempt: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    user: Word | None = None
    group: Word | None = None
    project: Word | None = None
    workflow: Word | None = None
    name: Word | None = None
    tag: Word | None = None
    queue: Word | None = None
    container: Word | None = None
    parents: Annotated[list[Word], Meta(max_length=10_000)] = []
    submitted_s: Time | None = None  # now
    cpus_requested: Amount | None = None
    nodes: Count | None = None
    gpus: Amount | None = None
    limit_s: Amount | None = None
    memory_requested_bytes: Bytes | None = None
    input_bytes: Bytes | None = None
    inputs: Annotated[dict[Word, Bytes], Meta(max_length=10_000)] | None = None

    def record(self, now_s: float) -> Task:
        """The task, submitted now unless it says when."""
        inputs = sum(self.inputs.values()) if self.inputs else None
        return Task(
            cluster=self.cluster, id=self.id, attempt=self.attempt, user=self.user,
            group=self.group, project=self.project, workflow=self.workflow, name=self.name,
            tag=self.tag, queue=self.queue, container=self.container, parents=tuple(self.parents),
            submitted_s=now_s if self.submitted_s is None else self.submitted_s,
            cpus_requested=self.cpus_requested, nodes=self.nodes, gpus=self.gpus,
            limit_s=self.limit_s, memory_requested_bytes=self.memory_requested_bytes,
            input_bytes=inputs if self.input_bytes is None else self.input_bytes,
            state="pending",
        )  # fmt: skip


class SizeBody(Struct, forbid_unknown_fields=True):
    """POST /v1/size: one task, or several at once."""

    task: TaskBody | None = None
    tasks: Annotated[list[TaskBody], Meta(max_length=100)] | None = None


class OrderBody(Struct, forbid_unknown_fields=True):
    """POST /v1/order"""

    tasks: Annotated[list[TaskBody], Meta(max_length=10_000)]
    rule: Literal["areaxt", "saf", "sjf", "fcfs"] = "areaxt"


class OutcomeBody(Struct, forbid_unknown_fields=True):
    """What became of one decision; the names and units of `records.Outcome`."""

    decision_id: Annotated[str, Meta(min_length=1, max_length=128)]
    state: State
    cluster: Word = ""
    id: Word = ""
    attempt: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    at_s: Time | None = None  # now
    wait_s: Amount | None = None
    runtime_s: Amount | None = None
    memory_peak_bytes: Bytes | None = None

    def record(self, now_s: float) -> Outcome:
        """The outcome, known now unless it says since when."""
        return Outcome(
            decision_id=self.decision_id, cluster=self.cluster, id=self.id, attempt=self.attempt,
            at_s=now_s if self.at_s is None else self.at_s, wait_s=self.wait_s,
            runtime_s=self.runtime_s, memory_peak_bytes=self.memory_peak_bytes, state=self.state,
        )  # fmt: skip


class OutcomesBody(Struct, forbid_unknown_fields=True):
    """POST /v1/outcomes"""

    outcomes: Annotated[list[OutcomeBody], Meta(max_length=10_000)]


class FeedbackBody(Struct, forbid_unknown_fields=True):
    """POST /v1/feedback: what one person thought of one decision."""

    decision_id: Annotated[str, Meta(min_length=1, max_length=128)]
    user: Word
    rating: Annotated[int, Meta(ge=1, le=5)] | None = None
    is_followed: bool | None = None
    comment: Annotated[str, Meta(max_length=4096)] = ""
    at_s: Time | None = None  # now

    def record(self, now_s: float) -> Feedback:
        """The feedback, given now unless it says when."""
        return Feedback(
            decision_id=self.decision_id, at_s=now_s if self.at_s is None else self.at_s,
            user=self.user, rating=self.rating, is_followed=self.is_followed, comment=self.comment,
        )  # fmt: skip
