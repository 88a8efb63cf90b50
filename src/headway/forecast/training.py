"""How a forecast network learns from a panel: which windows, what loss, when it stops."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.forecast.answer import LEVELS
from headway.forecast.windows import Shape, Windows, windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.forecast.network import Series

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

_HELD: Final = 0.15  # the last share of the time, which says when to stop
_CHECKS: Final = 12  # how often that is looked at
_CHECKED: Final = 1000  # windows that are looked at, but not more than 8 batches
_BATCH: Final = 128  # windows of a step; of fewer where each holds many steps to come
_TARGETS: Final = 6144  # steps to come in a batch, at the most
_LEAST_BATCH: Final = 24
_SLOWER: Final = 0.15  # of the rate, in the last steps
_COUNTS: Final = (0.05, 5.0)  # least and most that a window counts


class Training(NamedTuple):
    """How long and how a network is trained."""

    steps: int = 400
    batch: int = _BATCH
    rate: float = 3e-3


def training_for(steps: int, horizon: int) -> Training:
    """So many steps; batches are smaller where each window holds many steps to come.

    >>> training_for(400, 24).batch, training_for(400, 288).batch
    (128, 24)
    """
    return Training(steps, int(np.clip(_TARGETS // horizon, _LEAST_BATCH, _BATCH)))


def train(network: Any, series: Series, shape: Shape, training: Training, seed: int) -> bool:
    """Train a network on all windows of a panel; False: there is none to learn from.

    The last part of the time says which of the averaged weights were best; from those it goes on
    for a quarter of the steps, slower, in which that part is learned from too.
    """
    rng = np.random.default_rng(seed)
    n = series.y.shape[1]
    cut = n - max(shape.horizon, round(_HELD * n))
    whole, held = _origins(series.y, shape, 0), _origins(series.y, shape, cut)
    before = series._replace(y=series.y[:, :cut])
    early = _origins(before.y, shape, 0)
    sizes = _sizes(series.y, shape.seasons[0])
    finish = training._replace(steps=-(-training.steps // 4))
    if len(early[0]) >= training.batch and len(held[0]):
        chosen = rng.permutation(len(held[0]))[: min(_CHECKED, 8 * training.batch)]
        check = windows(*series, held[0][chosen], held[1][chosen], shape)
        checked = check, sizes[held[0][chosen]]
        _descend(network, before, shape, training, early, sizes, rng, checked)
        finish = finish._replace(rate=_SLOWER * training.rate)
    if len(whole[0]):
        _descend(network, series, shape, finish, whole, sizes, rng)
    return len(whole[0]) > 0


def _sizes(y: Floats, season: int) -> Floats:
    """Mean absolute difference (n_series,) of y to a season before; infinite if there is none."""
    differs = np.abs(y[:, season:] - y[:, :-season])
    known = np.isfinite(differs).sum(axis=1)
    mean = np.nansum(differs, axis=1) / np.maximum(known, 1)
    return np.where(mean > 0, mean, np.inf)


def _origins(y: Floats, shape: Shape, first: int) -> tuple[Ints, Ints]:
    """Series (m,) and origin (m,) of each window from which something can be learned.

    That is a season of points before, one to come, and not the same value throughout.
    """
    is_known = np.isfinite(y)
    count = np.cumsum(is_known, axis=1)
    before = count - is_known
    ahead = np.minimum(np.arange(y.shape[1]) + shape.horizon - 1, y.shape[1] - 1)
    most = np.maximum.accumulate(np.where(is_known, y, -np.inf), axis=1)
    least = np.minimum.accumulate(np.where(is_known, y, np.inf), axis=1)
    varied = np.concatenate([np.zeros((len(y), 1), bool), (most > least)[:, :-1]], axis=1)
    fit = (before >= shape.seasons[0]) & (count[:, ahead] > before) & varied
    series, origins = np.nonzero(fit[:, first:])
    return series, origins + first


def _descend(
    network: Any, series: Series, shape: Shape, training: Training, places: tuple[Ints, Ints],
    sizes: Floats, rng: np.random.Generator, check: tuple[Windows, Floats] | None = None,
) -> None:  # fmt: skip
    """Steps of AdamW on windows drawn at random; leaves averaged weights in the network.

    sizes (n_series,): see `_loss`; check: windows, and the sizes of their series, that say which of
    the averages are kept.
    Source: Loshchilov, Hutter (2019), "Decoupled weight decay regularization"; Polyak, Juditsky
    (1992), "Acceleration of stochastic approximation by averaging".
    """
    import torch

    steps = training.steps
    optimiser = torch.optim.AdamW(network.parameters(), lr=training.rate, weight_decay=1e-2)
    mean = copy.deepcopy(network).eval()
    best, kept = np.inf, copy.deepcopy(mean.state_dict())
    for step in range(steps):
        cosine = 0.5 * (1.0 + np.cos(np.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = training.rate * min(1.0, (step + 1) / 30) * (0.02 + 0.98 * cosine)
        drawn = rng.integers(len(places[0]), size=training.batch)
        seen = windows(*series, places[0][drawn], places[1][drawn], shape)
        loss = _loss(network.train()(seen), seen, sizes[places[0][drawn]])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            for a, b in zip(mean.parameters(), network.parameters(), strict=True):
                a.lerp_(b, 1.0 - min(0.98, (step + 1) / (step + 10)))
            if check is not None and (step + 1) % max(steps // _CHECKS, 1) == 0:
                found = float(_loss(mean(check[0]), *check))
                if found < best:
                    best, kept = found, copy.deepcopy(mean.state_dict())
    network.load_state_dict(kept if np.isfinite(best) else mean.state_dict())


def _loss(said: Any, seen: Windows, sizes: Floats) -> Any:
    """Mean pinball loss over the levels, of what was observed, in units of sizes (b,).

    So a window counts as it does in the scaled error (MASE) of its series, within limits.
    """
    import torch

    weight = np.clip(np.nan_to_num(seen.scale / sizes), *_COUNTS).astype(np.float32)
    levels, target = torch.tensor(LEVELS), torch.from_numpy(seen.target)
    counts = torch.isfinite(target) * torch.from_numpy(weight)[:, None]
    error = target.nan_to_num()[..., None] - said
    loss = torch.maximum(levels * error, (levels - 1.0) * error).mean(dim=2)
    return (loss * counts).sum() / counts.sum().clamp_min(1e-6)
