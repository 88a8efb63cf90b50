"""Clusters as agents that learn together where tasks go and when their turn comes.

Every cluster acts by the same weights (parameter sharing): as the one to which a task is submitted
it chooses where it goes, as the one that receives it the lane of its queue. All are paid the same,
what waiting cost the team less than it cost under a rule on the same window; one critic that is
there in training only sees all clusters, and how the rule will fare, which no action changes.
The first decisions are spent on evolution of the linear weights, which is cheap; gradients begin
there. Whole windows are played under the softmax of the scores in compiled code, then gradients
are taken of what was chosen. A whole window says little of one decision: most of what a destination
is paid comes from rollouts that try all of them (`train.team_rollouts`).
Source: Yu et al. (2022), "The surprising effectiveness of PPO in cooperative multi-agent games"
(shared actor, central critic, clipped steps); that the critic may know what is to come, as long as
no action changes it: Mao et al. (2019), "Variance reduction for reinforcement learning in
input-driven environments". That rewards are differences to a rule is our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from headway.errors import ConfigError
from headway.predict.neural import one_thread
from headway.schedule.routing import COMMON
from headway.schedule.routing_network import LANES, SHAPES, flat, router_of
from headway.simulate.grid_play import MOVES, WIDE, Played, roll, spread_cost
from headway.train.journal import keep, put, resumed, tensors
from headway.train.rounds import Learner
from headway.train.team import draw, is_surely_less, log_ratios, start_of
from headway.train.team_rollouts import tried
from headway.train.team_search import search_team
from headway.train.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.simulate.batch import Course
    from headway.train.team import Standard, Window
    from headway.train.team_rollouts import Tried

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

WINDOWS: Final = 8  # of a round
EPOCHS: Final = 3
PARTS: Final = 8  # of what was seen, that a gradient is taken of
DISCOUNT: Final = 0.99  # of what waiting costs, each task sent
TRACE: Final = 0.95  # lambda of the advantages
CLIP: Final = 0.2
ENTROPY: Final = 0.001
OWN: Final = 0.1  # of the advantages by the critic, beside those of rollouts
RATES: Final = (5e-4, 3e-3)  # of the weights, of the critic
SHARPNESS: Final = 30.0  # of the choices in training
SEARCHED: Final = 0.97  # of the decisions, made by evolution (at a tenth of the cost of one)
LEAST_COST: Final = 1.0  # by which costs are divided at the least
HORIZONS: Final = (0.9, 0.99, 0.999)  # over which the critic is told how the rule will fare


@one_thread()
def train_multi_agent(
    courses: Sequence[Course],
    validation: Sequence[Window],
    span_s: float,
    standard: Standard,
    *,
    decisions: int,
    seed: int = 0,
    resume: Path | None = None,
    progress: Callable[[float], bool] | None = None,
) -> Trained:
    """Weights learned on spans of the courses, a cluster each, chosen on validation windows: those
    of gradients only where they are surely better there than what evolution found.

    A span of a course begins with one of its `windows`, drawn for each apart. Stops after the round
    in which `decisions` were made, or when progress, told the share of them, answers False. With a
    file to resume from, it is written after each round, and read if it is there.
    """
    if decisions < 1 or not courses or not validation:
        raise ConfigError("training needs courses, validation windows and decisions of at least 1")
    learner = learner_of(seed, start_of(standard), len(courses))
    names = {"mean", "best", "made", "searched", *tensors(*learner.optimizers)}
    if (kept := resumed(resume, seed, names)) is not None:
        arrays, curve = kept
        put(arrays, *learner.optimizers)
        learner.mean, best = arrays["mean"], arrays["best"]
        made, searched = int(arrays["made"]), int(arrays["searched"])
    else:
        given = int(SEARCHED * decisions)
        found = search_team(
            courses, validation, span_s, standard, decisions=given, seed=seed,
            resume=None if resume is None else resume.with_name(f"{resume.name}.search"),
            progress=None if progress is None else lambda share: progress(SEARCHED * share),
        )  # fmt: skip
        if found.decisions < given:
            return found
        learner, curve = learner_of(seed, found.weights, len(courses)), found.curve
        best, made, searched = found.weights, found.decisions, found.decisions
    least = log_ratios(best, validation, standard.rule)
    taken = max(int((1.0 - SEARCHED) * decisions), 1)  # that gradients are to make
    while made - searched < taken:
        rng = np.random.default_rng([seed, made])
        windows = draw(courses, span_s, standard, WINDOWS, rng)
        seen = gather(windows, learner, rng)
        weights = learner.weights.detach().numpy().astype(np.float64)
        weighed = tried(windows, weights, rng)
        learner.share = (made - searched) / taken
        _learn(seen, weighed, learner, rng)
        learner.remember()
        made += len(seen.worth)
        logs = log_ratios(learner.mean, validation, standard.rule)
        curve.append((made, float(np.exp(logs.mean()))))
        if is_surely_less(logs, least):
            best, least = learner.mean.copy(), logs
        arrays = {"mean": learner.mean, "best": best}
        arrays |= {"made": np.array(made), "searched": np.array(searched)}
        keep(resume, seed, curve, arrays | tensors(*learner.optimizers))
        if progress is not None and not progress(
            min(SEARCHED + (made - searched) / decisions, 1.0)
        ):
            break
    return Trained(weights=best, decisions=made, curve=curve)


def woken(start: Floats, rng: np.random.Generator) -> Floats:
    """Weights (SIZE,) that act as others without layers, with layers that gradients can wake."""
    router = router_of(start)
    first, second = (rng.normal(0.0, 0.5, router.first.shape) for _ in range(2))
    return flat(router._replace(first=first, lane_first=second))


def learner_of(seed: int, order: Floats, clusters: int) -> Learner:
    """The shared weights, which act as others (SIZE,), and a critic of so many clusters."""
    import torch

    start = woken(order, np.random.default_rng(seed))
    weights = torch.nn.Parameter(torch.from_numpy(start).float())
    inputs = clusters * WIDE + len(COMMON) + len(HORIZONS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        values = torch.nn.Sequential(
            torch.nn.Linear(inputs, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64), torch.nn.Tanh(),
            torch.nn.Linear(64, 1),
        )  # fmt: skip
    learner = Learner(
        weights, values, start,
        (torch.optim.Adam([weights], RATES[0]), torch.optim.Adam(values.parameters(), RATES[1])),
    )  # fmt: skip
    nothing = weights.sum() + sum(parameter.sum() for parameter in values.parameters())
    learner.step(0.0 * nothing)  # moments are there from now on
    return learner


class Experience(NamedTuple):
    """What a round saw, chose and found: S tasks of all windows."""

    x: Any  # (S, c, FEATURES)
    common: Any  # (S, COMMON)
    is_allowed: Any  # (S, c)
    chosen: Any  # (S, 2) destination and lane
    central: Any  # (S, c * FEATURES + COMMON + HORIZONS) what the critic sees
    log_chance: Any  # (S,) of what was chosen, when it was chosen
    advantage: Any  # (S,) mean 0, deviation 1, at most 5
    worth: Any  # (S,) what the critic should have said


def gather(windows: Sequence[Window], learner: Learner, rng: np.random.Generator) -> Experience:
    """Play windows under the softmax of the scores."""
    import torch

    router = router_of(learner.weights.detach().numpy().astype(np.float64))
    parts: list[tuple[Any, ...]] = []
    for part, keys, alike, usual, _ in windows:
        noise = rng.gumbel(size=(len(keys), len(part.total) + MOVES))
        seen = roll(part.jobs, part.home, part.total, keys, router, SHARPNESS, noise)
        cost = np.zeros(len(keys))
        spread_cost(alike, seen.start_s, cost)
        scale = len(keys) / max(usual.sum(), LEAST_COST)
        central = _central(seen, scale * usual)
        with torch.no_grad():
            expected = learner.values(torch.from_numpy(central))[:, 0].numpy()
        advantage = advantages(scale * (usual - cost), expected)
        parts.append(
            (
                seen.x.astype(np.float32), seen.common.astype(np.float32), seen.is_allowed,
                np.column_stack([seen.sent, seen.lane]), central,
                advantage.astype(np.float32), (advantage + expected).astype(np.float32),
            )
        )  # fmt: skip
    fields: list[Any] = [torch.from_numpy(np.concatenate(one)) for one in zip(*parts, strict=True)]
    x, common, is_allowed, chosen, central, gained, worth = fields
    with torch.no_grad():
        log_chance = log_chances(learner.weights, x, common, is_allowed, chosen)[0]
    scaled = ((gained - gained.mean()) / (gained.std() + 1e-8)).clamp(-5.0, 5.0)
    return Experience(x, common, is_allowed, chosen, central, log_chance, scaled, worth)


def _central(seen: Played, usual: Floats) -> Singles:
    """What the critic sees (n, ..) of tasks: all clusters, and what is to come under the rule."""
    n = len(usual)
    coming = np.zeros((n + 1, len(HORIZONS)))
    for j in range(n - 1, -1, -1):
        coming[j] = (1.0 - np.array(HORIZONS)) * usual[j] + np.array(HORIZONS) * coming[j + 1]
    columns = [seen.x.reshape(n, -1), seen.common, np.log1p(coming[:-1])]
    return np.concatenate(columns, axis=1).astype(np.float32)


def advantages(rewards: Floats, expected: Floats) -> Floats:
    """Generalised advantages (n,) of the rewards of a window, after which nothing is expected."""
    found, running, then = np.empty_like(rewards), 0.0, 0.0
    for j in range(len(rewards) - 1, -1, -1):
        missed = rewards[j] + DISCOUNT * then - expected[j]
        running = missed + DISCOUNT * TRACE * running
        found[j], then = running, expected[j]
    return found


def _shaped(weights: Any) -> dict[str, Any]:
    """Weights by name."""
    import torch

    parts = torch.split(weights, [int(np.prod(shape)) for shape in SHAPES.values()])
    return {name: p.view(SHAPES[name]) for name, p in zip(SHAPES, parts, strict=True)}


def log_routes(weights: Any, x: Any, common: Any, is_allowed: Any) -> Any:
    """Log chances (S, c) of destinations."""
    import torch

    part = _shaped(weights)
    of_all = common @ part["first"][WIDE:] + part["first_bias"]
    hidden = torch.relu(x @ part["first"][:WIDE] + of_all[:, None])
    routes = SHARPNESS * (x @ part["linear"] + hidden @ part["last"])
    return torch.log_softmax(routes.masked_fill(~is_allowed, -1e9), 1)


def log_chances(weights: Any, x: Any, common: Any, is_allowed: Any, chosen: Any) -> tuple[Any, Any]:
    """Log chances (S,) of what was chosen, and the entropy (S,) of the choices."""
    import torch

    part = _shaped(weights)
    routes = log_routes(weights, x, common, is_allowed)
    there = x[torch.arange(len(x)), chosen[:, 0]]
    told = torch.cat([there, common], 1)
    hidden = torch.relu(told @ part["lane_first"] + part["lane_bias"])
    lanes = hidden @ part["lane_last"] + (told @ part["lean"])[:, None] * torch.tensor(LANES)
    lanes = torch.log_softmax(SHARPNESS * (lanes + part["lane"]), 1)
    log_chance = routes.gather(1, chosen[:, :1])[:, 0] + lanes.gather(1, chosen[:, 1:])[:, 0]
    entropy = -(routes.exp() * routes).sum(1) - (lanes.exp() * lanes).sum(1)
    return log_chance, entropy


def _learn(seen: Experience, weighed: Tried, learner: Learner, rng: np.random.Generator) -> None:
    """EPOCHS passes over what was seen, in PARTS."""
    import torch

    for _ in range(EPOCHS):
        for part in np.array_split(rng.permutation(len(seen.worth)), PARTS):
            some = Experience(*(field[torch.from_numpy(part)] for field in seen))
            log_chance, entropy = log_chances(
                learner.weights, some.x, some.common, some.is_allowed, some.chosen
            )
            moved = (log_chance - some.log_chance).exp()
            gained = torch.min(
                moved * some.advantage, moved.clamp(1 - CLIP, 1 + CLIP) * some.advantage
            )
            missed = torch.nn.functional.huber_loss(learner.values(some.central)[:, 0], some.worth)
            routes = log_routes(learner.weights, weighed.x, weighed.common, weighed.is_allowed)
            better = (routes.exp() * weighed.advantage).sum(1).mean()
            learner.step(missed - better - OWN * (gained + ENTROPY * entropy).mean())
