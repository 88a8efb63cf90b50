"""How strange each point of the series in a file is, and the incidents among them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.alerts import alert_row, iso, keep, saw, store_of, verdicts_of
from headway.anomaly import Ensemble, SeriesWatch, detector, usual_policy, weekly_policy
from headway.anomaly.calibrated import LEAST_POINTS
from headway.errors import ConfigError
from headway.observe.clocks import in_time, same_clock
from headway.observe.grid import counts_up
from headway.observe.series import read_points

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.anomaly import AlertPolicy, Calibrated
    from headway.observe.clocks import InTime
    from headway.observe.grid import Points
    from headway.records import Alert, Verdict

    Floats = NDArray[np.float64]
    Progress = Callable[[str, float], None]

MOST_POINTS: Final = 20_000_000
SINGLE: Final = 0.99  # the threshold for detectors other than the usual ensembles


@dataclass(frozen=True, slots=True)
class Detected:
    """One series: what its points, in the file's order, were and were expected to be.

    at_s, y, scores, low, high (n,), NaN = not known; a counter's y is what it rose by. alerts: its
    latest states, the oldest first; None = not asked for.
    """

    series: str
    detector: str
    at_s: Floats
    y: Floats
    scores: Floats
    low: Floats
    high: Floats
    alerts: tuple[Alert, ...] | None


def detect_file(
    path: Path,
    *,
    time: str = "",
    value: str = "",
    detectors: Sequence[str] = ("auto",),
    with_alerts: bool = False,
    home: Path | None = None,
    cluster: str = "",
    progress: Progress,
) -> list[Detected]:
    """Each series of a file, scored point by point, each before it is learned.

    home: a folder that keeps the alerts, once however often it is asked, and whose verdicts are
    heeded; cluster: what its alerts are of, '' = the file's name.
    """
    one_of(detectors)  # wrong names first
    read = read_points(path, time=time, values=(value,) if value else ())
    many = sum(len(at_s) for at_s, _ in read.points.values())
    if many > MOST_POINTS:
        raise ConfigError(f"{path.name} has {many:,} points, at most {MOST_POINTS:,}")
    cluster = cluster or (path.name if home is not None else "")
    store = None if home is None else store_of(home)
    verdicts = [] if store is None else verdicts_of(store, cluster)
    found: dict[str, Detected] = {}
    done = 0
    for names in same_clock(read.points, LEAST_POINTS):
        panel = in_time(read.points, names)

        def told(share: float, done: int = done, size: int = panel.y.size) -> None:
            progress("score points", min((done + share * size) / max(many, 1), 1.0))

        watch = watch_of(
            names, detectors, cluster=cluster, with_alerts=with_alerts or home is not None,
            verdicts=verdicts,
        )  # fmt: skip
        found |= {one.series: one for one in _watched(panel, watch, read.points, told)}
        done += panel.y.size
    if home is not None and store is not None:
        keep(store, [alert for one in found.values() for alert in one.alerts or ()])
        times = np.concatenate([at_s for at_s, _ in read.points.values()])
        if np.isfinite(times).any():
            saw(home, cluster, float(np.nanmax(times)))
    return [found[name] for name in read.points]


def watch_of(
    names: Sequence[str],
    detectors: Sequence[str],
    *,
    cluster: str = "",
    with_alerts: bool = True,
    verdicts: Sequence[Verdict] = (),
) -> SeriesWatch:
    """What watches series of one clock by the detectors of these names."""
    return SeriesWatch(
        names, one_of(detectors), counters=[counts_up(name) for name in names], cluster=cluster,
        policy_of=partial(policy_of, tuple(detectors)), with_alerts=with_alerts,
        verdicts=[v for v in verdicts if not v.dimensions or set(v.dimensions) & set(names)],
    )  # fmt: skip


def policy_of(detectors: tuple[str, ...], step_s: float) -> AlertPolicy:
    """The policy for the scores of the detectors of these names."""
    if detectors == ("points",):
        return weekly_policy(step_s)
    is_usual = detectors in (("auto",), ("ensemble",))
    return usual_policy(step_s, **({} if is_usual else {"threshold": SINGLE}))


def one_of(detectors: Sequence[str]) -> Calibrated | Ensemble:
    """The detector that a list of names means: `auto` the usual ensemble, several one of them."""
    names = ["ensemble" if name == "auto" else name for name in detectors]
    if len(names) == 1:
        return detector(names[0])
    if {"ensemble", "points"} & set(names):
        raise ConfigError("auto and points are ensembles already: name one alone, or its members")
    return detector("ensemble", members=[[name, {}] for name in dict.fromkeys(names)])


def rows_of(found: Sequence[Detected]) -> list[dict[str, Any]]:
    """Scored series as the command line says them: the score of each point, and the alerts.

    `{series, detector, points: [{at, score}], alerts}`. points: in the file's order, at is UTC, ISO
    8601, null where no time could be read; score in [0, 1] is causal, null = not scored. alerts:
    `[{id, start, end, severity, score, expected: [low, high], came, causes, with, ..}]`, the oldest
    first; null = not asked. An incident of several series is with the one that was first.
    """
    return [
        {
            "series": one.series,
            "detector": one.detector,
            "points": [
                {"at": iso(at) if np.isfinite(at) else None, "score": s if np.isfinite(s) else None}
                for at, s in zip(one.at_s.tolist(), one.scores.tolist(), strict=True)
            ],
            "alerts": None if one.alerts is None else [alert_row(a) for a in one.alerts],
        }
        for one in found
    ]


def _watched(
    panel: InTime, watch: SeriesWatch, points: Points, progress: Callable[[float], None]
) -> list[Detected]:
    """Series scored point by point, with their alerts."""
    kept = {what: np.full(panel.y.shape, np.nan) for what in ("scores", "y", "low", "high")}
    alerts: dict[str, Alert] = {}
    for t, (at_s, y) in enumerate(zip(panel.at_s.tolist(), panel.y, strict=True)):
        seen = watch.step(at_s, y)
        kept["scores"][t], kept["y"][t] = seen.scores, seen.y
        kept["low"][t], kept["high"][t] = seen.low, seen.high
        alerts |= {alert.alert_id: alert for alert in seen.alerts}
        if t % 256 == 0:
            progress(t / len(panel.at_s))
    found = []
    for i, name in enumerate(panel.names):
        at_s = np.asarray(points[name][0])
        placed = {what: np.full(len(at_s), np.nan) for what in kept}
        for what, values in kept.items():
            placed[what][panel.order[i]] = values[panel.rows[i], i]
        mine = tuple(alert for alert in alerts.values() if alert.subject == name)
        own = mine if watch.with_alerts else None
        found.append(Detected(name, watch.detector, at_s, alerts=own, **placed))
    return found
