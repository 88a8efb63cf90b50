"""Predictors: one number about each task, with quantiles and a signature.

`predictor_for` is what replay and serving use. `save` and `load` keep it as native files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.errors import ConfigError
from headway.predict.boosted import LEVELS, Boosted
from headway.predict.columns import columns_for
from headway.predict.conformal import Conformal
from headway.predict.ensemble import Ensemble
from headway.predict.first import First
from headway.predict.gaussian import Gaussian
from headway.predict.members import extra_members, load_extras
from headway.predict.nearest import Nearest
from headway.predict.neural import Neural
from headway.predict.online import Online
from headway.predict.recent import Recent
from headway.predict.risk import Risk
from headway.predict.stream import Stream
from headway.predict.xgboosted import XGBoosted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Boosted", "Conformal", "Ensemble", "First", "Gaussian", "Nearest", "Neural", "Online",
    "Recent", "Risk", "Stream", "XGBoosted", "load", "predictor_for", "save",
]  # fmt: skip

TARGETS = ("runtime_s", "memory_bytes", "failure")
_FIRST_FIT, _MEMORY_FIRST_FIT = 50, 3_000  # on less, trees gave less memory than was needed
_MEMORY_LEVELS = (0.05, 0.5, 0.95)  # fitted; five cost two thirds more time
_ROUNDS, _ROUNDS_MIXED = 50, 30  # of trees; fewer suffice beside the history
_MIDDLES_S = (600.0, 7200.0)  # runtimes below, between and above are calibrated apart


def predictor_for(
    target: str,
    names: Sequence[str],
    *,
    seed: int = 0,
    extras: Sequence[str] = (),
    whole: int = 0,
    orders: bool = False,
) -> Conformal | Risk:
    """A new predictor of a target from features of these names: trees, else nearest history.

    target: 'runtime_s' (of the attempt, so at most about its limit), 'memory_bytes' or 'failure'
    (1 = the attempt failed or timed out, 0 = it completed, NaN = it ended as neither). extras:
    more members of the mixture, see `members.EXTRAS`; failures have none. whole: as many outcomes
    are known already and will be learned before the first answer: few fits on the way to the last.
    orders: runtimes that queues are ordered by come from trees alone, else the nearest history:
    the mixture is nearer to most runtimes, but schedules by it were worse.
    """
    if target not in TARGETS:
        raise ConfigError(f"target must be one of {', '.join(TARGETS)}, got {target!r}")
    is_memory = target == "memory_bytes"
    columns = columns_for(target, names)
    if target == "failure" and extras:
        raise ConfigError(f"members must be none for failure, got {', '.join(extras)}")
    if target == "failure":
        return Risk(columns.names, seed=seed, whole=whole)
    first_fit = _MEMORY_FIRST_FIT if is_memory else _FIRST_FIT
    levels = _MEMORY_LEVELS if is_memory else LEVELS
    boosted = Boosted(
        columns.names, anchors=columns.anchors, cap=columns.cap, levels=levels, seed=seed,
        first_fit=first_fit, whole=whole, rounds=_ROUNDS if is_memory or orders else _ROUNDS_MIXED,
    )  # fmt: skip
    if orders and not is_memory:
        nearest = Nearest(columns.families, levels=levels)
        return Conformal(First([boosted, nearest]), cap=columns.cap, middles=_MIDDLES_S)
    more = extra_members(extras, names, is_memory=is_memory, seed=seed)
    ensemble = Ensemble([("boosted", boosted), *more], names, is_memory=is_memory)
    return Conformal(ensemble, cap=columns.cap, middles=() if is_memory else _MIDDLES_S)


def save(predictor: Conformal | Risk) -> dict[str, bytes]:
    """What `predictor_for` made and replay taught, as bytes by file name."""
    return predictor.save()


def load(files: Mapping[str, bytes]) -> Conformal | Risk:
    """A predictor as it was saved."""
    if "risk.json" in files:
        return Risk.load(files)
    boosted = Boosted.load(files)
    if "nearest.json" in files:
        return Conformal.load(files, First([boosted, Nearest.load(files)]))
    members = [("boosted", boosted), *load_extras(files)]
    return Conformal.load(files, Ensemble.load(files, members))
