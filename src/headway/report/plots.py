"""Plots that need no script: lines drawn as stretched SVG, everything with a name as text.

Text keeps its size on every screen, since only the lines are stretched. Values appear beside a dot
that is pointed at or tapped; each plot has its numbers in a table beside it for those who see none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.report.markup import Html, join, tag, text
from headway.report.numbers import digits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A named series; look is headway, request, recent or true; y None leaves a gap."""

    name: str
    look: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One value on a row of a dot plot."""

    look: str
    value: float
    tip: str


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from at most low to at least high.

    >>> ticks(0.0, 3.7)
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    span = max(high - low, 1e-9)
    ten = 10.0 ** math.floor(math.log10(span / most))
    step = next(ten * s for s in (1, 2, 2.5, 5, 10, 20) if span / (ten * s) <= most - 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * i, 12) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10 .. from at most low to at least high, few of them.

    >>> log_ticks(4.9, 66.0)
    [2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    """
    from_, to = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = [s * 10.0**e for e in range(from_, to + 1) for s in (1, 2, 5)]
    first = max(i for i, t in enumerate(every) if t <= low * 1.0001)
    last = min((i for i, t in enumerate(every) if t >= high * 0.9999), default=len(every) - 1)
    inner = every[first : max(last, first + 1) + 1]
    if len(inner) <= 7:
        return inner
    skip = max(1, math.ceil((to - from_) / 6))
    return [10.0**e for e in range(from_, to + skip, skip)]


def legend(names: Sequence[tuple[str, str]]) -> Html:
    """What each look stands for: (look, name)."""
    keys = [tag("span", tag("i", class_=f"key {look}"), text(name)) for look, name in names]
    return tag("p", *keys, class_="legend")


def line_plot(
    lines: Sequence[Line],
    *,
    label: str,
    y_name: str,
    value: Callable[[float], str],
    low: float = 0.0,
    reference: float | None = None,
) -> Html:
    """Series over months (x = 1, 2, ..) with dots that say their value; nothing for one month.

    low: the least end of the y axis unless a point lies below; reference: a level to draw dashed.
    """
    known = [(x, y) for line in lines for x, y in line.points if y is not None]
    if len({x for x, _ in known}) < 2:
        return Html("")
    levels = [y for _, y in known] + ([] if reference is None else [reference])
    at = ticks(min(low, *levels), max(levels))
    x_low, x_high = min(x for x, _ in known), max(x for x, _ in known)

    def left(x: float) -> float:
        return 100.0 * (x - x_low) / (x_high - x_low)

    def up(y: float) -> float:
        return 100.0 * (y - at[0]) / (at[-1] - at[0])

    grid = [tick(f"bottom:{up(y):.2f}%", "y", value(y)) for y in at]
    months = _spread(sorted({x for x, _ in known}))
    grid += [tick(f"left:{left(x):.2f}%", "x", f"{x:g}") for x in months]
    if reference is not None:
        grid.append(tag("div", class_="reference", style=f"bottom:{up(reference):.2f}%"))
    strokes = [_stroke(line, left, up) for line in lines]
    svg = Html(
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        f"{join(strokes)}</svg>"
    )
    dots = [
        dot(line.look, left(x), up(y), f"{line.name}, month {x:g}: {value(y)}")
        for line in lines
        for x, y in line.points
        if y is not None
    ]
    plot = tag("div", *grid, svg, *dots, class_="plane", role="img", aria_label=label)
    named = legend([(line.look, line.name) for line in lines]) if len(lines) > 1 else Html("")
    title = tag("p", text(y_name), class_="axis-name")
    return tag("div", named, title, plot, tag("p", text("month"), class_="x-name"), class_="plot")


def scatter_plot(
    points: Sequence[tuple[str, float, float, str]],
    *,
    label: str,
    x_name: str,
    y_name: str,
    x_value: Callable[[float], str],
    y_value: Callable[[float], str],
) -> Html:
    """Points (look, x, y, tip) on round axes, with the line that none of them lies below-left of.

    Nothing for fewer than two points.
    """
    if len(points) < 2:
        return Html("")
    x_at, y_at = (ticks(min(v), max(v)) for v in ([p[1] for p in points], [p[2] for p in points]))

    def left(x: float) -> float:
        return 100.0 * (x - x_at[0]) / (x_at[-1] - x_at[0])

    def up(y: float) -> float:
        return 100.0 * (y - y_at[0]) / (y_at[-1] - y_at[0])

    grid = [tick(f"bottom:{up(y):.2f}%", "y", y_value(y)) for y in y_at]
    grid += [tick(f"left:{left(x):.2f}%", "x", x_value(x)) for x in _spread(x_at, 4)]
    front: list[tuple[float, float | None]] = []
    lowest = math.inf
    for x, y in sorted((p[1], p[2]) for p in points):
        if y < lowest:
            front += [(x, lowest), (x, y)] if front else [(x, y)]
            lowest = y
    svg = Html(
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        f"{_stroke(Line(name='', look='headway', points=front), left, up)}</svg>"
    )
    dots = [dot(look, left(x), up(y), tip) for look, x, y, tip in points]
    plot = tag("div", *grid, svg, *dots, class_="plane", role="img", aria_label=label)
    title, below = (tag("p", text(name), class_=look) for name, look in (
        (y_name, "axis-name"), (x_name, "x-name")
    ))  # fmt: skip
    return tag("div", title, plot, below, class_="plot")


def calibration_plot(points: Sequence[tuple[float, float]], *, label: str) -> Html:
    """Promised shares (x) against what came (y), with the diagonal of a kept promise."""
    if not points:
        return Html("")
    steps = (0.0, 0.25, 0.5, 0.75, 1.0)
    grid = [tick(f"bottom:{100 * s:.0f}%", "y", f"{s:.0%}") for s in steps]
    grid += [tick(f"left:{100 * s:.0f}%", "x", f"{s:.0%}") for s in steps]
    path = " ".join(f"{100 * x:.2f},{100 - 100 * y:.2f}" for x, y in points)
    svg = Html(
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        '<line class="diagonal" x1="0" y1="100" x2="100" y2="0"/>'
        f'<polyline class="stroke headway" points="{path}"/></svg>'
    )
    dots = [dot("headway", 100 * x, 100 * y, f"promised {x:.1%}, came {y:.1%}") for x, y in points]
    plot = tag("div", *grid, svg, *dots, class_="plane square", role="img", aria_label=label)
    y_name = tag("p", text("share of tasks at or below it"), class_="axis-name")
    x_name = tag("p", text("share promised by Headway's quantile"), class_="x-name")
    return tag("div", y_name, plot, x_name, class_="plot")


def dot_plot(
    rows: Sequence[tuple[str, Sequence[Mark]]],
    *,
    label: str,
    references: Sequence[tuple[float, str, str]] = (),
    strong: str = "",
) -> Html:
    """Rows of named dots on one logarithmic axis, with lines (value, name, look) through all.

    strong: the name of the row that stands out.
    """
    values = [m.value for _, marks in rows for m in marks] + [r[0] for r in references]
    if not values or min(values) <= 0.0:
        return Html("")
    at = log_ticks(min(values), max(values))
    span = math.log(at[-1] / at[0])

    def left(x: float) -> float:
        return min(100.0, max(0.0, 100.0 * math.log(x / at[0]) / span))

    back = [tag("span", class_="grid", style=f"left:{left(t):.2f}%") for t in at]
    back += [
        tag("span", class_=f"through {look}", style=f"left:{left(x):.2f}%")
        for x, _, look in references
    ]
    lines = []
    for name, marks in rows:
        places = [left(m.value) for m in marks]
        style = f"left:{min(places):.2f}%;width:{max(places) - min(places):.2f}%"
        bar = tag("span", class_="between", style=style) if len(places) > 1 else Html("")
        dots = [dot(m.look, x, None, m.tip) for m, x in zip(marks, places, strict=True)]
        track = tag("div", *back, bar, *dots, class_="track")
        class_ = "row strong" if name == strong else "row"
        lines.append(tag("div", tag("div", text(name), class_="name"), track, class_=class_))
    named = [
        _flag(left(x), at_row, f"{name} {digits(x)}")
        for at_row, (x, name, _) in enumerate(references)
    ]
    top = _unnamed_row(tag("div", *named, class_="flags"))
    scale = [tag("span", text(f"{t:g}"), style=f"left:{left(t):.2f}%") for t in at]
    axis = _unnamed_row(tag("div", *scale, class_="scale"))
    return tag(
        "div", top if named else Html(""), *lines, axis, class_="dots", role="img", aria_label=label
    )


def use_bar(asked: float, used: float, *, label: str) -> Html:
    """What was used as a part of what was asked for; whichever is larger fills the bar."""
    whole = max(asked, used)
    if whole <= 0.0:
        return Html("")
    inner = tag("span", class_="used", style=f"width:{100 * used / whole:.2f}%")
    outer = tag("span", class_="asked", style=f"width:{100 * asked / whole:.2f}%")
    return tag("div", outer, inner, class_="bar", role="img", aria_label=label)


def share_bar(reached: float, *, label: str) -> Html:
    """A part of a whole in [0, 1], cut to that."""
    width = 100.0 * min(1.0, max(0.0, reached))
    return tag(
        "div",
        tag("span", class_="used", style=f"width:{width:.2f}%"),
        class_="bar tall", role="img", aria_label=label,
    )  # fmt: skip


def _stroke(line: Line, left: Callable[[float], float], up: Callable[[float], float]) -> Html:
    """The line of a series, broken where a value is missing."""
    pieces: list[list[str]] = [[]]
    for x, y in line.points:
        if y is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{left(x):.2f},{100 - up(y):.2f}")
    return join(
        tag("polyline", class_=f"stroke {line.look}", points=" ".join(p))
        for p in pieces
        if len(p) > 1
    )


def dot(look: str, left: float, up: float | None, tip: str) -> Html:
    """A dot at percents of a plane that says its value when pointed at; up None: on a row."""
    at = f"left:{left:.2f}%" + ("" if up is None else f";bottom:{up:.2f}%")
    side = "tip-left" if left > 55.0 else "tip-right"
    return tag("i", class_=f"dot {look} {side}", style=at, data_tip=tip)


def _flag(left: float, row: int, name: str) -> Html:
    """The name of a line through all rows, above it and on the side that has room."""
    side = "before" if left > 50.0 else "after"
    return tag("span", text(name), class_=side, style=f"left:{left:.2f}%;top:{1.25 * row:.2f}rem")


def _unnamed_row(track: Html) -> Html:
    return tag("div", tag("div", class_="name"), track, class_="row axis")


def tick(style: str, axis: str, name: str) -> Html:
    """A line across a plane at its style, with its name beside axis x or y."""
    return tag("span", tag("b", text(name)), class_=f"tick {axis}", style=style)


def _spread(months: Sequence[float], most: int = 8) -> Sequence[float]:
    """Some of the months to write under an axis, the first one among them."""
    step = max(1, math.ceil(len(months) / most))
    return months[::step]
