"""What a cluster can have more of, and what that costs: on a terminal, and as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

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
from headway.report.numbers import (
    clean,
    count,
    digits,
    duration,
    entries,
    known,
    part,
    share,
    things,
)
from headway.report.plots import legend, scatter_plot
from headway.report.words import policy_name

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

WORDS: Final = {
    "wait": "mean wait",
    "slowdown": "mean slowdown",
    "tail": "wait of the worst 5 %",
    "fairness": "unfairness between users",
    "deadlines": "deadlines missed",
    "utilisation": "capacity lost",
    "energy": "energy",
    "cost": "cost",
}
"""What each objective measures, all of them lower is better."""
NOTED: Final = 0.005  # relative change below which a cost is not told


def tradeoffs_screen(document: dict[str, Any]) -> RenderableType:
    """What moves give and cost, the points that nothing beats, and how much they cover."""
    names = _axes(document)
    blocks: list[RenderableType] = [Text(headline(document), style="bold"), Text("")]
    blocks += [Text(f"- {sentence}") for sentence in told(document)]
    heads = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    heads.add_column(Text("on the front"), overflow="fold")
    for name in names:
        heads.add_column(Text(name), justify="right")
    for point in fronted(document):
        cells = [_value(name, part(point, "values").get(name)) for name in names]
        heads.add_row(Text(point_name(point)), *[Text(cell) for cell in cells])
    volumes = part(document, "hypervolume")
    covered = ", ".join(
        f"{what} {share(value)}"
        for what in ("rules", "preferences", "together")
        if (value := known(volumes.get(what))) is not None
    )
    blocks += [Text(""), heads, Text(""), Text(f"Of what is within reach is covered by: {covered}")]
    if where := clean(document.get("report"), 200):
        blocks.append(Text(f"Report: {where}"))
    return Constrain(Group(*blocks), 100)


def write_tradeoffs(document: dict[str, Any], folder: Path) -> Path:
    """Write index.html and summary.json into a folder, each whole or not at all; the page's path.

    StoreError if the folder cannot be written.
    """
    return write_page(document, tradeoffs_page(document), folder)


def tradeoffs_page(document: dict[str, Any]) -> str:
    """The whole page: what moves cost, the front drawn, every point in a table."""
    what = f" {clean(document.get('history'), 80)}, {things(document.get('tasks'), 'task')}"
    top = tag(
        "header",
        tag("p", tag("b", text("Headway tradeoffs")), text(what), class_="over"),
        tag("h1", text(headline(document))),
        *[paragraph(sentence, "note") for sentence in told(document)],
    )
    return whole_page(
        f"Headway: {headline(document)}", join([top, drawn(document), tabled(document)])
    )


def headline(document: dict[str, Any]) -> str:
    """How many ways to run the cluster are beaten by nothing."""
    points, front = entries(document, "points"), fronted(document)
    mixed = sum(1 for point in front if point.get("prefer"))
    return (
        f"Of {things(len(points), 'way')} to order the queue, {len(front)} are beaten by no other; "
        f"{mixed} of them are one policy at different preferences."
    )


def told(document: dict[str, Any]) -> list[str]:
    """What moving from equal preferences to a single one gives and costs, a sentence each."""
    found = []
    for move in entries(document, "moves"):
        name, gives = clean(move.get("to"), 40), known(move.get("gives"))
        if gives is None:
            continue
        costs = sorted(
            (-change, other)
            for other, value in part(move, "costs").items()
            if (change := known(value)) is not None and abs(change) >= NOTED
        )
        said = ", ".join(f"{WORDS.get(other, other)} {_change(-less)}" for less, other in costs)
        better, weeks = count(move.get("weeks_better")), count(move.get("weeks"))
        found.append(
            f"Moving from equal preferences to {name} alone: {WORDS.get(name, name)} "
            f"{_change(gives)} (better in {better} of {weeks} weeks)"
            + (f"; {said}." if said else "; nothing else changes.")
        )
    return found


def drawn(document: dict[str, Any]) -> Html:
    """Each objective against the first one, a dot for each way."""
    first, *others = _axes(document) or [""]
    plots = [_against(document, name, first) for name in others]
    named = legend([("headway", "one policy, many preferences"), ("request", "standard rules")])
    return section(
        "front",
        "What can be had together",
        paragraph(
            "Lower and further left is better. Nothing lies below the line, if only these two "
            "objectives count; a dot above it may still be best in a third."
        ),
        named,
        tag("div", *plots, class_="pair"),
    )


def _against(document: dict[str, Any], x_name: str, y_name: str) -> Html:
    """Every point by two of its values."""
    points = [
        (_look(point), x, y, f"{point_name(point)}: {_value(x_name, x)}, {_value(y_name, y)}")
        for point in entries(document, "points")
        if (x := known(part(point, "values").get(x_name))) is not None
        and (y := known(part(point, "values").get(y_name))) is not None
    ]
    return scatter_plot(
        points,
        label=f"{WORDS[y_name]} against {WORDS[x_name]}, lower is better for both",
        x_name=WORDS[x_name],
        y_name=WORDS[y_name],
        x_value=lambda x: _value(x_name, x),
        y_value=lambda y: _value(y_name, y),
    )


def tabled(document: dict[str, Any]) -> Html:
    """Every point in a table, those on the front first."""
    names = [str(one.get("name")) for one in entries(document, "objectives")]
    heads = ["Order", "On the front", *[WORDS.get(name, name).capitalize() for name in names]]
    points = sorted(entries(document, "points"), key=lambda point: not point.get("is_on_front"))
    rows = [
        [point_name(point), "yes" if point.get("is_on_front") else "no"]
        + [_value(name, part(point, "values").get(name)) for name in names]
        for point in points
    ]
    return section(
        "points", "Every way that was played", unfold("All as a table", table(heads, rows))
    )


def fronted(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The points that no other beats in everything."""
    return [point for point in entries(document, "points") if point.get("is_on_front")]


def point_name(point: dict[str, Any]) -> str:
    """A rule with its runtimes, or the preference that a policy was given."""
    prefer = part(point, "prefer")
    if not prefer:
        return f"{policy_name(point.get('policy'))}, {clean(point.get('runtimes'), 40)}"
    weights = [value for value in prefer.values() if known(value) is not None]
    if len(weights) > 1 and max(weights) - min(weights) < 1e-9:
        return "prefer all alike" if len(weights) > 2 else f"prefer {' and '.join(prefer)}"
    most = max(prefer, key=lambda name: known(prefer[name]) or 0.0)
    return f"prefer {most}" + (" most" if len(prefer) > 1 else "")


def _axes(document: dict[str, Any]) -> list[str]:
    """The objectives that count for the front."""
    return [
        str(one.get("name"))
        for one in entries(document, "objectives")
        if one.get("is_axis") and one.get("name") in WORDS
    ]


def _look(point: dict[str, Any]) -> str:
    return "headway" if point.get("prefer") else "request"


def _change(relative: float) -> str:
    return f"{'+' if relative > 0.0 else ''}{share(relative)}"


def _value(name: str, value: object) -> str:
    """A value in the unit that suits it."""
    x = known(value)
    if x is None:
        return "-"
    if name in ("wait", "tail"):
        return duration(x)
    return share(x) if name in ("deadlines", "utilisation") else digits(x)
