"""Fan charts: a series, what may come of it with its bands, and steps beside it; no script."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from headway.report.markup import Html, join, tag, text
from headway.report.numbers import clean, digits, known
from headway.report.plots import dot, legend, tick, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    Rows = Sequence[dict[str, Any]]
    Ys = Sequence[float | None]

KEYS: Final = ("value", "low_80", "high_80", "low_95", "high_95")
LABELS: Final = 5  # moments written below the axis
DOTS: Final = 60  # that say their value at the most


@dataclass(frozen=True, slots=True, kw_only=True)
class Fan:
    """past: rows {at, value}; ahead: {at, value, low_80, high_80, low_95, high_95}; steps beside
    what is ahead.
    """

    past: Rows
    ahead: Rows
    steps: Sequence[float] = field(default=())


@dataclass(frozen=True, slots=True)
class _Plane:
    """Where points lie: n of them side by side, between the first and the last of round levels."""

    n: int
    levels: Sequence[float]

    def left(self, i: float) -> float:
        return 100.0 * i / (self.n - 1)

    def up(self, y: float) -> float:
        return 100.0 * (y - self.levels[0]) / (self.levels[-1] - self.levels[0])

    def point(self, i: float, y: float) -> str:
        return f"{self.left(i):.2f},{100 - self.up(y):.2f}"

    def stroke(self, look: str, ys: Ys, first: int) -> Html:
        """A line from a place on, broken where a value is missing."""
        pieces: list[list[str]] = [[]]
        for i, y in enumerate(ys):
            if y is None:
                pieces.append([])
            else:
                pieces[-1].append(self.point(first + i, y))
        return join(
            tag("polyline", class_=f"stroke thin {look}", points=" ".join(piece))
            for piece in pieces
            if len(piece) > 1
        )

    def band(self, look: str, lows: Ys, highs: Ys, first: int) -> Html:
        """An area between two lines."""
        edge = [
            (first + i, low, high)
            for i, (low, high) in enumerate(zip(lows, highs, strict=True))
            if low is not None and high is not None
        ]
        there = [self.point(i, high) for i, _, high in edge]
        back = [self.point(i, low) for i, low, _ in reversed(edge)]
        return tag("polygon", class_=f"band {look}", points=" ".join(there + back))


def fan_plot(fan: Fan, *, label: str, y_name: str, reference: float | None = None) -> Html:
    """The past, bands of 80 and 95 % and the middle of what may come; nothing without a forecast.

    Points are one step apart; reference: a level to draw dashed.
    """
    first, n = len(fan.past), len(fan.past) + len(fan.ahead)
    past = [known(row.get("value")) for row in fan.past]
    ahead = {key: [known(row.get(key)) for row in fan.ahead] for key in KEYS}
    every = [
        y for ys in (past, *ahead.values(), fan.steps, [reference]) for y in ys if y is not None
    ]
    if not fan.ahead or n < 2 or not every:
        return Html("")
    plane = _Plane(n, ticks(min(0.0, *every), max(every)))
    drawn = join([
        plane.band("wide", ahead["low_95"], ahead["high_95"], first),
        plane.band("narrow", ahead["low_80"], ahead["high_80"], first),
        plane.stroke("true", past, 0),
        plane.stroke("headway", ahead["value"], first),
        plane.stroke("request", fan.steps, first),
    ])  # fmt: skip
    svg = Html(
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{drawn}</svg>'
    )
    moments = [clean(row.get("at"), 40)[:16].replace("T", " ") for row in (*fan.past, *fan.ahead)]
    days = [moment[:10] for moment in moments]
    named = days if len(set(days)) > LABELS else moments
    grid = [tick(f"bottom:{plane.up(y):.2f}%", "y", digits(y)) for y in plane.levels]
    grid += [
        tick(f"left:{plane.left(i):.2f}%", "x", named[i])
        for i in range(0, n, math.ceil(n / LABELS))
    ]
    if reference is not None:
        grid.append(tag("div", class_="reference", style=f"bottom:{plane.up(reference):.2f}%"))
    dots = [
        dot("small headway", plane.left(i), plane.up(y), f"{moments[i]}: {_said(row)}")
        for i, (row, y) in enumerate(zip(fan.ahead, ahead["value"], strict=True), first)
        if y is not None and (i - first) % math.ceil(len(fan.ahead) / DOTS) == 0
    ]
    plot = tag("div", *grid, svg, *dots, class_="plane", role="img", aria_label=label)
    looks = [("true", "past"), ("headway", "forecast, with 80 and 95 %")]
    looks += [("request", "capacity advised")] if fan.steps else []
    return tag(
        "div", legend(looks), tag("p", text(y_name), class_="axis-name"), plot, class_="plot"
    )


def _said(row: dict[str, Any]) -> str:
    value, low, high = (known(row.get(key)) for key in ("value", "low_80", "high_80"))
    ends = "" if low is None or high is None else f", 80 % {digits(low)} to {digits(high)}"
    return f"{'?' if value is None else digits(value)}{ends}"
