"""A file of series that is followed while it grows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.alerts import iso, saw
from headway.anomaly.calibrated import LEAST_POINTS
from headway.detecting import one_of, watch_of
from headway.observe.clocks import in_time, same_clock
from headway.observe.live import LiveRows
from headway.observe.tail import Tail
from headway.records import Quarantined, as_row
from headway.tables import frame
from headway.watching.log import AlertLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.anomaly import SeriesWatch
    from headway.observe.live import Aside, Came
    from headway.records import Alert, Verdict

    Floats = NDArray[np.float64]
    Pair = tuple[Floats, Floats]
    Progress = Callable[[str, float], None]

_PATIENCE: Final = 3  # looks for which a moment waits for the points of its other series


class FollowedSeries:
    """Watches the series of a CSV file, each point once it is there and before it is learned.

    It is read from its beginning, which is what detectors learn from; alerts that the home keeps
    already are not told again. Series whose first points come at the same times are watched
    together. A file that was cut or replaced is read on: what is no later than what was read is
    passed over.
    """

    def __init__(
        self, path: Path, home: Path, *, time: str = "", value: str = "",
        detectors: Sequence[str] = ("auto",),
    ) -> None:  # fmt: skip
        """ConfigError for a detector that is not known, InputError for a file that is not there."""
        one_of(detectors)  # wrong names first
        self._rows = LiveRows(path, time=time, values=(value,) if value else ())
        self._log, self._name, self._home = AlertLog(home), path.name, home
        self._detectors = tuple(detectors)
        self._waiting: dict[str, Pair] = {}  # points of series that nothing watches yet
        self._watched: list[_Together] = []
        self._verdicts: list[Verdict] = []
        self._points = self._aside = self._repeated = self._late = 0
        before = self._log.store.read("quarantine").filter(pl.col("source") == path.name)
        self._quarantined = set(before.select("line", "reason", "text").iter_rows())
        self._tail = Tail(path)

    def poll(
        self, now_s: float, *, is_last: bool = False, progress: Progress | None = None
    ) -> list[dict[str, Any]]:
        """What came since: `{event: alert | over | quarantined, ..}`, alerts as `alert_row` says.

        is_last: nothing is waited for. InputError where the file holds no series, or its clock
        went back.
        """
        self._take_verdicts()
        aside: list[Aside] = []
        alerts: list[Alert] = []
        until_s = self._newest_s
        for fresh in self._tail.read(is_last=is_last):
            if fresh.is_new:  # no more comes of what was read before
                aside += self._take(self._rows.finish())
            aside += self._take(self._rows.take(fresh))
            alerts += self._look(False, progress)
        if is_last:
            aside += self._take(self._rows.finish())
        alerts += self._look(is_last, progress)
        events = self._log.keep(alerts)
        if self._newest_s is not None and self._newest_s != until_s:
            saw(self._home, self._name, self._newest_s)
        return self._set_aside(aside, now_s) + events

    def status(self) -> dict[str, Any]:
        """How far it was read, and what was found."""
        newest_s = self._newest_s
        return {
            "event": "status", "source": self._name, "points": self._points,
            "series": len(self._waiting) + sum(len(one.names) for one in self._watched),
            "until": None if newest_s is None else iso(newest_s), "told": self._log.told,
            "open": sum(len(one.watch.open()) for one in self._watched),
            "quarantined": self._aside, "repeated": self._repeated, "late": self._late,
        }  # fmt: skip

    def close(self) -> None:
        """Let go of the file."""
        self._tail.close()

    @property
    def _newest_s(self) -> float | None:
        known = [one.watch.last_s for one in self._watched if np.isfinite(one.watch.last_s)]
        return max(known, default=None)

    def _take(self, came: Came) -> list[Aside]:
        """Give points to what watches their series, else they wait; what was set aside."""
        self._repeated += came.repeated
        for name, pair in came.points.items():
            self._points += len(pair[0])
            watched = next((one for one in self._watched if name in one.held), None)
            if watched is None:
                self._waiting[name] = _joined(self._waiting.get(name), pair)
            else:
                self._late += watched.hand(name, pair)
        return came.aside

    def _look(self, is_last: bool, progress: Progress | None) -> list[Alert]:
        """Look at all moments that are whole."""
        self._group(is_last)
        alerts: list[Alert] = []
        for i, one in enumerate(self._watched):
            told = None if progress is None else _share(progress, i, len(self._watched))
            alerts += one.step(is_last, told)
        return alerts

    def _group(self, is_last: bool) -> None:
        """Begin to watch series of which enough points have come, those of one clock together."""
        ripe = {k: p for k, p in self._waiting.items() if is_last or len(p[0]) >= LEAST_POINTS}
        for names in same_clock(ripe, LEAST_POINTS):
            watch = watch_of(names, self._detectors, cluster=self._name, verdicts=self._verdicts)
            self._watched.append(_Together(watch, {k: self._waiting.pop(k) for k in names}))

    def _take_verdicts(self) -> None:
        new = self._log.new_verdicts(self._name)
        self._verdicts += new
        for one in self._watched:
            mine = [v for v in new if not v.dimensions or set(v.dimensions) & set(one.names)]
            one.watch.judge(mine)

    def _set_aside(self, aside: list[Aside], now_s: float) -> list[dict[str, Any]]:
        """Keep the rows that were not believed, with the reason; those not kept yet are news."""
        self._aside += len(aside)
        new = [one for one in aside if (one.line, one.reason, one.text) not in self._quarantined]
        rows = [as_row(Quarantined(source=self._name, at_s=now_s, **asdict(one))) for one in new]
        if rows:
            self._log.store.append("quarantine", [frame("quarantine", rows)])
        return [{"event": "quarantined", "source": self._name} | asdict(one) for one in new]


class _Together:
    """Series that are watched together, and their points that were not looked at yet."""

    def __init__(self, watch: SeriesWatch, held: dict[str, Pair]) -> None:
        self.watch, self.names, self.held = watch, watch.names, held
        self._looks = 0  # at points of a moment that is not whole

    def hand(self, name: str, pair: Pair) -> int:
        """Points of one of the series, in order of time; how many came too late."""
        at_s, y = pair
        is_due = at_s >= self.watch.last_s  # a moment that was scored without it is over
        self.held[name] = _joined(self.held[name], (at_s[is_due], y[is_due]))
        return int((~is_due).sum())

    def step(self, is_last: bool, progress: Callable[[float], None] | None) -> list[Alert]:
        """Look at all moments that are whole; alerts as they were raised, grew or ended."""
        panel = in_time(self.held, self.names)
        if not len(panel.at_s):
            return []
        is_whole = all(len(rows) and rows[-1] == len(panel.at_s) - 1 for rows in panel.rows)
        self._looks = 0 if is_whole else self._looks + 1
        is_due = is_whole or is_last or self._looks > _PATIENCE
        until = len(panel.at_s) if is_due else len(panel.at_s) - 1
        alerts: list[Alert] = []
        for t, at_s in enumerate(panel.at_s[:until].tolist()):
            alerts += self.watch.step(at_s, panel.y[t]).alerts
            if progress is not None and t % 256 == 0:
                progress(t / until)
        for name, rows in zip(self.names, panel.rows, strict=True):
            at_s_of, y = self.held[name]
            left = rows >= until
            self.held[name] = (at_s_of[left], y[left])
        self._looks = 0 if is_due else self._looks
        return alerts


def _joined(before: Pair | None, pair: Pair) -> Pair:
    if before is None or not len(before[0]):
        return pair
    return np.concatenate([before[0], pair[0]]), np.concatenate([before[1], pair[1]])


def _share(progress: Progress, i: int, of: int) -> Callable[[float], None]:
    """Progress of one of several parts."""
    return lambda share: progress("score points", (i + share) / of)
