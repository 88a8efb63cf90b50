"""A linear order found by evolution: few weights, many whole simulations.

The score of a task is a weighted sum of what NAMES say of it, so that the rule that comes out can
be read. Each generation draws windows, plays each of them under CHILDREN rules around the present
one, and moves towards the better half: of a window only the log of its mean slowdown counts, so
that no congested window decides alone. Kept is a running mean of the rules, the one that did best
on validation windows.
Source: Hansen (2016), "The CMA evolution strategy: a tutorial", with mirrored pairs of children;
that all children play the same windows and the running mean are our own. In a search with trials
(simulate.lookahead) the logarithm of the price of blocking is one more weight.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError
from headway.schedule.network import SIZE
from headway.schedule.observation import FEATURES
from headway.simulate.episode import COMMIT, RESERVE
from headway.train.journal import keep, resumed
from headway.train.judge import Windows, judge_of
from headway.train.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.simulate.batch import Course
    from headway.train.journal import Arrays, Curve
    from headway.train.judge import Judge, Window

    Floats = NDArray[np.float64]
    Play = Callable[[Floats, Window], tuple[float, int]]

NAMES: Final = {
    "log_runtime": 1.0, "log_procs": 1.0, "share": 1.0, "fits": 0.3, "log_until": 0.5,
    "user_running": 0.3, "user_waiting": 0.3,
}  # fmt: skip
"""Features that are weighed, and how far their weights are shaken at first, over the step."""
PRICE: Final = 0.2  # of blocking, that a search with trials starts from
CHILDREN: Final = 12
WINDOWS: Final = 8  # that each of them plays
STEP: Final = 0.3
KEPT: Final = 0.9  # of the running mean of rules, each generation
EVERY: Final = 8  # generations between validations


@dataclass(slots=True)
class Search:
    """Where evolution stands; n numbers."""

    centre: Floats  # (n,)
    mean: Floats  # (n,) running mean of centres
    best: Floats  # (n,) the one with the best validation
    path: Floats  # (n,) of the covariance
    step_path: Floats  # (n,)
    covariance: Floats  # (n, n)
    step: float = STEP
    generation: int = 0
    decisions: int = 0


def search_linear(
    courses: Sequence[Course],
    validation: Sequence[Course],
    jobs: int,
    *,
    mode: int,
    decisions: int,
    seed: int = 0,
    tried: int = 0,
    resume: Path | None = None,
    progress: Callable[[float], bool] | None = None,
) -> Trained:
    """Weights found on windows of `jobs` tasks of the courses, chosen on windows of others.

    tried > 0: for an order whose first few are tried out before one goes next (simulate.lookahead);
    the price of blocking is found with it, and is the last of weights (SIZE + 1,).
    Stops before a generation that would begin after `decisions` (those of windows that were drawn
    and found dull counted, those of validation not), or when progress, told the share of them,
    answers False. With a file to resume from, it is written at each validation, and read if it is
    there.
    """
    if decisions < 1 or not courses or not validation:
        raise ConfigError("search needs courses, validation windows and decisions of at least 1")
    if tried and mode not in (RESERVE, COMMIT):
        raise ConfigError(f"tried must be 0 in mode EASY or HEADS, got {tried}")
    names = names_for(courses) + (["price"] if tried else [])
    judge = judge_of(mode, courses, validation, tried=tried)
    start = np.array([-1.0 if name in ("log_runtime", "log_procs") else 0.0 for name in names])
    state, curve = evolve(
        start, lambda point, window: judge.play(weights_of(names, point), window),
        judge, courses, validation, jobs,
        decisions=decisions, seed=seed, resume=resume, progress=progress,
    )  # fmt: skip
    return Trained(weights=weights_of(names, state.best), decisions=state.decisions, curve=curve)


def evolve(
    start: Floats,
    play: Play,
    judge: Judge,
    courses: Sequence[Course],
    validation: Sequence[Course],
    jobs: int,
    *,
    decisions: int,
    seed: int,
    resume: Path | None,
    progress: Callable[[float], bool] | None,
) -> tuple[Search, Curve]:
    """Evolution from a point (n,), whose numbers are shaken by about STEP; the rest as above.

    play: the log of the mean slowdown of a window at a point, and the decisions made.
    """
    judged = judge.windows(validation, jobs)
    windows = Windows(judge, courses, jobs)
    state, curve = resumed_search(resume, seed, start)
    if not curve:
        _validate(state, play, judged, curve)
    while state.decisions < decisions:
        rng = np.random.default_rng([seed, state.generation])
        places, made = windows.draw(rng, WINDOWS)
        state.decisions += made
        generation(state, play, [windows.at(place) for place in places], rng)
        if state.generation % EVERY == 0:
            _validate(state, play, judged, curve)
            keep(resume, seed, curve, arrays_of(state))
        if progress is not None and not progress(state.decisions / decisions):
            break
    if curve[-1][0] != state.decisions:
        _validate(state, play, judged, curve)
        keep(resume, seed, curve, arrays_of(state))
    return state, curve


def names_for(courses: Sequence[Course]) -> list[str]:
    """What is weighed: all of NAMES, or those without users where no course knows any."""
    is_known = any(len(course.siblings.user) > 0 for course in courses)
    return [name for name in NAMES if is_known or not name.startswith("user_")]


def weights_of(names: Sequence[str], weighed: Floats) -> Floats:
    """Weights (SIZE,) of the network that is the linear rule of a point (n,), the price behind."""
    is_priced = "price" in names
    weights = np.zeros(SIZE + is_priced)
    for name, value in zip(names, weighed, strict=True):
        if name == "price":
            weights[-1] = PRICE * np.exp(value)
        else:
            weights[FEATURES.index(name)] = value * NAMES[name]
    return weights


def generation(
    state: Search,
    play: Callable[[Floats, Any], tuple[float, int]],
    windows: Sequence[Any],
    rng: np.random.Generator,
) -> None:
    """Play children, move towards the better ones, and remember where they lay."""
    n = len(state.centre)
    length, axes = np.linalg.eigh(state.covariance)
    length = np.sqrt(np.maximum(length, 1e-12))
    drawn = rng.normal(size=(CHILDREN // 2, n))
    shaken = (np.concatenate([drawn, -drawn]) * length) @ axes.T
    worth = np.zeros(CHILDREN)
    for child in range(CHILDREN):
        for window in windows:
            value, made = play(state.centre + state.step * shaken[child], window)
            worth[child] -= value
            state.decisions += made
    parents = CHILDREN // 2
    share = np.log(parents + 0.5) - np.log(np.arange(1, parents + 1))
    share /= share.sum()
    better = shaken[np.argsort(-worth, kind="stable")[:parents]]
    _adapt(state, share, better, axes @ ((axes.T @ (share @ better)) / length))


def _adapt(state: Search, share: Floats, better: Floats, whitened: Floats) -> None:
    """Equations of the tutorial, with its constants: centre, paths, covariance and step."""
    n, moved = len(state.centre), share @ better
    many = 1.0 / float((share**2).sum())
    slow = (4.0 + many / n) / (n + 4.0 + 2.0 * many / n)
    step_slow = (many + 2.0) / (n + many + 5.0)
    by_path = 2.0 / ((n + 1.3) ** 2 + many)
    by_rank = min(1.0 - by_path, 2.0 * (many - 2.0 + 1.0 / many) / ((n + 2.0) ** 2 + many))
    damping = 1.0 + 2.0 * max(0.0, np.sqrt((many - 1.0) / (n + 1.0)) - 1.0) + step_slow
    usual = np.sqrt(n) * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n))
    state.generation += 1
    state.centre = state.centre + state.step * moved
    state.mean = KEPT * state.mean + (1.0 - KEPT) * state.centre
    state.step_path = (1.0 - step_slow) * state.step_path
    state.step_path += np.sqrt(step_slow * (2.0 - step_slow) * many) * whitened
    long = float(np.linalg.norm(state.step_path))
    seen = np.sqrt(1.0 - (1.0 - step_slow) ** (2 * state.generation))
    is_short = long / seen < (1.4 + 2.0 / (n + 1.0)) * usual
    state.path = (1.0 - slow) * state.path + is_short * np.sqrt(slow * (2.0 - slow) * many) * moved
    state.covariance = (
        (1.0 - by_path - by_rank) * state.covariance
        + by_path * np.outer(state.path, state.path)
        + by_rank * (share[:, None] * better).T @ better
    )
    state.step *= float(np.exp((step_slow / damping) * (long / usual - 1.0)))


def _validate(state: Search, play: Play, judged: Sequence[Window], curve: Curve) -> None:
    """Add a point to the curve; keep the rule if it is the best so far."""
    logs = [play(state.mean, window)[0] - window.usual for window in judged]
    value = float(np.exp(np.mean(logs)))
    if value < min((known for _, known in curve), default=np.inf):
        state.best = state.mean.copy()
    curve.append((state.decisions, value))


def arrays_of(state: Search) -> Arrays:
    """A search as it is kept."""
    return {field.name: np.array(getattr(state, field.name)) for field in fields(state)}


def resumed_search(path: Path | None, seed: int, start: Floats) -> tuple[Search, Curve]:
    """A search as it was kept, or at its beginning."""
    found = resumed(path, seed, {field.name for field in fields(Search)})
    if found is not None:
        arrays, curve = found
        if path is not None and len(arrays["centre"]) != len(start):
            raise ConfigError(f"{path.name} was written by another run, which weighed other things")
        values: dict[str, Any] = {name: a if a.ndim else a.item() for name, a in arrays.items()}
        return Search(**values), curve
    zeros, n = np.zeros(len(start)), len(start)
    return Search(start, start.copy(), start.copy(), zeros, zeros.copy(), np.eye(n)), []
