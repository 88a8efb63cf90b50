"""What all forecast networks share: the module around an encoder, and how it is asked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.forecast.answer import LEVELS
from headway.forecast.windows import Shape, Windows, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

STATE: Final = 16
"""Numbers that an encoder tells the head about each coming step."""

_ASKED: Final = 512  # windows answered at once


class Series(NamedTuple):
    """A panel, series by series: y (n_series, n_steps), NaN = not observed."""

    y: Floats
    start_s: float
    step_s: float


def module(encoder: Callable[[int, int], Any], shape: Shape) -> Any:
    """An encoder, made from its numbers of channels and of features, and its head."""
    import torch
    from torch import nn

    seen = windows(np.zeros((1, 2)), 0.0, 1.0, np.array([0]), np.array([1]), shape)
    channels, features, anchors = (x.shape[2] for x in (seen.past, seen.ahead, seen.anchors))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder(channels, features)
            self.head = _head(STATE + features, anchors)

        def forward(self, seen: Windows) -> Any:
            past, ahead = torch.from_numpy(seen.past), torch.from_numpy(seen.ahead)
            state = torch.cat([self.encoder(past, ahead), ahead], dim=2)
            return self.head(state, torch.from_numpy(seen.anchors), torch.from_numpy(seen.width))

    return Network()


def _head(inputs: int, anchors: int, hidden: int = 64, dropout: float = 0.1) -> Any:
    """A module (state (b, h, inputs), anchors (b, h, k), width (b,)) -> quantiles (b, h, q).

    The median is a weighted mean of the anchors that are known and a rest; the others follow it in
    steps that are never negative, so they do not cross.
    """
    import torch
    from torch import nn

    half = len(LEVELS) // 2

    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[Any] = []
            for n in (inputs, hidden):
                layers += [nn.Linear(n, hidden), nn.GELU(), nn.Dropout(dropout)]
            self.layers = nn.Sequential(*layers)
            self.last = nn.Linear(hidden, anchors + len(LEVELS))
            nn.init.normal_(self.last.weight, std=0.01)
            nn.init.zeros_(self.last.bias)

        def forward(self, state: Any, known: Any, width: Any) -> Any:
            said = self.last(self.layers(state))
            logits, rest, raw = said.split([anchors, 1, 2 * half], dim=2)
            mix = logits.masked_fill(~torch.isfinite(known), -1e9).softmax(dim=2)
            middle = (mix * known.nan_to_num()).sum(dim=2, keepdim=True) + rest
            steps = nn.functional.softplus(raw - 1.0) * width[:, None, None]
            below = middle - steps[..., :half].cumsum(dim=2).flip(2)
            return torch.cat([below, middle, middle + steps[..., half:].cumsum(dim=2)], dim=2)

    return Head()


def ask(network: Any, series: Series, shape: Shape, horizon: int) -> Floats:
    """Quantiles (horizon, n_series, q) of what follows, NaN where nothing was observed of late.

    Beyond the horizon it was trained for a network goes on from its own medians; there each block
    of steps is wider by the root of its number, as if their errors were independent.
    """
    import torch

    n, blocks = len(series.y), -(-horizon // shape.horizon)
    said = np.empty((n, 0, len(LEVELS)))
    network.eval()
    for block in range(blocks):
        y = np.concatenate([series.y[:, -shape.reach :], said[..., len(LEVELS) // 2]], axis=1)
        start_s = series.start_s + series.step_s * max(series.y.shape[1] - shape.reach, 0)
        parts = []
        for begin in range(0, n, _ASKED):
            rows = np.arange(begin, min(begin + _ASKED, n))
            origins = np.full(len(rows), y.shape[1])
            seen = windows(y, start_s, series.step_s, rows, origins, shape)
            with torch.inference_mode():
                answered = network(seen).numpy().astype(np.float64)
            parts.append(answered * seen.scale[:, None, None] + seen.centre[:, None, None])
        whole = np.concatenate(parts)
        middle = whole[..., len(LEVELS) // 2, None]
        said = np.concatenate([said, middle + (whole - middle) * np.sqrt(block + 1.0)], axis=1)
    return said[:, :horizon].transpose(1, 0, 2)


@contextmanager
def alone(seed: int) -> Iterator[None]:
    """Let torch work in one thread from a seed of its own; everybody else's stays as it was."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)
