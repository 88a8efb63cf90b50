"""Answers given under an idempotency key, as a process that starts finds them in the log."""

from __future__ import annotations

import json
from array import array
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headway.serve.advisor import Answer, Said
from headway.serve.decisions import segments_of
from headway.store.journal import records_of

if TYPE_CHECKING:
    from headway.records import Task

RECENT_BYTES: Final = 64 << 20  # of the log that is looked through, the newest
_SAME: Final = (
    "at_s", "memory_bytes", "made_by", "refused", "version", "staleness_s", "features_version",
    "decision_id", "arm", "propensity",
)  # fmt: skip


def marked(task: Task, answer: Answer) -> dict[str, Any]:
    """What a record needs beside its decision to give the same answer again."""
    return {
        "task": digest_of(task),
        "runtime_s": asdict(answer.runtime_s),
        "peak_bytes": asdict(answer.peak_bytes),
    }


def digest_of(task: Task) -> str:
    """The same for the same task, whenever it is submitted.

    >>> from headway.records import Task
    >>> a, b = (Task(cluster="c", id="7", submitted_s=at_s) for at_s in (0.0, 1.0))
    >>> digest_of(a) == digest_of(b)
    True
    """
    fields = {name: getattr(task, name) for name in task.__slots__ if name != "submitted_s"}
    said = json.dumps({name: value for name, value in fields.items() if value is not None})
    return blake2b(said.encode(), digest_size=16).hexdigest()


def recall(home: str | Path, most: int) -> dict[str, tuple[str, Answer]]:
    """Digest of the task and answer by decision_id, of the last answers under a key, oldest first.

    Their features stay in the log. Of an id that was logged again the first counts.
    """
    found: dict[str, tuple[str, Answer]] = {}
    for path in reversed(newest(home)):
        for record in records_of(path):
            said = json.loads(record)
            if said["kind"] == "decision" and "keyed" in said:
                found.setdefault(said["decision_id"], (said["keyed"]["task"], _answer(said)))
    return dict(list(found.items())[max(0, len(found) - most) :])


def newest(home: str | Path) -> list[Path]:
    """The segments that are looked through, newest first."""
    segments = sorted(segments_of(home), key=lambda one: (one[1].st_mtime_ns, one[0]), reverse=True)
    size, recent = 0, []
    for path, status in segments:
        if size >= RECENT_BYTES:
            break
        size += status.st_size
        recent.append(path)
    return recent


def _answer(said: dict[str, Any]) -> Answer:
    keyed = said["keyed"]
    same: dict[str, Any] = {name: said[name] for name in _SAME}
    parts: dict[str, Any] = {name: _said(keyed[name]) for name in ("runtime_s", "peak_bytes")}
    return Answer(**same, **parts, feature_names=(), features=array("d"))


def _said(fields: dict[str, Any]) -> Said:
    return Said(**fields | {name: tuple(fields[name]) for name in ("levels", "quantiles")})
