"""Plots over time of tasks that ran side by side: who ran when, and the memory held by all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.report.markup import Html, tag, text
from headway.report.plots import ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW_REM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One attempt: when it ran, in seconds; what it held and used, in GB (None = not known)."""

    start_s: float
    end_s: float
    held: float | None
    used: float | None
    look: str
    tip: str


def gantt(
    bars: Sequence[Bar], *, until_s: float, label: str, splits_s: Sequence[float] = ()
) -> Html:
    """Bars in as few rows as there ran at once, from 0 to until_s, with dashed lines at splits."""
    if not bars or until_s <= 0.0:
        return Html("")
    free_s: list[float] = []
    drawn = _seconds(until_s)
    drawn += [tag("span", class_="split", style=f"left:{100 * s / until_s:.2f}%") for s in splits_s]
    for bar in sorted(bars, key=lambda b: b.start_s):
        row = next((i for i, s in enumerate(free_s) if s <= bar.start_s + 1e-6), len(free_s))
        free_s[row : row + 1] = [bar.end_s]
        style = (
            f"left:{100 * bar.start_s / until_s:.3f}%;"
            f"width:{100 * (bar.end_s - bar.start_s) / until_s:.3f}%;top:{ROW_REM * row:.1f}rem"
        )
        side = "tip-left" if bar.start_s > 0.55 * until_s else "tip-right"
        drawn.append(tag("i", class_=f"task {bar.look} {side}", style=style, data_tip=bar.tip))
    height = f"height:{ROW_REM * len(free_s) + 0.1:.1f}rem"
    return tag("div", *drawn, class_="gantt", style=height, role="img", aria_label=label)


def memory_plot(
    bars: Sequence[Bar], *, until_s: float, budget: float | None, label: str, most: float
) -> Html:
    """GB held and used by all bars over time, on an axis up to `most`; the budget is dashed."""
    top = max(most, budget or 0.0)
    if not bars or until_s <= 0.0 or top <= 0.0:
        return Html("")
    at = ticks(0.0, top, 4)
    shapes = []
    for look, values in (("asked", [b.held for b in bars]), ("used", [b.used for b in bars])):
        steps = _steps(bars, values)
        path = _path(steps, until_s, at[-1])
        shapes.append(tag("polygon", class_=f"area {look}", points=path))
    svg = tag("svg", *shapes, viewBox="0 0 100 100", preserveAspectRatio="none", aria_hidden="true")
    grid = _seconds(until_s)
    for y in at:
        name = tag("b", text(f"{y:g}"))
        grid.append(tag("span", name, class_="tick y", style=f"bottom:{100 * y / at[-1]:.2f}%"))
    line = Html("")
    if budget:
        line = tag("div", class_="reference", style=f"bottom:{100 * budget / at[-1]:.2f}%")
    return tag("div", svg, *grid, line, class_="plane timed", role="img", aria_label=label)


def most_held(bars: Sequence[Bar]) -> float:
    """The most GB that the bars held or used together at any moment."""
    heights = [0.0]
    for values in ([b.held for b in bars], [b.used for b in bars]):
        heights += [y for _, y in _steps(bars, values)]
    return max(heights)


def _seconds(until_s: float) -> list[Html]:
    """Ticks of a time axis that ends at until_s."""
    return [
        tag(
            "span",
            tag("b", text(f"{x:g} s")),
            class_="tick x",
            style=f"left:{100 * x / until_s:.2f}%",
        )
        for x in ticks(0.0, until_s)
        if x <= until_s
    ]


def _steps(bars: Sequence[Bar], values: Sequence[float | None]) -> list[tuple[float, float]]:
    """(moment, sum of values from then on) in order of time."""
    changes: dict[float, float] = {}
    for bar, value in zip(bars, values, strict=True):
        if value is not None:
            changes[bar.start_s] = changes.get(bar.start_s, 0.0) + value
            changes[bar.end_s] = changes.get(bar.end_s, 0.0) - value
    held, steps = 0.0, []
    for at_s in sorted(changes):
        held += changes[at_s]
        steps.append((at_s, max(0.0, held)))
    return steps


def _path(steps: Sequence[tuple[float, float]], until_s: float, top: float) -> str:
    """The outline of a step function, closed along the axis."""
    points, before = [(0.0, 0.0)], 0.0
    for at_s, y in steps:
        points += [(at_s, before), (at_s, y)]
        before = y
    points.append((until_s, 0.0))
    return " ".join(f"{100 * x / until_s:.2f},{100 - 100 * y / top:.2f}" for x, y in points)
