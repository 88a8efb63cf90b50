"""How well forecasters would have done: every member and the combination at past origins.

Members see a panel grow from origin to origin and are asked at each before they are told what came.
The combination at an origin knows what members said, and what came, at the origins before it. Each
member runs in a process of its own.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import NotEnoughData
from headway.forecast import LEVELS, forecaster
from headway.forecast.answer import answer, bounded, refusals
from headway.forecast.combination import mixed, widened
from headway.forecast.mixture import ORIGINS, Evidence, scale_of, signatures
from headway.stats import interval_coverage, mase, weighted_quantile_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Panel
    from headway.records import Estimate

    Floats = NDArray[np.float64]
    Progress = Callable[[str, float], None]

COMBINATION: Final = "headway"
MEDIAN: Final = "median"  # of all members, level by level: the plain combination
LEAST: Final = 3  # times the horizon that must be known at the first origin


@dataclass(frozen=True, slots=True)
class Played:
    """What a model said at o origins: quantiles (o, h, n, q), value (o, h, n), its CPU seconds."""

    quantiles: Floats
    value: Floats
    cpu_s: float


def backtest(
    panel: Panel,
    members: Sequence[str],
    horizon: int,
    origins: int,
    *,
    seed: int = 0,
    workers: int = 2,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Scores of each series and model, the last `origins` horizons apart.

    `{series, model, mase, quantile_loss, coverage_80, coverage_95, cpu_s}`; models are the members,
    `median` of all of them, and `headway` for the combination; cpu_s is a series' share. MASE is
    scaled by the error of the shortest season in what was known at the first judged origin.
    NotEnoughData where that would be less than three horizons.
    """
    cuts = origins_of(len(panel.at_s), horizon, origins)
    played = play_all(panel, members, horizon, cuts, seed=seed, workers=workers, progress=progress)
    models = together(panel, played, horizon, cuts, origins)
    return [
        row
        for name, model in models.items()
        for row in scored(panel, name, model, horizon, cuts[-origins:])
    ]


def foretell(
    panel: Panel,
    members: Sequence[str],
    horizon: int,
    *,
    seed: int = 0,
    workers: int = 2,
    progress: Progress,
) -> Estimate:
    """What the combination says of the next steps: value (horizon, n), quantiles (horizon, n, q).

    Members are weighed by what they say at the last origins, as in a backtest; where the past is
    too short for one, all of them alike.
    """
    steps = len(panel.at_s)
    earlier = max(min(ORIGINS, steps // horizon - LEAST), 0)
    cuts = [steps - k * horizon for k in range(earlier, -1, -1)]
    played = play_all(panel, members, horizon, cuts, seed=seed, workers=workers, progress=progress)
    said = np.stack([one.quantiles for one in played.values()])  # (m, o, h, n, q)
    evidence = Evidence()
    for i, cut in enumerate(cuts[:-1]):
        evidence.add(said[:, i], panel.y[cut : cut + horizon])
    weights, factors = evidence.judged(len(said), scale_of(panel.y))
    quantiles = widened(mixed(said[:, -1], weights), factors)
    made_by = signatures(list(played), weights)
    return answer(panel.y, quantiles, made_by=made_by, refused=refusals(panel.y))


def origins_of(steps: int, horizon: int, origins: int) -> list[int]:
    """How many steps are known at each origin: `origins` that are judged, and those before them
    that members are weighed by.
    """
    first = steps - origins * horizon
    if first < LEAST * horizon:
        raise NotEnoughData(
            f"a backtest of {origins} horizons of {horizon} steps needs"
            f" {(LEAST + origins) * horizon} points, got {steps}"
        )
    earlier = min(ORIGINS, first // horizon - LEAST + 1)
    return [first + k * horizon for k in range(1 - earlier, origins)]


def play_all(
    panel: Panel,
    members: Sequence[str],
    horizon: int,
    cuts: Sequence[int],
    *,
    seed: int,
    workers: int,
    progress: Progress,
) -> dict[str, Played]:
    """What each member said at the origins, side by side in processes."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        asked = {pool.submit(play, panel, name, horizon, cuts, seed): name for name in members}
        found = {}
        for done in as_completed(asked):
            found[asked[done]] = done.result()
            progress(f"Backtest of {asked[done]}", len(found) / len(members))
    return {name: found[name] for name in members}


def play(panel: Panel, name: str, horizon: int, cuts: Sequence[int], seed: int) -> Played:
    """What a member says at origins, told of each point only after it was asked of it."""
    began = time.process_time()
    member = forecaster(name, panel.seasons, step_s=panel.step_s, seed=seed)
    said, known = [], 0
    for cut in cuts:
        member.learn(panel.at_s[known:cut], panel.y[known:cut])
        known = cut
        said.append(member.forecast(horizon))
    return Played(
        np.stack([one.quantiles for one in said]),
        np.stack([one.value for one in said]),
        time.process_time() - began,
    )


def together(
    panel: Panel, played: dict[str, Played], horizon: int, cuts: Sequence[int], judged: int
) -> dict[str, Played]:
    """Members, their median and their combination at the last `judged` of the origins."""
    said = np.stack([one.quantiles for one in played.values()])  # (m, o, h, n, q)
    evidence, answers = Evidence(), []
    began = time.process_time()
    for i, cut in enumerate(cuts):
        if i >= len(cuts) - judged:
            weights, factors = evidence.judged(len(said), scale_of(panel.y[:cut]))
            quantiles = widened(mixed(said[:, i], weights), factors)
            answers.append(bounded(quantiles, panel.y[:cut]))
        evidence.add(said[:, i], panel.y[cut : cut + horizon])
    cpu_s = sum(one.cpu_s for one in played.values())
    models = {
        name: Played(one.quantiles[-judged:], one.value[-judged:], one.cpu_s)
        for name, one in played.items()
    }
    alike = np.ones((len(said), len(panel.names)))
    models[MEDIAN] = _of(mixed(said[:, -judged:], alike), cpu_s)
    mixing_s = time.process_time() - began
    models[COMBINATION] = _of(np.stack(answers), cpu_s + mixing_s)
    return models


def _of(quantiles: Floats, cpu_s: float) -> Played:
    """A model whose value is its median."""
    return Played(quantiles, quantiles[..., LEVELS.index(0.5)], cpu_s)


def scored(
    panel: Panel, name: str, model: Played, horizon: int, cuts: Sequence[int]
) -> list[dict[str, Any]]:
    """The scores of a model, a row a series."""
    levels, n = np.array(LEVELS), len(panel.names)
    season = panel.seasons[0] if panel.seasons else 1
    came = np.stack([panel.y[cut : cut + horizon] for cut in cuts])  # (o, h, n)
    flat = came.reshape(-1, n)
    quantiles = model.quantiles.reshape(-1, n, len(levels))
    error = mase(flat, model.value.reshape(-1, n), panel.y[: cuts[0]], season)
    loss = weighted_quantile_loss(flat, quantiles, levels)
    return [
        {
            "series": panel.names[i],
            "model": name,
            "mase": float(error[i]),
            "quantile_loss": float(loss[i]),
            "coverage_80": interval_coverage(flat[:, i], quantiles[:, i], levels, 0.8),
            "coverage_95": interval_coverage(flat[:, i], quantiles[:, i], levels, 0.95),
            "cpu_s": model.cpu_s / n,
        }
        for i in range(n)
    ]
