"""Plots of a series that is watched: what came in its expected band, and how rare it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.report.markup import Html, join, tag, text
from headway.report.numbers import digits
from headway.report.over_time import TimePlane, moments, outline, thinned
from headway.report.plots import dot, legend, tick, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.report.incidents import Incident

    Floats = NDArray[np.float64]

DOTS: Final = 60  # incidents that have a dot on a plot
ROUNDED: Final = 12.0  # decades: what is rarer is drawn at this


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A series in order of time; all (n,), NaN = not known.

    rare: decades of rarity, 3 = one in a thousand.
    """

    at_s: Floats
    y: Floats
    low: Floats
    high: Floats
    rare: Floats


def band_plot(drawn: Drawn, incidents: Sequence[Incident], *, label: str, y_name: str) -> Html:
    """What came, the band in which it was expected, and a dot for each incident; '' for nothing."""
    edges = np.concatenate([drawn.y, drawn.low, drawn.high])
    if not np.isfinite(edges).any() or len(drawn.at_s) < 2:
        return Html("")
    levels = _levels(float(np.nanmin(edges)), float(np.nanmax(edges)))
    plane = TimePlane(drawn.at_s[0], drawn.at_s[-1], levels[0], levels[-1])
    low, high = thinned(drawn.at_s, drawn.low, np.nanmin), thinned(
        drawn.at_s, drawn.high, np.nanmax
    )  # fmt: skip
    shapes = [plane.area(low, high), plane.line("true", outline(drawn.at_s, drawn.y))]
    marks = [(one.at_s, one.came, one.tip) for one in incidents]
    looks = [("true", "what came"), ("headway", "expected between"), ("request", "alert")]
    return _plot(plane, shapes, marks, [(y, digits(y)) for y in levels], looks, label, y_name)


def rarity_plot(drawn: Drawn, incidents: Sequence[Incident], *, label: str) -> Html:
    """How rare each point was, on a scale of one in ten, a hundred ..; '' for nothing."""
    if not np.isfinite(drawn.rare).any() or len(drawn.at_s) < 2:
        return Html("")
    rare = np.minimum(drawn.rare, ROUNDED)
    most = max(int(np.ceil(np.nanmax(rare))), 2)
    plane = TimePlane(drawn.at_s[0], drawn.at_s[-1], 0.0, float(most))
    shapes = [plane.line("headway", thinned(drawn.at_s, rare, np.nanmax))]
    places = {float(s): float(r) for s, r in zip(drawn.at_s, rare, strict=True) if np.isfinite(r)}
    marks = [(one.at_s, places.get(one.at_s), one.tip) for one in incidents]
    step = 1 + most // 5
    levels = [
        (float(d), f"1 in {10**d:,}" if d < 4 else f"1 in 1e{d}") for d in range(0, most + 1, step)
    ]
    return _plot(
        plane, shapes, marks, levels, [], label, "how rare: one point in so many", "plane low"
    )


def _plot(
    plane: TimePlane, shapes: Sequence[Html], marks: Sequence[tuple[float, float | None, str]],
    levels: Sequence[tuple[float, str]], looks: Sequence[tuple[str, str]], label: str, y_name: str,
    class_: str = "plane",
) -> Html:  # fmt: skip
    """Shapes on a plane with its axes, and dots that say something."""
    svg = Html(
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        f"{join(shapes)}</svg>"
    )
    grid = [tick(f"bottom:{plane.up(y):.2f}%", "y", name) for y, name in levels]
    grid += [
        tick(f"left:{plane.left(s):.2f}%", "x", name)
        for s, name in moments(plane.from_s, plane.to_s)
    ]
    dots = [
        dot("request", plane.left(s), plane.up(y), tip) for s, y, tip in marks if y is not None
    ][-DOTS:]
    drawn = tag("div", *grid, svg, *dots, class_=class_, role="img", aria_label=label)
    title = tag("p", text(y_name), class_="axis-name")
    return tag("div", legend(looks) if looks else Html(""), title, drawn, class_="plot")


def _levels(low: float, high: float) -> list[float]:
    """Round values from at most low to at least high, two or more."""
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        room = 0.1 * abs(high) or 1.0
        low, high = low - room, high + room
    return ticks(low, high)
