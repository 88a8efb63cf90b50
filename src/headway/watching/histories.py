"""A home's history that is followed while tasks are added to its log."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any, Final

from headway.alerts import iso, version_of
from headway.anomaly.tasks import TaskWatch
from headway.errors import NotEnoughData
from headway.records import MEASURED, Event, Prediction, Task, task_fields
from headway.watching.log import AlertLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from headway.records import Alert

    Progress = Callable[[str, float], None]
    Key = tuple[str, str, int, str]

_UNMEASURED: Final[dict[str, Any]] = dict.fromkeys(MEASURED)
_ORDER: Final = ("ended", "predicted", "started")  # of what comes at one moment


class FollowedHistory:
    """Watches the tasks in the log of a home by `TaskWatch`, one for each cluster.

    Time is that of the log: what a task does is looked at when the log says so, in order of time.
    What is added later of a time that is over cannot be judged any more, and is counted.
    """

    def __init__(self, home: Path) -> None:
        """NotEnoughData where the home holds no tasks."""
        if version_of(home, "task") == 0:
            raise NotEnoughData(
                f"{home} holds no history to watch: `headway import HISTORY` adds one; or name a"
                " file of series"
            )
        self._log, self._home = AlertLog(home), home
        self._watches: dict[str, TaskWatch] = {}
        self._newest_s: dict[str, float] = {}
        self._open: set[str] = set()
        self._seen: set[Key] = set()
        self._versions = (0, 0)
        self._late = 0

    def poll(
        self, now_s: float, *, is_last: bool = False, progress: Progress | None = None
    ) -> list[dict[str, Any]]:
        """What came since: `{event: alert | over, ..}`, alerts as `alert_row` says."""
        versions = (version_of(self._home, "task"), version_of(self._home, "prediction"))
        if versions == self._versions:
            return []
        self._versions = versions
        new = sorted(self._new(), key=lambda one: (one[0], _ORDER.index(one[1])))
        newest_s = dict(self._newest_s)
        alerts: list[Alert] = []
        for i, (at_s, what, record) in enumerate(new):
            if at_s < newest_s.get(record.cluster, -inf):
                self._late += what != "predicted"
                continue
            self._newest_s[record.cluster] = at_s
            watch = self._watches.setdefault(record.cluster, TaskWatch())
            if isinstance(record, Prediction):
                watch.believe(record)
            else:
                alerts += watch.see(Event(kind=what, at_s=at_s, task=record))
            if progress is not None and i % 1024 == 0:
                progress("look at tasks", i / len(new))
        for alert in alerts:
            (self._open.add if alert.ended_s is None else self._open.discard)(alert.alert_id)
        return self._log.keep(alerts)

    def status(self) -> dict[str, Any]:
        """How far the log was read, and what was found."""
        learning = [
            name for name, watch in self._watches.items() if inf in watch.thresholds.values()
        ]
        return {
            "event": "status", "source": str(self._home), "clusters": len(self._watches),
            "tasks": len({key[:3] for key in self._seen if key[3] != "predicted"}),
            "until": iso(max(self._newest_s.values())) if self._newest_s else None,
            "told": self._log.told, "open": len(self._open), "late": self._late,
            "learning": learning,
        }  # fmt: skip

    def close(self) -> None:
        """Nothing is held open."""

    def _new(self) -> Iterator[tuple[float, str, Task | Prediction]]:
        """(at_s, what, record) of what was not seen yet, a task as it was at that moment."""
        tasks = self._log.store.read("task", -inf, inf).select(task_fields())
        for row in tasks.iter_rows(named=True):
            task = Task(**{**row, "parents": tuple(row["parents"] or ())})
            running = replace(task, **_UNMEASURED, state="running")
            for at_s, what, then in (
                (task.started_s, "started", running), (task.ended_s, "ended", task)
            ):  # fmt: skip
                if at_s is not None and self._is_new((task.cluster, task.id, task.attempt, what)):
                    yield at_s, what, then
        rows = self._log.store.read("prediction", -inf, inf)
        for row in rows.iter_rows(named=True):
            lists = {name: tuple(row[name]) for name in ("levels", "quantiles")}
            said = Prediction(**{**row, **lists})
            if self._is_new((said.cluster, said.id, said.attempt, f"{said.target} {said.made_by}")):
                yield said.at_s, "predicted", said

    def _is_new(self, key: Key) -> bool:
        if key in self._seen:
            return False
        self._seen.add(key)
        return True
