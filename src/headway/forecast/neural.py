"""A forecaster around any network: what it has seen, its weights, and when it fits again."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, InputError
from headway.forecast.answer import LEVELS, answer, refusals
from headway.forecast.network import Series, alone, ask, module
from headway.forecast.past import Past, read, write
from headway.forecast.training import Training, train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.forecast.windows import Shape
    from headway.records import Estimate

    Floats = NDArray[np.float64]

_WEIGHTS: Final = "weights.safetensors"


class Neural:
    """A network, the panel it has seen, and its weights.

    Fitted when there is something to learn from, and again, from new weights, when the history has
    grown by the share `refit_growth` since; in between, new points are what it reads.
    """

    def __init__(
        self, name: str, settings: dict[str, Any], shape: Shape, encoder: Callable[[int, int], Any]
    ) -> None:
        """settings: those of the member, of which step_s, seed, steps and refit_growth are used."""
        lacking = [each for each in ("torch", "safetensors") if find_spec(each) is None]
        if lacking:
            raise ConfigError(f"{name} needs {' and '.join(lacking)}: install headway[networks]")
        if shape.seasons[0] < 1 or shape.horizon < 1 or settings["steps"] < 1:
            raise ConfigError(
                "seasons, horizon and steps must be at least 1, got"
                f" {shape.seasons}, {shape.horizon} and {settings['steps']}"
            )
        self._name, self._settings, self._shape, self._encoder = name, settings, shape, encoder
        self.past = Past(settings["step_s"])
        self._network: Any = None
        self._fitted = 0  # steps of the last fit

    def learn(self, at_s: Floats, y: Floats) -> None:
        """Add points; fit if the history has grown enough."""
        self.past.append(at_s, y)
        if len(self.past.y) > self._fitted * (1.0 + self._settings["refit_growth"]):
            self._fit()

    def forecast(self, horizon: int) -> Estimate:
        """The next steps: value (horizon, n_series), quantiles (horizon, n_series, q)."""
        self.past.ahead_s(horizon)
        y = self.past.y
        refused = refusals(y)
        quantiles = np.full((horizon, y.shape[1], len(LEVELS)), np.nan)
        if self._network is None:
            lacking = f"{len(y)} steps: too few to train on"
            refused = np.where(refused == "", lacking, refused)
        else:
            with alone(0):
                quantiles = ask(self._network, self._series(), self._shape, horizon)
            silent = f"nothing observed in the last {self._shape.reach} steps"
            is_silent = np.isnan(quantiles).any(axis=(0, 2))
            refused = np.where((refused == "") & is_silent, silent, refused)
        return answer(y, quantiles, made_by=self._name, refused=refused)

    def save(self, folder: Path) -> None:
        """Keep settings, past and weights in a folder."""
        write(folder, self._name, {**self._settings, "fitted": self._fitted}, self.past)
        if self._network is not None:
            from safetensors.torch import save_file

            save_file(self._network.state_dict(), folder / _WEIGHTS)

    def restore(self, folder: Path) -> None:
        """Take past and weights from a folder."""
        _, settings, self.past = read(folder)
        self._fitted = settings["fitted"]
        if (folder / _WEIGHTS).exists():
            from safetensors.torch import load_file

            self._network = module(self._encoder, self._shape)
            try:
                self._network.load_state_dict(load_file(folder / _WEIGHTS))
            except (OSError, RuntimeError) as error:
                raise InputError(f"{folder / _WEIGHTS} does not fit: {error}") from error

    def _series(self) -> Series:
        """The panel, series by series."""
        start_s = float(self.past.at_s[0]) if len(self.past.at_s) else 0.0
        return Series(np.ascontiguousarray(self.past.y.T), start_s, self.past.step_s)

    def _fit(self) -> None:
        """Train new weights on all that was seen."""
        seed = self._settings["seed"]
        with alone(seed):
            network = module(self._encoder, self._shape)
            training = Training(self._settings["steps"])
            if train(network, self._series(), self._shape, training, seed):
                self._network, self._fitted = network, len(self.past.y)


def settings_of(folder: Path) -> dict[str, Any]:
    """The settings of a member as `save` kept them, to make it again."""
    _, settings, _ = read(folder)
    settings.pop("fitted")
    return settings
