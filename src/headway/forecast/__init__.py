"""Forecasters: the future of a panel of series, with quantiles and a signature.

`forecaster` makes a member by its short name; `load` reads what a member's `save` kept.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.errors import ConfigError
from headway.forecast.answer import LEVELS, bounded
from headway.forecast.boosted import Boosted
from headway.forecast.naive import Naive, SeasonalNaive
from headway.forecast.past import read
from headway.forecast.recurrent import Gru, Lstm
from headway.forecast.statistical import METHODS, Statistical
from headway.forecast.transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "LEVELS", "MEMBERS", "Boosted", "Gru", "Lstm", "Naive", "SeasonalNaive", "Statistical",
    "Transformer", "bounded", "forecaster", "load",
]  # fmt: skip

MEMBERS: dict[str, Any] = {
    "naive": Naive,
    "seasonal_naive": SeasonalNaive,
    **{name: partial(Statistical, name) for name in METHODS},
    "boosted": Boosted,
    **{network.name: network for network in (Lstm, Gru, Transformer)},
}
"""What makes every member, by its short name."""


def forecaster(
    name: str, seasons: Sequence[int] = (24,), *, step_s: float = 3600.0, seed: int = 0
) -> Any:
    """A new member by its short name; seasons: periods in steps of step_s seconds."""
    return _member(name)(seasons, step_s=step_s, seed=seed)


def load(folder: str | Path) -> Any:
    """A member as its `save` kept it."""
    name, _, _ = read(Path(folder))
    made = _member(name)
    return getattr(made, "func", made).load(Path(folder))


def _member(name: str) -> Any:
    if name not in MEMBERS:
        raise ConfigError(f"a forecaster must be one of {', '.join(MEMBERS)}, got {name!r}")
    return MEMBERS[name]
