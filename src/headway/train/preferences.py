"""One order for every preference: a matrix whose rows are mixed by what the user prefers.

The weights of the scoring network are preference @ matrix, one row for each objective, so that who
decides may say anew at each decision what counts; nothing is trained again. All rows start as
smallest area first. Each generation draws windows, each with a preference of its own, plays them
with pairs of mixtures shaken in opposite directions, and moves every row along the directions that
were better for the windows in whose preference it had a part. Better means less of the preferred
sum of log objectives, each over its spread between plain orders.
Source: Rame et al. (2023), "Rewarded soups: towards Pareto-optimal alignment by interpolating
weights fine-tuned on diverse rewards", which mixes networks trained apart; that the rows are
trained together, on mixtures, is our own. The search is that of `train.search`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.schedule.network import SHAPES, SIZE, smallest_area_first
from headway.schedule.objectives import OBJECTIVES, logs
from headway.schedule.observation import FEATURES
from headway.train.journal import keep, resumed
from headway.train.judge import judge_of
from headway.train.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.simulate.batch import Course
    from headway.train.journal import Arrays, Curve
    from headway.train.judge import Judge, Window

    Floats = NDArray[np.float64]

PAIRS: Final = 6  # of shaken mixtures that play a window
WINDOWS: Final = 16  # of a generation, each with its own preference
SHAKEN: Final = 0.3  # how far weights are shaken
STEP: Final = 0.3  # of the shaking, that a row moves at first; less and less, to LAST of it
LAST: Final = 0.2
CLIP: Final = 2.0  # of a window's difference over its spread
MOMENTUM: Final = 0.8
KEPT: Final = 0.95  # of the running mean of rows, each generation
EVERY: Final = 10  # generations between validations
JUDGED: Final = 8  # windows of a course that validate at the most
DULL: Final = 1.5  # mean slowdown under the first rule, below which a window teaches nothing
PLAIN: Final[tuple[dict[str, float], ...]] = (
    {"log_runtime": -1.0, "log_procs": -1.0}, {"log_runtime": -1.0}, {"log_request": -1.0},
    {"slowdown": 1.0}, {"age": -1.0}, {"log_procs": -1.0}, {"log_procs": 1.0},
)  # fmt: skip
"""Orders that rows start as, the best for each objective, and between which objectives are
compared: smallest area, shortest, shortest by request, most delayed, oldest, narrowest, widest."""


class Valued(NamedTuple):
    """A window, and the logs (k,) of what its objectives are under smallest area first."""

    window: Window
    usual: Floats


@dataclass(slots=True)
class _Search:
    """Where a search stands, as it is kept between runs; (k, SIZE) each."""

    matrix: Floats
    mean: Floats  # running mean
    best: Floats
    momentum: Floats
    generation: int = 0
    decisions: int = 0


def search_preferences(
    courses: Sequence[Course],
    validation: Sequence[Course],
    jobs: int,
    *,
    mode: int,
    decisions: int,
    names: Sequence[str] = (),
    only: Floats | None = None,
    seed: int = 0,
    threads: int = 2,
    resume: Path | None = None,
    progress: Callable[[float], bool] | None = None,
) -> Trained:
    """Rows for objectives, found on windows of the courses, chosen on windows of others.

    Stops as `train.search.search` does, and goes on from a file as it does. names: of objectives,
    () = all that can be measured; only (k,): a single preference to search for, in place of all.
    The curve is exp(mean over validation windows and preferences of what was preferred, in
    spreads, less that of smallest area first): below 1 is better.
    """
    if decisions < 1 or not courses or not validation:
        raise ConfigError("search needs courses, validation windows and decisions of at least 1")
    names = names or names_for([*courses, *validation])
    judge = judge_of(mode, courses, validation)
    with ThreadPoolExecutor(threads) as pool:
        player = _Player(pool, judge, names, np.ones(len(names)))
        judged = player.valued([judge.window(*one, jobs)[0] for one in _spread(validation)])
        plain, player.spread = player.compared(judged)
        state, curve = _begun(plain), []
        if (found := resumed(resume, seed, set(_arrays(state)))) is not None:
            state, curve = _again(found[0]), found[1]
        wanted = _corners(len(names)) if only is None else [only]
        if not curve:
            _validate(state, player, judged, wanted, curve)
        while state.decisions < decisions:
            rng = np.random.default_rng([seed, state.generation])
            windows = player.valued(_drawn(rng, courses, jobs, judge))
            shares = [_preference(rng, len(names)) if only is None else only for _ in windows]
            step = STEP * (1.0 - (1.0 - LAST) * state.decisions / decisions)
            _generation(state, player, windows, np.array(shares), step, rng)
            if state.generation % EVERY == 0:
                _validate(state, player, judged, wanted, curve)
                keep(resume, seed, curve, _arrays(state))
            if progress is not None and not progress(state.decisions / decisions):
                break
        if state.generation % EVERY:
            _validate(state, player, judged, wanted, curve)
            keep(resume, seed, curve, _arrays(state))
    return Trained(
        weights=state.best.mean(axis=0), decisions=state.decisions, curve=curve,
        objectives=tuple(names), matrix=state.best,
    )  # fmt: skip


def names_for(courses: Sequence[Course]) -> list[str]:
    """All objectives, without fairness where a course does not know its users."""
    is_known = all((course.siblings.user >= 0).any() for course in courses)
    return [name for name in OBJECTIVES if is_known or name != "fairness"]


@dataclass(slots=True)
class _Player:
    """Plays windows side by side, and says what their schedules are worth."""

    pool: ThreadPoolExecutor
    judge: Judge
    names: Sequence[str]
    spread: Floats  # (k,) of the logs; 1 until it is measured

    def play(self, pairs: Sequence[tuple[Floats, Window]]) -> tuple[Floats, int]:
        """Logs (n, k) of the objectives of n windows under weights, and the decisions in all."""
        played = list(self.pool.map(lambda pair: self.judge.schedule(*pair), pairs))
        values = [logs(schedule, self.names) for schedule, _ in played]
        return np.array(values), sum(made for _, made in played)

    def valued(self, windows: Sequence[Window]) -> list[Valued]:
        """Windows with what is usual there."""
        usual, _ = self.play([(smallest_area_first(), window) for window in windows])
        return [Valued(window, row) for window, row in zip(windows, usual, strict=True)]

    def compared(self, judged: Sequence[Valued]) -> tuple[Floats, Floats]:
        """Rows (k, SIZE) of the best plain order for each objective, and spreads (k,) between all.

        A spread is the standard deviation of logs, mean over windows.
        """
        orders = np.array([weights_of(order) for order in PLAIN])
        logs = np.array([self.play([(w, one.window) for one in judged])[0] for w in orders])
        best = orders[logs.mean(axis=1).argmin(axis=0)]
        return best, np.maximum(logs.std(axis=0).mean(axis=0), 1e-6)


def weights_of(order: Mapping[str, float]) -> Floats:
    """Weights (SIZE,) of an order that is a sum of features."""
    weights = np.zeros(SIZE)
    weights[[FEATURES.index(name) for name in order]] = list(order.values())
    return weights


def scale() -> Floats:
    """How far each weight (SIZE,) is shaken: those of the linear part alone."""
    linear = int(np.prod(SHAPES["linear"]))
    return np.concatenate([np.full(linear, SHAKEN), np.zeros(SIZE - linear)])


def _preference(rng: np.random.Generator, k: int) -> Floats:
    """A preference (k,) that sums to 1: a share for one objective, the rest divided at random.

    Every other one names one objective alone.
    """
    share = min(rng.uniform(0.0, 2.0), 1.0)
    return share * np.eye(k)[int(rng.integers(k))] + (1.0 - share) * rng.dirichlet(np.ones(k))


def _corners(k: int) -> list[Floats]:
    """Preferences that validate: each objective alone, and all alike."""
    return [*np.eye(k), np.full(k, 1.0 / k)]


def _spread(courses: Sequence[Course]) -> list[tuple[Course, int]]:
    """At most JUDGED windows of each course, evenly over its time."""
    found = []
    for course in courses:
        n = len(course.windows)
        rows = np.unique(np.linspace(0, n - 1, min(n, JUDGED)).round().astype(int))
        found += [(course, int(course.windows[row])) for row in rows]
    return found


def _drawn(
    rng: np.random.Generator, courses: Sequence[Course], jobs: int, judge: Judge
) -> list[Window]:
    """WINDOWS windows in which something waits, as far as a few tries for each find them."""
    drawn: list[Window] = []
    first = int(rng.integers(len(courses)))
    for tries in range(10 * WINDOWS):
        course = courses[(first + tries) % len(courses)]
        window, _ = judge.window(course, int(rng.choice(course.windows)), jobs)
        if window.usual > np.log(DULL) or tries >= 9 * WINDOWS:
            drawn.append(window)
        if len(drawn) == WINDOWS:
            break
    return drawn


def _generation(
    state: _Search,
    player: _Player,
    windows: Sequence[Valued],
    shares: Floats,
    step: float,
    rng: np.random.Generator,
) -> None:
    """Shake mixtures, play, move rows; shares (windows, k) are the preferences."""
    far, mixed = scale(), shares @ state.matrix  # (windows, SIZE)
    shaken = rng.normal(size=(PAIRS, len(windows), SIZE))
    tried = [
        (mixed[i] + sign * far * one[i], window.window)
        for one in shaken
        for sign in (1.0, -1.0)
        for i, window in enumerate(windows)
    ]
    values, decisions = player.play(tried)
    worth = (values / player.spread).reshape(PAIRS, 2, len(windows), -1)
    worse = ((worth[:, 0] - worth[:, 1]) * shares).sum(axis=2)  # (PAIRS, windows)
    worse /= np.sqrt((worse**2).mean(axis=0)) + 1e-3
    slope = (np.clip(worse, -CLIP, CLIP)[:, :, None] * shaken).mean(axis=0)  # (windows, SIZE)
    direction = shares.T @ slope / (shares**2).sum(axis=0).clip(0.5)[:, None]
    state.generation += 1
    state.decisions += decisions
    state.momentum = MOMENTUM * state.momentum + (1.0 - MOMENTUM) * direction
    momentum = state.momentum / (1.0 - MOMENTUM**state.generation)
    state.matrix = state.matrix - step * far * momentum
    state.mean = KEPT * state.mean + (1.0 - KEPT) * state.matrix


def _validate(
    state: _Search,
    player: _Player,
    judged: Sequence[Valued],
    wanted: Sequence[Floats],
    curve: Curve,
) -> None:
    """Add a point to the curve; keep the rows if they are the best so far."""
    usual = np.array([one.usual for one in judged])
    found = []
    for share in wanted:
        values, _ = player.play([(share @ state.mean, one.window) for one in judged])
        found.append(float((((values - usual) / player.spread) @ share).mean()))
    value = float(np.exp(np.mean(found)))
    if value < min((known for _, known in curve), default=np.inf):
        state.best = state.mean.copy()
    curve.append((state.decisions, value))


def _begun(matrix: Floats) -> _Search:
    """A search at its beginning: plain orders."""
    return _Search(matrix, matrix.copy(), matrix.copy(), np.zeros_like(matrix))


def _arrays(state: _Search) -> Arrays:
    """A search as it is kept."""
    return {field.name: np.asarray(getattr(state, field.name)) for field in fields(state)}


def _again(arrays: Arrays) -> _Search:
    """The search that `_arrays` gave."""
    return _Search(
        arrays["matrix"], arrays["mean"], arrays["best"], arrays["momentum"],
        int(arrays["generation"]), int(arrays["decisions"]),
    )  # fmt: skip
