"""The facts Headway keeps: what was seen, believed and decided, one dataclass a kind.

Times are UTC epoch seconds, memory is bytes in all per attempt, shares are in [0, 1]. A field that
is not known is None here and null in a table; it is never NaN, -1 or 0. A table of records is a
polars DataFrame with the columns of `columns(kind)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

STATES: Final = (
    "pending", "running", "completed", "failed", "timeout", "out_of_memory", "cancelled", "unknown",
)  # fmt: skip
"""What an attempt can be in; the last six are ends."""

MEASURED: Final = (
    "ended_s", "memory_peak_bytes", "memory_sampled_bytes", "cpu_s", "read_bytes", "exit_code",
)  # fmt: skip
"""Fields of a Task that its run gives: nothing may look at them, nor at an end in `state`, before
the task has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One attempt of one task, as far as it is known; keyed by (cluster, id, attempt)."""

    cluster: str
    id: str
    attempt: int = 1
    user: str | None = None
    group: str | None = None
    project: str | None = None  # account or allocation that pays
    workflow: str | None = None  # the pipeline this task is a part of
    name: str | None = None  # job, application or process name: what recurs
    tag: str | None = None  # what tells this instance from others of its name (sample, file)
    queue: str | None = None  # queue or partition
    node: str | None = None
    container: str | None = None
    parents: tuple[str, ...] = ()  # ids of tasks of the same cluster that must end first
    submitted_s: float
    started_s: float | None = None
    ended_s: float | None = None  # runtime = ended_s - started_s
    cpus_requested: float | None = None
    cpus_allocated: float | None = None
    nodes: int | None = None
    gpus: float | None = None
    limit_s: float | None = None  # requested runtime, after which the cluster kills
    memory_requested_bytes: int | None = None
    memory_peak_bytes: int | None = None
    memory_sampled_bytes: int | None = None  # largest reading of use; may miss the peak
    cpu_s: float | None = None  # processor time used, all cores
    read_bytes: int | None = None  # read while it ran: never a feature in a causal protocol
    input_bytes: int | None = None  # size of the inputs where known before the start
    state: str = "unknown"  # one of STATES
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened to a task; the task is carried whole, as of that moment."""

    kind: str  # submitted | started | ended
    at_s: float
    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One reading of a metric, such as a node's utilisation."""

    cluster: str
    source: str  # node, queue or cluster the reading is of
    metric: str  # with its unit: cpu_share, memory_bytes
    at_s: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is believed about n quantities: a value each, quantiles, and who says so.

    value (n,), levels (q,) increasing in (0, 1), quantiles (n, q) non-decreasing along a row,
    made_by (n,) names with version, refused (n,) reasons ('' = answered). A refused row has NaN
    throughout: not knowing is an answer.
    """

    value: NDArray[np.float64]
    levels: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    made_by: NDArray[np.str_]
    refused: NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One row of an Estimate, logged for one task before its outcome was known."""

    cluster: str
    id: str
    attempt: int
    at_s: float
    target: str  # runtime_s | memory_bytes | failure
    value: float | None
    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    made_by: str
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What Headway wants done to one task, with everything needed to score it later."""

    decision_id: str
    at_s: float
    cluster: str
    id: str
    attempt: int = 1
    action: str  # start | size | hold | release | cancel | requeue; of a node: drain | resume
    cpus: float | None = None
    memory_bytes: int | None = None
    limit_s: float | None = None
    node: str | None = None
    feature_names: tuple[str, ...] = ()  # as they were served
    features: tuple[float, ...] = ()
    features_version: str = ""
    made_by: str = ""  # the model version that decided
    arm: str = ""  # rollout arm
    propensity: float = 1.0  # probability with which this arm was chosen
    refused: str = ""  # why nothing is advised; '' = advised
    said: str | None = None  # of a server: all that was logged of it but the features, JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a decision."""

    decision_id: str
    cluster: str
    id: str
    attempt: int
    at_s: float
    wait_s: float | None
    runtime_s: float | None
    memory_peak_bytes: int | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What a person thought of a decision and whether it was followed."""

    decision_id: str
    at_s: float
    user: str
    rating: int | None = None  # 1 (bad) to 5 (good)
    is_followed: bool | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One incident: what is strange, since when, what was expected instead and what may be why."""

    alert_id: str
    at_s: float  # when it was raised
    cluster: str
    about: str  # series | task | node | user | workflow | queue | model
    subject: str  # which one: the name of the series, the id of the task, ...
    kind: str  # series, stuck, overrun, oversized, out_of_memory, slow_node, failing, leak, drift
    since_s: float  # when it began, as far as is known
    ended_s: float | None = None  # None = still on
    severity: str = "warning"  # info | warning | critical
    score: float = 1.0  # in [0, 1], calibrated on the detector's own past
    value: float | None = None  # what came
    expected_low: float | None = None  # the band in which it was expected
    expected_high: float | None = None
    dimensions: tuple[str, ...] = ()  # series or tasks that are part of it, the strangest first
    causes: tuple[str, ...] = ()  # the likeliest first
    advice: str = ""  # what would be done about it
    made_by: str = ""  # the detector and its version


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a person said of an alert; counts for what came after the moment known then."""

    alert_id: str
    at_s: float  # when it was given
    cluster: str  # of the alert
    dimensions: tuple[str, ...] = ()  # of the alert
    is_real: bool  # False = noise
    known_s: float  # the newest moment that had been seen of what the alert is about
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What was done about an alert, or would be: one record for each state that it came into."""

    action_id: str
    alert_id: str
    at_s: float  # when it came into this state
    cluster: str
    kind: str  # of the alert
    mode: str  # observe | propose | act
    action: str  # retry_with_memory, requeue, drain, hold, roll_back, ask_capacity, webhook, ..
    about: str  # task | node | user | workflow | queue | model | series
    subject: str
    state: str  # proposed | approved | done | undone | refused | failed
    reason: str = ""  # in words: what was done, or why not
    rule: str = ""  # that asked for it
    expires_s: float | None = None  # a proposal is void, or what was done is undone, from then on
    expected_gain: float | None = None  # as a simulation said before, in core-seconds
    made_by: str = ""  # the ranking, or the person who approved


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A record that could not be believed, kept whole with the reason."""

    source: str  # file name or stream
    line: int  # 1-based; for columnar files the row
    reason: str  # short and countable: 'negative runtime'
    text: str  # the record as it came, cut at 2,000 characters
    at_s: float  # when it was read


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What a source says of its cluster as a whole; doubted where the tasks contradict it."""

    cluster: str
    at_s: float  # the first submission
    source: str  # file name without folder, or address
    format: str  # swf, sacct, pbs, nextflow, wfformat, table, live
    zero_s: float  # the moment from which the source counts its times
    total_cpus: float | None = None
    total_memory_bytes: int | None = None
    nodes: int | None = None
    doubts: tuple[str, ...] = ()  # sentences on what the source claims and its records deny


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """One cluster at one moment: what waits, what runs, what is free.

    `estimates` maps a target (runtime_s, memory_bytes) to an Estimate with one row for each task
    of `queued`, then one for each of `running`, in their order.
    """

    cluster: str
    at_s: float
    queued: tuple[Task, ...]
    running: tuple[Task, ...]
    total_cpus: float
    free_cpus: float
    total_memory_bytes: int | None = None  # None = memory is not managed
    free_memory_bytes: int | None = None
    estimates: Mapping[str, Estimate] = field(default_factory=dict)


KINDS: Final[dict[str, type]] = {
    "task": Task,
    "cluster": ClusterFacts,
    "sample": Sample,
    "prediction": Prediction,
    "decision": Decision,
    "outcome": Outcome,
    "feedback": Feedback,
    "alert": Alert,
    "verdict": Verdict,
    "action": Action,
    "quarantine": Quarantined,
}
"""The kinds a Store keeps."""

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "task": ("cluster", "id", "attempt"),
    "cluster": ("cluster", "source"),
    "sample": ("cluster", "source", "metric", "at_s"),
    "prediction": ("cluster", "id", "attempt", "target", "made_by"),
    "decision": ("decision_id",),
    "outcome": ("decision_id", "id", "attempt"),
    "feedback": ("decision_id", "user", "at_s"),
    "alert": ("alert_id",),
    "verdict": ("alert_id", "at_s"),
    "action": ("action_id", "at_s", "state"),
    "quarantine": ("source", "line", "reason", "text"),
}
"""What tells two records of a kind apart; a later record of a known key replaces it."""

TIMES: Final = {kind: "submitted_s" if kind == "task" else "at_s" for kind in KINDS}
"""The column by which a kind is read in order of time."""


def columns(kind: str) -> dict[str, str]:
    """Column name -> type name (str, int, float, bool, strs, floats) of a kind's table.

    >>> columns("sample")["at_s"]
    'float'
    """
    names = {"tuple[str, ...]": "strs", "tuple[float, ...]": "floats"}
    declared = {f.name: str(f.type).removesuffix(" | None") for f in fields(KINDS[kind])}
    return {name: names.get(kind_of, kind_of) for name, kind_of in declared.items()}


def task_fields() -> tuple[str, ...]:
    """The names of all fields of a Task, in their order."""
    return tuple(f.name for f in fields(Task))


def as_row(record: Any) -> dict[str, Any]:
    """A record as a plain dictionary, one entry a column."""
    return {f.name: getattr(record, f.name) for f in fields(record)}


def prediction_of(
    about: Task | Decision, at_s: float, target: str, estimate: Estimate
) -> Prediction:
    """The first row of an estimate as what was believed of one task at a moment."""
    refused = str(estimate.refused[0])
    return Prediction(
        cluster=about.cluster,
        id=about.id,
        attempt=about.attempt,
        at_s=at_s,
        target=target,
        value=None if refused else float(estimate.value[0]),
        levels=tuple(estimate.levels.tolist()),
        quantiles=() if refused else tuple(estimate.quantiles[0].tolist()),
        made_by=str(estimate.made_by[0]),
        refused=refused,
    )


def outcome_of(decision: Decision, task: Task) -> Outcome:
    """What became of a decision, as the task that it was about says when it has ended."""
    started_s, ended_s = task.started_s, task.ended_s
    has_run = started_s is not None and ended_s is not None
    return Outcome(
        decision_id=decision.decision_id,
        cluster=task.cluster,
        id=task.id,
        attempt=task.attempt,
        at_s=decision.at_s if ended_s is None else ended_s,
        wait_s=None if started_s is None else max(0.0, started_s - task.submitted_s),
        runtime_s=max(0.0, (ended_s or 0.0) - (started_s or 0.0)) if has_run else None,
        memory_peak_bytes=task.memory_peak_bytes,
        state=task.state,
    )
