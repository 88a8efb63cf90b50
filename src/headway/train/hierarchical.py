"""Train the manager and the worker of `schedule.dag_network` on generated arrivals of workflows.

Separable natural evolution strategy: a generation draws policies around the mean, in pairs of
opposite signs, lets all of them meet the same arrivals and tasks, and moves the mean and the spread
of every weight by how they rank. That all meet the same arrivals is what Decima's input-dependent
baseline is for: what luck of the arrivals does to the return cancels.

    start    a rule: equal shares of the executors, the least work left first
    return   minus the log of mean completion time over that of the same rule, mean over arrivals
    choice   the mean, or running mean of means, that was best on validation arrivals, which no
             generation draws

Every generation draws from its own seed, so that a run that is resumed ends as one that was not.
Source: Wierstra et al. (2014), "Natural evolution strategies", section 3.5, ranks as its table 1;
same arrivals: Mao et al. (2019), "Variance reduction for reinforcement learning in input-driven
environments".
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.archive import read_archive, write_archive
from headway.errors import ConfigError
from headway.schedule.dag_features import MANAGER, WORKER
from headway.schedule.dag_network import (
    SIZE,
    Levels,
    flat,
    levels_of,
    shares_and_shortest,
)  # fmt: skip
from headway.schedule.dag_rules import WORK, Rule
from headway.simulate.catalog import Arrivals, Catalog, arrivals
from headway.simulate.dag_play import play_levels, play_rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Row = dict[str, float]

PAIRS: Final = 8  # of policies in a generation
MEET: Final = 2  # sequences of arrivals that all of a generation meet
JOBS: Final = 120  # of a sequence
LOADS: Final = (0.7, 1.1)  # of the interval between arrivals, drawn for every sequence
KEPT: Final = 0.85  # of the running mean of means, each generation
CHECKED: Final = 10  # generations between looks at the validation arrivals
VALIDATION: Final = 12  # sequences of arrivals
SPREAD: Final = 0.12  # of a manager's weight at the start, over the size of its feature
RATIO: Final = Rule(WORK, 0.0, 1, 0, 0, 0)  # the rule to which completion times are related
FEATURE_SIZE: Final = {
    "log_jobs": 0.7, "log_left": 1.5, "log_left_to_mean": 1.3, "log_path_to_left": 0.5,
    "swells": 0.4, "log_share": 1.2, "log_all_left": 1.5, "share_done": 0.3, "log_tasks": 1.5,
    "log_mean_s": 1.2, "log_parallel": 1.0, "share_before": 0.3, "free": 0.3, "log_age": 1.0,
    "log_stage_tasks": 1.5, "log_stage_mean_s": 1.2, "path_share": 0.4, "tail_share": 0.4,
    "stage_swells": 0.4, "local_mean_s": 1.2,
}  # fmt: skip


class Mix(NamedTuple):
    """Kinds (k,) of a catalog that arrive together, and how often one does."""

    kinds: Ints
    interval_s: float


@dataclass(frozen=True, slots=True)
class Setting:
    """What is trained for: mixes of a catalog's kinds, one at a time, on how many machines."""

    catalog: Catalog
    mixes: tuple[Mix, ...]
    executors: int = 50


@dataclass(slots=True)
class Trained:
    """Weights (SIZE,) and how they came about; a row of the curve has generation, decisions,
    took_s, train and validation (mean log ratio to the rule, lower is better).
    """

    weights: Floats
    curve: list[Row]
    decisions: int


def train(
    setting: Setting, seed: int, *, minutes: float = 20.0, decisions: int = 1 << 62,
    generations: int = 1 << 30, keep: Path | None = None, threads: int = 2,
    clock: Callable[[], float] = time.process_time, told: Callable[[Row], None] = lambda row: None,
    progress: Callable[[float], None] = lambda share: None,
) -> Trained:  # fmt: skip
    """Search until minutes (of the clock, which gives seconds), decisions or generations are over.

    keep: a file to which the state goes after every look at the validation; where it is there
    already, the run goes on from it, whose generations, decisions and minutes count.
    told: every look; progress: the share that is done, every generation.
    """
    mean, spread = flat(shares_and_shortest()), start_spread()
    searched = np.flatnonzero(spread)
    state = State(mean, mean, spread[searched], seed)
    if keep is not None and keep.exists():
        state = restored(keep, seed)
    began_s = clock() - state.took_s

    def done() -> float:
        by_time = state.took_s / (60.0 * minutes) if minutes > 0.0 else 1.0
        return max(by_time, state.decisions / decisions, state.generation / generations)

    with ThreadPoolExecutor(threads) as pool:
        courses = [course_of(setting, (0, i), JOBS) for i in range(VALIDATION)]
        while done() < 1.0:
            train_ratio = improve(state, setting, searched, pool)
            state.took_s = clock() - began_s
            if state.generation % CHECKED == 0 or done() >= 1.0:
                told(look(state, setting, courses, train_ratio, pool))
                if keep is not None:
                    save(keep, state)
            progress(min(done(), 1.0))
    return Trained(state.best, state.curve, state.decisions)


@dataclass(slots=True)
class State:
    """Where a search stands."""

    mean: Floats  # (SIZE,)
    running: Floats  # (SIZE,) mean of means
    spread: Floats  # (d,) of the weights that are searched
    seed: int
    generation: int = 0
    decisions: int = 0
    took_s: float = 0.0
    best: Floats = field(default_factory=lambda: flat(shares_and_shortest()))
    curve: list[Row] = field(default_factory=list)


def improve(state: State, setting: Setting, searched: Ints, pool: ThreadPoolExecutor) -> float:
    """One generation; the mean return of its policies, its sign turned."""
    draw = np.random.default_rng((1, state.seed, state.generation))
    courses = [course_of(setting, (1, state.seed, state.generation, i), JOBS) for i in range(MEET)]
    noise = draw.normal(size=(PAIRS, len(searched)))
    noise = np.concatenate([noise, -noise])
    policies = np.repeat(state.mean[None], len(noise), axis=0)
    policies[:, searched] += state.spread * noise
    found = list(pool.map(lambda w: ratio_of(setting, levels_of(w), courses), policies))
    ratio = np.array([r for r, _ in found])
    worth = np.empty(len(noise))
    worth[np.argsort(ratio, kind="stable")] = _worth_of_ranks(len(noise))
    state.mean = state.mean.copy()
    state.mean[searched] += state.spread * (worth @ noise)
    state.running = KEPT * state.running + (1.0 - KEPT) * state.mean
    rate = (3.0 + np.log(len(searched))) / (5.0 * np.sqrt(len(searched)))
    state.spread = state.spread * np.exp(0.5 * rate * (worth @ (noise**2 - 1.0)))
    state.decisions += sum(d for _, d in found)
    state.generation += 1
    return float(ratio.mean())


def _worth_of_ranks(n: int) -> Floats:
    """What the best, the second and so on count; sums to zero."""
    worth = np.maximum(0.0, np.log(n / 2 + 1) - np.log(np.arange(1, n + 1)))
    return worth / worth.sum() - 1.0 / n


@dataclass(frozen=True, slots=True)
class Course:
    """One sequence of arrivals, and the mean completion time of the rule on it."""

    arrivals: Arrivals
    seed: int
    rule_s: float


def course_of(setting: Setting, seed: tuple[int, ...], n: int) -> Course:
    """The next n jobs that a seed draws; mixes take turns by its last number."""
    rng = np.random.default_rng(seed)
    mix = setting.mixes[seed[-1] % len(setting.mixes)]
    coming = arrivals(rng, mix.kinds, n, mix.interval_s * rng.uniform(*LOADS))
    number = int(rng.integers(1 << 30))
    end_s, _ = play_rule(setting.catalog, coming, setting.executors, number, RATIO)
    return Course(coming, number, float(np.mean(end_s - coming.submit_s)))


def ratio_of(setting: Setting, levels: Levels, courses: list[Course]) -> tuple[float, int]:
    """Mean log of completion time over the rule's, and how many decisions were made."""
    total, decisions = 0.0, 0
    for course in courses:
        end_s, asked = play_levels(
            setting.catalog, course.arrivals, setting.executors, course.seed, levels
        )
        total += float(np.log(np.mean(end_s - course.arrivals.submit_s) / course.rule_s))
        decisions += asked
    return total / len(courses), decisions


def look(
    state: State, setting: Setting, courses: list[Course], train_ratio: float,
    pool: ThreadPoolExecutor,
) -> Row:  # fmt: skip
    """Judge the mean and its running mean on the validation arrivals; keep what is best so far."""
    judged = []
    for weights in (state.mean, state.running):
        levels = levels_of(weights)
        ratios = pool.map(lambda course, of=levels: ratio_of(setting, of, [course])[0], courses)
        judged.append((float(np.mean(list(ratios))), weights))
    ratio, weights = min(judged, key=lambda one: one[0])
    row = {
        "generation": float(state.generation), "decisions": float(state.decisions),
        "took_s": state.took_s, "train": train_ratio, "validation": ratio,
    }  # fmt: skip
    if ratio < min((r["validation"] for r in state.curve), default=np.inf):
        state.best = weights
    state.curve.append(row)
    return row


def start_spread() -> Floats:
    """Spread (SIZE,) of every weight at the start; 0: it is not searched."""
    levels = levels_of(np.zeros(SIZE))
    for i, name in enumerate(WORKER):
        levels.width[i] = 0.5 * SPREAD / FEATURE_SIZE.get(name, 1.0)
    for i, name in enumerate(MANAGER):
        levels.score[i] = SPREAD / FEATURE_SIZE.get(name, 1.0)
    return flat(levels)


def save(path: Path, state: State) -> None:
    """Write the state whole or not at all."""
    names = list(state.curve[0]) if state.curve else []
    rows = np.array([[row[name] for name in names] for row in state.curve])
    numbers = np.array([state.seed, state.generation, state.decisions])
    write_archive(path, {
        "mean": state.mean, "running": state.running, "spread": state.spread, "best": state.best,
        "curve": rows, "names": np.array(names), "took_s": state.took_s, "numbers": numbers,
    })  # fmt: skip


def restored(path: Path, seed: int) -> State:
    """The state that was saved; ConfigError if it is of another seed or of other features."""
    kept, _ = read_archive(path, "a stopped run: remove it", ("mean", "numbers"))
    whose, generation, decisions = (int(x) for x in kept["numbers"])
    if whose != seed or kept["mean"].shape != (SIZE,) or "running" not in kept:
        raise ConfigError(f"{path} is of seed {whose} with {len(kept['mean'])} weights; "
                          "give another path, or the same seed and version")  # fmt: skip
    rows: list[Any] = kept["curve"].tolist()
    curve = [dict(zip(kept["names"].tolist(), row, strict=True)) for row in rows]
    return State(
        kept["mean"], kept["running"], kept["spread"], seed, generation, decisions,
        float(kept["took_s"]), kept["best"], curve,
    )  # fmt: skip
