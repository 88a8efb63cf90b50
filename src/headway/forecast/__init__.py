"""Forecasters: the future of a panel of series, with quantiles and a signature.

`forecaster` makes a member by its short name; `load` reads what a member's `save` kept.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.errors import ConfigError
from headway.forecast.answer import LEVELS, bounded
from headway.forecast.boosted import FARTHEST, Boosted
from headway.forecast.naive import Naive, SeasonalNaive
from headway.forecast.neural import NETWORKS, Neural
from headway.forecast.past import read
from headway.forecast.statistical import METHODS, Statistical

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "LEVELS", "MEMBERS", "Boosted", "Naive", "Neural", "SeasonalNaive", "Statistical", "bounded",
    "forecaster", "load",
]  # fmt: skip

MEMBERS: dict[str, Any] = {
    "naive": Naive,
    "seasonal_naive": SeasonalNaive,
    **{name: partial(Statistical, name) for name in METHODS},
    "boosted": Boosted,
    **{name: partial(Neural, name) for name in NETWORKS},
}
"""What makes every member, by its short name."""


def forecaster(
    name: str,
    seasons: Sequence[int] = (24,),
    *,
    step_s: float = 3600.0,
    seed: int = 0,
    horizon: int = 24,
) -> Any:
    """A new member by its short name; seasons: periods in steps of step_s seconds.

    horizon: steps ahead that will be asked of it, for which networks and trees are fitted; more can
    be asked, which they answer from their own medians.
    """
    more = {"horizon": horizon} if name in NETWORKS else {}
    if name == Boosted.name and horizon > FARTHEST:
        more = {"farthest": horizon}
    return _member(name)(seasons, step_s=step_s, seed=seed, **more)


def load(folder: str | Path) -> Any:
    """A member as its `save` kept it."""
    name, _, _ = read(Path(folder))
    made = _member(name)
    return getattr(made, "func", made).load(Path(folder))


def _member(name: str) -> Any:
    if name not in MEMBERS:
        raise ConfigError(f"a forecaster must be one of {', '.join(MEMBERS)}, got {name!r}")
    return MEMBERS[name]
