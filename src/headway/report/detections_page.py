"""The page of `headway detect`: when there were incidents, what came, and how rare it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.alerts import alert_row
from headway.anomaly.rarity import rarity
from headway.report.alerts import band_words
from headway.report.incidents import Incident, incident_timeline
from headway.report.markup import (
    Html,
    join,
    paragraph,
    section,
    table,
    tag,
    text,
    unfold,
    whole_page,
    write_page,
)
from headway.report.numbers import clean
from headway.report.watched import Drawn, band_plot, rarity_plot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from headway.detecting import Detected
    from headway.records import Alert

SERIES: Final = 12  # that are drawn
ROWED: Final = 30  # series in the timeline
ROWS: Final = 200  # alerts of a table
LOUD: Final = {"info": 1, "warning": 2, "critical": 3}


def write_detections(name: str, found: Sequence[Detected], folder: Path) -> Path:
    """Write index.html and summary.json into a folder, each whole or not at all; the page's path.

    name: of the file. StoreError if the folder cannot be written.
    """
    return write_page(_summary(name, found), detections_page(name, found), folder)


def detections_page(name: str, found: Sequence[Detected]) -> str:
    """The whole page: a timeline of all incidents; values and rarity of the loudest series."""
    alerts = [alert for one in found for alert in one.alerts or ()]
    title = f"{_counted(len(alerts), 'incident')} in {_counted(len(found), 'series', 'series')}"
    top = tag(
        "header",
        tag("p", tag("b", text("Headway detect")), text(f" {clean(name, 80)}"), class_="over"),
        tag("h1", text(title)),
        paragraph(_words(found, len(alerts))),
    )
    drawn = sorted(range(len(found)), key=lambda i: (_loudness(found[i]), i))[:SERIES]
    parts = [_series(i, found[i]) for i in sorted(drawn)]
    more = "" if len(found) <= SERIES else (
        f"Drawn are the {SERIES} series whose alerts are the most severe; all are in the answer"
        " with --json."
    )  # fmt: skip
    return whole_page(
        f"Headway: {title}", join([top, _timeline(found), paragraph(more, "note"), *parts])
    )


def _timeline(found: Sequence[Detected]) -> Html:
    known = [one.at_s[np.isfinite(one.at_s)] for one in found]
    times = [(float(at.min()), float(at.max())) for at in known if len(at)]
    alerted = sorted((one for one in found if one.alerts), key=_loudness)
    loud = {one.series for one in alerted[:ROWED]}
    incidents = [incident for one in found if one.series in loud for incident in _incidents(one)]
    if not times or not incidents:
        return Html("")
    drawn = incident_timeline(
        incidents, from_s=min(t[0] for t in times), to_s=max(t[1] for t in times),
        label="Incidents of each series over time",
    )  # fmt: skip
    said = "An incident of several series is in the row of the one that was first."
    more = len(alerted) - len(loud)
    said += f" {more:,} series more had alerts, less severe ones." if more else ""
    return section("timeline", "When", drawn, paragraph(said, "note"))


def _series(i: int, one: Detected) -> Html:
    name = one.series or "(no name)"
    order = np.argsort(one.at_s, kind="stable")
    order = order[np.isfinite(one.at_s[order])]
    drawn = Drawn(
        at_s=one.at_s[order], y=one.y[order], low=one.low[order], high=one.high[order],
        rare=rarity(one.scores[order]),
    )  # fmt: skip
    incidents = _incidents(one)
    plots = [
        band_plot(drawn, incidents, label=f"{name}, what came and what was expected", y_name=name),
        rarity_plot(drawn, incidents, label=f"{name}, how rare each point was"),
    ]
    if not any(plots):
        plots = [paragraph("It has no two points with a time and a value.", "note")]
    return section(f"series-{i}", clean(name, 60), *plots, _table(one.alerts or ()))


def _table(alerts: Sequence[Alert]) -> Html:
    if not alerts:
        return paragraph("No alert.", "note")
    rows = [alert_row(alert) for alert in alerts[-ROWS:]]
    cells = [
        [row["start"], row["end"] or "still on", row["severity"], band_words(row),
         "; ".join(row["causes"])]
        for row in rows
    ]  # fmt: skip
    more = len(alerts) - len(rows)
    said = f"All alerts but the first {more:,}" if more else "All alerts as a table"
    heads = ["Raised", "Until", "Severity", "Expected and came", "Likely causes"]
    return unfold(said, table(heads, cells))


def _incidents(one: Detected) -> list[Incident]:
    return [
        Incident(
            row=clean(one.series or "(no name)", 40), since_s=a.since_s, at_s=a.at_s,
            until_s=a.ended_s, severity=a.severity, came=a.value, tip=_tip(a),
        )
        for a in one.alerts or ()
    ]  # fmt: skip


def _tip(alert: Alert) -> str:
    row = alert_row(alert)
    parts = [row["since"], band_words(row), *row["causes"][:1]]
    more = [f"with {len(row['with']):,} series more"] if row["with"] else []
    return clean("; ".join(part for part in [*parts, *more] if part))


def _loudness(one: Detected) -> int:
    """Less for a series with louder and more alerts, to sort by."""
    return -sum(LOUD.get(alert.severity, 1) ** 3 for alert in one.alerts or ())


def _words(found: Sequence[Detected], alerts: int) -> str:
    """What was done, and how much of it can be trusted."""
    made_by = sorted({one.detector for one in found})
    scored = sum(int(np.isfinite(one.scores).sum()) for one in found)
    said = (
        f"{scored:,} points were scored by {', '.join(made_by)}, each by what came before it alone."
    )
    return said if alerts else f"{said} None of them raised an alert."


def _summary(name: str, found: Sequence[Detected]) -> dict[str, Any]:
    return {
        "file": name,
        "series": [
            {
                "series": one.series,
                "detector": one.detector,
                "points": len(one.at_s),
                "scored": int(np.isfinite(one.scores).sum()),
                "alerts": [alert_row(alert) for alert in one.alerts or ()],
            }
            for one in found
        ],
    }


def _counted(n: int, word: str, many: str = "") -> str:
    return f"{n:,} {word if n == 1 else many or word + 's'}"
