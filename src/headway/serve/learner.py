"""Lets outcomes teach the models that are in use, beside the answers.

The log of decisions and outcomes is read on; what an outcome teaches is written to a journal below
`<home>/learned` (one process at a time) before any model takes it. What models have learned is a
function of their training and that journal alone: it is the same after a crash, in every server
of a home, and for whoever checks it later (`skew`).
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headway.errors import StoreError
from headway.serve.decisions import segments_of
from headway.serve.learned import FOLDER, entry_of, teach
from headway.serve.opinions import Opinions
from headway.serve.tally import EXPIRES_S
from headway.store.journal import Journal, read_on, records_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headway.serve.advisor import Models
    from headway.serve.client import Client

log = logging.getLogger(__name__)

READ_S: Final = 0.1  # that a step may read,
TEACH_S: Final = 0.5  # and teach,
PAUSE_S: Final = 0.002  # with a pause for answers after each entry taught,
READ_AT_ONCE: Final = 20  # and after so many records read
MOST_OPEN: Final = 200_000  # decisions that wait for their outcome, and outcomes for theirs


class Learner:
    """Belongs to one thread; `step` does what can be done now."""

    def __init__(self, home: Path, client: Client) -> None:
        self._client, self._folder, self._home = client, home / FOLDER, home
        self._journal: Journal | None = None
        self._number, self._done = 0, set[str]()
        self._open: dict[str, tuple[Path, int]] = {}  # where the decision is in the log
        self._early: dict[str, Mapping[str, Any]] = {}
        self._ends: dict[Path, int] = {}
        self.counts: Counter[str] = Counter()
        self._opinions = Opinions()

    def step(self, now_s: float) -> bool:
        """Take in what came, teach what is due; whether all is done."""
        if self._journal is None:
            self._take_over()
        entries, is_read = self._judged(now_s)
        if entries and self._journal is not None:
            try:
                self._journal.append([json.dumps(entry).encode() for entry in entries])
            except StoreError:
                self.close()  # what was not kept is found again by whoever takes over
                raise
            for entry in entries:
                self._count(entry)
        is_taught = all([self._teach(models) for models in self._client.live_models()])
        self._client.learning = self._gauges() | self._opinions.gauges()
        return is_read and is_taught

    def close(self) -> None:
        """Let another process learn."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _take_over(self) -> None:
        """Become the one that learns, unless another process is."""
        try:
            journal = Journal(self._folder)
        except StoreError as error:
            if "another process" in str(error):
                return
            raise
        self._number, self._done = 0, set()
        self.counts.clear()
        for record in journal:
            entry = json.loads(record)
            self._count(entry)
        self._open, self._early, self._ends = {}, {}, {}
        self._journal = journal

    def _count(self, entry: Mapping[str, Any]) -> None:
        self._number = entry["number"]
        self._done.add(entry["decision_id"])
        self.counts["refused" if entry["refused"] else "learned"] += 1
        self.counts["clipped"] += bool(entry["clipped"])

    def _judged(self, now_s: float) -> tuple[list[dict[str, Any]], bool]:
        """New entries from what was logged meanwhile, and whether nothing is left to read."""
        until = time.perf_counter() + READ_S
        entries: list[dict[str, Any]] = []
        fresh = read_on(_recent(self._home, EXPIRES_S), self._ends)
        for count, (record, place) in enumerate(fresh, 1):
            if count % READ_AT_ONCE == 0:
                time.sleep(PAUSE_S)
            try:
                said = json.loads(record)
                self._opinions.take(said)
                entry = self._joined(said, place, now_s)
            except (KeyError, TypeError, ValueError) as error:
                log.warning("a record of the log teaches nothing: %r", error)
                continue
            if entry is not None and self._journal is not None:
                self._done.add(entry["decision_id"])
                entries.append(entry | {"number": self._number + len(entries) + 1})
            if time.perf_counter() > until:
                return entries, False
        return entries, True

    def _joined(
        self, record: Mapping[str, Any], place: tuple[Path, int], now_s: float
    ) -> dict[str, Any] | None:
        """What a record completes: the outcome of a decision, in whatever order they come."""
        id_ = record["decision_id"]
        if record["kind"] == "outcome":
            self._client.retries.take(record)
        elif record["kind"] == "decision" and "task" in record:
            self._client.retries.note(record)
        if id_ in self._done:
            return None
        if record["kind"] == "decision" and "task" in record:
            if id_ in self._early:
                return entry_of(record, self._early.pop(id_), now_s)
            _keep(self._open, id_, place)
        elif record["kind"] == "outcome":
            if id_ in self._open:
                found = next(records_of(*self._open.pop(id_)), None)
                if found is not None:  # else it is folded: what came so late teaches nothing
                    return entry_of(json.loads(found), record, now_s)
                return None
            _keep(self._early, id_, record)
        return None

    def _teach(self, models: Models) -> bool:
        """Let models take what they have not yet; whether that was all."""
        until = time.perf_counter() + TEACH_S
        for record, _ in read_on(sorted(self._folder.glob("[0-9]*.log")), models.taught.ends):
            with self._client.alone:  # between two answers, an entry at a time
                teach(models, json.loads(record))
            time.sleep(PAUSE_S)  # a lock that is taken again at once lets nobody in between
            if time.perf_counter() > until:
                return False
        return True

    def _gauges(self) -> dict[str, float]:
        numbers = [models.taught.number for models in self._client.live_models()]
        return {
            "outcomes_learned": float(self.counts["learned"]),
            "outcomes_refused": float(self.counts["refused"]),
            "outcomes_clipped": float(self.counts["clipped"]),
            "outcomes_not_yet_learned": float(max(self._number - min(numbers, default=0), 0)),
        }


def _recent(home: Path, within_s: float) -> list[Path]:
    """The segments of all processes, but those last written so long before the newest."""
    found = segments_of(home)
    newest_s = max((status.st_mtime for _, status in found), default=0.0)
    return [path for path, status in found if status.st_mtime >= newest_s - within_s]


def _keep(book: dict[str, Any], id_: str, what: Any) -> None:
    """Keep one more; the oldest goes where there are too many."""
    if len(book) >= MOST_OPEN:
        del book[next(iter(book))]
    book[id_] = what
