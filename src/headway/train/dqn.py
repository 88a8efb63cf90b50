"""Deep Q-learning of the order of a queue: what each waiting task would be worth if it went next.

The worth of a choice is that of the state, said by a critic, plus how far the score of the task
lies above the mean of the tasks beside it; only tasks that may start are ever compared. Targets
are sums of rewards over some decisions and the worth of what the present network would choose
then, as a slower copy of it says. What a round has seen is its memory.
Source: Mnih et al. (2015), "Human-level control through deep reinforcement learning"; van Hasselt
et al. (2016) for the double network, Wang et al. (2016) for state and advantage apart, Sutton
(1988) for sums over several steps. Its start from a standard rule is our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

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
    Ints = NDArray[np.int64]

STEPS: Final = 32  # of each simulation between updates
ITERATIONS: Final = 32  # of a round
AHEAD: Final = 16  # decisions whose rewards are summed
UPDATES: Final = 8  # of an iteration
SAMPLE: Final = 512  # decisions that an update looks at
EXPLORED: Final = (0.1, 0.01)  # share of random choices, at first and at last
FLATNESS: Final = 0.1  # by which logits are multiplied to be differences of worth
FOLLOWED: Final = 0.02  # of the way that the slower copy goes, each update
RATES: Final = (1e-3, 1e-3)  # of the weights, of the critic


class Memory(NamedTuple):
    """What an iteration saw of n simulations in t steps."""

    states: States  # (t + 1) * n, step by step
    chosen: Ints  # (t * n,) slots
    paid: Floats  # (t * n,) rewards until the state `then`, discounted
    then: Ints  # (t * n,) which of the states comes AHEAD decisions later, or last
    discount: Floats  # (t * n,) of its worth; 0 where a window ended before


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
        _round, RATES, courses, validation, jobs, mode=mode, decisions=decisions, seed=seed,
        resume=resume, progress=progress,
    )  # fmt: skip


def _round(batch: Batch, learner: Learner, rng: np.random.Generator) -> int:
    """Play and learn by turns; how many decisions were made."""
    import copy

    slower = copy.deepcopy((learner.weights, learner.values))
    explored = EXPLORED[0] + learner.share * (EXPLORED[1] - EXPLORED[0])
    memories: list[Memory] = []
    for _ in range(ITERATIONS):
        memories.append(gather(batch, learner.weights, explored, rng))
        for _ in range(UPDATES):
            memory = memories[int(rng.integers(len(memories)))]
            _learn(memory, rng.integers(len(memory.chosen), size=SAMPLE), learner, slower)
        learner.remember()
    return ITERATIONS * len(memories[0].chosen)


def gather(batch: Batch, weights: Any, explored: float, rng: np.random.Generator) -> Memory:
    """Step the simulations STEPS times, mostly with the highest score, else with any task."""
    import torch

    n = len(batch.seen.common)
    states, chosen = [states_of(batch.seen)], np.empty((STEPS, n), np.int64)
    rewards, is_over = np.empty((STEPS, n)), np.empty((STEPS, n), np.bool_)
    for step in range(STEPS):
        with torch.no_grad():
            slots = logits(weights, states[-1]).argmax(1).numpy()
        other = (rng.uniform(size=n) * states[-1].counts).astype(np.int64)
        chosen[step] = np.where(rng.uniform(size=n) < explored, other, slots)
        _, rewards[step], is_over[step] = batch.step(chosen[step])
        states.append(states_of(batch.seen))
    paid, then, discount = sums(PAID * rewards, is_over)
    place = then * n + np.arange(n)
    return Memory(joined(states), chosen.ravel(), paid.ravel(), place.ravel(), discount.ravel())


def sums(rewards: Floats, is_over: NDArray[np.bool_]) -> tuple[Floats, Ints, Floats]:
    """Of rewards (t, n): what AHEAD decisions are paid, the step after them, its discount."""
    steps = len(rewards)
    paid, discount = np.zeros_like(rewards), np.ones_like(rewards)
    then = np.minimum(np.arange(steps) + AHEAD, steps)[:, None].repeat(rewards.shape[1], axis=1)
    for ahead in range(min(AHEAD, steps)):
        kept = slice(0, steps - ahead)
        reached = slice(ahead, steps)
        paid[kept] += discount[kept] * rewards[reached]
        discount[kept] *= DISCOUNT * ~is_over[reached]
    return paid, then, discount


def worths(weights: Any, values: Any, states: States) -> Any:
    """The worth (S, k) of each choice; -inf beyond its count."""
    import torch

    scored = FLATNESS * logits(weights, states)
    is_row = scored > -torch.inf
    mean = scored.masked_fill(~is_row, 0.0).sum(1) / is_row.sum(1)
    return values(summary(states)) + scored - mean[:, None]


def _learn(memory: Memory, which: Ints, learner: Learner, slower: tuple[Any, Any]) -> None:
    """One update on some decisions of a memory."""
    import torch

    states, then = picked(memory.states, which), picked(memory.states, memory.then[which])
    with torch.no_grad():
        best = logits(learner.weights, then).argmax(1, keepdim=True)
        worth = worths(*slower, then).gather(1, best)[:, 0].numpy()
        target = torch.from_numpy(memory.paid[which] + memory.discount[which] * worth).float()
    chosen = torch.from_numpy(memory.chosen[which])[:, None]
    said = worths(learner.weights, learner.values, states).gather(1, chosen)[:, 0]
    learner.step(torch.nn.functional.huber_loss(said, target))
    with torch.no_grad():
        slower[0].lerp_(learner.weights, FOLLOWED)
        for slow, fast in zip(slower[1].parameters(), learner.values.parameters(), strict=True):
            slow.lerp_(fast, FOLLOWED)
