"""Commands that look for what is strange, and show it: detect, alerts."""

from __future__ import annotations

import time as clock
from pathlib import Path
from typing import Annotated

import typer

from headway.cli.answers import answer, progress_bars
from headway.cli.options import HOME, By, Home, Json, make_writable, names, who


def detect(
    series: Annotated[Path, typer.Argument(metavar="SERIES", help="A CSV or Parquet file.")],
    time: Annotated[str, typer.Option(help="Column of times; default: seen from content.")] = "",
    value: Annotated[str, typer.Option(help="Column of values; default: every number.")] = "",
    detector: Annotated[
        str, typer.Option(help="auto (the ensemble), or names joined by commas.")
    ] = "auto",
    alerts: Annotated[bool, typer.Option("--alerts", help="Raise an alert per incident.")] = False,
    home: Annotated[
        Path | None, typer.Option(help="Keep the alerts in the log of this folder.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for a page with plots.")] = None,
    as_json: Json = False,
) -> None:
    """Score how strange each point of series is, by what came before it; or raise alerts."""
    from headway.detecting import detect_file, rows_of
    from headway.report.detections import detections_screen

    asked = names(detector)
    if report is not None:
        make_writable(report)
    with progress_bars() as progress:
        found = detect_file(
            series, time=time, value=value, detectors=asked, home=home, progress=progress,
            with_alerts=alerts or report is not None,
        )  # fmt: skip
    if report is not None:
        from headway.report.detections_page import write_detections

        write_detections(series.name, found, report)
    answer(rows_of(found), as_json, detections_screen)


def alerts(
    verdict: Annotated[
        str,
        typer.Argument(
            metavar="[real|noise]", show_default=False, help="A verdict; nothing = list the alerts."
        ),
    ] = "",
    alert: Annotated[
        str, typer.Argument(metavar="[ID]", show_default=False, help="Of the alert it is about.")
    ] = "",
    only_open: Annotated[
        bool, typer.Option("--open", help="Only those that are still on.")
    ] = False,
    by: By = "",
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """List the alerts of a home, the newest first; or say of one whether it was real or noise."""
    from headway.alerts import alerts_of, judge_alert
    from headway.report.alerts import alerts_screen

    if verdict:
        judge_alert(home, alert, verdict, by=by or who(), now_s=clock.time())
    answer(alerts_of(home, only_open=only_open), as_json, alerts_screen)
