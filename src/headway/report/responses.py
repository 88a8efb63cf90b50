"""The screen of `headway respond`: how far it goes, what waits for a person, what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Group

SHOWN: Final = 30
SAID: Final = {
    "observe": "Observing: nothing is done. `--mode propose` asks a person, `--mode act` acts.",
    "propose": "Proposing: what waits below is done once it is approved.",
    "act": "Acting, within the limits of the rules.",
}


def responses_screen(document: dict[str, Any]) -> Group:
    """What is printed of what `respond_home` gives."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = []
    if document["stopped"]:
        parts.append(Text(f"Nothing acts: {document['stopped']}. `headway respond start` ends it."))
    else:
        parts.append(Text(SAID[document["mode"]]))
    actions = document["actions"]
    if not actions:
        known = document["alerts"]
        parts.append(
            Text(f"{known} alerts, none of which a rule is for." if known else "No alerts.")
        )
        return Group(*parts)
    table = Table(box=None, pad_edge=False)
    for name in ("id", "alert", "subject", "action", "state", "why"):
        table.add_column(name, overflow="fold", no_wrap=name == "id")
    for row in actions[-SHOWN:][::-1]:
        why = row["reason"]
        if row["expected_gain"] is not None:
            why += f" (expected to save {row['expected_gain'] / 3600.0:.1f} core-hours)"
        kind, action = (row[name].replace("_", " ") for name in ("kind", "action"))
        subject = f"{row['about']} {row['subject']}"
        words = (row["action_id"], kind, subject, action, row["state"], why)
        table.add_row(*map(Text, words))
    parts.append(table)
    if len(actions) > SHOWN:
        parts.append(Text(f".. and {len(actions) - SHOWN} earlier ones (see --json)"))
    waiting = [a for a in actions if a["state"] == "proposed" and a["mode"] != "observe"]
    if waiting:
        example = waiting[-1]["action_id"]
        parts.append(Text(f"{len(waiting)} wait for approval: headway respond approve {example}"))
    return Group(*parts)
