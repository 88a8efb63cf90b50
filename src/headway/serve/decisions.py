"""Every answer that was given, and what became of it, on the disk.

One journal a process below `<home>/decisions`; `read_records` reads those of all. Records are
written in groups by a thread, so that many answers share one wait for the disk.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import struct
import threading
from binascii import b2a_base64
from concurrent.futures import Future
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headway.errors import ConfigError, StoreError
from headway.serve.learned import asked_of
from headway.store.journal import Journal, records_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headway.records import Feedback, Outcome, Task
    from headway.serve.advisor import Answer

log = logging.getLogger(__name__)

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
        self._inbox: queue.SimpleQueue[tuple[bytes, Future[None]] | None] = queue.SimpleQueue()
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
        said |= {"task": asked_of(task), "learned": answer.learned}
        # most of a record, which need no escaping: in `said` they cost as much again
        features = b2a_base64(_packed(answer.features), newline=False)
        return self._put(b'%b, "features": "%b"}' % (json.dumps(said).encode()[:-1], features))

    def outcome(self, outcome: Outcome) -> Future[None]:
        """Keep what became of a decision, whenever it comes."""
        fields = {name: getattr(outcome, name) for name in outcome.__slots__}
        return self._put(json.dumps({"kind": "outcome", **fields}).encode())

    def feedback(self, feedback: Feedback) -> Future[None]:
        """Keep what a person thought of a decision; ConfigError where a rating is not 1 to 5."""
        if feedback.rating is not None and feedback.rating not in (1, 2, 3, 4, 5):
            raise ConfigError(f"rating must be 1 (bad) to 5 (good), got {feedback.rating!r}")
        fields = {name: getattr(feedback, name) for name in feedback.__slots__}
        return self._put(json.dumps({"kind": "feedback", **fields}).encode())

    def close(self) -> None:
        """Write all that was handed over, and let another process write."""
        self._inbox.put(None)
        self._thread.join()
        self._journal.close()

    def _put(self, record: bytes) -> Future[None]:
        kept: Future[None] = Future()
        self._inbox.put((record, kept))
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

    def _write(self, group: list[tuple[bytes, Future[None]]]) -> None:
        try:
            if group:
                self._journal.append([record for record, _ in group])
        except (StoreError, ConfigError) as error:
            log.warning("%d decisions or outcomes are lost: %s", len(group), error)
            for _, kept in group:
                kept.set_exception(error)
            return
        for _, kept in group:
            kept.set_result(None)


def id_of(key: str) -> str:
    """The id of a decision: the same for the same idempotency key, a new one for none.

    >>> id_of("retry-7") == id_of("retry-7"), id_of("") == id_of("")
    (True, False)
    """
    return blake2b(key.encode(), digest_size=16).hexdigest() if key else os.urandom(16).hex()


def _packed(values: tuple[float, ...]) -> bytes:
    """Numbers as float64."""
    return struct.pack(f"{len(values)}d", *values)


def read_records(home: str | Path) -> Iterator[dict[str, Any]]:
    """All that is kept, each process's in its order; also while it is written."""
    for segment in sorted((Path(home) / FOLDER).glob("*/[0-9]*.log")):
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
