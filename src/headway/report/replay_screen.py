"""A replay on a terminal: for each workflow the methods side by side, the best one marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from headway.report.numbers import clean, count, digits, duration, known, part, share, size
from headway.report.screen import WIDTH, table_screen

if TYPE_CHECKING:
    from rich.console import RenderableType

ENOUGH: Final = 0.95
BOUND: Final = "hindsight"
_HEADS: Final = {
    "method": "method",
    "first_attempt_coverage": "enough",
    "wastage_gbh": "GB-h wasted",
    "worst_kind_coverage": "worst kind",
    "mae_s": "mean error",
    "min_max_accuracy": "min/max",
    "bucket_exact": "bucket",
    "us_per_prediction": "us each",
}
_SHARES: Final = ("first_attempt_coverage", "worst_kind_coverage", "bucket_exact")


def replay_screen(rows: list[dict[str, Any]]) -> RenderableType:
    """The rows of `headway replay`: a table for each workflow and for all, then what to know."""
    whole = [row for row in rows if "month" not in row]
    if not whole or whole[0].get("target") not in ("memory_bytes", "runtime_s"):
        return table_screen(rows)
    blocks: list[RenderableType] = []
    months = [row for row in rows if "month" in row]
    if months:
        blocks += [table_screen(months), Text("")]
    names = list(dict.fromkeys(str(row["workflow"]) for row in whole))
    if len(names) == 2:  # one workflow is all there is
        names = names[-1:]
    for name in names:
        mine = [row for row in whole if row["workflow"] == name]
        blocks += [_title(mine, names), _table(mine), Text("")]
    return Constrain(Group(*blocks, *_remarks(mine)), WIDTH)


def best_of(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The row that did best: least waste among those with enough for 95 %, or least error."""
    told = [row for row in rows if row["method"] != BOUND]
    if rows[0]["target"] == "runtime_s":
        key = "mae_s"
    else:
        key = "wastage_gbh"
        told = [r for r in told if (known(r["first_attempt_coverage"]) or 0.0) >= ENOUGH]
    told = [row for row in told if known(row[key]) is not None]
    return min(told, key=lambda row: float(row[key]), default=None)


def _title(rows: list[dict[str, Any]], names: list[str]) -> Text:
    what = "peak memory" if rows[0]["target"] == "memory_bytes" else "runtime"
    where = clean(rows[0]["workflow"], 60) if len(names) > 1 else "all"
    return Text(f"{where}: {what} of {count(rows[0]['tasks'])} tasks", style="bold")


def _table(rows: list[dict[str, Any]]) -> Table:
    is_memory = rows[0]["target"] == "memory_bytes"
    left_out = ("mae_s", "min_max_accuracy") if is_memory else ()
    keys = [
        key for key in _HEADS
        if key not in left_out and (key == "method" or any(known(r[key]) is not None for r in rows))
    ]  # fmt: skip
    best = best_of(rows)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("")
    for key in keys:
        justify: Any = "left" if key == "method" else "right"
        table.add_column(Text(_HEADS[key]), justify=justify, no_wrap=True)
    for row in rows:
        if row["why_not"]:
            continue
        style = "bold" if row is best else "dim" if row["method"] == BOUND else ""
        cells = [Text(_cell(row, key), style=style) for key in keys]
        table.add_row(Text("*" if row is best else "", style=style), *cells)
    return table


def _cell(row: dict[str, Any], key: str) -> str:
    x = known(row[key])
    if x is None:
        return clean(row[key], 30) or "-"
    if key in _SHARES:
        return share(x)
    if key == "mae_s":
        return duration(x)
    return digits(x)


def _remarks(rows: list[dict[str, Any]]) -> list[RenderableType]:
    """What the marks mean, Headway's intervals, its worst kind, and who was left out."""
    is_memory = rows[0]["target"] == "memory_bytes"
    best = "least waste of those with enough for 95 % of tasks" if is_memory else "least mean error"
    said = [f"* {best}; bucket: in the right power of two; us each: microseconds a task."]
    if any(row["method"] == BOUND for row in rows):
        said.append(
            "hindsight: the best number for each kind had all peaks been known; nobody can have it."
        )
    own = rows[0]
    held = [(name, known(x)) for name, x in part(own, "interval_coverage").items()]
    if any(x is not None for _, x in held):
        shown = ", ".join(f"{name} % {share(x)}" for name, x in held if x is not None)
        said.append(f"Headway's intervals, promised and held: {shown}.")
    if is_memory and known(own["mae_s"]) is not None:
        error = size(float(own["mae_s"]))
        said.append(f"Its predicted peak is off by {error} in the mean; it gives more on purpose.")
    if probing := part(own, "probing"):
        said.append(
            f"Probes: {probing['probes']} tasks of each new kind ran first; "
            f"{share(probing['held_share'])} of tasks were held back, on average over all by "
            f"{duration(probing['mean_delay_s'])}, and the last one ended "
            f"{duration(probing['later_by_s'])} later."
        )
    if own["worst_kind"] is not None:
        said.append(
            f"Of {own['kinds_judged']} kinds with 50 tasks or more, its worst is "
            f"{clean(own['worst_kind'], 80)}."
        )
    said += [f"{row['method']}: {clean(row['why_not'], 150)}." for row in rows if row["why_not"]]
    return [Text(sentence, style="dim") for sentence in said]
