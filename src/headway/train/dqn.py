"""Deep Q-learning of the order of a queue: what each waiting task would be worth if it went next.

Scores are worths, up to what is common to all tasks of a moment, which no choice depends on; only
tasks that may start are ever compared. The worth of a choice is what it was seen to save while a
slower copy of the network went on with its own best choices. What an iteration has seen stays in a
memory for the rest of its round.
Source: Mnih et al. (2015), "Human-level control through deep reinforcement learning", with memory
and slower copy; sums of what was paid in place of a guess: Sutton (1988), with many steps; worths
beside their mean: Wang et al. (2016). That both sides of a comparison meet the same tasks, and the
start from an order that evolution found, are our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.train.choices import wide_logits
from headway.train.rounds import train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from headway.simulate.batch import Course
    from headway.train.choices import Choices, Player
    from headway.train.rounds import Learner
    from headway.train.trained import Trained

WINDOWS: Final = 32  # of an iteration
ITERATIONS: Final = 4  # of a round
UPDATES: Final = 10  # of an iteration
SAMPLE: Final = 1024  # moments that an update looks at
FLATNESS: Final = 0.03  # by which logits are multiplied to be worths, over the spread of gains
RATE: Final = 2e-3


def train_dqn(
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
        _round, RATE, courses, validation, jobs, mode=mode, decisions=decisions, seed=seed,
        resume=resume, progress=progress,
    )  # fmt: skip


def _round(player: Player, learner: Learner, rng: np.random.Generator) -> int:
    """Play and learn by turns; how many decisions were made."""
    memories: list[Choices] = []
    decisions = 0
    for _ in range(ITERATIONS):
        seen, made = player.gather(learner.mean, WINDOWS, rng)
        memories.append(seen)
        decisions += made
        for _ in range(UPDATES):
            memory = memories[int(rng.integers(len(memories)))]
            learn(memory, learner, rng)
        learner.remember()
    return decisions


def learn(memory: Choices, learner: Learner, rng: np.random.Generator) -> None:
    """One update on some moments of a memory."""
    import torch

    seen = memory.part(rng.integers(len(memory.gain), size=SAMPLE))
    is_choice, gain = torch.from_numpy(seen.is_choice), torch.from_numpy(seen.gain)
    worth = (FLATNESS * wide_logits(learner.weights, seen)).masked_fill(~is_choice, 0.0)
    wrong = worth - gain / float(np.sqrt((seen.gain**2).mean()) + 1e-12)
    wrong = wrong - wrong.sum(1, keepdim=True) / is_choice.sum(1, keepdim=True)
    wrong = wrong.masked_fill(~is_choice, 0.0)
    learner.step(
        torch.nn.functional.huber_loss(wrong, torch.zeros_like(wrong), reduction="sum") / len(wrong)
    )
