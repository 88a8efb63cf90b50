"""Proximal policy optimisation of the order of a queue: which waiting task goes next.

Many simulations are stepped together under the softmax of the scores; a critic says what waiting
was to be expected, and scores move towards choices after which less was waited. It starts from a
standard rule: smallest area first is one setting of the weights.
Source: Schulman et al. (2017), "Proximal policy optimization algorithms", with generalised
advantages (Schulman et al. (2016)) and masked choices (Huang, Ontañón (2022)); that the network
is asked only for rows that hold a task, and the running mean of weights, are our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.train.rounds import DISCOUNT, PAID, train
from headway.train.score_net import States, joined, logits, picked, states_of, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.simulate.batch import Batch, Course
    from headway.train.rounds import Learner
    from headway.train.trained import Trained

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]

STEPS: Final = 128  # of each simulation in an iteration
ITERATIONS: Final = 8  # of a round
EPOCHS: Final = 3
PARTS: Final = 4  # of what was seen, that a gradient is taken of
TRACE: Final = 0.95  # lambda of the advantages
CLIP: Final = 0.2
ENTROPY: Final = 0.003
RATES: Final = (3e-3, 1e-3)  # of the weights, of the critic


class Experience(NamedTuple):
    """What an iteration saw, chose and found: S = STEPS x SIMULATIONS states."""

    states: States
    chosen: Ints  # (S,) slots
    log_chance: Singles  # (S,) of what was chosen, when it was chosen
    advantage: Singles  # (S,) mean 0, deviation 1, at most 5
    worth: Singles  # (S,) what the critic should have said


def train_ppo(
    courses: Sequence[Course],
    validation: Sequence[Course],
    jobs: int,
    *,
    mode: int,
    decisions: int,
    seed: int = 0,
    resume: Path | None = None,
    progress: Callable[[float], bool] | None = None,
) -> Trained:
    """Weights learned on windows of `jobs` tasks of the courses, chosen on windows of others.

    Stops after the round in which `decisions` were made, or when progress, told the share of them,
    answers False. With a file to resume from, it is written after each round, and read if it is
    there.
    """
    return train(
        _round, RATES, courses, validation, jobs, mode=mode, decisions=decisions, seed=seed,
        resume=resume, progress=progress,
    )  # fmt: skip


def _round(batch: Batch, learner: Learner, rng: np.random.Generator) -> int:
    """Play and learn by turns; how many decisions were made."""
    for _ in range(ITERATIONS):
        seen = gather(batch, learner, rng)
        _learn(seen, learner, rng)
        learner.remember()
    return ITERATIONS * len(seen.chosen)


def gather(batch: Batch, learner: Learner, rng: np.random.Generator) -> Experience:
    """Step the simulations STEPS times under the softmax of the scores."""
    import torch

    n = len(batch.seen.common)
    states, chosen = [], np.empty((STEPS, n), np.int64)
    log_chance, rewards = np.empty((STEPS, n), np.float32), np.empty((STEPS, n))
    is_over = np.empty((STEPS, n), np.bool_)
    with torch.no_grad():
        for step in range(STEPS):
            states.append(states_of(batch.seen))
            log_chances = torch.log_softmax(logits(learner.weights, states[-1]), 1).numpy()
            slots = (log_chances + rng.gumbel(size=log_chances.shape)).argmax(1)
            log_chance[step] = log_chances[np.arange(n), slots]
            chosen[step] = slots
            _, rewards[step], is_over[step] = batch.step(slots)
        seen = joined(states)
        expected = learner.values(summary(joined([seen, states_of(batch.seen)])))[:, 0].numpy()
    expected = expected.reshape(STEPS + 1, n)
    advantage = advantages(PAID * rewards, is_over, expected)
    worth = (advantage + expected[:-1]).ravel().astype(np.float32)
    scaled = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    scaled = np.clip(scaled, -5.0, 5.0).ravel().astype(np.float32)
    return Experience(seen, chosen.ravel(), log_chance.ravel(), scaled, worth)


def advantages(rewards: Floats, is_over: NDArray[np.bool_], expected: Floats) -> Floats:
    """Generalised advantages (t, n) of rewards (t, n), with expected worths (t + 1, n)."""
    found, running = np.empty_like(rewards), np.zeros(rewards.shape[1])
    for step in range(len(rewards) - 1, -1, -1):
        goes_on = ~is_over[step]
        missed = rewards[step] + DISCOUNT * goes_on * expected[step + 1] - expected[step]
        running = missed + DISCOUNT * TRACE * goes_on * running
        found[step] = running
    return found


def _learn(seen: Experience, learner: Learner, rng: np.random.Generator) -> None:
    """EPOCHS passes over what was seen, in PARTS."""
    import torch

    for _ in range(EPOCHS):
        for part in np.array_split(rng.permutation(len(seen.chosen)), PARTS):
            states = picked(seen.states, part)
            log_chances = torch.log_softmax(logits(learner.weights, states), 1)
            chosen = torch.from_numpy(seen.chosen[part])[:, None]
            moved = log_chances.gather(1, chosen)[:, 0] - torch.from_numpy(seen.log_chance[part])
            ratio, advantage = moved.exp(), torch.from_numpy(seen.advantage[part])
            gained = torch.min(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
            is_row = log_chances > -torch.inf
            entropy = -(log_chances.exp() * log_chances.masked_fill(~is_row, 0.0)).sum(1)
            missed = torch.nn.functional.huber_loss(
                learner.values(summary(states))[:, 0], torch.from_numpy(seen.worth[part])
            )
            learner.step(missed - (gained + ENTROPY * entropy).mean())
