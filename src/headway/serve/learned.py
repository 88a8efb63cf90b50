"""What one outcome teaches the models that are in use, and whether it can be believed at all.

An outcome teaches its own user's tasks alone (see `History.learn_own`, `sizing.own`): whatever one
user sends, no other user's answers move. What cannot be believed is set aside with its reason, what
is beyond what could be is clipped; the log of outcomes keeps all as it came.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.features import History
from headway.predict.sizing import RightSizer
from headway.predict.sizing.own import learn_own
from headway.records import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headway.serve.advisor import Models

FOLDER: Final = "learned"
MOST: Final = 20_000  # outcomes of one user that teach the models of one training
AHEAD_S: Final = 86400.0  # that a clock may go ahead
TIMES_ALLOCATED: Final = 64.0  # peaks beyond so many times what a task had or asked for: no peak
BEYOND_LIMIT: Final = 1.05  # a limit may be overrun by this and two minutes
ABSURD_LIMIT: Final = 4.0  # a runtime beyond so many limits is none
LONGEST_S: Final = 400 * 86400.0
LARGEST_BYTES: Final = float(1 << 50)
ASKED: Final = (
    "cluster", "id", "attempt", "user", "group", "project", "workflow", "name", "tag", "queue",
    "container", "parents", "submitted_s", "cpus_requested", "nodes", "gpus", "limit_s",
    "memory_requested_bytes", "input_bytes",
)  # fmt: skip
"""Of a task: what is known before it runs."""
_asked = attrgetter(*ASKED)


@dataclass(slots=True)
class Taught:
    """How far the models of a training have followed the journal of what was learned."""

    number: int = -1  # of the last entry that they have taken; -1 = nothing teaches them
    ends: dict[Path, int] = field(default_factory=dict)  # bytes read of each segment
    by_user: Counter[str] = field(default_factory=Counter)


def asked_of(task: Task) -> dict[str, Any]:
    """A task as it was asked about, for the log; what is not known is left out."""
    return {
        name: value for name, value in zip(ASKED, _asked(task), strict=True)
        if value is not None and (value or name != "parents")
    }  # fmt: skip


def task_of(said: Mapping[str, Any], **ran: Any) -> Task:
    """The task of what `asked_of` gave, with what is known of its run."""
    fields = dict(said) | {"parents": tuple(said.get("parents", ()))}
    return Task(**({"cluster": "", "id": "", "state": "pending"} | fields | ran))


def entry_of(
    decision: Mapping[str, Any], outcome: Mapping[str, Any], now_s: float
) -> dict[str, Any]:
    """What an outcome teaches: a record of the journal without its number.

    refused: why it teaches nothing, '' = it does; clipped: what was cut, '' = nothing.
    """
    asked = decision["task"]
    peak, runtime_s, clipped = outcome["memory_peak_bytes"], outcome["runtime_s"], ""
    limit_s, given = asked.get("limit_s"), decision["memory_bytes"]
    most_s = BEYOND_LIMIT * limit_s + 120.0 if limit_s else math.inf
    if runtime_s is not None and most_s < runtime_s <= most_s / BEYOND_LIMIT * ABSURD_LIMIT:
        runtime_s, clipped = most_s, "runtime beyond the limit"
    refused = _doubt(outcome, asked, peak, runtime_s, given, now_s)
    if not refused and outcome["state"] == "out_of_memory" and given is not None:
        peak = max(peak or 0, given + 1)  # all that is known is that it was not enough
    ended_s = min(outcome["at_s"], now_s)
    return {
        "decision_id": decision["decision_id"], "at_s": now_s, "task": asked,
        "ended_s": ended_s, "runtime_s": runtime_s, "peak": peak, "state": outcome["state"],
        "given": given, "believed": decision["peak_bytes"],
        "is_cold": "unseen" in decision["made_by"] or decision["made_by"] == "request",
        "refused": refused, "clipped": "" if refused else clipped,
    }  # fmt: skip


def _doubt(
    outcome: Mapping[str, Any], asked: Mapping[str, Any], peak: float | None,
    runtime_s: float | None, given: float | None, now_s: float,
) -> str:  # fmt: skip
    """Why an outcome is not believed; '' = it is."""
    if outcome["state"] in ("cancelled", "unknown"):
        return f"a task that ended {outcome['state']} says nothing of the next one"
    if peak is None and runtime_s is None:
        return "neither a runtime nor a peak was measured"
    if outcome["at_s"] > now_s + AHEAD_S:
        return "it comes from more than a day ahead"
    if runtime_s is not None and not 0.0 <= runtime_s <= LONGEST_S:
        return "a runtime that no task has"
    limit_s = asked.get("limit_s")
    if runtime_s is not None and limit_s and runtime_s > ABSURD_LIMIT * limit_s + 480.0:
        return f"the runtime is more than {ABSURD_LIMIT:g} times the limit"
    if peak is None:
        return ""
    had = max(given or 0.0, asked.get("memory_requested_bytes") or 0.0)
    if not 0.0 <= peak <= LARGEST_BYTES or (had and peak > TIMES_ALLOCATED * had):
        return f"the peak is more than {TIMES_ALLOCATED:g} times what it had or asked for"
    return ""


def teach(models: Models, entry: Mapping[str, Any]) -> None:
    """Let the models of a training take one entry, the next in order; any after it is later.

    What ended before they were trained was theirs to learn then.
    """
    models.taught.number = entry["number"]
    if entry["refused"] or entry["at_s"] < models.created_s or models.history is None:
        return
    user = entry["task"].get("user") or ""
    if models.taught.by_user[user] >= MOST:
        return
    models.taught.by_user[user] += 1
    ended_s, runtime_s, peak = entry["ended_s"], entry["runtime_s"], entry["peak"]
    started_s = None if runtime_s is None else ended_s - runtime_s
    ran = task_of(
        entry["task"], started_s=started_s, ended_s=ended_s, state=entry["state"],
        memory_peak_bytes=peak,
    )  # fmt: skip
    if models.sizer is not None and peak is not None:
        x = models.history.look(task_of(entry["task"]), entry["ended_s"])
        learn_own(
            models.sizer, x, _one(entry["believed"])[:, None], _one(peak), _one(runtime_s),
            _one(entry["given"]), np.array([entry["is_cold"]]),
        )  # fmt: skip
    models.history.learn_own(ran)


def warm_up() -> None:
    """Learn once for nothing, so that no answer waits for a compiler."""
    history, sizer = History(), RightSizer()
    history.hold()
    task = Task(
        cluster="", id="", name="", user="", submitted_s=0.0, started_s=0.0, ended_s=1.0,
        memory_peak_bytes=1, memory_requested_bytes=1,
    )  # fmt: skip
    x, one = history.look(task, 0.0), _one(1.0)
    learn_own(sizer, x, one[:, None], one, one, one, np.array([False]))
    history.learn_own(task)


def _one(value: float | None) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([math.nan if value is None else value])
