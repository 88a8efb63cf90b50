"""Networks as forecasters: what they have seen, their weights, and when they are fitted again."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, InputError
from headway.forecast.answer import LEVELS, answer, refusals
from headway.forecast.network import Series, alone, ask, module
from headway.forecast.past import Past, read, write
from headway.forecast.recurrent import recurrent
from headway.forecast.training import train, training_for
from headway.forecast.transformer import transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.forecast.windows import Shape
    from headway.records import Estimate

    Floats = NDArray[np.float64]
    Encoder = Callable[[int, int], Any]

_WEIGHTS: Final = "weights.safetensors"

NETWORKS: Final[dict[str, Callable[[tuple[int, ...], int], tuple[Shape, Encoder]]]] = {
    "lstm": partial(recurrent, "lstm"),
    "gru": partial(recurrent, "gru"),
    "transformer": transformer,
}
"""What each network reads of seasons and a horizon, and its encoder, by name."""


class Neural:
    """One network for all series of a panel.

    Fitted when there is something to learn from, and again, from new weights, when the history has
    grown by the share `refit_growth` since; in between, new points are what it reads.
    Sources are named at `recurrent` and `transformer`.
    """

    def __init__(
        self, name: str, seasons: Sequence[int] = (24,), *, step_s: float = 3600.0, seed: int = 0,
        horizon: int = 24, steps: int = 400, refit_growth: float = 0.25,
    ) -> None:  # fmt: skip
        """name: one of NETWORKS; seasons: periods in steps; horizon: steps it is trained for;
        steps: of the training.
        """
        if name not in NETWORKS:
            raise ConfigError(f"a network must be one of {', '.join(NETWORKS)}, got {name!r}")
        lacking = [each for each in ("torch", "safetensors") if find_spec(each) is None]
        if lacking:
            raise ConfigError(f"{name} needs {' and '.join(lacking)}: install headway[networks]")
        ordered = tuple(sorted(seasons)) or (1,)
        if min(ordered[0], horizon, steps) < 1:
            raise ConfigError(
                "seasons, horizon and steps must be at least 1, got"
                f" {ordered}, {horizon} and {steps}"
            )
        self.name = name
        self._settings: dict[str, Any] = {
            "seasons": list(seasons), "step_s": step_s, "seed": seed, "horizon": horizon,
            "steps": steps, "refit_growth": refit_growth,
        }  # fmt: skip
        self._shape, self._encoder = NETWORKS[name](ordered, horizon)
        self._past = Past(step_s)
        self._network: Any = None
        self._fitted = 0  # steps of the last fit

    def learn(self, at_s: Floats, y: Floats) -> None:
        """Add the points y (n_steps, n_series) that follow, and fit if they are many."""
        self._past.append(at_s, y)
        if len(self._past.y) > self._fitted * (1.0 + self._settings["refit_growth"]):
            self._fit()

    def forecast(self, horizon: int) -> Estimate:
        """The next steps: value (horizon, n_series), quantiles (horizon, n_series, q)."""
        self._past.ahead_s(horizon)
        y = self._past.y
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
        return answer(y, quantiles, made_by=self.name, refused=refused)

    def save(self, folder: Path) -> None:
        """Keep settings, past and weights in a folder."""
        write(folder, self.name, {**self._settings, "fitted": self._fitted}, self._past)
        if self._network is not None:
            from safetensors.torch import save_file

            save_file(self._network.state_dict(), folder / _WEIGHTS)

    @classmethod
    def load(cls, folder: Path) -> Neural:
        """A Neural as it was saved."""
        name, settings, past = read(folder)
        fitted = settings.pop("fitted")
        neural = cls(name, **settings)
        neural._past, neural._fitted = past, fitted
        if (folder / _WEIGHTS).exists():
            from safetensors.torch import load_file

            neural._network = module(neural._encoder, neural._shape)
            try:
                neural._network.load_state_dict(load_file(folder / _WEIGHTS))
            except (OSError, RuntimeError) as error:
                raise InputError(f"{folder / _WEIGHTS} does not fit: {error}") from error
        return neural

    def _series(self) -> Series:
        """The panel, series by series."""
        start_s = float(self._past.at_s[0]) if len(self._past.at_s) else 0.0
        return Series(np.ascontiguousarray(self._past.y.T), start_s, self._past.step_s)

    def _fit(self) -> None:
        """Train new weights on all that was seen."""
        seed = self._settings["seed"]
        with alone(seed):
            network = module(self._encoder, self._shape)
            training = training_for(self._settings["steps"], self._shape.horizon)
            if train(network, self._series(), self._shape, training, seed):
                self._network, self._fitted = network, len(self._past.y)
