"""What is said of the future of series on a terminal, and how well it was said before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from headway.report.numbers import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    Rows = Sequence[dict[str, Any]]

MOST: Final = 12  # series and steps that are shown; all of them are in --json
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
        table = Table("at", "value", "80 % between", "95 % between", box=None, pad_edge=False)
        for row in mine[:MOST]:
            table.add_row(
                row["at"], f"{row['value']:.4g}", *(
                    f"{row[f'low_{share}']:.4g} and {row[f'high_{share}']:.4g}"
                    for share in (80, 95)
                )
            )  # fmt: skip
        parts += [Text(f"{clean(name, 60)}, made by {mine[0]['made_by']}"), table]
        if len(mine) > MOST:
            parts.append(Text(f"and {len(mine) - MOST:,} steps more: --json has them all"))
    if len(names) > 3:
        parts.append(Text(f"{len(names) - 3:,} series more: --json has them all"))
    parts += [Text(f"{clean(row['series'], 60)}: refused, {row['refused']}") for row in refused]
    return Group(*parts)


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
    table = Table("model", *SCORES.values(), box=None, pad_edge=False)
    for model in sorted(means, key=lambda model: means[model]["quantile_loss"]):
        one = means[model]
        table.add_row(
            model, f"{one['mase']:.3f}", f"{one['quantile_loss']:.4f}",
            f"{one['coverage_80']:.1%}", f"{one['coverage_95']:.1%}", f"{one['cpu_s'] * n:.1f}",
        )  # fmt: skip
    said = f"Mean over {n:,} series; lower is better; below 1 MASE beats the last season's change."
    return Group(Text(said), table)


def _mean(values: Sequence[float]) -> float:
    """Mean of what is known; NaN if nothing is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
