"""LSTM and GRU: a recurrent network reads the last days, a head answers all steps at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from headway.forecast.network import STATE
from headway.forecast.neural import Neural, settings_of
from headway.forecast.windows import Shape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from headway.records import Estimate

    Floats = NDArray[np.float64]

_SEASONS: Final = 2  # that the network reads, but not more than
_CONTEXT: Final = 48  # steps; what is longer ago it reads as lags
_HIDDEN: Final = 48


class Lstm:
    """One long short-term memory network for all series of a panel.

    Source: Hochreiter, Schmidhuber (1997), with the quantiles of all steps at once as in Wen and
    others (2017), "A multi-horizon quantile recurrent forecaster". Mixing anchors is ours.
    """

    name = "lstm"

    def __init__(
        self, seasons: Sequence[int] = (24,), *, step_s: float = 3600.0, seed: int = 0,
        horizon: int = 24, steps: int = 400, refit_growth: float = 0.25,
    ) -> None:  # fmt: skip
        """seasons: periods in steps; horizon: steps it is trained for; steps: of the training."""
        settings = {
            "seasons": list(seasons), "step_s": step_s, "seed": seed, "horizon": horizon,
            "steps": steps, "refit_growth": refit_growth,
        }  # fmt: skip
        self._neural = _recurrent(self.name, settings)

    def learn(self, at_s: Floats, y: Floats) -> None:
        """Add the points y (n_steps, n_series) that follow; NaN = not observed."""
        self._neural.learn(at_s, y)

    def forecast(self, horizon: int) -> Estimate:
        """The next steps: value (horizon, n_series), quantiles (horizon, n_series, q)."""
        return self._neural.forecast(horizon)

    def save(self, folder: Path) -> None:
        """Keep it in a folder."""
        self._neural.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Lstm:
        """An Lstm as it was saved."""
        made = cls(**settings_of(folder))
        made._neural.restore(folder)
        return made


class Gru:
    """One network of gated recurrent units for all series of a panel.

    Source: Cho and others (2014), "Learning phrase representations"; else as Lstm.
    """

    name = "gru"

    def __init__(
        self, seasons: Sequence[int] = (24,), *, step_s: float = 3600.0, seed: int = 0,
        horizon: int = 24, steps: int = 400, refit_growth: float = 0.25,
    ) -> None:  # fmt: skip
        """As for Lstm."""
        settings = {
            "seasons": list(seasons), "step_s": step_s, "seed": seed, "horizon": horizon,
            "steps": steps, "refit_growth": refit_growth,
        }  # fmt: skip
        self._neural = _recurrent(self.name, settings)

    def learn(self, at_s: Floats, y: Floats) -> None:
        """Add the points y (n_steps, n_series) that follow; NaN = not observed."""
        self._neural.learn(at_s, y)

    def forecast(self, horizon: int) -> Estimate:
        """The next steps: value (horizon, n_series), quantiles (horizon, n_series, q)."""
        return self._neural.forecast(horizon)

    def save(self, folder: Path) -> None:
        """Keep it in a folder."""
        self._neural.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Gru:
        """A Gru as it was saved."""
        made = cls(**settings_of(folder))
        made._neural.restore(folder)
        return made


def _recurrent(cell: str, settings: dict[str, Any]) -> Neural:
    """The forecaster around a cell of this name."""
    seasons = tuple(sorted(settings["seasons"])) or (1,)
    context = max(min(_SEASONS * seasons[0], _CONTEXT), 2)
    shape = Shape(seasons, context, settings["horizon"])
    return Neural(cell, settings, shape, partial(_encoder, cell, shape.horizon))


def _encoder(cell: str, horizon: int, channels: int, features: int) -> Any:
    """A module (past (b, context, channels), ahead) -> each coming step (b, horizon, STATE)."""
    from torch import nn

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            make = nn.LSTM if cell == Lstm.name else nn.GRU
            self.cells = make(channels, _HIDDEN, batch_first=True)
            self.out = nn.Linear(_HIDDEN, horizon * STATE)

        def forward(self, past: Any, ahead: Any) -> Any:
            return self.out(self.cells(past)[0][:, -1]).view(-1, horizon, STATE)

    return Recurrent()
