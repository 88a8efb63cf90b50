"""The future of series in a file, and how well it would have been said in the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError
from headway.forecast import LEVELS, MEMBERS, forecaster
from headway.observe.series import read_series
from headway.verify.backtest import backtest, foretell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from headway.protocols import Panel

    Progress = Callable[[str, float], None]

FAST: Final = ("naive", "seasonal_naive", "theta", "mstl", "boosted")
"""Members of `auto`: seconds for hundreds of series. `all` takes every member there is."""
MOST_POINTS: Final = 20_000_000


def forecast_series(
    path: Path,
    horizon: int,
    *,
    time: str = "",
    value: str = "",
    seasons: Sequence[int] = (),
    models: Sequence[str] = ("auto",),
    seed: int = 0,
    progress: Progress,
) -> list[dict[str, Any]]:
    """The next `horizon` steps of every series of a file, a row each.

    `{series, at, value, low_80, high_80, low_95, high_95, made_by, refused}`; at is UTC, ISO 8601;
    a series that is refused has one row with its reason and nulls.
    """
    panel = panel_of(path, time=time, value=value, seasons=seasons)
    said = foretell(panel, members_of(models), horizon, seed=seed, progress=progress)
    at_s = panel.at_s[-1] + panel.step_s * np.arange(1, horizon + 1)
    bounds = {
        f"{side}_{share}": LEVELS.index(level)
        for share, pair in ((80, (0.1, 0.9)), (95, (0.025, 0.975)))
        for side, level in zip(("low", "high"), pair, strict=True)
    }
    rows: list[dict[str, Any]] = []
    for i, name in enumerate(panel.names):
        signed = {"made_by": str(said.made_by[i]), "refused": str(said.refused[i])}
        if signed["refused"]:
            nothing = dict.fromkeys(("value", *bounds))
            rows.append({"series": name, "at": None, **nothing, **signed})
            continue
        for step in range(horizon):
            numbers = {key: float(said.quantiles[step, i, at]) for key, at in bounds.items()}
            rows.append({
                "series": name, "at": iso(at_s[step]), "value": float(said.value[step, i]),
                **numbers, **signed,
            })  # fmt: skip
    return rows


def past_of(
    path: Path, steps: int, *, time: str = "", value: str = "", seasons: Sequence[int] = ()
) -> dict[str, list[dict[str, Any]]]:
    """The last steps of every series of a file: `{name: [{at, value}]}`, value None = a gap."""
    panel = panel_of(path, time=time, value=value, seasons=seasons)
    shown = range(max(len(panel.at_s) - steps, 0), len(panel.at_s))
    return {
        name: [
            {
                "at": iso(panel.at_s[t]),
                "value": float(y) if np.isfinite(y := panel.y[t, i]) else None,
            }
            for t in shown
        ]
        for i, name in enumerate(panel.names)
    }


def backtest_series(
    path: Path,
    horizon: int,
    origins: int,
    *,
    time: str = "",
    value: str = "",
    seasons: Sequence[int] = (),
    models: Sequence[str] = ("auto",),
    seed: int = 0,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Scores of every series and model at the last origins; see `verify.backtest.backtest`."""
    panel = panel_of(path, time=time, value=value, seasons=seasons)
    return backtest(panel, members_of(models), horizon, origins, seed=seed, progress=progress)


def panel_of(path: Path, *, time: str, value: str, seasons: Sequence[int]) -> Panel:
    """The series of a file on one grid; `value` names a column, '' = every column of numbers."""
    panel = read_series(path, time=time, values=(value,) if value else ()).panel
    if panel.y.size > MOST_POINTS:
        raise ConfigError(f"{path.name} has {panel.y.size:,} points, at most {MOST_POINTS:,}")
    return replace(panel, seasons=tuple(seasons)) if seasons else panel


def members_of(models: Sequence[str]) -> tuple[str, ...]:
    """The members that a list of models names; `auto` and `all`: those of a set that are installed.

    ConfigError for a name that is none.
    """
    named: list[str] = []
    sets = {"auto": FAST, "all": tuple(MEMBERS)}
    for model in models:
        one = (
            tuple(name for name in sets[model] if is_installed(name)) if model in sets else (model,)
        )
        named += [name for name in one if name not in named]
    wrong = [name for name in named if name not in MEMBERS]
    if wrong:
        raise ConfigError(
            f"model must be auto, all or some of {', '.join(MEMBERS)}, got {wrong[0]!r}"
        )
    return tuple(named)


def is_installed(name: str) -> bool:
    """Whether the libraries that a member needs are there."""
    try:
        forecaster(name)
    except ConfigError:
        return False
    return True


def iso(at_s: float) -> str:
    """A moment as ISO 8601 in UTC.

    >>> iso(0.0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
