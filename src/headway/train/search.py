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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.schedule.network import SHAPES, SIZE, flat, network_of, smallest_area_first
from headway.simulate.play import play
from headway.stats import bounded_slowdown
from headway.train.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.schedule.siblings import Siblings
    from headway.simulate.batch import Course
    from headway.simulate.structures import Jobs

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


class Window(NamedTuple):
    """Tasks that are simulated together, and what the rule that is started from makes of them."""

    jobs: Jobs
    siblings: Siblings
    total_procs: int
    usual: float  # mean bounded slowdown


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
    start = smallest_area_first()
    users = 1 + max(int(c.siblings.user.max(initial=0)) for c in [*courses, *validation])
    with ThreadPoolExecutor(threads) as pool:
        player = Player(pool, mode, users)
        judged = [
            player.window(course, int(first), jobs, start)
            for course in validation
            for first in course.windows
        ]
        state, curve = _resumed(resume, seed, start)
        while state.decisions < decisions:
            rng = np.random.default_rng([seed, state.generation])
            _generation(state, player, _drawn(rng, courses, jobs, player, start), rng)
            if state.generation % EVERY == 0:
                _validate(state, player, judged, curve)
                _keep(resume, seed, state, curve)
            if progress is not None and not progress(state.decisions / decisions):
                break
        if state.generation % EVERY:
            _validate(state, player, judged, curve)
            _keep(resume, seed, state, curve)
    return Trained(weights=state.best, decisions=state.decisions, curve=curve)


@dataclass(frozen=True, slots=True)
class Player:
    """Plays windows side by side."""

    pool: ThreadPoolExecutor
    mode: int
    users: int

    def window(self, course: Course, first: int, jobs: int, start: Floats) -> Window:
        """A window of a course, with what weights `start` make of it."""
        part, siblings = course.window(first, jobs)
        window = Window(part, siblings, course.total_procs, 1.0)
        return window._replace(usual=self.play(start, window)[0])

    def play(self, weights: Floats, window: Window) -> tuple[float, int]:
        """Mean bounded slowdown of a window under some weights, and the decisions it took."""
        start_s, decisions = play(
            window.jobs, window.siblings, self.users, window.total_procs, self.mode,
            network_of(weights),
        )  # fmt: skip
        waited_s = start_s - window.jobs.submit_s
        return float(bounded_slowdown(waited_s, window.jobs.runtime_s).mean()), decisions

    def play_all(self, weights: Sequence[Floats], windows: Sequence[Window]) -> tuple[Floats, int]:
        """Log slowdowns (w, n) of n windows under w weights, and the decisions in all."""
        wanted = [(these, window) for these in weights for window in windows]
        played = list(self.pool.map(lambda pair: self.play(*pair), wanted))
        slowdown = np.array([value for value, _ in played]).reshape(len(weights), len(windows))
        return np.log(slowdown), sum(made for _, made in played)


def shaking() -> Floats:
    """How far each weight (SIZE,) is shaken."""
    linear = int(np.prod(SHAPES["linear"]))
    return np.concatenate([np.full(linear, LINEAR), np.full(SIZE - linear, DEEP)])


def _drawn(
    rng: np.random.Generator, courses: Sequence[Course], jobs: int, player: Player, start: Floats
) -> list[Window]:
    """WINDOWS windows in which something waits, as far as a few tries for each find them."""
    drawn: list[Window] = []
    for tries in range(10 * WINDOWS):
        course = courses[int(rng.integers(len(courses)))]
        window = player.window(course, int(rng.choice(course.windows)), jobs, start)
        if window.usual > DULL or tries >= 9 * WINDOWS:
            drawn.append(window)
        if len(drawn) == WINDOWS:
            break
    return drawn


def _generation(
    state: _Search, player: Player, windows: Sequence[Window], rng: np.random.Generator
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


def _validate(
    state: _Search, player: Player, judged: Sequence[Window], curve: list[tuple[int, float]]
) -> None:
    """Add a point to the curve; keep the weights if they are the best so far."""
    log_slowdown, _ = player.play_all([state.mean], judged)
    usual = np.log([window.usual for window in judged])
    value = float(np.exp((log_slowdown[0] - usual).mean()))
    if value < min((known for _, known in curve), default=np.inf):
        state.best = state.mean.copy()
    curve.append((state.decisions, value))


def _begun(seed: int, start: Floats) -> _Search:
    """A search at its beginning: a rule, beside layers that are drawn and not yet heard."""
    rng = np.random.default_rng(seed)
    network = network_of(start)
    weights = flat(
        network._replace(
            first=rng.normal(0.0, 0.5, network.first.shape),
            second=rng.normal(0.0, 0.3, network.second.shape),
        )
    )
    return _Search(weights, weights.copy(), start.copy(), np.zeros(SIZE))


def _resumed(
    path: Path | None, seed: int, start: Floats
) -> tuple[_Search, list[tuple[int, float]]]:
    """A search as it was kept, or at its beginning."""
    if path is None or not path.exists():
        return _begun(seed, start), [(0, 1.0)]
    with np.load(path, allow_pickle=False) as kept:
        if int(kept["seed"]) != seed or kept["weights"].shape != (SIZE,):
            raise ConfigError(
                f"{path.name} was written by another search: remove it, or take its seed"
            )
        state = _Search(
            kept["weights"], kept["mean"], kept["best"], kept["momentum"],
            int(kept["generation"]), int(kept["decisions"]),
        )  # fmt: skip
        return state, [(int(at), float(value)) for at, value in kept["curve"]]


def _keep(path: Path | None, seed: int, state: _Search, curve: Sequence[tuple[int, float]]) -> None:
    """Write where a search stands, whole or not at all."""
    if path is None:
        return
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        np.savez(
            file, seed=seed, weights=state.weights, mean=state.mean, best=state.best,
            momentum=state.momentum, generation=state.generation,
            decisions=state.decisions, curve=np.array(curve),
        )  # fmt: skip
    partial.replace(path)
