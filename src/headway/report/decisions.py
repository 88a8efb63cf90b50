"""The screens of `headway decisions` and `headway status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group

COUNTS = ("decisions", "joined", "open", "expired", "refused", "out_of_memory")


def decisions_screen(document: dict[str, Any]) -> Group:
    """What is printed of what `decisions_of` gives."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if not document["decisions"] and "folded" not in document:
        return Group(Text(f"No decisions in {document['home']} yet."))
    table = Table(box=None, pad_edge=False)
    table.add_column("version", overflow="fold")
    for name in (*COUNTS, "adoption", "satisfaction"):
        table.add_column(name.replace("_", " "), justify="right")
    for row in [*document["by_version"], {"version": "all"} | document]:
        words = [str(row[name]) for name in COUNTS]
        table.add_row(Text(row["version"] or "no models"), *words, *_opinions(row))
    parts: list[Any] = [table]
    if document["without_decision"]:
        parts.append(Text(f"{document['without_decision']} outcomes name no decision known here."))
    if "folded" in document:
        said = document["folded"]
        rows = sum(said[kind] for kind in ("decision", "outcome", "feedback"))
        text = f"{said['segments']} segments of the journals ({said['bytes'] / 1e6:.0f} MB) are in"
        parts.append(Text(f"{text} the log now: {rows} rows."))
    if "skew" in document:
        said = document["skew"]
        text = f"{said['different']} of {said['checked']} answers had other features than the logs"
        parts.append(Text(f"{text} make again; {said['not_checked']} are of models that are gone."))
    return Group(*parts)


def status_screen(document: dict[str, Any]) -> Group:
    """What is printed of what `status_of` gives."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    counts = document["decisions"]
    line = ", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in COUNTS)
    if not document["models"]:
        return Group(Text(f"No models in {document['home']}: run headway optimize."), Text(line))
    table = Table(box=None, pad_edge=False)
    for name in ("model", "version", "age"):
        table.add_column(name)
    for row in document["models"]:
        version = f"{row['version']} of {row['versions']}"
        table.add_row(row["model"], version, f"{row['age_s'] / 86400.0:.1f} days")
    parts: list[Any] = [table, Text(line)]
    for row in counts["by_version"]:
        if row["adoption"] is not None or row["ratings"]:
            adoption, satisfaction = _opinions(row)
            said = f"followed {adoption}, rated {satisfaction} ({row['ratings']} ratings)"
            parts.append(Text(f"{row['version'] or 'no models'}: {said}"))
    if not document["is_one_training"]:
        parts.append(Text("These models are of several trainings; not all of them are used."))
    return Group(*parts)


def _opinions(row: dict[str, Any]) -> tuple[str, str]:
    adoption, satisfaction = row["adoption"], row["satisfaction"]
    return (
        "-" if adoption is None else f"{100.0 * adoption:.0f} %",
        "-" if satisfaction is None else f"{satisfaction:.1f} of 5",
    )
