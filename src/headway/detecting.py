"""How strange each point of the series in a file is, and the incidents among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.anomaly import (
    Alerting,
    Bands,
    Ensemble,
    detector,
    observed,
    rarity,
    usual_policy,
    weekly_policy,
)
from headway.errors import ConfigError
from headway.observe.grid import counts_up, rises
from headway.observe.series import read_points

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.anomaly import Calibrated
    from headway.records import Alert

    Floats = NDArray[np.float64]
    Progress = Callable[[str, float], None]

MOST_POINTS: Final = 20_000_000
SINGLE: Final = 0.99  # the threshold for detectors other than the usual ensemble
CAUSES: Final = {
    "shewhart": "a point far from what is usual at this time",
    "ewma": "its level moved",
    "slow_ewma": "its level moved slowly",
    "cusum": "small deviations to one side added up",
    "bands": "a step that a forecast did not expect",
    "surprise": "a run of points that forecasts did not expect",
    "slow_surprise": "a long run of points that forecasts did not expect",
    "context": "a value that did not follow from such a past before",
    "nearest": "a recent past unlike any before",
    "sub_pca": "a recent past that does not move as usual",
    "isolation": "a recent past that stands apart",
    "adwin": "its mean changed for good",
    "page_hinkley": "its mean changed for good",
    "peers": "it does what no other series does",
    "same_time": "it does not go with the other series as usual",
    "components": "the series stopped moving together",
    "seasonal_components": "the series stopped moving together, their season aside",
    "autoencoder": "a recent past that a network cannot rebuild",
    "joint": "it does not go with the other series as usual",
}
"""What a detector sees, by its name."""


def detect_series(
    path: Path,
    *,
    time: str = "",
    value: str = "",
    detectors: Sequence[str] = ("auto",),
    with_alerts: bool = False,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Each series of a file: the score of each of its points, and its alerts.

    `{series, detector, points: [{at, score}], alerts}`. points: in the file's order, at is UTC, ISO
    8601, null where no time could be read; score in [0, 1] is causal, null = not scored. alerts:
    `[{start, end, severity, score, expected: [low, high], came, causes, with}]`, the oldest first;
    null = not asked. An incident of several series is with the one that was first.
    """
    one_of(detectors)  # wrong names first
    read = read_points(path, time=time, values=(value,) if value else ())
    many = sum(len(at_s) for at_s, _ in read.points.values())
    if many > MOST_POINTS:
        raise ConfigError(f"{path.name} has {many:,} points, at most {MOST_POINTS:,}")
    rows: dict[str, dict[str, Any]] = {}
    done = 0
    for names in same_times(read.points):
        panel = in_time(read.points, names)

        def told(share: float, done: int = done, size: int = panel.y.size) -> None:
            progress("score points", min((done + share * size) / max(many, 1), 1.0))

        watched = watch(panel, detectors, with_alerts, told)
        done += panel.y.size
        for i, name in enumerate(names):
            scores = np.full(len(read.points[name][0]), np.nan)
            scores[panel.order] = watched.scores[:, i]
            rows[name] = {
                "series": name,
                "detector": watched.detector,
                "points": _points(read.points[name][0], scores),
                "alerts": watched.alerts[name] if with_alerts else None,
            }
    return [rows[name] for name in read.points]


def one_of(detectors: Sequence[str]) -> Calibrated | Ensemble:
    """The detector that a list of names means: `auto` the usual ensemble, several one of them."""
    names = ["ensemble" if name == "auto" else name for name in detectors]
    if len(names) == 1:
        return detector(names[0])
    if {"ensemble", "points"} & set(names):
        raise ConfigError("auto and points are ensembles already: name one alone, or its members")
    return detector("ensemble", members=[[name, {}] for name in dict.fromkeys(names)])


@dataclass(frozen=True, slots=True)
class InTime:
    """Series of the same times, the oldest first.

    at_s (t,); y (t, n), counters as what they rose by; order (t,): the place in the file of each.
    """

    names: tuple[str, ...]
    at_s: Floats
    y: Floats
    order: NDArray[np.intp]


def same_times(points: dict[str, Any] | Any) -> list[tuple[str, ...]]:
    """The names of series, those with the same times together: they are watched as one panel."""
    groups: dict[bytes, list[str]] = {}
    for name, (at_s, _) in points.items():
        groups.setdefault(np.asarray(at_s).tobytes(), []).append(name)
    return [tuple(names) for names in groups.values()]


def in_time(points: Any, names: tuple[str, ...]) -> InTime:
    """Series that share their times in the order of these; points without a time are left out."""
    at_s = np.asarray(points[names[0]][0])
    order = np.argsort(at_s, kind="stable")
    order = order[np.isfinite(at_s[order])]
    y = np.column_stack([np.asarray(points[name][1])[order] for name in names])
    at_s = at_s[order]
    for i, name in enumerate(names):
        if counts_up(name):
            y[:, i] = _rises(at_s, y[:, i])
    return InTime(names, at_s, y, order)


def _rises(at_s: Floats, y: Floats) -> Floats:
    """What a counter rose by until each point that is known, NaN elsewhere."""
    is_known = np.isfinite(y)
    rise = np.full(len(y), np.nan)
    if is_known.any():
        rise[is_known] = rises(at_s[is_known], y[is_known], usual_step_s(at_s))
    return rise


def usual_step_s(at_s: Floats) -> float:
    """The median time between moments that follow one another; a minute where there is none."""
    gaps = np.diff(at_s)
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else 60.0


@dataclass(frozen=True, slots=True)
class Watched:
    """scores (t, n) of points; alerts by the name of the series that was first."""

    detector: str
    scores: Floats
    alerts: dict[str, list[dict[str, Any]]]


def watch(
    panel: InTime, detectors: Sequence[str], with_alerts: bool, progress: Callable[[float], None]
) -> Watched:
    """Score series point by point, each before it is learned, and raise alerts."""
    one = one_of(detectors)
    is_usual = tuple(detectors) in (("auto",), ("ensemble",))
    changes = {} if is_usual else {"threshold": SINGLE}
    step_s = usual_step_s(panel.at_s)
    is_points = tuple(detectors) == ("points",)
    policy = weekly_policy(step_s) if is_points else usual_policy(step_s, **changes)
    alerting = Alerting(panel.names, policy, made_by=one.name)
    bands, found = Bands(), {}
    scores = np.full(panel.y.shape, np.nan)
    for t, (at_s, y) in enumerate(zip(panel.at_s.tolist(), panel.y, strict=True)):
        scores[t] = one.score(at_s, y)
        if with_alerts:
            seen = observed(y)
            low, high = _band(bands, at_s, seen)
            for alert in alerting.step(at_s, scores[t], seen, low, high):
                if alert.alert_id not in found:
                    causes = _causes(one, at_s, y, panel.names.index(alert.subject), alert)
                    found[alert.alert_id] = replace(alert, causes=causes)
                else:
                    causes = found[alert.alert_id].causes
                    found[alert.alert_id] = replace(alert, causes=causes)
            bands.learn(np.full(len(y), at_s), seen)
        one.learn(at_s, y)
        if t % 256 == 0:
            progress(t / len(panel.at_s))
    alerts: dict[str, list[dict[str, Any]]] = {name: [] for name in panel.names}
    for alert in found.values():
        alerts[alert.subject].append(_row(alert))
    return Watched(one.name, scores, alerts)


def _band(bands: Bands, at_s: float, y: Floats) -> tuple[Floats, Floats]:
    """Between what each series (n,) was expected; NaN before anything is known."""
    if not bands.state:
        return np.full(len(y), np.nan), np.full(len(y), np.nan)
    return bands.band(np.full(len(y), at_s))


def _causes(
    one: Calibrated | Ensemble, at_s: float, y: Floats, i: int, alert: Alert
) -> tuple[str, ...]:
    """What the detectors that found the point strangest see, and on which side it came."""
    if isinstance(one, Ensemble):
        said = np.nan_to_num(rarity(one.scores(at_s, y)[:, i]))
        order = np.argsort(-said, kind="stable")[:2].tolist()
        strangest = [one.members[k].name for k in order if said[k] >= 0.5 * said[order[0]]]
    else:
        strangest = [one.name]
    causes = [CAUSES[name] for name in strangest]
    if alert.value is not None and alert.expected_high is not None:
        if alert.value > alert.expected_high:
            causes.append("more than was expected")
        elif alert.expected_low is not None and alert.value < alert.expected_low:
            causes.append("less than was expected")
    return tuple(causes)


def _row(alert: Alert) -> dict[str, Any]:
    """An alert as the command line says it."""
    return {
        "start": iso(alert.at_s),
        "end": None if alert.ended_s is None else iso(alert.ended_s),
        "severity": alert.severity,
        "score": alert.score,
        "expected": [alert.expected_low, alert.expected_high],
        "came": alert.value,
        "causes": list(alert.causes),
        "with": list(alert.dimensions[1:]),
    }


def _points(at_s: Any, scores: Floats) -> list[dict[str, Any]]:
    return [
        {"at": iso(at) if np.isfinite(at) else None, "score": s if np.isfinite(s) else None}
        for at, s in zip(np.asarray(at_s).tolist(), scores.tolist(), strict=True)
    ]


def iso(at_s: float) -> str:
    """A moment as ISO 8601 in UTC; parts of a second where there are some.

    >>> iso(0.0), iso(1.5)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.500000Z')
    """
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
