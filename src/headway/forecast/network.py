"""What all forecast networks share: the module, how it is trained and how it is asked."""

from __future__ import annotations

import copy
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

_HELD: Final = 0.15  # the last share of the time, which says when to stop
_CHECKS: Final = 12  # how often that is looked at
_CHECKED: Final = 1000  # windows that are looked at
_ASKED: Final = 512  # windows answered at once


class Series(NamedTuple):
    """A panel, series by series: y (n_series, n_steps), NaN = not observed."""

    y: Floats
    start_s: float
    step_s: float


class Training(NamedTuple):
    """How long and how a network is trained."""

    steps: int = 400
    batch: int = 256
    rate: float = 3e-3
    finish: float = 0.25  # share of the steps, after the best, that also see the held time


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


def train(network: Any, series: Series, shape: Shape, training: Training, seed: int) -> bool:
    """Train a network on all windows of a panel; False: there is none to learn from.

    The last part of the time says which of the averaged weights were best; from those it goes on
    for some steps in which that part is learned from too. Averaged: Polyak, Juditsky (1992).
    """
    rng = np.random.default_rng(seed)
    n = series.y.shape[1]
    cut = n - max(shape.horizon, round(_HELD * n))
    early, held = _origins(series.y[:, :cut], shape, 0), _origins(series.y, shape, cut)
    if len(early[0]) < training.batch or not len(held[0]):
        whole = _origins(series.y, shape, 0)
        if len(whole[0]):
            _descend(network, series, shape, training, whole, training.steps // 4, rng)
        return len(whole[0]) > 0
    chosen = rng.permutation(len(held[0]))[:_CHECKED]
    check = windows(*series, held[0][chosen], held[1][chosen], shape)
    before = series._replace(y=series.y[:, :cut])
    _descend(network, before, shape, training, early, training.steps, rng, check)
    finish, later = round(training.finish * training.steps), _origins(series.y, shape, 0)
    slower = training._replace(rate=0.15 * training.rate)
    _descend(network, series, shape, slower, later, finish, rng)
    return True


def _origins(y: Floats, shape: Shape, first: int) -> tuple[Ints, Ints]:
    """Series (m,) and origin (m,) of each window from which something can be learned.

    That is a season of points before, one to come, and not the same value throughout.
    """
    is_known = np.isfinite(y)
    count = np.cumsum(is_known, axis=1)
    before = count - is_known
    ahead = np.minimum(np.arange(y.shape[1]) + shape.horizon - 1, y.shape[1] - 1)
    last = np.fmax.accumulate(np.where(is_known, y, -np.inf), axis=1)
    least = np.fmin.accumulate(np.where(is_known, y, np.inf), axis=1)
    varied = np.concatenate([np.zeros((len(y), 1), bool), (last > least)[:, :-1]], axis=1)
    fit = (before >= shape.seasons[0]) & (count[:, ahead] > before) & varied
    series, origins = np.nonzero(fit[:, first:])
    return series, origins + first


def _descend(
    network: Any, series: Series, shape: Shape, training: Training, places: tuple[Ints, Ints],
    steps: int, rng: np.random.Generator, check: Windows | None = None,
) -> None:  # fmt: skip
    """Steps of AdamW on windows drawn at random; leaves averaged weights in the network.

    check: windows that say which of the averages are kept.
    Source: Loshchilov, Hutter (2019), "Decoupled weight decay regularization".
    """
    import torch

    optimiser = torch.optim.AdamW(network.parameters(), lr=training.rate, weight_decay=1e-2)
    mean = copy.deepcopy(network).eval()
    best, kept = np.inf, copy.deepcopy(mean.state_dict())
    for step in range(steps):
        cosine = 0.5 * (1.0 + np.cos(np.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = training.rate * min(1.0, (step + 1) / 30) * (0.02 + 0.98 * cosine)
        drawn = rng.integers(len(places[0]), size=training.batch)
        seen = windows(*series, places[0][drawn], places[1][drawn], shape)
        loss = _loss(network.train()(seen), seen)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            for a, b in zip(mean.parameters(), network.parameters(), strict=True):
                a.lerp_(b, 1.0 - min(0.98, (step + 1) / (step + 10)))
            if check is not None and (step + 1) % max(steps // _CHECKS, 1) == 0:
                found = float(_loss(mean(check), check))
                if found < best:
                    best, kept = found, copy.deepcopy(mean.state_dict())
    network.load_state_dict(kept if np.isfinite(best) else mean.state_dict())


def _loss(said: Any, seen: Windows) -> Any:
    """Mean pinball loss over the levels, of what was observed."""
    import torch

    levels, target = torch.tensor(LEVELS), torch.from_numpy(seen.target)
    is_known = torch.isfinite(target)
    error = target.nan_to_num()[..., None] - said
    loss = torch.maximum(levels * error, (levels - 1.0) * error).mean(dim=2)
    return (loss * is_known).sum() / is_known.sum().clamp_min(1)


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
