"""Commands that look ahead: forecast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from headway.cli.answers import answer, progress_bars
from headway.cli.options import Json, Seed, names, periods_of

Horizon = Annotated[int, typer.Option("--horizon", min=1, max=100_000, help="Steps to look ahead.")]


def forecast(
    series: Annotated[Path, typer.Argument(metavar="SERIES", help="A CSV or Parquet file.")],
    horizon: Horizon,
    time: Annotated[str, typer.Option(help="Column of times; default: seen from content.")] = "",
    value: Annotated[str, typer.Option(help="Column of values; default: every number.")] = "",
    backtest: Annotated[int, typer.Option(min=0, help="Judge at so many past origins.")] = 0,
    season: Annotated[
        str, typer.Option(metavar="S,..", help="Periods in steps; default: by the step.")
    ] = "",
    model: Annotated[
        str, typer.Option(help="auto (fast ones), all, or names joined by commas.")
    ] = "auto",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Forecast load with intervals, by the models that did best on each series; or judge them."""
    from headway.forecasting import backtest_series, forecast_series
    from headway.report.forecasts import backtest_screen, forecast_screen

    asked: dict[str, Any] = {
        "time": time, "value": value, "seasons": periods_of("season", season),
        "models": names(model), "seed": seed,
    }  # fmt: skip
    with progress_bars() as progress:
        if backtest:
            rows = backtest_series(series, horizon, backtest, progress=progress, **asked)
        else:
            rows = forecast_series(series, horizon, progress=progress, **asked)
    answer(rows, as_json, backtest_screen if backtest else forecast_screen)
