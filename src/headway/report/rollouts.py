"""How far rollouts have come and why, on a terminal and as a page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from headway.report.markup import join, paragraph, section, table, tag, text, whole_page, write_page
from headway.report.numbers import clean

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Group

MEANING: Final = {
    "promote": "The challenger is better: it gets all traffic at the last share.",
    "roll back": "The challenger is worse: the champion answers everything.",
    "continue": "Nothing is sure yet: the rollout goes on.",
    "inconclusive": "The budget was used up before anything was sure: the champion stays.",
}
NAMES: Final = {
    "failures": "tasks that failed", "out_of_memory": "tasks out of memory",
    "uncovered": "peaks above the memory given", "waste": "wasted GB-hours per task",
    "wait": "wait in s", "latency": "time to answer in s",
}  # fmt: skip
SHARES: Final = ("failures", "out_of_memory", "uncovered")


def rollouts_screen(document: dict[str, Any]) -> Group:
    """What is printed of the rollouts of a home; the newest with its comparisons."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    found = document["rollouts"]
    if not found:
        return Group(Text(f"No rollout in {document['home']}: headway rollout start begins one."))
    grid = Table(box=None, pad_edge=False)
    for name in ("id", "challenger", "champion", "status", "share", "verdict", "why"):
        grid.add_column(name, overflow="fold", no_wrap=name == "id")
    for row in found[:20]:
        words = (row["rollout_id"], row["challenger"], row["champion"], row["status"],
                 f"{100 * row['share']:g} %", row["verdict"], clean(row["why"], 200))  # fmt: skip
        grid.add_row(*map(Text, words))
    newest = Table(box=None, pad_edge=False)
    for name in HEADS:
        newest.add_column(name, justify="left" if name == HEADS[0] else "right")
    for cells in _compared(found[0]):
        newest.add_row(*map(Text, cells))
    parts: list[Any] = [grid, Text(""), newest, Text(found[0]["verdict_why"])]
    if found[0]["held"]:
        parts.append(Text(f"Its share is not raised now: {found[0]['held']}."))
    return Group(*parts)


HEADS: Final = (
    "metric",
    "champion",
    "challenger",
    "difference",
    "always within",
    "may be worse by",
)


def rollout_page(row: dict[str, Any]) -> str:
    """The page that explains one rollout."""
    name = f"Rollout {row['rollout_id']}"
    said = f"{row['challenger']} against {row['champion']}: {row['status']}, {row['verdict']}"
    share = f"{100 * row['share']:g} % of the traffic, split by {row['key']}"
    head = tag(
        "header", tag("h1", text(name)), paragraph(said, "lead"),
        paragraph(f"{MEANING[row['verdict']]} {share}."),
    )  # fmt: skip
    held = f"Its share is not raised now: {row['held']}." if row["held"] else ""
    counts = ", ".join(
        f"{arm} {row['outcomes'][arm]:,} outcomes of {row['keys'][arm]:,} keys"
        for arm in ("champion", "challenger")
    )
    why = section(
        "why", "Why", paragraph(row["verdict_why"]), paragraph(held),
        paragraph(f"At this share: {counts}."),
        table(HEADS, _compared(row), caption="Champion and challenger at this share", strong=[0]),
    )  # fmt: skip
    changes = section(
        "changes", "What happened",
        table(
            ("when (UTC)", "by", "status", "share", "why"),
            [_changed(change, row["stages"]) for change in row["changes"]],
            caption="Every change of this rollout",
        ),
    )  # fmt: skip
    reading = section(
        "reading", "How to read it",
        paragraph(
            "The intervals hold at all times at once: the chance that any verdict of the whole"
            f" rollout is wrong is at most {100 * row['alpha']:g} %, however often it is looked at."
            " Each share is judged by its own answers."
        ),
        paragraph(
            "The first metric decides. The others are guardrails: where one is surely worse by more"
            " than it may be, the rollout is taken back; where one only looks worse by that much,"
            " the share is not raised. An arm with fewer than 30 keys says nothing."
        ),
    )  # fmt: skip
    return whole_page(name, join([head, why, changes, reading]))


def write_rollout(row: dict[str, Any], folder: Path) -> Path:
    """Write the page and its document; the page's path."""
    return write_page(row, rollout_page(row), folder)


def _compared(row: dict[str, Any]) -> list[tuple[str, ...]]:
    """The rows of the table of metrics."""
    rows = []
    for one in row["comparisons"]:
        metric = one["metric"]
        low, high = _number(metric, one["low"]), _number(metric, one["high"])
        within = "not known yet" if one["low"] is None else f"{low} to {high}"
        margin = _number(metric, one["margin"]) if one["is_guardrail"] else "decides"
        values = [_number(metric, one[name]) for name in ("champion", "challenger", "difference")]
        rows.append((NAMES[metric], *values, within, margin))
    return rows


def _number(metric: str, x: float | None) -> str:
    if x is None:
        return "-"
    return f"{100 * x:.3g} %" if metric in SHARES else f"{x:.3g}"


def _changed(change: dict[str, Any], stages: list[float]) -> tuple[str, ...]:
    at = datetime.fromtimestamp(change["at_s"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    share = f"{100 * stages[change['stage']]:g} %"
    return at, change["by"] or "-", change["status"], share, change["why"]
