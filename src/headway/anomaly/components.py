"""Principal components of windows: what other series and the last rows do not explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.anomaly import lagged, same_time
from headway.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Components:
    """The part of the newest point that the components of its window leave over, by series.

    A window holds the last rows of all series; the fewest components with the share `explained` of
    the variance are kept, anew on schedule from what is remembered. seasonal: windows are made of
    distances from the median of the same time on the last days instead of values.
    Source: Jackson, Mudholkar (1979), "Control procedures for residuals associated with principal
    component analysis"; lagged windows: Ku, Storer, Georgakis (1995), "Disturbance detection and
    isolation by dynamic principal component analysis"; residuals by series and units are our own.
    """

    def __init__(
        self,
        window: int = 20,
        explained: float = 0.99,
        seasonal: bool = False,
        kept: int = 8192,
        every: int = 1024,
    ) -> None:
        """kept: rows that are remembered; every: rows from one fit to the next."""
        if not 0.0 < explained < 1.0:
            raise ConfigError(f"explained must be in (0, 1), got {explained}")
        if not 1 <= window <= kept or every < 1:
            raise ConfigError(f"window must be in 1 to {kept} and every at least 1, got {window}")
        self.settings: dict[str, Any] = {
            "window": window, "explained": explained, "seasonal": seasonal, "kept": kept,
            "every": every,
        }  # fmt: skip
        self.window, self.explained, self.is_seasonal = window, explained, seasonal
        self.kept, self.every = kept, every
        self.state: dict[str, NDArray[Any]] = {}

    def measure(self, at_s: Floats | float, y: Floats) -> Floats:
        """The strangeness (n,) of the point that follows."""
        if not self.state or self.state["count"][0] < lagged.FIRST:
            return np.full(len(y), np.nan)
        return lagged.strangeness(self.state, self._error(self._seen(at_s, y)))

    def learn(self, at_s: Floats | float, y: Floats) -> None:
        """The next point y (n,)."""
        if not self.state:
            self.state = lagged.empty(len(y), self.kept)
            inputs = len(y) * lagged.length(len(y), self.window)
            self.state["left_over"] = np.zeros((inputs, len(y)))
            if self.is_seasonal:
                self.state |= {f"season.{k}": v for k, v in same_time.empty(len(y)).items()}
        seen = self._seen(at_s, y)
        if self.state["count"][0] >= lagged.FIRST:
            lagged.learn_error(self.state, self._error(seen))
        lagged.learn(self.state, seen)
        if self.is_seasonal:
            same_time.learn(self._season(), at_s, y)
        if len(y) and lagged.is_due(int(self.state["count"][0]), self.every):
            lagged.rescale(self.state)
            seen = lagged.windows(self.state, self.window)
            errors = (seen @ self.state["left_over"]) / (self.state["error"] + lagged.LEAST)
            seen = lagged.usual(seen, np.abs(errors).mean(axis=1))
            self.state["left_over"] = left_over(seen, self.explained, len(y))

    def _error(self, seen: Floats) -> Floats:
        """What the components leave over (n,) of the newest point, NaN = not observed."""
        window = lagged.newest(self.state, seen, self.window)
        error = window.reshape(-1) @ self.state["left_over"]
        far = lagged.standard(self.state, seen) - window[-1]  # what was cut off as too far
        return np.where(np.isfinite(seen), error + np.nan_to_num(far), np.nan)

    def _seen(self, at_s: Floats | float, y: Floats) -> Floats:
        """What windows are made of (n,)."""
        if not self.is_seasonal:
            return y
        off = same_time.deviation(self._season(), at_s, y)
        return np.where(np.isfinite(y), np.nan_to_num(off), np.nan)

    def _season(self) -> dict[str, NDArray[Any]]:
        return {
            k.removeprefix("season."): v for k, v in self.state.items() if k.startswith("season.")
        }


def left_over(windows: Floats, explained: float, n: int) -> Floats:
    """A matrix (inputs, n): a window times it is what components leave over of its last n numbers.

    windows (m, inputs); the components are the fewest with a share of the variance.
    """
    centred = windows - windows.mean(axis=0)
    variances, vectors = np.linalg.eigh(centred.T @ centred / len(windows))
    variances = np.maximum(variances[::-1], 0.0)
    share = np.cumsum(variances) / max(float(variances.sum()), 1e-12)
    kept = vectors[:, ::-1][:, : int(np.searchsorted(share, explained)) + 1]
    identity = np.eye(windows.shape[1])[:, windows.shape[1] - n :]
    return np.asarray(identity - kept @ kept[windows.shape[1] - n :].T, dtype=np.float64)
