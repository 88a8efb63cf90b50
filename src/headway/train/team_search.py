"""Where clusters send tasks, how they order and offer them, found by evolution on what all gain.

Only some weights are searched, so that what comes out can be read. A schedule is chaotic: weights
that differ a little differ in a window by as much as there is to learn. A stage therefore takes the
slope from many mirrored pairs of shaken weights, each pair on a window of its own, leaves out of
it what noise explains, and goes as far along it as pays on many windows.
Source: Nesterov, Spokoiny (2017), "Random gradient-free minimization of convex functions"; mirrored
pairs as Salimans et al. (2017), "Evolution strategies as a scalable alternative"; the shrunken
slope (James, Stein, 1961, by coordinate) and the step are our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.schedule.routing import FEATURES
from headway.schedule.routing_network import flat, router_of
from headway.simulate.merged import Merged, merged
from headway.train.journal import keep, resumed
from headway.train.team import log_slowdown, ratio, start_of
from headway.train.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.simulate.batch import Course
    from headway.train.team import Standard, Window

    Floats = NDArray[np.float64]
    Play = Callable[[Floats, Merged], float]

ROUTED: Final = {
    "is_home": 0.03, "starts": 0.05, "log_wait": 0.2, "log_wait_asked": 0.2, "slowdown": 0.1,
    "delays": 0.1, "log_load": 0.1, "hurry": 0.05, "free": 0.05, "share": 0.05,
    "log_machine": 0.1,
}  # fmt: skip
"""Weights of destinations that are searched, and how far they are shaken, over SHAKEN."""
LEANT: Final = {"log_load": 0.1, "hurry": 0.1}
"""The same of the lean of lanes."""
TILTED: Final = np.array([3.0, 0.3, 3.0, 3.0, 1.0])
"""The same of COMMON and 1 in the key of a task."""
PATIENT: Final = 0.03  # the same of the patience
GATED: Final = np.array([0.05, 0.1, 0.1, 0.1, 0.05, 0.05, 0.1, 0.1, 0.1, 0.1])
"""The same of OFFERED."""
POINT: Final = len(ROUTED) + len(LEANT) + len(TILTED) + 1 + len(GATED)
PAIRS: Final = 500  # of a stage
SHAKEN: Final = 0.6
LENGTHS: Final = (0.5, 1.0, 2.0, 4.0)  # of a step, that are tried
COMPARED: Final = 48  # windows on which they are


def search_team(
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
    """Weights found on spans of the courses, chosen on validation windows after each stage.

    Stops before a stage that would begin after `decisions`, or when progress, told the share of
    them, answers False: a stage that has begun is then begun anew another time. With a file to
    resume from, it is written after each stage, and read if it is there.
    """
    start = start_of(standard)
    centre, best, made, stage = np.zeros(POINT), np.zeros(POINT), 0, 0
    curve = [(0, ratio(start, validation, standard.rule))]
    if (kept := resumed(resume, seed, {"centre", "best", "made", "stage"})) is not None:
        arrays, curve = kept
        centre, best = arrays["centre"], arrays["best"]
        made, stage = int(arrays["made"]), int(arrays["stage"])

    def play(point: Floats, part: Merged) -> float:
        nonlocal made
        made += len(part.home)
        return log_slowdown(part, weights_of(start, point), standard.rule)

    def goes_on() -> bool:
        return progress is None or progress(min(made / decisions, 1.0))

    while made < decisions:
        rng, begun = np.random.default_rng([seed, stage]), made
        step = _step(centre, play, courses, span_s, rng, goes_on)
        if step is None:
            made = begun
            break
        centre, stage = centre + step, stage + 1
        value = ratio(weights_of(start, centre), validation, standard.rule)
        if value < min(known for _, known in curve):
            best = centre
        curve.append((made, value))
        arrays = {"centre": centre, "best": best, "made": np.array(made), "stage": np.array(stage)}
        keep(resume, seed, curve, arrays)
    return Trained(weights=weights_of(start, best), decisions=made, curve=curve)


def _step(
    centre: Floats, play: Play, courses: Sequence[Course], span_s: float,
    rng: np.random.Generator, goes_on: Callable[[], bool],
) -> Floats | None:  # fmt: skip
    """The step (POINT,) of a stage; None if it was not to go on."""
    pairs = []
    for _ in range(PAIRS):
        part, shaken = _drawn(courses, span_s, rng), rng.normal(size=POINT)
        here, there = (play(centre + sign * SHAKEN * shaken, part) for sign in (1.0, -1.0))
        pairs.append(0.5 * (here - there) * shaken)
        if not goes_on():
            return None
    slope = shrunk(np.array(pairs))
    if not slope.any():
        return slope
    steps = [-length * slope / np.linalg.norm(slope) for length in (0.0, *LENGTHS)]
    parts = [_drawn(courses, span_s, rng) for _ in range(COMPARED)]
    return steps[int(np.argmin([np.mean([play(centre + s, p) for p in parts]) for s in steps]))]


def shrunk(estimates: Floats) -> Floats:
    """The mean (n,) of estimates (m, n), of each number less the share that noise explains."""
    mean, noise = estimates.mean(axis=0), estimates.var(axis=0) / len(estimates)
    return mean * np.maximum(1.0 - noise / np.maximum(mean**2, 1e-300), 0.0)


def _drawn(courses: Sequence[Course], span_s: float, rng: np.random.Generator) -> Merged:
    return merged(courses, [int(rng.choice(course.windows)) for course in courses], span_s)


def weights_of(start: Floats, point: Floats) -> Floats:
    """Weights (SIZE,) that differ from others by a point (POINT,) of the search."""
    router = router_of(start.copy())
    sizes = (len(ROUTED), len(LEANT), len(TILTED), 1)
    routed, leant, tilted, patient, gated = np.split(point, np.cumsum(sizes))
    for at, (name, size) in zip(routed, ROUTED.items(), strict=True):
        router.linear[FEATURES.index(name)] += size * at
    for at, (name, size) in zip(leant, LEANT.items(), strict=True):
        router.lean[FEATURES.index(name)] += size * at
    router.tilt[:] += TILTED * tilted
    router.patience[:] = np.maximum(router.patience + PATIENT * patient, 0.0)
    router.gate[:] += GATED * gated
    return flat(router)
