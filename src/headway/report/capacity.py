"""How many processors are needed next, by when and at what cost: on a terminal, and as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from headway.report.fans import Fan, fan_plot
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
    money,
    part,
    share,
    things,
)
from headway.report.plots import scatter_plot
from headway.report.words import policy_name

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType


def plan_screen(document: dict[str, Any]) -> RenderableType:
    """What is needed, by when, at what cost, what it rests on; sizes about the one named."""
    blocks: list[RenderableType] = [Text(headline(document), style="bold"), Text("")]
    blocks += [Text(f"- {sentence}") for sentence in told(document)]
    sizes = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for head in ("processors", "expected wait", f"wait at {_level(document)}", "cost"):
        sizes.add_column(Text(head), justify="right")
    for row in some_sizes(document):
        sizes.add_row(*[Text(cell) for cell in _cells(document, row)])
    blocks += [Text(""), sizes]
    if where := clean(document.get("report"), 200):
        blocks += [Text(""), Text(f"Report: {where}")]
    return Constrain(Group(*blocks), 100)


def write_plan(document: dict[str, Any], folder: Path) -> Path:
    """Write index.html and summary.json into a folder, each whole or not at all; the page's path.

    StoreError if the folder cannot be written.
    """
    return write_page(document, plan_page(document), folder)


def plan_page(document: dict[str, Any]) -> str:
    """The whole page: what is needed, demand and its band drawn, wait and cost of every size."""
    what = f" {clean(document.get('history'), 80)}, {things(document.get('tasks'), 'task')}"
    top = tag(
        "header",
        tag("p", tag("b", text("Headway plan")), text(what), class_="over"),
        tag("h1", text(headline(document))),
        *[paragraph(sentence, "note") for sentence in told(document)],
    )
    body = join([top, demand_drawn(document), sizes_drawn(document), days_tabled(document)])
    return whole_page(f"Headway: {headline(document)}", body)


def headline(document: dict[str, Any]) -> str:
    """How many processors to add, and by when; or how many can go."""
    needed, add = count(document.get("needed_procs")), known(document.get("add_procs")) or 0.0
    wish = (
        f"a mean wait of at most {_time(document.get('wait_s'))} in {_level(document)} of what"
        f" may come in {things(document.get('horizon_days'), 'day')}"
    )
    if not document.get("is_enough"):
        return f"No size up to {needed} processors has {wish}."
    day = known(document.get("add_by_day"))
    if add > 0:
        when = "now" if day is None or day <= 1 else f"by day {day:.0f}"
        return f"Add {things(add, 'processor')} {when}, to {needed}, for {wish}."
    if add < 0:
        return f"{needed} processors are enough for {wish}: {things(-add, 'processor')} can go."
    return f"The {needed} processors there are suffice for {wish}."


def told(document: dict[str, Any]) -> list[str]:
    """What waits and costs are now and then, when demand passes the machine, what it rests on."""
    currency = str(document.get("currency") or "")
    found = []
    for name, which in (("As it is", "now"), ("As advised", "needed")):
        row = part(document, which)
        found.append(
            f"{name}: {things(row.get('procs'), 'processor')}, expected mean wait"
            f" {_time(row.get('expected_wait_s'))}, in {_level(document)} of what may come at most"
            f" {_time(row.get('wait_s_at_level'))}, for {_money(row.get('cost'), currency)}."
        )
    found.append(
        f"Followed day by day, raised at once and lowered slowly, the advised capacity costs"
        f" {_money(document.get('cost_of_steps'), currency)}; the waits above are of a fixed size."
    )
    day = known(document.get("full_after_days"))
    found.append(
        f"The demand of a week, at {_level(document)}, "
        + ("stays below the machine there is." if day is None
           else f"passes the machine there is on day {day:.0f}.")
    )  # fmt: skip
    found.append(
        f"Rests on {things(document.get('days'), 'day')} of history, of which"
        f" {count(document.get('windows'))} windows were played in order of"
        f" {policy_name(document.get('policy'))}; sized by {clean(document.get('sized_by'), 300)};"
        f" demand of its days was forecast by {clean(document.get('made_by'), 120)}."
    )
    found.append(outcomes_told(document))
    return found


def outcomes_told(document: dict[str, Any]) -> str:
    """What came of plans that would have been made in the past."""
    tested = part(document, "tested")
    plans, kept = known(tested.get("plans")), known(tested.get("kept_share"))
    if not plans or kept is None:
        return "The history is too short to say what would have come of such plans."
    return (
        f"{things(plans, 'plan')} made so in the past from what was known then kept to the wait in"
        f" {share(kept)}; the mean wait of all tasks was {_time(tested.get('wait_s'))}, and that of"
        f" nine plans in ten at most {_time(tested.get('high_wait_s'))}."
    )


def demand_drawn(document: dict[str, Any]) -> Html:
    """The past, the band of what may come, the machine there is and the one advised."""
    past, ahead = entries(document, "past"), entries(document, "demand")
    capacity = _steps(document)
    drawn = fan_plot(
        Fan(past=past, ahead=ahead, steps=capacity),
        label="Demand by day, past and forecast, and capacity",
        y_name="processors",
        reference=known(document.get("procs")),
    )
    if not drawn:
        return Html("")
    said = (
        "Processors that the tasks submitted on a day keep busy for a day. The darker band holds "
        "80 % of what may come, the lighter one 95 %; dashed: the machine there is. The capacity "
        "advised follows the forecast's quantile: up at once, down slowly."
    )
    return section(
        "demand",
        "What may come",
        paragraph(said),
        drawn,
        paragraph(f"Forecast by {clean(document.get('made_by'), 120)}.", "note"),
    )


def sizes_drawn(document: dict[str, Any]) -> Html:
    """Wait against cost, a dot for each size, and all of them in a table."""
    currency, needed = str(document.get("currency") or ""), document.get("needed_procs")
    wished = known(document.get("wait_s")) or 0.0
    points = [
        ("true" if row.get("procs") == needed else "request", cost, wait,
         f"{count(row.get('procs'))} processors: {duration(wait)}, {money(cost, currency)}")
        for row in entries(document, "sizes")
        if (cost := known(row.get("cost"))) is not None
        and (wait := known(row.get("expected_wait_s"))) is not None
        and wait <= max(20.0 * wished, 3600.0)
    ]  # fmt: skip
    drawn = scatter_plot(
        points,
        label="Expected wait against cost, lower is better for both",
        x_name="cost of the horizon",
        y_name="expected mean wait",
        x_value=lambda x: money(x, currency),
        y_value=duration,
    )
    heads = ["Processors", "Expected wait", f"Wait at {_level(document)}", "Cost"]
    rows = [_cells(document, row) for row in entries(document, "sizes")]
    return section(
        "sizes",
        "What waiting costs",
        paragraph("A dot for each size that was played; the dark one is advised."),
        drawn,
        unfold("All as a table", table(heads, rows)) if rows else Html(""),
    )


def days_tabled(document: dict[str, Any]) -> Html:
    """Every day that is planned, in a table."""
    heads = ["Day", "Demand", "80 % between", "95 % between", "Capacity advised"]
    steps = _steps(document)
    rows = [
        [clean(row.get("at"), 40)[:10], _number(row.get("value"))]
        + [f"{_number(row.get(f'low_{s}'))} and {_number(row.get(f'high_{s}'))}" for s in (80, 95)]
        + [count(steps[i]) if i < len(steps) else "-"]
        for i, row in enumerate(entries(document, "demand"))
    ]
    return section("days", "Day by day", unfold("All as a table", table(heads, rows)))


def some_sizes(document: dict[str, Any], most: int = 10) -> list[dict[str, Any]]:
    """Sizes on a screen: the one needed, today's, and some about them."""
    rows = entries(document, "sizes")
    marked = [
        i for i, row in enumerate(rows)
        if row.get("procs") in (document.get("needed_procs"), document.get("procs"))
    ]  # fmt: skip
    if not marked:
        return rows[:most]
    low, high = max(min(marked) - 2, 0), min(max(marked) + 3, len(rows))
    every = range(low, high, -(-(high - low) // most))
    return [rows[i] for i in sorted({*every, *marked})]


def _cells(document: dict[str, Any], row: dict[str, Any]) -> list[str]:
    return [
        count(row.get("procs")), _time(row.get("expected_wait_s")),
        _time(row.get("wait_s_at_level")),
        _money(row.get("cost"), str(document.get("currency") or "")),
    ]  # fmt: skip


def _steps(document: dict[str, Any]) -> list[float]:
    """The capacity advised by day."""
    found = document.get("capacity")
    return (
        [x for step in found if (x := known(step)) is not None] if isinstance(found, list) else []
    )


def _level(document: dict[str, Any]) -> str:
    level = known(document.get("level"))
    return "?" if level is None else f"{100.0 * level:g} %"


def _time(value: object) -> str:
    x = known(value)
    return "?" if x is None else duration(x)


def _number(value: object) -> str:
    x = known(value)
    return "?" if x is None else digits(x)


def _money(value: object, currency: str) -> str:
    x = known(value)
    return "?" if x is None else money(x, currency)
