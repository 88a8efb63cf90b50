"""A history month by month: on a terminal, and as a page with what was wasted drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from headway.report.markup import (
    Html,
    bullets,
    join,
    section,
    table,
    tag,
    text,
    whole_page,
    write_page,
)
from headway.report.numbers import clean, digits, known, part, share, things
from headway.report.plots import Line, line_plot

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

SCORES: Final = {
    "memory_bytes": ("waste_per_used", "Memory: GB-hours wasted for each one used"),
    "limit_s": ("waste_per_used", "Time limits: core-hours wasted for each one used"),
    "slowdown": ("mean_bounded_slowdown", "Queue: mean bounded slowdown"),
}
LOOKS: Final = {
    "request": "request", "headway": "headway", "static": "recent", "hindsight": "true",
}  # fmt: skip
_HEADS: Final = {
    "request": "request", "headway": "Headway", "headway, least waste": "least waste",
    "monthly": "monthly", "static": "static", "hindsight": "bound",
}  # fmt: skip
_LIMITS: Final = {
    "failed": "first attempts that were too small",
    "new_kinds": "kinds of task of which none had ended",
    "margin": "room kept above what known kinds use",
}


def months_screen(rows: list[dict[str, Any]]) -> RenderableType:
    """A table for each target, a line for each month, and what came of it in words."""
    blocks: list[RenderableType] = []
    for target, (score, title) in SCORES.items():
        methods, lines = _lines(rows, target, score)
        blocks.append(Text(title, style="bold"))
        if lines:
            shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
            for head in ("month", "tasks", *(_HEADS[method] for method in methods)):
                shown.add_column(Text(head), justify="right")
            for line in lines:
                shown.add_row(*[Text(cell) for cell in line])
            blocks.append(shown)
        blocks += [Text(f"- {said}") for said in told(rows, target)] + [Text("")]
    return Constrain(Group(*blocks[:-1]), 100)


def write_months(rows: list[dict[str, Any]], folder: Path) -> Path:
    """Write index.html and summary.json into a folder, each whole or not at all; the page's path.

    StoreError if the folder cannot be written.
    """
    return write_page({"rows": rows}, months_page(rows), folder)


def months_page(rows: list[dict[str, Any]]) -> str:
    """The whole page: for each target a plot, what came of it in words, and its table."""
    top = tag(
        "header",
        tag("p", tag("b", text("Headway replay")), text(" by months"), class_="over"),
        tag("h1", text(headline(rows))),
    )
    return whole_page("Headway: month by month", join([top, *[_section(rows, t) for t in SCORES]]))


def headline(rows: list[dict[str, Any]]) -> str:
    """In how many months Headway wasted less than what was asked for, of each target."""
    names = {"memory_bytes": "memory", "limit_s": "time", "slowdown": "slowdown"}
    said = []
    for target, name in names.items():
        better = known(_own(rows, target).get("better_than_request"))
        if better is not None:
            said.append(f"{name} in {share(better)}")
    if not said:
        return "Nothing of this history can be compared by months."
    return f"Less than by requests: {', '.join(said)} of months."


def told(rows: list[dict[str, Any]], target: str) -> list[str]:
    """What came of Headway in all months, and what limits it."""
    own = _own(rows, target)
    if not own.get("months"):
        return [clean(own.get("why_not"), 200) or "nothing is known of it"]
    said = []
    for row in [r for r in rows if r.get("target") == target and r.get("months")]:
        name = clean(row.get("method"), 30)
        pairs = [
            ("better_than_request", "better than the request in {} of months"),
            ("better_than_static", "better than the static start in {}"),
            ("gap_closed_later", "after six months {} of the gap to the bound closed (median)"),
            ("months_half_closed_later", "at least half of it in {} of those months"),
        ]
        parts = [words.format(share(x)) for key, words in pairs if (x := known(row.get(key))) is not
                 None]  # fmt: skip
        covers = known(row.get("first_attempt_coverage"))
        parts += [] if covers is None else [f"{share(covers)} of first attempts enough"]
        said.append(f"{name}: {'; '.join(parts)}.")
    limits = [(words, known(part(own, "limits").get(key))) for key, words in _LIMITS.items()]
    shown = [f"{words} {share(x)}" for words, x in limits if x is not None]
    return said + ([f"What Headway still wastes: {', '.join(shown)}."] if shown else [])


def _own(rows: list[dict[str, Any]], target: str) -> dict[str, Any]:
    """The summary of Headway of a target."""
    of = [r for r in rows if "month" not in r and r.get("method") == "headway"]
    return next((row for row in of if row.get("target") == target), {})


def _lines(
    rows: list[dict[str, Any]], target: str, score: str
) -> tuple[list[str], list[list[str]]]:
    """The methods that have a row, and for each month its cells."""
    mine = [row for row in rows if row.get("target") == target and "month" in row]
    methods = [m for m in _HEADS if any(row["method"] == m for row in mine)]
    lines = []
    for month in sorted({int(row["month"]) for row in mine}):
        of = {row["method"]: row for row in mine if row["month"] == month}
        cells = [known(of.get(method, {}).get(score)) for method in methods]
        tasks = known(of["headway"].get("tasks")) if "headway" in of else None
        head = [str(month), "-" if tasks is None else f"{tasks:,.0f}"]
        lines.append(head + ["-" if x is None else digits(x) for x in cells])
    return methods, lines


def _section(rows: list[dict[str, Any]], target: str) -> Html:
    """A target on the page."""
    score, title = SCORES[target]
    methods, lines = _lines(rows, target, score)
    if not lines:
        return section(target, title, bullets(told(rows, target)))
    mine = [row for row in rows if row.get("target") == target and "month" in row]
    drawn = [
        Line(
            name=_HEADS[method],
            look=look,
            points=[(float(r["month"]), known(r[score])) for r in mine if r["method"] == method],
        )
        for method, look in LOOKS.items()
    ]
    plot = line_plot(drawn, label=title, y_name=title.split(": ")[1], value=digits)
    heads = ["month", "tasks", *[_HEADS[method] for method in methods]]
    count = things(len(lines), "month")
    return section(
        target, title, plot, bullets(told(rows, target)), table(heads, lines, caption=count)
    )
