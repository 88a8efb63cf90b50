"""The screen of `headway alerts`: what is kept, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.text import Text

from headway.report.numbers import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN: Final = 20
LOOKS: Final = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


def alerts_screen(document: dict[str, Any]) -> RenderableType:
    """What is printed of what `alerts_of` gives."""
    alerts = document["alerts"]
    if not document["open"] + document["closed"]:
        return Text(
            f"No alerts are kept in {document['home']}: `headway watch` keeps what it raises,"
            " and so does `headway detect --alerts --home DIR`."
        )
    parts: list[RenderableType] = [Text(f"{document['open']} open, {document['closed']} over.")]
    for row in alerts[:SHOWN]:
        parts += [Text(), headline(row), *(Text(f"  {words}") for words in _lines(row))]
    if len(alerts) > SHOWN:
        parts += [Text(), Text(f"and {len(alerts) - SHOWN:,} earlier ones: --json has them all")]
    return Group(*parts)


def headline(row: dict[str, Any]) -> Text:
    """Severity, subject and since when, of an alert as `alert_row` says it."""
    words = Text(row["severity"].upper(), style=LOOKS.get(row["severity"], ""))
    kind = "" if row["kind"] == row["about"] else f"{row['kind'].replace('_', ' ')}: "
    words.append(f" {kind}{row['about']} {clean(row['subject'] or '(no name)', 60)}", "bold")
    where = f" in {clean(row['cluster'], 40)}" if row["cluster"] else ""
    end = "still on" if row["end"] is None else f"over at {row['end']}"
    words.append(f"{where}, since {row['since']}, {end}", "")
    return words


def band_words(row: dict[str, Any]) -> str:
    """What was expected and what came."""
    low, high = row["expected"]
    expected = "" if low is None or high is None else f"expected {low:.4g} to {high:.4g}"
    came = "" if row["came"] is None else f"came {row['came']:.4g}"
    return ", ".join(words for words in (expected, came) if words)


def _lines(row: dict[str, Any]) -> list[str]:
    """What is said below the first line of an alert."""
    more = len(row["with"])
    others = ", ".join(clean(name, 40) for name in row["with"][:5])
    others += f" and {more - 5:,} more" if more > 5 else ""
    does = ", ".join(action.replace("_", " ") for action in row["would_do"])
    said = f" ({row['verdict']}, a person said)" if row["verdict"] else ""
    lines = [
        band_words(row),
        f"likely: {'; '.join(map(clean, row['causes']))}" if row["causes"] else "",
        f"with: {others}" if others else "",
        f"advice: {clean(row['advice'])}" if row["advice"] else "",
        f"would do: {does}" if does else "would do: nothing, no rule is for it",
        f"id: {clean(row['id'], 200)}{said}",
    ]
    return [line for line in lines if line]
