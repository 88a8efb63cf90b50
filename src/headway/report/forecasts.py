"""What is said of the future of series, on a terminal and as a page; how well it was before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from headway.report.fans import Fan, fan_plot
from headway.report.markup import (
    join,
    paragraph,
    section,
    table,
    tag,
    text,
    unfold,
    whole_page,
    write_whole,
)
from headway.report.numbers import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    Rows = Sequence[dict[str, Any]]

MOST: Final = 12  # series and steps that are shown; all of them are in --json
DRAWN: Final = 12  # series on a page
SHOWN: Final = 4  # horizons of the past beside what may come
SCORES: Final = {
    "mase": "MASE", "quantile_loss": "quantile loss", "coverage_80": "80 % held",
    "coverage_95": "95 % held", "cpu_s": "CPU s",
}  # fmt: skip


def forecast_screen(rows: Rows) -> RenderableType:
    """The next steps of the first series, who made them, and what was refused."""
    refused = [row for row in rows if row["refused"]]
    answered = [row for row in rows if not row["refused"]]
    names = list(dict.fromkeys(row["series"] for row in answered))
    parts: list[RenderableType] = []
    for name in names[:3]:
        mine = [row for row in answered if row["series"] == name]
        steps = Table("at", "value", "80 % between", "95 % between", box=None, pad_edge=False)
        for row in mine[:MOST]:
            steps.add_row(row["at"], f"{row['value']:.4g}", *_between(row))
        parts += [Text(f"{clean(name, 60)}, made by {mine[0]['made_by']}"), steps]
        if len(mine) > MOST:
            parts.append(Text(f"and {len(mine) - MOST:,} steps more: --json has them all"))
    if len(names) > 3:
        parts.append(Text(f"{len(names) - 3:,} series more: --json has them all"))
    parts += [Text(f"{clean(row['series'], 60)}: refused, {row['refused']}") for row in refused]
    return Group(*parts)


def write_forecasts(name: str, rows: Rows, past: Mapping[str, Rows], folder: Path) -> Path:
    """Write index.html into a folder, whole or not at all; the page's path.

    StoreError if the folder cannot be written.
    """
    page = folder / "index.html"
    write_whole(page, forecasts_page(name, rows, past))
    return page


def forecasts_page(name: str, rows: Rows, past: Mapping[str, Rows]) -> str:
    """The whole page: a fan chart of each of the first series, and its numbers.

    name: of the file; past: {series: rows of at and value}.
    """
    series = list(dict.fromkeys(str(row["series"]) for row in rows))
    title = f"What may come of {len(series):,} series"
    top = tag(
        "header",
        tag("p", tag("b", text("Headway forecast")), text(f" {clean(name, 80)}"), class_="over"),
        tag("h1", text(title)),
        paragraph(
            f"The first {DRAWN} are drawn; all of them are in the answer with --json."
            if len(series) > DRAWN else "", "note",
        ),
    )  # fmt: skip
    parts = []
    for i, one in enumerate(series[:DRAWN]):
        mine = [row for row in rows if row["series"] == one]
        if mine[0]["refused"]:
            said = paragraph(f"Refused: {clean(mine[0]['refused'])}", "note")
            parts.append(section(f"series-{i}", clean(one, 60), said))
            continue
        drawn = fan_plot(
            Fan(past=past.get(one, ()), ahead=mine), label=f"{one}, past and forecast", y_name=one
        )
        heads = ["At", "Value", "80 % between", "95 % between"]
        cells = [[row["at"], f"{row['value']:.4g}", *_between(row)] for row in mine]
        parts.append(section(
            f"series-{i}", clean(one, 60), drawn,
            paragraph(f"Forecast by {clean(mine[0]['made_by'])}.", "note"),
            unfold("All as a table", table(heads, cells)),
        ))  # fmt: skip
    return whole_page(f"Headway: {title}", join([top, *parts]))


def backtest_screen(rows: Rows) -> RenderableType:
    """The mean over series of each model's scores, the best first."""
    models = dict.fromkeys(row["model"] for row in rows)
    means = {
        model: {
            score: _mean([row[score] for row in rows if row["model"] == model]) for score in SCORES
        }
        for model in models
    }
    n = len({row["series"] for row in rows})
    scores = Table("model", *SCORES.values(), box=None, pad_edge=False)
    for model in sorted(means, key=lambda model: means[model]["quantile_loss"]):
        one = means[model]
        scores.add_row(
            model, f"{one['mase']:.3f}", f"{one['quantile_loss']:.4f}",
            f"{one['coverage_80']:.1%}", f"{one['coverage_95']:.1%}", f"{one['cpu_s'] * n:.1f}",
        )  # fmt: skip
    said = f"Mean over {n:,} series; lower is better; below 1 MASE beats the last season's change."
    return Group(Text(said), scores)


def _between(row: dict[str, Any]) -> list[str]:
    """The ends of the intervals of 80 and 95 %."""
    return [f"{row[f'low_{s}']:.4g} and {row[f'high_{s}']:.4g}" for s in (80, 95)]


def _mean(values: Sequence[float]) -> float:
    """Mean of what is known; NaN if nothing is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
