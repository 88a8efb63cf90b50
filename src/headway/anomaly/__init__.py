"""Detectors: how strange the newest point of each series is; and alerts, one per incident.

`detector` makes one by its short name; `load` reads what its `save` kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headway.anomaly.alerts import Alerting, AlertPolicy, rarity
from headway.anomaly.calibrated import Calibrated, read
from headway.anomaly.control_chart import ControlChart, control_limit
from headway.errors import ConfigError

__all__ = [
    "DETECTORS", "AlertPolicy", "Alerting", "Calibrated", "ControlChart", "control_limit",
    "detector", "load", "rarity",
]  # fmt: skip

DETECTORS: dict[str, tuple[Any, dict[str, Any]]] = {
    "shewhart": (ControlChart, {"chart": "shewhart"}),
    "ewma": (ControlChart, {"chart": "ewma"}),
    "cusum": (ControlChart, {"chart": "cusum"}),
}
"""What measures strangeness and its settings, by the detector's short name."""


def detector(name: str, **settings: Any) -> Calibrated:
    """A new detector by its short name; settings: of what it measures, see its class."""
    if name not in DETECTORS:
        raise ConfigError(f"a detector must be one of {', '.join(DETECTORS)}, got {name!r}")
    statistic, defaults = DETECTORS[name]
    try:
        return Calibrated(name, statistic(**(defaults | settings)))
    except TypeError as error:
        raise ConfigError(f"detector {name}: {error}") from error


def load(folder: str | Path) -> Calibrated:
    """A detector as its `save` kept it."""
    name, settings, arrays = read(Path(folder))
    made = detector(name, **settings)
    made.restore(arrays)
    return made
