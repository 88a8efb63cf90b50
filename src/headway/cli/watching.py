"""Commands that look for what is strange: detect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headway.cli.answers import answer, progress_bars
from headway.cli.options import Json, names


def detect(
    series: Annotated[Path, typer.Argument(metavar="SERIES", help="A CSV or Parquet file.")],
    time: Annotated[str, typer.Option(help="Column of times; default: seen from content.")] = "",
    value: Annotated[str, typer.Option(help="Column of values; default: every number.")] = "",
    detector: Annotated[
        str, typer.Option(help="auto (the ensemble), or names joined by commas.")
    ] = "auto",
    alerts: Annotated[bool, typer.Option("--alerts", help="Raise an alert per incident.")] = False,
    as_json: Json = False,
) -> None:
    """Score how strange each point of series is, by what came before it; or raise alerts."""
    from headway.detecting import detect_series
    from headway.report.detections import detections_screen

    asked = names(detector)
    with progress_bars() as progress:
        rows = detect_series(
            series, time=time, value=value, detectors=asked, with_alerts=alerts, progress=progress
        )
    answer(rows, as_json, detections_screen)
