"""What may be behind an alert about a series: what its detectors see, the strangest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.anomaly.ensemble import Ensemble
from headway.anomaly.rarity import rarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.anomaly.calibrated import Calibrated
    from headway.records import Alert

    Floats = NDArray[np.float64]

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


def causes_of(one: Calibrated | Ensemble, said: Floats, alert: Alert) -> tuple[str, ...]:
    """What the detectors that found a point strangest see, and on which side it came.

    said (members,): their scores of the point.
    """
    if isinstance(one, Ensemble):
        rare = np.nan_to_num(rarity(said))
        order = np.argsort(-rare, kind="stable")[:2].tolist()
        strangest = [one.members[k].name for k in order if rare[k] >= 0.5 * rare[order[0]]]
    else:
        strangest = [one.name]
    causes = [CAUSES[name] for name in strangest]
    if alert.value is not None and alert.expected_high is not None:
        if alert.value > alert.expected_high:
            causes.append("more than was expected")
        elif alert.expected_low is not None and alert.value < alert.expected_low:
            causes.append("less than was expected")
    return tuple(causes)
