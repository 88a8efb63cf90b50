"""Proximal policy optimisation of memory headroom: by how much to give more than was used.

The action is continuous, the logarithm of the factor over the basis, one for each task as its class
stands when it is submitted. Peaks do not depend on what was given, so each task is an episode of
one step, and what the mean action would have wasted on the same task is the baseline. Few tasks
have most of the GB-hours, and alone would teach noise: tasks are drawn in proportion to the root of
what is at stake, and what is saved on each counts as a share of its stake.
Source: Schulman et al. (2017), "Proximal policy optimization algorithms"; the baseline as in Rennie
et al. (2017), "Self-critical sequence training"; that tasks are drawn by stake is our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.predict.headroom import (
    FEATURES,
    SCALE,
    SHAPES,
    constants,
    log_headroom,
    picked,
    sized,
    wasted,
)  # fmt: skip
from headway.predict.neural import one_thread
from headway.train.journal import keep, put, resumed, tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.predict.headroom import Known

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

DRAWN: Final = 4096  # tasks in an iteration
ITERATIONS: Final = 16  # of a round
EPOCHS: Final = 4
PARTS: Final = 4
CLIP: Final = 0.2
RATE: Final = 1e-3
DECAY: Final = 1e-4  # of weights
NOISE: Final = 0.3  # deviation of the output
LONGEST: Final = 0.5  # gradient
LARGEST: Final = 10.0  # advantage, in deviations
KEPT: Final = 0.9  # of the running mean of weights, each iteration
FACTORS: Final = (
    0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.02, 1.05, 1.1, 1.15, 1.2, 1.3,
    1.5, 2.0, 3.0,
)  # fmt: skip
"""Fixed headroom that is tried."""
LEAST_STAKE: Final = 1e-3  # of a task, in the mean of all


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedHeadroom:
    """Weights of a network and the way to them.

    curve: (decisions so far, GB-hours wasted on validation time over those of the fixed headroom
    it began as, geometric mean over histories); below 1 is better.
    """

    weights: Floats
    decisions: int
    curve: list[tuple[int, float]]


def best_fixed(histories: Sequence[Known], *, by_level: bool) -> Floats:
    """The constants that waste least, geometric mean over histories: one factor for all, or, from
    that on, one after the other for each level of the basis.
    """

    def cost(weights: Floats) -> float:
        return float(np.log(totals(weights, histories)).mean())

    best = min((constants(one, one, one) for one in FACTORS), key=cost)
    for level in range(3) if by_level else ():
        tried = np.repeat(best[None], len(FACTORS), axis=0)
        tried[:, level] = np.log(FACTORS)
        best = min(tried, key=cost)
    return best


def totals(weights: Floats, histories: Sequence[Known]) -> Floats:
    """GB-hours wasted in each history (h,)."""
    found = [
        wasted(known, sized(known, log_headroom(weights, known.x, known.level))).sum()
        for known in histories
    ]
    return np.maximum(np.array(found), 1e-12)


def judgeable(known: Known) -> Known:
    """The tasks whose peak came to be known, and that something can be given."""
    return picked(known, np.isfinite(known.peak) & np.isfinite(known.basis))


class _Learner(NamedTuple):
    policy: Any  # torch module
    noise: Any  # (1,) logarithm of the deviation
    optimizer: Any


@one_thread()
def train_headroom(
    histories: Sequence[Known], validation: Sequence[Known], fixed: Floats, *, decisions: int,
    seed: int = 0, resume: Path | None = None, progress: Callable[[float], bool] | None = None,
) -> TrainedHeadroom:  # fmt: skip
    """Weights learned on histories, chosen on others of later time; begins as `fixed` (SIZE,).

    Stops after the round in which `decisions` were made, or when progress, told the share of them,
    answers False. With a file to resume from, it is written after each round, and read if it is
    there. The same seed and decisions give the same weights.
    """
    if decisions < 1 or not histories or not validation:
        raise ConfigError("training needs histories, validation and decisions of at least 1")
    usual = totals(fixed, histories)
    stake = np.concatenate(
        [_stake(known, fixed) / total for known, total in zip(histories, usual, strict=True)]
    )
    unit = np.concatenate(
        [np.full(len(known.x), total) for known, total in zip(histories, usual, strict=True)]
    )
    whole = type(histories[0])._make(
        np.concatenate(field) for field in zip(*histories, strict=True)
    )
    chance = np.sqrt(stake + LEAST_STAKE * stake.mean())
    chance /= chance.sum()
    weight = 1.0 / (unit * (stake + LEAST_STAKE * stake.mean()))
    learner = _learner(seed)
    mean = best = _flat(learner, fixed)
    start = np.log(totals(fixed, validation))
    curve, made = [(0, 1.0)], 0
    kept = resumed(resume, seed, {"mean", "best", "made", *tensors(learner.optimizer)})
    if kept is not None:
        arrays, curve = kept
        put(arrays, learner.optimizer)
        mean, best, made = arrays["mean"], arrays["best"], int(arrays["made"])
    while made < decisions:
        rng = np.random.default_rng([seed, made])
        for _ in range(ITERATIONS):
            rows = rng.choice(len(chance), DRAWN, p=chance)
            _iterate(picked(whole, rows), weight[rows], learner, fixed, rng)
            mean = KEPT * mean + (1.0 - KEPT) * _flat(learner, fixed)
        made += ITERATIONS * DRAWN
        curve.append((made, float(np.exp((np.log(totals(mean, validation)) - start).mean()))))
        if curve[-1][1] <= min(value for _, value in curve):
            best = mean.copy()
        arrays = {"mean": mean, "best": best, "made": np.array(made)}
        keep(resume, seed, curve, arrays | tensors(learner.optimizer))
        if progress is not None and not progress(made / decisions):
            break
    return TrainedHeadroom(weights=best, decisions=made, curve=curve)


def _stake(known: Known, fixed: Floats) -> Floats:
    """GB-hours (n,) that may be lost or saved on each task."""
    lost = wasted(known, sized(known, log_headroom(fixed, known.x, known.level)))
    return np.asarray(lost + 0.1 * known.peak * known.hours / 1e9)


def _learner(seed: int) -> _Learner:
    import torch

    width = SHAPES["first"][1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = torch.nn.Sequential(
            torch.nn.Linear(len(FEATURES), width), torch.nn.Tanh(),
            torch.nn.Linear(width, width), torch.nn.Tanh(), torch.nn.Linear(width, 1),
        )  # fmt: skip
    with torch.no_grad():
        for parameter in policy[-1].parameters():
            parameter.zero_()
    noise = torch.nn.Parameter(torch.full((1,), float(np.log(NOISE))))
    optimizer = torch.optim.Adam([*policy.parameters(), noise], RATE, weight_decay=DECAY)
    nothing: Any = noise.sum() + sum(p.sum() for p in policy.parameters())
    (0.0 * nothing).backward()
    optimizer.step()  # moments are there from now on
    return _Learner(policy, noise, optimizer)


def _flat(learner: _Learner, fixed: Floats) -> Floats:
    """The policy as weights of `predict.headroom`."""
    parts = [fixed[:3]]
    for layer in learner.policy[::2]:
        parts += [layer.weight.detach().numpy().T.ravel(), layer.bias.detach().numpy()]
    return np.concatenate(parts).astype(np.float64)


def _log_chance(learner: _Learner, x: Any, outputs: Any) -> Any:
    """Of outputs (n,), without the constant."""
    away = (outputs - learner.policy(x)[:, 0]) * (-learner.noise).exp()
    return -(0.5 * away**2 + learner.noise)


def _iterate(
    known: Known, weight: Floats, learner: _Learner, fixed: Floats, rng: np.random.Generator
) -> None:
    """Give tasks what noise around the mean says; EPOCHS passes over what came of it, in PARTS."""
    import torch

    base = fixed[known.level]
    x = torch.from_numpy(known.x.astype(np.float32))
    with torch.no_grad():
        aimed = learner.policy(x)[:, 0].numpy().astype(np.float64)
        deviation = float(learner.noise.exp())
        outputs = aimed + deviation * rng.standard_normal(len(aimed))
        chosen = torch.from_numpy(outputs.astype(np.float32))
        before = _log_chance(learner, x, chosen)
    saved = weight * (
        wasted(known, sized(known, base + SCALE * aimed))
        - wasted(known, sized(known, base + SCALE * outputs))
    )
    scaled = np.clip(saved / (saved.std() + 1e-12), -LARGEST, LARGEST).astype(np.float32)
    advantage = torch.from_numpy(scaled)
    for _ in range(EPOCHS):
        for part in np.array_split(rng.permutation(len(x)), PARTS):
            ratio = (_log_chance(learner, x[part], chosen[part]) - before[part]).exp()
            gained = torch.min(
                ratio * advantage[part], ratio.clamp(1 - CLIP, 1 + CLIP) * advantage[part]
            )
            learner.optimizer.zero_grad()
            (-gained.mean()).backward()
            torch.nn.utils.clip_grad_norm_(learner.optimizer.param_groups[0]["params"], LONGEST)
            learner.optimizer.step()
