"""Several detectors of a whole panel as one, and one score of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.anomaly.autoencoder import Autoencoder
from headway.anomaly.calibrated import Calibrated
from headway.anomaly.components import Components
from headway.anomaly.rarity import rarity
from headway.anomaly.same_time import SameTime
from headway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ROW_DETECTORS: Final[dict[str, tuple[Any, dict[str, Any]]]] = {
    "same_time": (SameTime, {}),
    "components": (Components, {}),
    "seasonal_components": (Components, {"window": 10, "explained": 0.8, "seasonal": True}),
    "autoencoder": (Autoencoder, {}),
}
"""What looks at whole rows: its class and settings, by the detector's short name."""

MEMBERS: Final = ("same_time", "components", "seasonal_components")
"""Members of the joint detector, as chosen on half of the servers of ASD."""

_MOST: Final = 6.0  # decades that one series adds to a row at most


class Joint:
    """The mean rarity of a point over several detectors, each calibrated on its own past.

    So a point is strange where it differs from the same time of the last days *and* from what the
    other series tell; one detector alone is outvoted. The mean of logarithms of tail probabilities
    is Fisher's (1932) combination; as its parts depend on each other it is calibrated once more.
    """

    def __init__(self, members: Sequence[str] = MEMBERS) -> None:
        """members: names of ROW_DETECTORS."""
        if not members or set(members) - set(ROW_DETECTORS):
            raise ConfigError(f"members must be of {', '.join(ROW_DETECTORS)}, got {list(members)}")
        self.settings: dict[str, Any] = {"members": list(members)}
        self._members = [Calibrated(x, ROW_DETECTORS[x][0](**ROW_DETECTORS[x][1])) for x in members]

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """All that the members learned, by name."""
        return {f"{m.name}/{k}": v for m in self._members for k, v in m.arrays().items()}

    @state.setter
    def state(self, arrays: dict[str, NDArray[Any]]) -> None:
        for member in self._members:
            part = f"{member.name}/"
            mine = {k.removeprefix(part): v for k, v in arrays.items() if k.startswith(part)}
            member.restore(mine)

    def measure(self, at_s: Floats | float, y: Floats) -> Floats:
        """The mean rarity (n,) of the point that follows, in decades."""
        rare = np.stack([rarity(member.score(_moment(at_s), y)) for member in self._members])
        known = np.isfinite(rare)
        mean = np.where(known, rare, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return np.where(known.any(axis=0), mean, np.nan)

    def learn(self, at_s: Floats | float, y: Floats) -> None:
        """The next point y (n,)."""
        for member in self._members:
            member.learn(_moment(at_s), y)


def row_score(scores: Floats) -> Floats:
    """One score (...) of a row in [0, 1] from those of its series (..., n); NaN = none is known.

    The mean rarity, in which a series counts for at most six decades. It orders rows; as series
    depend on each other, it is no probability.

    >>> row_score(np.array([0.9, 0.99, np.nan])).round(4).item()
    0.9684
    """
    rare = np.minimum(rarity(scores), _MOST)
    known = np.isfinite(scores)
    mean = np.where(known, np.nan_to_num(rare), 0.0).sum(axis=-1) / np.maximum(known.sum(-1), 1)
    return np.asarray(np.where(known.any(axis=-1), 1.0 - 10.0**-mean, np.nan))


def strangest(names: Sequence[str], scores: Floats, least: float = 0.999) -> tuple[str, ...]:
    """The series of a row with scores (n,) of at least so much, the strangest first.

    >>> strangest(("cpu", "disk", "net"), np.array([0.9995, 0.2, 0.99999]))
    ('net', 'cpu')
    """
    order = np.argsort(-np.nan_to_num(scores), kind="stable")
    return tuple(names[i] for i in order.tolist() if scores[i] >= least)


def _moment(at_s: Floats | float) -> float:
    """The one moment of a row, in seconds; 0 where a row has no series."""
    return float(np.ravel(at_s)[0]) if np.size(at_s) else 0.0
