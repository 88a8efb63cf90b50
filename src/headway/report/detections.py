"""What is strange in series, on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from headway.report.numbers import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

MOST: Final = 20  # series and alerts that are shown; all of them are in --json


def detections_screen(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """Each series with its strangest point; then the alerts of all, where they were asked for."""
    heads = ["series", "points", "scored", "strangest at", "one in"]
    with_alerts = any(row["alerts"] is not None for row in rows)
    series = Table(*heads, *(["alerts"] if with_alerts else []), box=None, pad_edge=False)
    for row in rows[:MOST]:
        scored = [point for point in row["points"] if point["score"] is not None]
        best = max(scored, key=lambda point: point["score"], default=None)
        cells = [clean(row["series"] or "(no name)", 40), f"{len(row['points']):,}"]
        cells += [f"{len(scored):,}", *(_strangest(best) if best else ("", "never scored"))]
        series.add_row(*cells, *([f"{len(row['alerts'])}"] if with_alerts else []))
    parts: list[RenderableType] = [series]
    if len(rows) > MOST:
        parts.append(Text(f"and {len(rows) - MOST:,} series more: --json has them all"))
    if with_alerts:
        parts += _alerts([(row["series"], alert) for row in rows for alert in row["alerts"] or ()])
    return Group(*parts)


def _alerts(found: list[tuple[str, dict[str, Any]]]) -> list[RenderableType]:
    """The latest alerts, what was expected, what came and what may be why."""
    if not found:
        return [Text("No alert.")]
    found = sorted(found, key=lambda pair: str(pair[1]["start"]))
    alerts = Table(box=None, pad_edge=False)
    for head in ("start", "severity", "series", "expected", "came", "why"):
        alerts.add_column(head, no_wrap=head == "start")
    for name, alert in found[-MOST:]:
        low, high = alert["expected"]
        expected = "" if low is None or high is None else f"{low:.4g} to {high:.4g}"
        came = "" if alert["came"] is None else f"{alert['came']:.4g}"
        others = f"; with {len(alert['with'])} series more" if alert["with"] else ""
        why = f"{'; '.join(alert['causes'][:1])}{others}"
        alerts.add_row(alert["start"], alert["severity"], clean(name, 40), expected, came, why)
    more = len(found) - MOST
    shown = (
        [Text(f"the last {MOST} of {len(found):,} alerts: --json has them all")] if more > 0 else []
    )
    return [*shown, alerts]


def _strangest(point: dict[str, Any]) -> tuple[str, str]:
    """When, and one in how many points is as strange."""
    return str(point["at"]), f"{1.0 / max(1.0 - point['score'], 1e-15):,.0f}"
