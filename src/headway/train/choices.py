"""What gradients learn an order from: moments of a window, and what each choice saves.

Moments are drawn along the path that the present weights play; beside the task that they let go
stand others, drawn by their scores. What a choice saves is known, since windows are of the past
(see simulate.branch): no critic has to guess it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.schedule.network import network_of
from headway.schedule.observation import COMMON
from headway.simulate.branch import branches
from headway.train.score_net import SHARPNESS, States, logits, picked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.simulate.batch import Course
    from headway.train.judge import Judge, Window

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]

MOMENTS: Final = 24  # of a window
CHOICES: Final = 4  # at each, at the most
AHEAD: Final = 0.1  # times what waits and runs would take, that what a choice does is followed
CLIP: Final = 0.01  # of a gain: few moments may not decide alone


class Choices(NamedTuple):
    """S moments at which it mattered what went next; the first choice is that of the weights."""

    states: States  # of the tasks that were chosen among
    gain: Singles  # (S, CHOICES) share of the window's slowdown that is saved; 0 beyond the count

    def part(self, which: Ints) -> Choices:
        """Some of the moments."""
        return Choices(picked(self.states, which), self.gain[which])

    @property
    def is_choice(self) -> NDArray[np.bool_]:
        """Which of the gains (S, CHOICES) are of choices."""
        return np.arange(self.gain.shape[1]) < self.states.counts[:, None]


@dataclass(frozen=True, slots=True)
class Player:
    """Plays windows of `jobs` tasks of some courses."""

    judge: Judge
    courses: Sequence[Course]
    jobs: int

    def gather(
        self, weights: Floats, windows: int, rng: np.random.Generator, *, to_the_end: bool = False
    ) -> tuple[Choices, int]:
        """Choices of so many windows, those that changed something; decisions made.

        to_the_end: what a choice does is followed to the end of the window, and the path goes on
        as the best of the choices, as only those can who know the future.
        """
        judge, network, made = self.judge, network_of(weights), 0
        rows: list[Floats] = []
        common, gain = [np.empty((0, len(COMMON)))], [np.empty((0, CHOICES))]
        while len(common) <= windows or not rows:
            window, played = self._draw(rng)
            at = np.sort(rng.uniform(size=MOMENTS))
            luck = rng.gumbel(size=(MOMENTS, CHOICES - 1, self.jobs))
            found = branches(
                window.jobs, window.siblings, judge.users, window.total_procs, judge.mode, network,
                at, luck, SHARPNESS, np.inf if to_the_end else AHEAD, to_the_end,
            )  # fmt: skip
            matters = np.flatnonzero((found.gain != 0.0).any(axis=1))
            rows += [found.x[b, : found.counts[b]] for b in matters]
            common.append(found.common[matters])
            gain.append(found.gain[matters] / (self.jobs * np.exp(window.usual)))
            made += played + found.decisions
        counts = np.array([len(x) for x in rows], np.int64)
        x = np.concatenate(rows).astype(np.float32)
        states = States(x, np.concatenate(common).astype(np.float32), counts)
        return Choices(states, np.concatenate(gain).clip(-CLIP, CLIP).astype(np.float32)), made

    def _draw(self, rng: np.random.Generator) -> tuple[Window, int]:
        """A window, and the decisions that it took to know what is usual there."""
        course = self.courses[int(rng.integers(len(self.courses)))]
        return self.judge.window(course, int(rng.choice(course.windows)), self.jobs)


def wide_logits(weights: Any, choices: Choices) -> Any:
    """Logits (S, CHOICES) of every choice; -inf beyond its count."""
    import torch

    scored = logits(weights, choices.states)
    missing = choices.gain.shape[1] - scored.shape[1]
    return torch.nn.functional.pad(scored, (0, missing), value=-torch.inf)
