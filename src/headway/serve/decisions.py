"""Every answer that was given, and what became of it, on the disk.

One journal a process below `<home>/decisions`; `read_records` reads those of all. Records are
written in groups by a thread, so that many answers share one wait for the disk.
"""

from __future__ import annotations

import json
import logging
import math
import os
import queue
import threading
from array import array
from binascii import a2b_base64, b2a_base64
from concurrent.futures import Future
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headway.errors import ConfigError, StoreError
from headway.serve.learned import asked_of
from headway.store.journal import Journal, records_of, with_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headway.records import Feedback, Outcome, Task
    from headway.serve.advisor import Answer

log = logging.getLogger(__name__)

Message = tuple[dict[str, Any], bytes | None, Future[None]]  # a record, features, when it is kept

FOLDER: Final = "decisions"
WRITERS: Final = 64  # processes that may log into one home at once
GROUP: Final = 4096  # records that are written at once at the most
SEGMENT_BYTES = 64 << 20  # size from which a journal begins a new segment


class DecisionLog:
    """Keeps answers, outcomes and feedback of this process; a Future says when they are kept.

    StoreError where WRITERS processes log into the home already.
    """

    def __init__(self, home: str | Path) -> None:
        self._journal = _opened(Path(home) / FOLDER)
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="headway-decisions", daemon=True)
        self._thread.start()

    def decide(
        self, task: Task, answer: Answer, latency_s: float, keyed: dict[str, Any] | None = None
    ) -> Future[None]:
        """Keep an answer with its features as they were served (float64 in base64).

        keyed: of an answer under an idempotency key, see recalled.marked.
        """
        said = {
            "kind": "decision", "decision_id": answer.decision_id, "at_s": answer.at_s,
            "cluster": task.cluster, "id": task.id, "attempt": task.attempt, "action": "size",
            "memory_bytes": answer.memory_bytes, "made_by": answer.made_by,
            "refused": answer.refused, "version": answer.version, "arm": answer.arm,
            "propensity": answer.propensity, "staleness_s": answer.staleness_s,
            "latency_s": latency_s, "runtime_s": answer.runtime_s.value,
            "peak_bytes": answer.peak_bytes.value, "features_version": answer.features_version,
        }  # fmt: skip
        if answer.rollouts:
            said |= {"rollouts": answer.rollouts, "shadow": answer.shadow}
        if keyed is not None:
            said["keyed"] = keyed
        said |= {"task": task, "learned": answer.learned}
        return self._put(said, answer.features.tobytes())

    def outcome(self, outcome: Outcome) -> Future[None]:
        """Keep what became of a decision, whenever it comes; NaN is not known, as None."""
        fields = {name: _known(getattr(outcome, name)) for name in outcome.__slots__}
        if fields["at_s"] is None:
            raise ConfigError(f"at_s must be a moment, got {outcome.at_s!r}")
        return self._put({"kind": "outcome", **fields})

    def feedback(self, feedback: Feedback) -> Future[None]:
        """Keep what a person thought of a decision; ConfigError where a rating is not 1 to 5."""
        if feedback.rating is not None and feedback.rating not in (1, 2, 3, 4, 5):
            raise ConfigError(f"rating must be 1 (bad) to 5 (good), got {feedback.rating!r}")
        if _known(feedback.at_s) is None:
            raise ConfigError(f"at_s must be a moment, got {feedback.at_s!r}")
        fields = {name: getattr(feedback, name) for name in feedback.__slots__}
        return self._put({"kind": "feedback", **fields})

    def close(self) -> None:
        """Write all that was handed over, and let another process write."""
        self._inbox.put(None)
        self._thread.join()
        self._journal.close()

    def _put(self, said: dict[str, Any], features: bytes | None = None) -> Future[None]:
        """Hand a record to the thread, which puts it into words: half as long as an answer."""
        kept: Future[None] = Future()
        self._inbox.put((said, features, kept))
        return kept

    def _run(self) -> None:
        """Write what has come, all at once, until closed."""
        is_open = True
        while is_open:
            group = []
            message = self._inbox.get()
            while message is not None:
                group.append(message)
                if self._inbox.empty() or len(group) >= GROUP:
                    break
                message = self._inbox.get()
            is_open = message is not None
            self._write(group)

    def _write(self, group: list[Message]) -> None:
        records, told = [], []
        for said, features, kept in group:
            try:
                records.append(_record(said, features))
                told.append(kept)
            except (AttributeError, TypeError, ValueError) as error:
                log.warning("%s %s cannot be kept: %s", said["kind"], said["decision_id"], error)
                kept.set_exception(ConfigError(f"it cannot be written as JSON: {error}"))
        try:
            if records:
                self._journal.append(records)
        except (StoreError, ConfigError) as error:
            log.warning("%d decisions or outcomes are lost: %s", len(records), error)
            for kept in told:
                kept.set_exception(error)
            return
        for kept in told:
            kept.set_result(None)


def _known(value: Any) -> Any:
    """A value; None for a number that is none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def id_of(key: str) -> str:
    """The id of a decision: the same for the same idempotency key, a new one for none.

    >>> id_of("retry-7") == id_of("retry-7"), id_of("") == id_of("")
    (True, False)
    """
    if key:
        return blake2b(key.encode(), digest_size=16).hexdigest()
    while True:
        try:
            return _UNUSED.pop()
        except IndexError:  # many at once: asking the system takes a third as long as an answer
            drawn = os.urandom(16 * 256).hex()
            _UNUSED.extend(drawn[at : at + 32] for at in range(0, len(drawn), 32))


_UNUSED: Final[list[str]] = []  # ids drawn at random, each given once
os.register_at_fork(after_in_child=_UNUSED.clear)


def _record(said: dict[str, Any], features: bytes | None) -> bytes:
    """A record in words; features: most of a decision's, which need no escaping."""
    if features is None:
        return _in_json(said).encode()
    said["task"] = asked_of(said["task"])
    encoded = b2a_base64(features, newline=False)
    return b'%b, "features": "%b"}' % (_in_json(said).encode()[:-1], encoded)


def _in_json(said: dict[str, Any]) -> str:
    return json.dumps(said, default=lambda number: number.item())  # numpy's numbers


def features_of(record: Mapping[str, Any]) -> array[float]:
    """The features of a logged decision as they were served; none where there were none."""
    return array("d", a2b_base64(record.get("features", "")))


def segments_of(home: str | Path) -> list[tuple[Path, os.stat_result]]:
    """The segments of all processes with their status, each process's in their order."""
    return list(with_status(sorted((Path(home) / FOLDER).glob("*/[0-9]*.log"))))


def read_records(home: str | Path) -> Iterator[dict[str, Any]]:
    """All that the journals keep, each process's in its order; also while they are written."""
    for segment, _ in segments_of(home):
        for record in records_of(segment):
            yield json.loads(record)


def _opened(folder: Path) -> Journal:
    """The first journal that no other process writes to."""
    for number in range(WRITERS):
        try:
            return Journal(folder / f"{number:02d}", segment_bytes=SEGMENT_BYTES)
        except StoreError as error:
            if "another process" not in str(error):
                raise
    raise StoreError(f"{WRITERS} processes log decisions into {folder} already: stop one")
