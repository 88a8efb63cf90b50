"""Peers: the series that does now what none of the others does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.anomaly.control_chart import ControlChart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEAST: Final = 4  # series that must be observed now


class Peers:
    """How far a series' deviation from what is usual of it is from the median of all series' now.

    In robust deviations of the panel, at least one of the series' own: what moves all of them is no
    one's anomaly. Source: Hampel (1974) for median and median absolute deviation.
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.settings: dict[str, Any] = {}
        self._chart = ControlChart("shewhart")

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """What was learned of each series."""
        return self._chart.state

    @state.setter
    def state(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._chart.state = arrays

    def measure(self, at_s: Floats, y: Floats) -> Floats:
        """The strangeness (n,) of the point that follows; NaN where too few are observed."""
        off = self._chart.deviation(at_s, y)
        if np.isfinite(off).sum() < _LEAST:
            return np.full(len(y), np.nan)
        apart = np.abs(off - np.nanmedian(off))
        return np.asarray(apart / max(1.4826 * float(np.nanmedian(apart)), 1.0))

    def learn(self, at_s: Floats, y: Floats) -> None:
        """The next point y (n,)."""
        self._chart.learn(at_s, y)
