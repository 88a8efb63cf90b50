"""What `headway watch` prints: a line for each thing that is new, and how far it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from headway.report.alerts import LOOKS, band_words
from headway.report.numbers import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = 20  # alerts of one look; the others are kept, and all are in --json
ASIDE = 5  # rows of one look that were set aside


def event_lines(events: Sequence[dict[str, Any]]) -> list[Text]:
    """A line for each alert that is new or over; the earlier ones of many are only counted."""
    told = [event for event in events if event["event"] in ("alert", "over")]
    many = len(told) - SHOWN
    more = [Text(f"{many:,} earlier alerts: `headway alerts` lists them")] if many > 0 else []
    return more + [_alert_line(row) for row in told[-SHOWN:]]


def aside_lines(events: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each row that was set aside; many are only counted, by reason."""
    aside = [event for event in events if event["event"] == "quarantined"]
    lines = [
        f"{clean(e['source'], 60)}, line {e['line']} set aside: {clean(e['reason'])}:"
        f" {clean(e['text'], 80)}"
        for e in aside[:ASIDE]
    ]
    if len(aside) > ASIDE:
        lines.append(f"{len(aside) - ASIDE:,} rows more were set aside: --json has them all")
    return lines


def status_line(status: dict[str, Any]) -> str:
    """How far a source was read and what was found in it."""
    until = f" until {status['until']}" if status["until"] is not None else ""
    parts = [f"{status['told']:,} new alerts, {status['open']:,} still on", _read(status) + until]
    if not until and "points" in status:
        parts.append("too few yet to say what is strange: 50 are learned first")
    learning = status.get("learning", ())
    if learning:
        parts.append(f"still learning {', '.join(clean(name, 40) for name in learning[:3])}")
    for name, words in (
        ("quarantined", "rows or cells set aside"),
        ("repeated", "rows known before passed over"),
        ("late", "too late to be judged"),
    ):
        if status.get(name):
            parts.append(f"{status[name]:,} {words}")
    return f"{clean(status['source'], 60)}: {'; '.join(parts)}"


def _read(status: dict[str, Any]) -> str:
    if "tasks" in status:
        return f"{status['tasks']:,} tasks of {_counted(status['clusters'], 'cluster')}"
    return f"{status['points']:,} points of {status['series']:,} series"


def _counted(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _alert_line(row: dict[str, Any]) -> Text:
    """When, how severe, what about, expected and came, the likeliest cause, its id."""
    kind = "" if row["kind"] == row["about"] else f"{row['kind'].replace('_', ' ')}: "
    subject = f"{kind}{row['about']} {clean(row['subject'] or '(no name)', 60)}"
    if row["event"] == "over":
        return Text(
            f"{row['end']} over     {subject} (since {row['since']}); {clean(row['id'], 200)}"
        )
    line = Text(f"{row['start']} ")
    line.append(f"{row['severity']:<8}", LOOKS.get(row["severity"], ""))
    more = f" and {len(row['with']):,} more" if row["with"] else ""
    does = ", ".join(action.replace("_", " ") for action in row["would_do"])
    parts = [
        band_words(row), clean(row["causes"][0]) if row["causes"] else "",
        f"would do: {does}" if does else "", clean(row["id"], 200),
    ]  # fmt: skip
    line.append(f" {subject}{more}: {'; '.join(part for part in parts if part)}")
    return line
