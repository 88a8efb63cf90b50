"""Where clusters send tasks, how they order and offer them, found by evolution on what all gain.

Only some weights are searched, so that what comes out can be read. All children of a generation
play the same windows.
Source: Hansen (2016), as `train.covariance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.schedule.routing import FEATURES
from headway.schedule.routing_network import flat, router_of
from headway.train.covariance import arrays_of, generation, resumed_search
from headway.train.journal import keep
from headway.train.team import draw, log_slowdown, ratio, start_of
from headway.train.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headway.simulate.batch import Course
    from headway.train.team import Standard, Window

    Floats = NDArray[np.float64]

ROUTED: Final = {
    "is_home": 0.03, "starts": 0.05, "log_wait": 0.2, "log_wait_asked": 0.2, "slowdown": 0.1,
    "delays": 0.1, "log_load": 0.1, "hurry": 0.05, "free": 0.05, "share": 0.05,
    "log_machine": 0.1,
}  # fmt: skip
"""Weights of destinations that are searched, and how far they are shaken, over the step."""
LEANT: Final = {"log_load": 0.1, "hurry": 0.1}
"""The same of the lean of lanes."""
TILTED: Final = np.array([3.0, 0.3, 3.0, 3.0, 1.0])
"""The same of COMMON and 1 in the key of a task."""
PATIENT: Final = 0.1  # the same of the patience
GATED: Final = np.array([0.05, 0.1, 0.1, 0.1, 0.05, 0.05, 0.1, 0.1, 0.1, 0.1])
"""The same of OFFERED."""
POINT: Final = len(ROUTED) + len(LEANT) + len(TILTED) + 1 + len(GATED)
PLAYED: Final = 12  # windows of a generation
EVERY: Final = 3  # generations between validations


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
    """Weights found on spans of the courses, chosen on validation windows.

    Stops before a generation that would begin after `decisions`, or when progress, told the share
    of them, answers False. With a file to resume from, it is written at each validation, and read
    if it is there.
    """
    start = start_of(standard)
    state, curve = resumed_search(resume, seed, np.zeros(POINT))

    def play(point: Floats, window: Window) -> tuple[float, int]:
        weights = weights_of(start, point)
        return log_slowdown(window.merged, weights, standard.rule), len(window.keys)

    def validate() -> None:
        value = ratio(weights_of(start, state.mean), validation, standard.rule)
        if value < min((known for _, known in curve), default=np.inf):
            state.best = state.mean.copy()
        curve.append((state.decisions, value))
        keep(resume, seed, curve, arrays_of(state))

    if not curve:
        validate()
    while state.decisions < decisions:
        rng = np.random.default_rng([seed, state.generation])
        generation(state, play, draw(courses, span_s, standard, PLAYED, rng), rng)
        if state.generation % EVERY == 0:
            validate()
        if progress is not None and not progress(state.decisions / decisions):
            break
    if curve[-1][0] != state.decisions:
        validate()
    return Trained(weights=weights_of(start, state.best), decisions=state.decisions, curve=curve)


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
