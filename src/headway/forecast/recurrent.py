"""LSTM and GRU: a recurrent network reads the last days, a head answers all steps at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from headway.forecast.network import STATE
from headway.forecast.windows import Shape

if TYPE_CHECKING:
    from collections.abc import Callable

_SEASONS: Final = 2  # that the network reads, but not more than
_CONTEXT: Final = 48  # steps; what is longer ago it reads as lags
_HIDDEN: Final = 48


def recurrent(
    cell: str, seasons: tuple[int, ...], horizon: int
) -> tuple[Shape, Callable[[int, int], Any]]:
    """What a network of these cells, lstm or gru, reads, and what makes its encoder.

    Source: Hochreiter, Schmidhuber (1997), and Cho and others (2014), "Learning phrase
    representations", with the quantiles of all steps at once as in Wen and others (2017), "A
    multi-horizon quantile recurrent forecaster". Mixing anchors is ours.
    """
    context = max(min(_SEASONS * seasons[0], _CONTEXT), 2)
    return Shape(seasons, context, horizon), partial(_encoder, cell, horizon)


def _encoder(cell: str, horizon: int, channels: int, features: int) -> Any:
    """A module (past (b, context, channels), ahead) -> each coming step (b, horizon, STATE)."""
    from torch import nn

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            make = nn.LSTM if cell == "lstm" else nn.GRU
            self.cells = make(channels, _HIDDEN, batch_first=True)
            self.out = nn.Linear(_HIDDEN, horizon * STATE)

        def forward(self, past: Any, ahead: Any) -> Any:
            return self.out(self.cells(past)[0][:, -1]).view(-1, horizon, STATE)

    return Recurrent()
