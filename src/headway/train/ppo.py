"""Proximal policy optimisation of the order of a queue: which waiting task goes next.

At moments of many windows some of the tasks that may go are tried, each followed for a while by the
present weights; the softmax of their scores moves towards those that saved waiting against its own
mean, in a few steps that may not change a chance by more than CLIP of itself. Tasks and arrivals
are the same in all branches, so that their mean is a baseline without a critic.
Source: Schulman et al. (2017), "Proximal policy optimization algorithms"; advantages from branches:
Schulman et al. (2015), "Trust region policy optimization", the "vine"; all choices of a moment in
one gradient: Asadi et al. (2017), "Mean actor critic".
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

WINDOWS: Final = 64  # of a round
EPOCHS: Final = 6
PARTS: Final = 2  # of what was seen, that a gradient is taken of
CLIP: Final = 0.2
FARTHEST: Final = 5.0  # advantage, over the root mean square of gains
RATE: Final = 3e-3


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
        _round, RATE, courses, validation, jobs, mode=mode, decisions=decisions, seed=seed,
        resume=resume, progress=progress,
    )  # fmt: skip


def _round(player: Player, learner: Learner, rng: np.random.Generator) -> int:
    """Play and learn; how many decisions were made."""
    weights = learner.weights.detach().numpy().astype(np.float64)
    seen, made = player.gather(weights, WINDOWS, rng)
    learn(seen, learner, rng)
    learner.remember()
    return made


def learn(seen: Choices, learner: Learner, rng: np.random.Generator) -> None:
    """EPOCHS passes over what was seen, in PARTS."""
    import torch

    with torch.no_grad():
        log_chance = torch.log_softmax(wide_logits(learner.weights, seen), 1)
    chance, is_choice = log_chance.exp(), torch.from_numpy(seen.is_choice)
    gain = torch.from_numpy(seen.gain) / float(np.sqrt((seen.gain**2).mean()))
    advantage = (gain - (chance * gain).sum(1, keepdim=True)).clamp(-FARTHEST, FARTHEST)
    for _ in range(EPOCHS):
        for part in np.array_split(rng.permutation(len(seen.gain)), PARTS):
            now = torch.log_softmax(wide_logits(learner.weights, seen.part(part)), 1)
            moved = (now - log_chance[part]).masked_fill(~is_choice[part], 0.0).exp()
            gained = torch.min(
                moved * advantage[part], moved.clamp(1.0 - CLIP, 1.0 + CLIP) * advantage[part]
            )
            learner.step(-(chance[part] * gained).sum(1).mean())
