"""A patched transformer: attention between pieces of the past and pieces of what is to come."""

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

_SEASONS: Final = 7  # that the network reads, but not more than
_CONTEXT: Final = 336  # steps; what is longer ago it reads as lags
_PATCH: Final = 12  # steps of a piece
_WIDTH, _DEPTH, _HEADS = 48, 2, 4
_DROPOUT: Final = 0.2


class Transformer:
    """One transformer for all series of a panel, over pieces of 12 steps.

    Source: Nie and others (2023), "A time series is worth 64 words"; the pieces to come, with
    what is known of them, are asked in the same attention. Mixing anchors is ours.
    """

    name = "transformer"

    def __init__(
        self, seasons: Sequence[int] = (24,), *, step_s: float = 3600.0, seed: int = 0,
        horizon: int = 24, steps: int = 400, refit_growth: float = 0.25,
    ) -> None:  # fmt: skip
        """seasons: periods in steps; horizon: steps it is trained for; steps: of the training."""
        settings = {
            "seasons": list(seasons), "step_s": step_s, "seed": seed, "horizon": horizon,
            "steps": steps, "refit_growth": refit_growth,
        }  # fmt: skip
        seasons = tuple(sorted(seasons)) or (1,)
        shape = Shape(seasons, max(min(_SEASONS * seasons[0], _CONTEXT), 2), horizon)
        self._neural = Neural(self.name, settings, shape, partial(_encoder, shape))

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
    def load(cls, folder: Path) -> Transformer:
        """A Transformer as it was saved."""
        made = cls(**settings_of(folder))
        made._neural.restore(folder)
        return made


def _encoder(shape: Shape, channels: int, features: int) -> Any:
    """A module (past (b, context, channels), ahead) -> each coming step (b, horizon, STATE)."""
    import torch
    from torch import nn

    old, new = -(-shape.context // _PATCH), -(-shape.horizon // _PATCH)

    class Patched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = nn.Linear(_PATCH * channels, _WIDTH)
            self.ask = nn.Linear(_PATCH * features, _WIDTH)
            self.place = nn.Parameter(0.02 * torch.randn(old + new, _WIDTH))
            layer = nn.TransformerEncoderLayer(
                _WIDTH, _HEADS, 2 * _WIDTH, dropout=_DROPOUT, activation="gelu",
                batch_first=True, norm_first=True,
            )  # fmt: skip
            self.layers = nn.TransformerEncoder(layer, _DEPTH, enable_nested_tensor=False)
            self.out = nn.Linear(_WIDTH, _PATCH * STATE)

        def forward(self, past: Any, ahead: Any) -> Any:
            past = nn.functional.pad(past, (0, 0, old * _PATCH - shape.context, 0))
            ahead = nn.functional.pad(ahead, (0, 0, 0, new * _PATCH - shape.horizon))
            read = self.read(past.reshape(-1, old, _PATCH * channels))
            asked = self.ask(ahead.reshape(-1, new, _PATCH * features))
            seen = self.layers(torch.cat([read, asked], dim=1) + self.place)[:, old:]
            return self.out(seen).reshape(-1, new * _PATCH, STATE)[:, : shape.horizon]

    return Patched()
