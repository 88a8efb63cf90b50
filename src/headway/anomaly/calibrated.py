"""Detectors: a strangeness of each point, made comparable by the series' own past."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headway.anomaly.calibration import Calibration
from headway.errors import ConfigError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_POINTS = 50
"""Points of a series that are learned before it is scored."""


class Statistic(Protocol):
    """How strange a point is, at least 0, in units of what is usual (below 1 is not rare).

    `settings` are the constructor's arguments; `state` are all arrays that `learn` changes. at_s
    (n,) is the moment of each series' point.
    """

    settings: dict[str, Any]
    state: dict[str, NDArray[Any]]

    def measure(self, at_s: Floats, y: Floats) -> Floats:
        """The strangeness (n,) of the point y (n,) that follows; NaN = cannot say."""
        ...

    def learn(self, at_s: Floats, y: Floats) -> None:
        """The next point y (n,); NaN = not observed."""
        ...


class Calibrated:
    """A Detector whose score is the share of the series' own past that was less strange.

    at_s is a moment, or one moment a series (n,) where their clocks differ.
    """

    def __init__(self, name: str, statistic: Statistic) -> None:
        """name: by which the door makes it again; statistic: what is measured."""
        self.name, self.statistic = name, statistic
        self._calibration = Calibration()
        self._points = np.zeros(0)  # that each series has shown
        self._last: tuple[Floats, Floats, Floats] | None = None  # what was measured of which point

    def score(self, at_s: float, y: Floats) -> Floats:
        """The point y (n,) that follows -> (n,) in [0, 1]; 0.999 = one in a thousand."""
        y = observed(y)
        if not len(self._points):
            return np.full(len(y), np.nan)
        check(y, len(self._points))
        p = self._calibration.tail(self._measure(moments(at_s, y), y))
        return np.where(self._points >= LEAST_POINTS, 1.0 - p, np.nan)

    def learn(self, at_s: float, y: Floats) -> None:
        """The next point y (n,); NaN = not observed."""
        y = observed(y)
        if not len(self._points):
            self._points = np.zeros(len(y))
        check(y, len(self._points))
        at = moments(at_s, y)
        self._calibration.learn(self._measure(at, y))
        self.statistic.learn(at, y)
        self._points += np.isfinite(y)
        self._last = None

    def _measure(self, at_s: Floats, y: Floats) -> Floats:
        """The strangeness of a point, once for its score and its learning."""
        if self._last is not None:
            last_s, last_y, raw = self._last
            if np.array_equal(last_s, at_s) and np.array_equal(last_y, y, equal_nan=True):
                return raw
        raw = self.statistic.measure(at_s, y)
        self._last = (at_s, y.copy(), raw)
        return raw

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that was learned, by name."""
        parts = {"calibration": self._calibration.state, "statistic": self.statistic.state}
        named = {f"{part}.{k}": v for part, state in parts.items() for k, v in state.items()}
        return named | {"points": self._points}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave."""
        self._points = arrays["points"]
        for part, keeper in (("calibration.", self._calibration), ("statistic.", self.statistic)):
            mine = {k.removeprefix(part): v for k, v in arrays.items() if k.startswith(part)}
            keeper.state = mine

    def save(self, folder: Path) -> None:
        """Keep it in a folder."""
        write(folder, self.name, self.statistic.settings, self.arrays())


def observed(y: Floats) -> Floats:
    """Points (n,) as numbers, NaN where they are not finite."""
    y = np.asarray(y, dtype=np.float64)
    if y.ndim != 1:
        raise ConfigError(f"y must be (n,), one value a series, got {y.shape}")
    return np.where(np.isfinite(y) & (np.abs(y) < 1e150), y, np.nan)


def moments(at_s: float | Floats, y: Floats) -> Floats:
    """One moment a series (n,)."""
    return np.array(np.broadcast_to(np.asarray(at_s, dtype=np.float64), y.shape))


def check(y: Floats, n: int) -> None:
    """ConfigError where a point has not as many series as were learned."""
    if len(y) != n:
        raise ConfigError(f"y must hold the {n} series learned before, got {len(y)}")


def write(folder: Path, name: str, settings: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Keep a detector's name, settings and arrays in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "detector.json").write_text(json.dumps({"detector": name, "settings": settings}))
    np.savez_compressed(folder / "learned.npz", **arrays)


def read(folder: Path) -> tuple[str, dict[str, Any], dict[str, NDArray[Any]]]:
    """The name, settings and arrays that `write` kept; InputError where they are not."""
    try:
        words = json.loads((folder / "detector.json").read_text())
        with np.load(folder / "learned.npz") as kept:
            return words["detector"], words["settings"], {k: kept[k] for k in kept.files}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder} holds no readable detector: {error}") from error
