"""Proximal policy optimisation of a controller: weights of a priority that follow the load.

Every few hours of simulated time a small network sees the state of the cluster and sets the weights
of a priority that can be read, and how far predicted runtimes are trusted. It starts as the
constant priority that evolution finds in the first part of the decisions: what gradients add is
what looking at the load is worth. Whole windows are played, several times each; all answers of one
play are shaken alike, and in another play the opposite way: four hours alone change too little to
be told from chance. The reward between two controls is what waiting cost less than under the best
standard rule on the same window, at the same times, as a share of what it cost there in all; the
critic may look at what that rule will pay, which depends on the window alone.
Source: Schulman et al. (2017), "Proximal policy optimization algorithms", with generalised
advantages (Schulman et al. (2016)); Mao et al. (2019), "Variance reduction for reinforcement
learning in input-driven environments", for a critic that knows what will arrive; that rewards are
relative to a rule on the same window, and answers that are shaken alike, are our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.predict.neural import one_thread
from headway.schedule.controller import ACTIONS, HIDDEN, REACH, STATE, Controller, controller_of
from headway.schedule.network import flat
from headway.simulate.steered import steps_of
from headway.train.covariance import CHILDREN, WINDOWS
from headway.train.journal import keep, put, resumed, tensors
from headway.train.judge import Windows, judge_of
from headway.train.rivals import best_rival, costs
from headway.train.steering import ratio, search_constant, steered, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.simulate.batch import Course
    from headway.train.judge import Judge, Window
    from headway.train.trained import Trained

    Floats = NDArray[np.float64]
    Rules = dict[tuple[int, int], Floats]

SEARCHED: Final = 0.3  # of the decisions, made by evolution
PLAYED: Final = 8  # windows of an iteration
REPLICAS: Final = 8  # of each, in pairs
ROOM: Final = 256  # controls of a window that are learned from
ITERATIONS: Final = 8  # of a round, after which is validated
EPOCHS: Final = 4
PARTS: Final = 4  # of what was seen, that a gradient is taken of
DISCOUNT: Final = 0.9  # of what waiting costs, each control
TRACE: Final = 0.9  # lambda of the advantages
CLIP: Final = 0.2
SHAKEN: Final = 0.3  # standard deviation of the answers at first, in REACH
LEAST_SHAKEN: Final = 0.05
RATES: Final = (1e-3, 3e-3)  # of the controller, of the critic
PAID: Final = 30.0  # by which rewards are multiplied
KEPT: Final = 0.95  # of the running mean of controllers, each iteration
LONGEST: Final = 0.5  # gradient


class Experience(NamedTuple):
    """What was seen at S controls, what was answered, and what came of it."""

    state: Floats  # (S, STATE)
    expected: Floats  # (S,) what the rule will pay from there on, of which the critic is told
    answer: Floats  # (S, ACTIONS) in REACH
    advantage: Floats  # (S,) mean 0, deviation 1
    worth: Floats  # (S,) what the critic should have said


@dataclass(slots=True)
class Learner:
    """A controller that learns: its parts as tensors, a critic, and the running mean."""

    parts: Any  # {name: parameter} of what gradients move, and "log_shaken" (ACTIONS,)
    values: Any  # the critic
    optimizers: tuple[Any, Any]
    seen: tuple[Floats, Floats]  # mean and deviation (STATE,) of states at the beginning
    mean: Floats  # (SIZE,) running mean of controllers

    def numbers(self) -> Floats:
        """The controller as it stands, (SIZE,)."""
        part = {name: value.detach().numpy().copy() for name, value in self.parts.items()}
        return flat(
            Controller(
                REACH * part["centre"], *self.seen, part["first"], part["first_bias"], part["last"]
            )
        )

    def answers(self, state: Any) -> Any:
        """What the controller answers on average (S, ACTIONS), in REACH."""
        import torch

        part = self.parts
        return (
            part["centre"] + torch.tanh(state @ part["first"] + part["first_bias"]) @ part["last"]
        )

    def scaled(self, state: Floats) -> Any:
        """States (S, STATE) in deviations from their mean."""
        import torch

        return torch.from_numpy(np.clip((state - self.seen[0]) / self.seen[1], -5.0, 5.0))

    def shaken(self) -> Floats:
        """Standard deviation of the answers (ACTIONS,)."""
        log_shaken: Floats = self.parts["log_shaken"].detach().numpy()
        return np.maximum(np.exp(log_shaken), LEAST_SHAKEN)


def learner_of(seed: int, start: Floats, seen: tuple[Floats, Floats]) -> Learner:
    """A learner that answers as a controller (SIZE,) that looks at nothing."""
    import torch

    rng = np.random.default_rng(seed)
    centre = controller_of(start).centre / REACH
    begun = {
        "centre": centre,
        "first": rng.normal(0.0, len(STATE) ** -0.5, (len(STATE), HIDDEN)),
        "first_bias": np.zeros(HIDDEN),
        "last": np.zeros((HIDDEN, len(ACTIONS))),
        "log_shaken": np.full(len(ACTIONS), np.log(SHAKEN)),
    }
    parts = {name: torch.nn.Parameter(torch.from_numpy(value)) for name, value in begun.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        values = torch.nn.Sequential(
            torch.nn.Linear(len(STATE) + 1, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)
        ).double()
    optimizers = (
        torch.optim.Adam(parts.values(), RATES[0]), torch.optim.Adam(values.parameters(), RATES[1])
    )  # fmt: skip
    learner = Learner(parts, values, optimizers, seen, start)
    nothing = sum(value.sum() for value in [*parts.values(), *values.parameters()])
    _step(learner, 0.0 * nothing)  # moments are there from now on
    learner.mean = learner.numbers()
    return learner


@one_thread()
def train_ppo_weights(
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
    """A controller learned on windows of `jobs` tasks of the courses, chosen on windows of others.

    Stops after the round in which `decisions` were made, or when progress, told the share of them,
    answers False. With a file to resume from, it is written after each round, and read if it is
    there.
    """
    if decisions < 1 or not courses or not validation:
        raise ConfigError("training needs courses, validation windows and decisions of at least 1")
    given = max(int(SEARCHED * decisions), CHILDREN * WINDOWS)
    found = search_constant(
        courses, validation, jobs, mode=mode, decisions=given, seed=seed,
        resume=None if resume is None else resume.with_name(f"{resume.name}.search"),
        progress=None if progress is None else lambda share: progress(SEARCHED * share),
    )  # fmt: skip
    if found.decisions < given:
        return found  # it was stopped, and goes on another time
    judge = judge_of(mode, courses, validation)
    judged = judge.windows(validation, jobs)
    windows = Windows(judge, courses, jobs)
    seen = _states(judge, windows, found.controller, seed)
    learner, curve = learner_of(seed, found.controller, seen), list(found.curve)
    best, made = found.controller, found.decisions
    if kept := resumed(resume, seed, {"mean", "best", "made", *tensors(*learner.optimizers)}):
        arrays, curve = kept
        put(arrays, *learner.optimizers)
        learner.mean, best, made = arrays["mean"], arrays["best"], int(arrays["made"])
    rules: Rules = {}
    while made < decisions:
        made += _round(learner, judge, windows, rules, np.random.default_rng([seed, made]))
        curve.append((made, ratio(judge, learner.mean, judged)))
        if curve[-1][1] <= min(value for _, value in curve):
            best = learner.mean.copy()
        arrays = {"mean": learner.mean, "best": best, "made": np.array(made)}
        keep(resume, seed, curve, arrays | tensors(*learner.optimizers))
        if progress is not None and not progress(made / decisions):
            break
    return steered(best, made, curve)


def _states(judge: Judge, windows: Windows, numbers: Floats, seed: int) -> tuple[Floats, Floats]:
    """Mean and deviation (STATE,) of what a controller sees in some windows."""
    places, _ = windows.draw(np.random.default_rng(seed), 4 * PLAYED)
    seen = []
    for place in places:
        steps = steps_of(np.zeros((ROOM, len(ACTIONS))))
        _, _, controls = watched(judge, numbers, windows.at(place), steps)
        seen.append(steps.state[: min(controls, ROOM)])
    states = np.concatenate(seen)
    return states.mean(axis=0), np.maximum(states.std(axis=0), 0.01)


def _round(
    learner: Learner, judge: Judge, windows: Windows, rules: Rules, rng: np.random.Generator
) -> int:
    """Play and learn by turns; how many decisions were made. What the best rules do is kept."""
    decisions = 0
    for _ in range(ITERATIONS):
        places, made = windows.draw(rng, PLAYED)
        for place in places:
            if place not in rules:
                rules[place] = best_rival(windows.at(place))
        drawn = [(windows.at(place), rules[place]) for place in places]
        seen, played = gather(learner, judge, drawn, rng)
        decisions += made + played
        _learn(seen, learner, rng)
        learner.mean = KEPT * learner.mean + (1.0 - KEPT) * learner.numbers()
    return decisions


def gather(
    learner: Learner,
    judge: Judge,
    drawn: Sequence[tuple[Window, Floats]],
    rng: np.random.Generator,
) -> tuple[Experience, int]:
    """Play each window REPLICAS times with shaken answers; what came of it, decisions made.

    drawn: windows, and the start of each of their tasks (n,) under a rule.
    """
    numbers, shaken, decisions = learner.numbers(), learner.shaken(), 0
    parts = []
    for window, rule_s in drawn:
        drawn_once = shaken * rng.normal(size=(REPLICAS // 2, 1, len(ACTIONS)))
        noise = np.repeat(drawn_once, ROOM, axis=1)
        group = []
        for one in np.concatenate([noise, -noise]):
            steps = steps_of(one)
            start_s, made, controls = watched(judge, numbers, window, steps)
            decisions += made
            group.append(_came(learner, window, rule_s, start_s, steps, min(controls, ROOM)))
        usual = np.concatenate([came.advantage for came in group]).mean()
        parts += [came._replace(advantage=came.advantage - usual) for came in group]
    seen = Experience(*(np.concatenate(field) for field in zip(*parts, strict=True)))
    advantage = np.clip(seen.advantage / (seen.advantage.std() + 1e-8), -4.0, 4.0)
    return seen._replace(advantage=advantage), decisions


def _came(
    learner: Learner, window: Window, rule_s: Floats, start_s: Floats, steps: Any, controls: int
) -> Experience:
    """What came of one play of a window, against the starts (n,) of a rule."""
    import torch

    at_s, state = steps.at_s[:controls], steps.state[:controls]
    whole = max(costs(window, rule_s)[0], 1.0)
    rule = np.diff(costs(window, rule_s, at_s)) / whole
    mine = np.diff(costs(window, start_s, at_s)) / whole
    rewards, expected = PAID * (rule - mine), np.zeros(controls)
    ahead = 0.0
    for step in range(controls - 1, -1, -1):
        ahead = rule[step] + DISCOUNT * ahead
        expected[step] = PAID * ahead
    with torch.no_grad():
        values = _values(learner, learner.scaled(state), expected).numpy()
    found, running = np.empty(controls), 0.0
    for step in range(controls - 1, -1, -1):
        then = values[step + 1] if step + 1 < controls else 0.0
        running = rewards[step] + DISCOUNT * then - values[step] + DISCOUNT * TRACE * running
        found[step] = running
    scaled = learner.scaled(state)
    with torch.no_grad():
        answer = learner.answers(scaled).numpy() + steps.noise[:controls]
    return Experience(state, expected, answer, found, found + values)


def _values(learner: Learner, scaled: Any, expected: Floats) -> Any:
    """What the critic says of states (S, STATE), knowing what the rule will pay."""
    import torch

    told = torch.from_numpy(np.log1p(expected))[:, None]
    return learner.values(torch.cat([scaled, told], dim=1))[:, 0]


def _learn(seen: Experience, learner: Learner, rng: np.random.Generator) -> None:
    """EPOCHS passes over what was seen, in PARTS."""
    import torch

    answer, scaled = torch.from_numpy(seen.answer), learner.scaled(seen.state)
    with torch.no_grad():
        before = _log_chance(learner, scaled, answer)
    advantage, worth = torch.from_numpy(seen.advantage), torch.from_numpy(seen.worth)
    for _ in range(EPOCHS):
        for rows in np.array_split(rng.permutation(len(answer)), PARTS):
            part = torch.from_numpy(rows)
            ratio = (_log_chance(learner, scaled[part], answer[part]) - before[part]).exp()
            clipped = ratio.clamp(1.0 - CLIP, 1.0 + CLIP)
            gained = torch.min(ratio * advantage[part], clipped * advantage[part]).mean()
            values = _values(learner, scaled[part], seen.expected[rows])
            missed = torch.nn.functional.huber_loss(values, worth[part])
            _step(learner, missed - gained)


def _log_chance(learner: Learner, scaled: Any, answer: Any) -> Any:
    """Log density (S,) of answers under the controller, up to a constant."""
    import torch

    log_shaken = learner.parts["log_shaken"].clamp(min=float(np.log(LEAST_SHAKEN)))
    far = (answer - learner.answers(scaled)) / torch.exp(log_shaken)
    return -(0.5 * far**2 + log_shaken).sum(dim=1)


def _step(learner: Learner, loss: Any) -> None:
    """One step down a loss."""
    import torch

    for optimizer in learner.optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in learner.optimizers:
        torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], LONGEST)
        optimizer.step()
