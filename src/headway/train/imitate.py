"""Imitation of a search with the future known: the network learns the choices that the search made.

The search goes along a window, at some decisions tries other tasks, plays each to the end, and goes
on with the best: so it finds an order that nobody could have known. Of every choice that it made
against others, the cross entropy is lowered, the more the choice has saved. The windows are
searched from what the present weights do, so that they are asked about states that they come to.
Source: Ross et al. (2011), "A reduction of imitation learning and structured prediction to
no-regret online learning"; weights by what is lost: Ross, Bagnell (2014), "AggreVaTe".
The search is that of `simulate.branch`.
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

WINDOWS: Final = 16  # of a round
EPOCHS: Final = 4
PARTS: Final = 4  # of what was found, that a gradient is taken of
HEAVIEST: Final = 3.0  # weight of a choice, over the root mean square
RATE: Final = 2e-3


def train_imitation(
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

    Stops, and goes on from a file, as `ppo.train_ppo` does.
    """
    return train(
        imitate, RATE, courses, validation, jobs, mode=mode, decisions=decisions, seed=seed,
        resume=resume, progress=progress,
    )  # fmt: skip


def imitate(player: Player, learner: Learner, rng: np.random.Generator) -> int:
    """Search and learn; how many decisions were made."""
    weights = learner.weights.detach().numpy().astype(np.float64)
    found, made = player.gather(weights, WINDOWS, rng, to_the_end=True)
    learn(found, learner, rng)
    learner.remember()
    return made


def learn(found: Choices, learner: Learner, rng: np.random.Generator) -> None:
    """EPOCHS passes over what was found, in PARTS."""
    for _ in range(EPOCHS):
        for part in np.array_split(rng.permutation(len(found.gain)), PARTS):
            _update(found.part(part), learner)


def _update(found: Choices, learner: Learner) -> None:
    """One step towards the best choice of each moment."""
    import torch

    gain = np.where(found.is_choice, found.gain, -np.inf)
    best, lost = gain.argmax(1), gain.max(1) - np.where(found.is_choice, found.gain, np.inf).min(1)
    weight = np.minimum(lost / np.sqrt((lost**2).mean()), HEAVIEST)
    missed = torch.nn.functional.cross_entropy(
        wide_logits(learner.weights, found).clamp(min=-1e4),
        torch.from_numpy(best), reduction="none",
    )  # fmt: skip
    learner.step((missed * torch.from_numpy(weight)).mean())
