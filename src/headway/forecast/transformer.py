"""A patched transformer: attention between pieces of the past and pieces of what is to come."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from headway.forecast.network import STATE
from headway.forecast.windows import Shape

if TYPE_CHECKING:
    from collections.abc import Callable

_SEASONS: Final = 7  # that the network reads, but not more than
_CONTEXT: Final = 336  # steps; what is longer ago it reads as lags
_PATCH: Final = 12  # steps of a piece
_WIDTH, _DEPTH, _HEADS = 48, 2, 4
_DROPOUT: Final = 0.2


def transformer(seasons: tuple[int, ...], horizon: int) -> tuple[Shape, Callable[[int, int], Any]]:
    """What a transformer over pieces of 12 steps reads, and what makes its encoder.

    Source: Nie and others (2023), "A time series is worth 64 words"; the pieces to come, with
    what is known of them, are asked in the same attention. Mixing anchors is ours.
    """
    shape = Shape(seasons, max(min(_SEASONS * seasons[0], _CONTEXT), 2), horizon)
    return shape, partial(_encoder, shape)


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
