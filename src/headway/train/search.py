"""Direct search for the weights of a scheduler: evolution, with whole simulations as the judge.

Each generation draws windows, plays them with pairs of weights shaken in opposite directions, and
moves the weights along the directions that gave the lower slowdown: of each window only the log
ratio of a pair counts, over its spread, so that no congested window decides alone. What is kept is
a running mean of the weights, the one that did best on validation windows.
Source: Salimans et al. (2017), "Evolution strategies as a scalable alternative to reinforcement
learning", with its antithetic pairs; the scaling by window is our own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.schedule.network import SHAPES, SIZE, flat, network_of, smallest_area_first
from headway.train.journal import keep, resumed
from headway.train.judge import judge_of
from headway.train.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.simulate.batch import Course
    from headway.train.journal import Arrays, Curve
    from headway.train.judge import Judge, Window

    Floats = NDArray[np.float64]

PAIRS: Final = 10  # of shaken weights in a generation
WINDOWS: Final = 6  # that each of them plays
LINEAR, DEEP = 0.3, 0.15  # how far weights of the linear part and of the layers are shaken
STEP: Final = 0.25  # of the shaking, that the weights move along a direction
CLIP: Final = 2.0  # of a window's log ratio over its spread
FLOOR: Final = 0.02  # of that spread, in log slowdown
MOMENTUM: Final = 0.8
KEPT: Final = 0.9  # of the running mean of weights, each generation
EVERY: Final = 10  # generations between validations
DULL: Final = 1.5  # mean slowdown under the first rule, below which a window teaches nothing


@dataclass(slots=True)
class _Search:
    """Where a search stands, as it is kept between runs."""

    weights: Floats
    mean: Floats  # running mean of weights
    best: Floats
    momentum: Floats
    generation: int = 0
    decisions: int = 0


def search(
    courses: Sequence[Course],
    validation: Sequence[Course],
    jobs: int,
    *,
    mode: int,
    decisions: int,
    seed: int = 0,
    threads: int = 2,
    resume: Path | None = None,
    progress: Callable[[float], bool] | None = None,
) -> Trained:
    """Weights found on windows of `jobs` tasks of the courses, chosen on windows of others.

    Stops after the generation in which `decisions` were made, or when progress, told the share of
    them, answers False. With a file to resume from, it is written every EVERY generations and read
    if it is there. Every window of `validation` is played at each validation.
    """
    if decisions < 1 or not courses or not validation:
        raise ConfigError("search needs courses, validation windows and decisions of at least 1")
    judge = judge_of(mode, courses, validation)
    judged = judge.windows(validation, jobs)
    state, curve = _begun(seed), [(0, 1.0)]
    if (found := resumed(resume, seed, set(_arrays(state)))) is not None:
        state, curve = _again(found[0]), found[1]
    with ThreadPoolExecutor(threads) as pool:
        player = _Player(pool, judge)
        while state.decisions < decisions:
            rng = np.random.default_rng([seed, state.generation])
            _generation(state, player, _drawn(rng, courses, jobs, judge), rng)
            if state.generation % EVERY == 0:
                _validate(state, player, judged, curve)
                keep(resume, seed, curve, _arrays(state))
            if progress is not None and not progress(state.decisions / decisions):
                break
        if state.generation % EVERY:
            _validate(state, player, judged, curve)
            keep(resume, seed, curve, _arrays(state))
    return Trained(weights=state.best, decisions=state.decisions, curve=curve)


@dataclass(frozen=True, slots=True)
class _Player:
    """Plays windows side by side."""

    pool: ThreadPoolExecutor
    judge: Judge

    def play_all(self, weights: Sequence[Floats], windows: Sequence[Window]) -> tuple[Floats, int]:
        """Log slowdowns (w, n) of n windows under w weights, and the decisions in all."""
        wanted = [(these, window) for these in weights for window in windows]
        played = list(self.pool.map(lambda pair: self.judge.play(*pair), wanted))
        slowdown = np.array([value for value, _ in played]).reshape(len(weights), len(windows))
        return slowdown, sum(made for _, made in played)


def shaking() -> Floats:
    """How far each weight (SIZE,) is shaken."""
    linear = int(np.prod(SHAPES["linear"]))
    return np.concatenate([np.full(linear, LINEAR), np.full(SIZE - linear, DEEP)])


def _drawn(
    rng: np.random.Generator, courses: Sequence[Course], jobs: int, judge: Judge
) -> list[Window]:
    """WINDOWS windows in which something waits, as far as a few tries for each find them."""
    drawn: list[Window] = []
    for tries in range(10 * WINDOWS):
        course = courses[int(rng.integers(len(courses)))]
        window, _ = judge.window(course, int(rng.choice(course.windows)), jobs)
        if window.usual > np.log(DULL) or tries >= 9 * WINDOWS:
            drawn.append(window)
        if len(drawn) == WINDOWS:
            break
    return drawn


def _generation(
    state: _Search, player: _Player, windows: Sequence[Window], rng: np.random.Generator
) -> None:
    """Shake, play, move."""
    scale = shaking()
    shaken = rng.normal(size=(PAIRS, SIZE))
    tried = [state.weights + sign * scale * one for one in shaken for sign in (1.0, -1.0)]
    log_slowdown, decisions = player.play_all(tried, windows)
    worse = log_slowdown[0::2] - log_slowdown[1::2]  # (PAIRS, windows)
    worse /= np.sqrt((worse**2).mean(axis=0)) + FLOOR
    direction = (np.clip(worse, -CLIP, CLIP).mean(axis=1)[:, None] * shaken).mean(axis=0)
    state.generation += 1
    state.decisions += decisions
    state.momentum = MOMENTUM * state.momentum + (1.0 - MOMENTUM) * direction
    momentum = state.momentum / (1.0 - MOMENTUM**state.generation)
    state.weights = state.weights - STEP * scale * momentum
    state.mean = KEPT * state.mean + (1.0 - KEPT) * state.weights


def _validate(state: _Search, player: _Player, judged: Sequence[Window], curve: Curve) -> None:
    """Add a point to the curve; keep the weights if they are the best so far."""
    log_slowdown, _ = player.play_all([state.mean], judged)
    usual = np.array([window.usual for window in judged])
    value = float(np.exp((log_slowdown[0] - usual).mean()))
    if value < min((known for _, known in curve), default=np.inf):
        state.best = state.mean.copy()
    curve.append((state.decisions, value))


def _begun(seed: int) -> _Search:
    """A search at its beginning: a rule, beside layers that are drawn and not yet heard."""
    start, rng = smallest_area_first(), np.random.default_rng(seed)
    network = network_of(start)
    weights = flat(
        network._replace(
            first=rng.normal(0.0, 0.5, network.first.shape),
            second=rng.normal(0.0, 0.3, network.second.shape),
        )
    )
    return _Search(weights, weights.copy(), start, np.zeros(SIZE))


def _arrays(state: _Search) -> Arrays:
    """A search as it is kept."""
    return {field.name: np.asarray(getattr(state, field.name)) for field in fields(state)}


def _again(arrays: Arrays) -> _Search:
    """The search that `_arrays` gave."""
    return _Search(
        arrays["weights"], arrays["mean"], arrays["best"], arrays["momentum"],
        int(arrays["generation"]), int(arrays["decisions"]),
    )  # fmt: skip
