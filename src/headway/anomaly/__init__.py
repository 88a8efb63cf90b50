"""Detectors: how strange the newest point of each series is; and alerts, one per incident.

`detector` makes one by its short name; `load` reads what its `save` kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headway.anomaly.alerts import Alerting
from headway.anomaly.bands import Bands
from headway.anomaly.calibrated import Calibrated, Statistic, observed, read
from headway.anomaly.causes import likely_causes, rank_causes
from headway.anomaly.contextual import Context
from headway.anomaly.control_chart import ControlChart, control_limit
from headway.anomaly.drift import Drift
from headway.anomaly.ensemble import Ensemble
from headway.anomaly.isolation import Isolation
from headway.anomaly.joint import ROW_DETECTORS, Joint, row_score, strangest
from headway.anomaly.peer import Peers
from headway.anomaly.policy import AlertPolicy, usual_policy, weekly_policy
from headway.anomaly.rarity import rarity
from headway.anomaly.series_watch import Seen, SeriesWatch
from headway.anomaly.subsequence import Directions, NearestPasts
from headway.errors import ConfigError

__all__ = [
    "DETECTORS", "MEMBERS", "POINTS", "AlertPolicy", "Alerting", "Bands", "Calibrated", "Context",
    "ControlChart", "Directions", "Drift", "Ensemble", "Isolation", "Joint", "NearestPasts",
    "Peers", "Seen", "SeriesWatch", "control_limit", "detector", "likely_causes", "load",
    "observed", "rank_causes", "rarity", "row_score", "strangest", "usual_policy", "weekly_policy",
]  # fmt: skip

DETECTORS: dict[str, tuple[Any, dict[str, Any]]] = {
    "shewhart": (ControlChart, {"chart": "shewhart"}),
    "ewma": (ControlChart, {"chart": "ewma"}),
    "slow_ewma": (ControlChart, {"chart": "ewma", "weight": 0.05}),
    "cusum": (ControlChart, {"chart": "cusum"}),
    "bands": (Bands, {}),
    "surprise": (Bands, {"memory": 10}),
    "slow_surprise": (Bands, {"memory": 40}),
    "context": (Context, {"memory": 8}),
    "nearest": (NearestPasts, {}),
    "sub_pca": (Directions, {}),
    "isolation": (Isolation, {}),
    "adwin": (Drift, {"test": "adwin"}),
    "page_hinkley": (Drift, {"test": "page_hinkley"}),
    "peers": (Peers, {}),
    **ROW_DETECTORS,
    "joint": (Joint, {}),
}
"""What measures strangeness and its settings, by the short name of each single detector."""

MEMBERS = ("shewhart", "ewma", "slow_ewma", "surprise", "slow_surprise")
"""Members of `ensemble`, as chosen on half of the files of the Numenta benchmark."""

POINTS = ("shewhart", "ewma", "bands")
"""Members of `points`, where single points matter; see benchmarks/cloud_monitoring.py."""


def detector(name: str, **settings: Any) -> Calibrated | Ensemble:
    """A new detector by its short name; settings: of what it measures, see its class.

    `ensemble` is that of MEMBERS, `points` that of POINTS; they take no settings.
    """
    if name in ("ensemble", "points"):
        usual = MEMBERS if name == "ensemble" else POINTS
        members = settings.pop("members", [[member, {}] for member in usual])
        if settings:
            raise ConfigError(f"detector {name} takes no settings, got {', '.join(settings)}")
        return Ensemble([_single(member, own) for member, own in members])
    return _single(name, settings)


def load(folder: str | Path) -> Calibrated | Ensemble:
    """A detector as its `save` kept it."""
    name, settings, arrays = read(Path(folder))
    made = detector(name, **settings)
    made.restore(arrays)
    return made


def _single(name: str, settings: dict[str, Any]) -> Calibrated:
    if name not in DETECTORS:
        known = ", ".join(("ensemble", "points", *DETECTORS))
        raise ConfigError(f"a detector must be one of {known}, got {name!r}")
    measure, defaults = DETECTORS[name]
    try:
        statistic: Statistic = measure(**(defaults | settings))
    except TypeError as error:
        raise ConfigError(f"detector {name}: {error}") from error
    return Calibrated(name, statistic)
