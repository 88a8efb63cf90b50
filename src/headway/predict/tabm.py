"""A small network for tables whose members share their weights: layers, training, saved arrays.

Source: Gorishniy, Kotelnikov, Babenko (2024), TabM: an ensemble of networks that differ only in
scales (r, s) and biases of each layer. Ours: the first layer has no scale of its inputs, so that
its product is computed once for all members, which is most of the cost of 300 columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

    Weights = dict[str, Tensor]

_BUCKETS: Final = 128  # rows of the embedding of a key; codes are hashed into them
_EMBEDDED: Final = 4  # numbers an embedded key becomes
_PRIME: Final = 40_503
_BATCH: Final = 512
_DROPOUT: Final = 0.3
_DECAY: Final = 0.1


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a network is: columns of numbers and keys in, outputs, members, width."""

    numbers: int
    keys: int
    outputs: int
    members: int = 8
    width: int = 96


def start(shape: Shape, seed: int) -> Weights:
    """Weights before any training."""
    import torch

    rng = torch.Generator().manual_seed(seed)
    inputs, k, w = shape.numbers + _EMBEDDED * shape.keys, shape.members, shape.width

    def normal(*size: int, scale: float) -> Tensor:
        return torch.randn(*size, generator=rng) * scale

    signs = torch.randint(0, 2, (k, w), generator=rng) * 2.0 - 1.0
    return {
        "embedding": normal(max(shape.keys, 1) * _BUCKETS, _EMBEDDED, scale=0.1),
        "first": normal(inputs, w, scale=(2.0 / inputs) ** 0.5),
        "first_scale": torch.ones(k, w),
        "first_bias": normal(k, w, scale=0.1),
        "second_input": signs,
        "second": normal(w, w, scale=(2.0 / w) ** 0.5),
        "second_scale": torch.ones(k, w),
        "second_bias": torch.zeros(k, w),
        "head": normal(k, w, shape.outputs, scale=w**-0.5 * 0.1),
        "head_bias": torch.zeros(k, shape.outputs),
    }


def outputs(weights: Weights, numbers: Tensor, codes: Tensor, *, dropout: float = 0.0) -> Tensor:
    """The outputs of each member (n, k, q) for numbers (n, d) and integer codes (n, c)."""
    import torch

    places = (codes * _PRIME) % (_BUCKETS - 1) + 1  # row 0 of each key is 'not known'
    places = torch.where(codes < 0, 0, places) + _BUCKETS * torch.arange(codes.shape[1])
    embedded = weights["embedding"][places].flatten(1)
    shared = torch.cat([numbers, embedded], dim=1) @ weights["first"]
    h = torch.relu(shared[:, None, :] * weights["first_scale"] + weights["first_bias"])
    h = torch.nn.functional.dropout(h, dropout, training=dropout > 0.0)
    h = (h * weights["second_input"]) @ weights["second"]
    h = torch.relu(h * weights["second_scale"] + weights["second_bias"])
    h = torch.nn.functional.dropout(h, dropout, training=dropout > 0.0)
    return torch.einsum("nkw,kwq->nkq", h, weights["head"]) + weights["head_bias"]


def train(
    weights: Weights, numbers: Tensor, codes: Tensor, y: Tensor, counts: Tensor, levels: Tensor,
    *, steps: int, rate: float, seed: int,
) -> Weights:  # fmt: skip
    """Weights after so many steps from these: the pinball loss of every member goes down.

    y (n,), counts (n, q) = 0 where a row says nothing of a level. Source of the optimiser:
    Loshchilov, Hutter (2019), AdamW, with a rate that falls to 0 like a cosine.
    """
    import torch

    trained = {name: w.clone().requires_grad_() for name, w in weights.items()}
    optimiser = torch.optim.AdamW(trained.values(), lr=rate, weight_decay=_DECAY)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(steps):
            rows = torch.randint(0, len(y), (_BATCH,))
            said = outputs(trained, numbers[rows], codes[rows], dropout=_DROPOUT)
            error = y[rows, None, None] - said
            loss = torch.maximum(levels * error, (levels - 1.0) * error)
            loss = (loss * counts[rows, None, :]).mean()
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
            optimiser.step()
            falling.step()
    return {name: w.detach() for name, w in trained.items()}
