"""Commands that look ahead: forecast, plan."""

from __future__ import annotations

import time as clock
from pathlib import Path
from typing import Annotated, Any

import typer

from headway.cli.answers import answer, progress_bars
from headway.cli.options import (
    HOME,
    Columns,
    Format,
    Home,
    Json,
    Procs,
    Seed,
    make_writable,
    names,
    open_histories,
    periods_of,
    prices_of,
)
from headway.errors import ConfigError

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
    report: Annotated[Path | None, typer.Option(help="Folder for a page with plots.")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Forecast load with intervals, by the models that did best on each series; or judge them."""
    from headway.forecasting import backtest_series, forecast_series, past_of
    from headway.report.forecasts import SHOWN, backtest_screen, forecast_screen, write_forecasts

    if report is not None and backtest:
        raise ConfigError("report draws what may come: leave backtest out, or report")
    if report is not None:
        make_writable(report)
    read: dict[str, Any] = {"time": time, "value": value, "seasons": periods_of("season", season)}
    asked = read | {"models": names(model), "seed": seed}
    with progress_bars() as progress:
        if backtest:
            rows = backtest_series(series, horizon, backtest, progress=progress, **asked)
        else:
            rows = forecast_series(series, horizon, progress=progress, **asked)
    if report is not None:
        write_forecasts(series.name, rows, past_of(series, SHOWN * horizon, **read), report)
    answer(rows, as_json, backtest_screen if backtest else forecast_screen)


def plan(
    history: Annotated[Path, typer.Argument(metavar="HISTORY", help="A history file.")],
    horizon_days: Annotated[int, typer.Option(min=1, max=366, help="Days to plan.")] = 30,
    wait: Annotated[float, typer.Option(min=0.0, help="Mean wait to keep to, minutes.")] = 30.0,
    level: Annotated[
        float, typer.Option(help="Share of what may come in which the wait is kept to.")
    ] = 0.8,
    policy: Annotated[str, typer.Option(help="Rule that orders the queue.")] = "fcfs",
    price_core_hour: Annotated[float | None, typer.Option(help="Price of a core-hour.")] = None,
    currency: Annotated[str, typer.Option(help="What prices are in.")] = "",
    report: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
    home: Home = HOME,
    format: Format = "",
    map: Columns = "",
    procs: Procs = 0,
    as_json: Json = False,
) -> None:
    """Plan capacity: how many processors the next weeks need, by when, and what they cost.

    Forecasts demand and plays what may come on machines of many sizes.
    """
    from headway.capacity import plan_history
    from headway.report.capacity import plan_screen, write_plan

    began = clock.perf_counter()
    make_writable(report)
    prices, _ = prices_of(home, price_core_hour, None, currency)
    with progress_bars() as progress:
        (trace,) = open_histories([history], format, map, procs, "")
        document = plan_history(
            trace, horizon_days=horizon_days, wait_s=60.0 * wait, level=level, policy=policy,
            price_core_hour=prices.core_hour, progress=progress,
        )  # fmt: skip
    document |= {
        "currency": prices.currency,
        "report": str(report / "index.html"),
        "seconds": clock.perf_counter() - began,
    }
    write_plan(document, report)
    answer(document, as_json, plan_screen)
