"""Proximal policy optimisation of the size of an elastic cluster, from a tuned autoscaler on.

A network moves the levers of an autoscaler every few minutes (continuous actions, normal noise).
It begins as the thresholds that were best on the training time, which it must beat; a critic says
what was to be expected. Kept is the running mean of weights that did best on validation time.
Source: Schulman et al. (2017), "Proximal policy optimization algorithms", with generalised
advantages; residual learning on a rule as in Johannink et al. (2019), "Residual reinforcement
learning for robot control".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.predict.neural import one_thread
from headway.schedule.elastic import FEATURES, LEVERS, SHAPES, SIZE, controller_of
from headway.simulate.elastic import play
from headway.simulate.elastic_batch import ElasticBatch, avoidable
from headway.train.advantages import advantages
from headway.train.journal import keep, put, resumed, tensors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.simulate.elastic import Load, Terms
    from headway.simulate.elastic_batch import Prices

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

SIMULATIONS: Final = 128
STEPS: Final = 64  # of each in an iteration
ITERATIONS: Final = 8  # of a round
EPOCHS: Final = 3
PARTS: Final = 4
CLIP: Final = 0.2
RATES: Final = (1e-3, 2e-3)  # of the policy, of the critic
LONGEST: Final = 0.5  # gradient
NOISE: Final = 0.5  # deviation of outputs at the beginning
LEAST: Final = (-np.inf, np.log(300.0), np.log1p(60.0), 0.0)
"""Of the levers at the beginning: below, moving them a little changes nothing."""
KEPT: Final = 0.9  # of the running mean, each iteration


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedElastic:
    """Weights (SIZE,) of a controller and the way to them.

    curve: (decisions so far, avoidable cost on validation time over that of the rule it began as);
    below 1 is better.
    """

    weights: Floats
    decisions: int
    curve: list[tuple[int, float]]


class _Learner(NamedTuple):
    policy: Any  # torch modules
    noise: Any  # (4,) logarithms of deviations
    critic: Any
    optimizers: tuple[Any, Any]


@one_thread()
def train_elastic(
    load: Load, validation: Load, rule: Floats, terms: Terms, prices: Prices, *, decisions: int,
    seed: int = 0, resume: Path | None = None, progress: Callable[[float], bool] | None = None,
) -> TrainedElastic:  # fmt: skip
    """Weights learned on a load, chosen on another of later time; begins as `rule` (SIZE,).

    Stops after the round in which `decisions` were made, or when progress, told the share of them,
    answers False. With a file to resume from, it is written after each round, and read if it is
    there. The same seed and decisions give the same weights.
    """
    if decisions < 1:
        raise ConfigError(f"decisions must be positive, got {decisions}")
    start = np.zeros(SIZE)
    start[: len(LEVERS)] = np.maximum(rule[: len(LEVERS)], LEAST)
    learner = _learner(seed)
    mean = best = _flat(learner, start)
    usual = _cost(rule, validation, terms, prices)
    curve, made = [(0, _cost(start, validation, terms, prices) / usual)], 0
    kept = resumed(resume, seed, {"mean", "best", "made", *tensors(*learner.optimizers)})
    if kept is not None:
        arrays, curve = kept
        put(arrays, *learner.optimizers)
        mean, best, made = arrays["mean"], arrays["best"], int(arrays["made"])
    while made < decisions:
        rng = np.random.default_rng([seed, made])
        batch = ElasticBatch(load, start, terms, prices, SIMULATIONS, int(rng.integers(2**31)))
        for _ in range(ITERATIONS):
            _learn(_gather(batch, learner, rng), learner, rng)
            mean = KEPT * mean + (1.0 - KEPT) * _flat(learner, start)
        made += ITERATIONS * STEPS * SIMULATIONS
        curve.append((made, _cost(mean, validation, terms, prices) / usual))
        if curve[-1][1] <= min(value for _, value in curve):
            best = mean.copy()
        arrays = {"mean": mean, "best": best, "made": np.array(made)}
        keep(resume, seed, curve, arrays | tensors(*learner.optimizers))
        if progress is not None and not progress(made / decisions):
            break
    return TrainedElastic(weights=best, decisions=made, curve=curve)


def _cost(weights: Floats, load: Load, terms: Terms, prices: Prices) -> float:
    """What a controller spends on a whole load."""
    _, spent, _ = play(load, controller_of(weights), terms, float(load.submit_s[-1]))
    return float(avoidable(spent[-1], prices))


def _learner(seed: int) -> _Learner:
    import torch

    width = SHAPES["first"][1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy, critic = (
            torch.nn.Sequential(
                torch.nn.Linear(len(FEATURES), units), torch.nn.Tanh(),
                torch.nn.Linear(units, units), torch.nn.Tanh(), torch.nn.Linear(units, out),
            )
            for units, out in ((width, len(LEVERS)), (64, 1))
        )  # fmt: skip
    with torch.no_grad():
        for parameter in policy[-1].parameters():
            parameter.zero_()
    noise = torch.nn.Parameter(torch.full((len(LEVERS),), float(np.log(NOISE))))
    optimizers = (
        torch.optim.Adam([*policy.parameters(), noise], RATES[0]),
        torch.optim.Adam(critic.parameters(), RATES[1]),
    )
    learner = _Learner(policy, noise, critic, optimizers)
    _step(learner, 0.0 * (noise.sum() + sum(p.sum() for p in _parameters(learner))))
    return learner


def _parameters(learner: _Learner) -> list[Any]:
    return [*learner.policy.parameters(), *learner.critic.parameters()]


def _step(learner: _Learner, loss: Any) -> None:
    """One step down a loss."""
    import torch

    for optimizer in learner.optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in learner.optimizers:
        torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], LONGEST)
        optimizer.step()


def _flat(learner: _Learner, start: Floats) -> Floats:
    """The policy as weights of a controller."""
    parts = [start[: len(LEVERS)]]
    for layer in learner.policy[::2]:
        parts += [layer.weight.detach().numpy().T.ravel(), layer.bias.detach().numpy()]
    return np.concatenate(parts).astype(np.float64)


class _Experience(NamedTuple):
    x: Singles  # (S, FEATURES)
    outputs: Singles  # (S, 4)
    log_chance: Singles  # (S,)
    advantage: Singles  # (S,)
    worth: Singles  # (S,)


def _log_chance(learner: _Learner, x: Any, outputs: Any) -> Any:
    """Of outputs (S, 4), without the constant."""
    away = (outputs - learner.policy(x)) * (-learner.noise).exp()
    return -(0.5 * away**2 + learner.noise).sum(1)


def _gather(batch: ElasticBatch, learner: _Learner, rng: np.random.Generator) -> _Experience:
    """Step the simulations STEPS times with noise."""
    import torch

    n = len(batch.x)
    x, outputs = np.empty((STEPS + 1, n, len(FEATURES)), np.float32), np.empty((STEPS, n, 4))
    rewards, is_over = np.empty((STEPS, n)), np.empty((STEPS, n), np.bool_)
    with torch.no_grad():
        deviation = learner.noise.exp().numpy()
        for step in range(STEPS):
            x[step] = batch.x
            aimed = learner.policy(torch.from_numpy(x[step])).numpy()
            outputs[step] = aimed + deviation * rng.standard_normal(aimed.shape)
            cost, is_over[step] = batch.step(outputs[step])
            rewards[step] = -cost
        x[STEPS] = batch.x
        expected = learner.critic(torch.from_numpy(x))[..., 0].numpy()
        flat = x[:-1].reshape(-1, len(FEATURES))
        chosen = outputs.reshape(-1, 4).astype(np.float32)
        chance = _log_chance(learner, torch.from_numpy(flat), torch.from_numpy(chosen)).numpy()
    advantage = advantages(rewards / 10.0, is_over, expected)
    worth = (advantage + expected[:-1]).ravel().astype(np.float32)
    scaled = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    scaled = np.clip(scaled, -5.0, 5.0).ravel().astype(np.float32)
    return _Experience(flat, chosen, chance, scaled, worth)


def _learn(seen: _Experience, learner: _Learner, rng: np.random.Generator) -> None:
    """EPOCHS passes over what was seen, in PARTS."""
    import torch

    for _ in range(EPOCHS):
        for part in np.array_split(rng.permutation(len(seen.x)), PARTS):
            x, outputs, chance, advantage, worth = (torch.from_numpy(v[part]) for v in seen)
            ratio = (_log_chance(learner, x, outputs) - chance).exp()
            gained = torch.min(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
            missed = torch.nn.functional.huber_loss(learner.critic(x)[:, 0], worth)
            _step(learner, missed - gained.mean())
