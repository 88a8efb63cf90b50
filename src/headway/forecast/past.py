"""What a forecaster has seen of its panel, on a regular grid, and how it is kept in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import ConfigError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Past:
    """The points of n_series series so far: at_s (n_steps,), y (n_steps, n_series), NaN = none."""

    def __init__(self, step_s: float) -> None:
        """Begin empty; step_s: seconds from one point to the next."""
        if not step_s > 0:
            raise ConfigError(f"step_s must be above 0, got {step_s}")
        self.step_s = step_s
        self.at_s: Floats = np.empty(0)
        self.y: Floats = np.empty((0, 0))

    def append(self, at_s: Floats, y: Floats) -> None:
        """Add the points that follow; what is not finite counts as not observed."""
        at_s, y = np.asarray(at_s, dtype=np.float64), np.array(y, dtype=np.float64)
        if y.ndim != 2 or at_s.shape != y.shape[:1]:
            raise ConfigError(
                f"at_s and y must be (n_steps,) and (n_steps, n_series), got {at_s.shape} and"
                f" {y.shape}"
            )
        if len(self.at_s) and y.shape[1] != self.y.shape[1]:
            raise ConfigError(
                f"y must hold the {self.y.shape[1]} series learned before, got {y.shape[1]}"
            )
        gaps = np.diff(np.concatenate([self.at_s[-1:], at_s]))
        if np.any(np.abs(gaps - self.step_s) > 1e-3 * self.step_s):
            wrong = gaps[np.abs(gaps - self.step_s) > 1e-3 * self.step_s][0]
            raise ConfigError(
                f"at_s must rise by step_s = {self.step_s:g} from point to point, got {wrong:g};"
                " fill a gap with NaN"
            )
        y[~np.isfinite(y)] = np.nan
        self.y = np.concatenate([self.y.reshape(-1, y.shape[1]), y])
        self.at_s = np.concatenate([self.at_s, at_s])

    def ahead_s(self, horizon: int) -> Floats:
        """The times (horizon,) of the next steps."""
        if horizon < 1:
            raise ConfigError(f"horizon must be at least 1, got {horizon}")
        last = float(self.at_s[-1]) if len(self.at_s) else 0.0
        return last + self.step_s * np.arange(1.0, horizon + 1.0)

    @property
    def observed(self) -> NDArray[np.intp]:
        """How many points of each series were observed, (n_series,)."""
        return np.isfinite(self.y).sum(axis=0)


def write(folder: Path, name: str, settings: dict[str, Any], past: Past) -> None:
    """Keep a forecaster's name, settings and past in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    words = {"member": name, "settings": settings}
    (folder / "forecaster.json").write_text(json.dumps(words))
    np.savez_compressed(folder / "past.npz", at_s=past.at_s, y=past.y)


def read(folder: Path) -> tuple[str, dict[str, Any], Past]:
    """The name, settings and past that `write` kept; InputError where they are not."""
    try:
        words = json.loads((folder / "forecaster.json").read_text())
        arrays = np.load(folder / "past.npz")
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no readable forecaster: {error}") from error
    settings = words["settings"]
    past = Past(settings["step_s"])
    past.at_s, past.y = arrays["at_s"], arrays["y"]
    return words["member"], settings, past
