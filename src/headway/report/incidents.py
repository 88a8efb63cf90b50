"""A timeline of incidents: a row for each series, a bar for each incident; no script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.report.markup import Html, join, tag, text
from headway.report.over_time import TimePlane, moments
from headway.report.plots import legend

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident of a row of the timeline; until_s None = still on."""

    row: str
    since_s: float
    at_s: float
    until_s: float | None
    severity: str
    came: float | None
    tip: str


def incident_timeline(
    incidents: Sequence[Incident], *, from_s: float, to_s: float, label: str
) -> Html:
    """A row for each series that had incidents, with a bar for each of them; '' for none."""
    if not incidents or to_s <= from_s:
        return Html("")
    plane = TimePlane(from_s, to_s, 0.0, 1.0)
    rows = []
    at = moments(from_s, to_s)
    back = [tag("span", class_="grid", style=f"left:{plane.left(s):.2f}%") for s, _ in at]
    for name in dict.fromkeys(one.row for one in incidents):
        bars = [_bar(plane, one, to_s) for one in incidents if one.row == name]
        track = tag("div", *back, *bars, class_="track")
        rows.append(tag("div", tag("div", text(name), class_="name"), track, class_="row"))
    scale = [
        tag("span", text(m), class_="" if i else "first", style=f"left:{plane.left(s):.2f}%")
        for i, (s, m) in enumerate(at)
    ]
    axis = tag(
        "div", tag("div", class_="name"), tag("div", *scale, class_="scale"), class_="row axis"
    )
    looks = legend([(f"incident {s}", s) for s in ("critical", "warning", "info")])
    return join([looks, tag("div", *rows, axis, class_="dots", role="img", aria_label=label)])


def _bar(plane: TimePlane, one: Incident, to_s: float) -> Html:
    until_s = to_s if one.until_s is None else one.until_s
    left, right = plane.left(one.since_s), plane.left(max(until_s, one.since_s))
    side = "tip-left" if left > 55.0 else "tip-right"
    style = f"left:{left:.2f}%;width:{right - left:.2f}%"
    return tag("i", class_=f"task incident {one.severity} {side}", style=style, data_tip=one.tip)
