"""The frame of training by gradients: rounds of play, validation after each, a file to go on from.

The first decisions are spent on evolution, which is cheap where there are few weights: gradients
begin at the linear order that it finds, so that what they add is beyond what search gives.
Every round draws its windows from a seed of its own, so that a run that was stopped goes on exactly
as one that was not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError
from headway.predict.neural import one_thread
from headway.schedule.network import smallest_area_first
from headway.train import covariance
from headway.train.choices import Player
from headway.train.journal import keep, put, resumed, tensors
from headway.train.judge import judge_of
from headway.train.score_net import begun
from headway.train.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.simulate.batch import Course

    Floats = NDArray[np.float64]
    Round = Callable[[Player, "Learner", np.random.Generator], int]

KEPT: Final = 0.8  # of the running mean of weights, each time they are remembered
LONGEST: Final = 0.5  # gradient
SEARCHED: Final = 0.4  # of the decisions, made by evolution


@dataclass(slots=True)
class Learner:
    """What is learned: the weights of the policy, a running mean of them, and a critic if any."""

    weights: Any  # flat tensor
    values: Any  # from a summary of a state to its worth; None = no critic
    mean: Floats
    optimizers: tuple[Any, ...]  # of the weights, of the critic
    share: float = 1.0  # of the decisions after the search that are made
    kept: float = 0.9  # of the running mean, each time the weights are remembered

    def step(self, loss: Any) -> None:
        """One step down a loss."""
        import torch

        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        taught = self.optimizers if self.share > 0.0 else self.optimizers[1:]
        for optimizer in taught:  # in the first round the critic alone: it knows nothing yet
            torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], LONGEST)
            optimizer.step()

    def remember(self) -> None:
        """Move the running mean towards the weights as they are."""
        weights = self.weights.detach().numpy().astype(np.float64)
        self.mean = self.kept * self.mean + (1.0 - self.kept) * weights


def learner_of(seed: int, rate: float, order: Floats) -> Learner:
    """A learner that acts as an order, weights (SIZE,) of the linear part alone."""
    import torch

    start = begun(order, np.random.default_rng(seed))
    weights = torch.nn.Parameter(torch.from_numpy(start).float())
    learner = Learner(weights, None, start, (torch.optim.Adam([weights], rate),), kept=KEPT)
    learner.step(0.0 * weights.sum())  # moments are there from now on
    return learner


@one_thread()
def train(
    one_round: Round,
    rate: float,
    courses: Sequence[Course],
    validation: Sequence[Course],
    jobs: int,
    *,
    mode: int,
    decisions: int,
    seed: int,
    resume: Path | None,
    progress: Callable[[float], bool] | None,
) -> Trained:
    """Rounds until `decisions` were made; the running mean that did best on validation windows."""
    if decisions < 1 or not courses or not validation:
        raise ConfigError("training needs courses, validation windows and decisions of at least 1")
    judge = judge_of(mode, courses, validation)
    judged = judge.windows(validation, jobs)
    player = Player(judge, judge.lively(courses, jobs), jobs)
    learner = learner_of(seed, rate, smallest_area_first())
    names = {"mean", "best", "made", *tensors(*learner.optimizers)}
    if (kept := resumed(resume, seed, names)) is not None:
        arrays, curve = kept
        put(arrays, *learner.optimizers)
        learner.mean, best = arrays["mean"], arrays["best"]
        made = int(arrays["made"])
    else:
        given = int(SEARCHED * decisions)
        found = _searched(courses, validation, jobs, mode, given, seed, resume, progress)
        if 0 < found.decisions < given:
            return found
        learner, curve = learner_of(seed, rate, found.weights), found.curve
        best, made = found.weights, found.decisions
    while made < decisions:
        rng = np.random.default_rng([seed, made])
        made += one_round(player, learner, rng)
        curve.append((made, judge.ratio(learner.mean, judged)))
        if curve[-1][1] <= min(value for _, value in curve):
            best = learner.mean.copy()
        arrays = {"mean": learner.mean, "best": best, "made": np.array(made)}
        keep(resume, seed, curve, arrays | tensors(*learner.optimizers))
        if progress is not None and not progress(made / decisions):
            break
    return Trained(weights=best, decisions=made, curve=curve)


def _searched(
    courses: Sequence[Course],
    validation: Sequence[Course],
    jobs: int,
    mode: int,
    given: int,
    seed: int,
    resume: Path | None,
    progress: Callable[[float], bool] | None,
) -> Trained:
    """The linear order that the given decisions find; smallest area first if those are fewer than
    one generation takes. Fewer are made only if progress says so: then it goes on another time.
    """
    if given < covariance.CHILDREN * covariance.WINDOWS * jobs:
        return Trained(weights=smallest_area_first(), decisions=0, curve=[])
    return covariance.search_linear(
        courses, validation, jobs, mode=mode, decisions=given, seed=seed,
        resume=None if resume is None else resume.with_name(f"{resume.name}.search"),
        progress=None if progress is None else lambda share: progress(SEARCHED * share),
    )  # fmt: skip
