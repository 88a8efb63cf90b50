"""The screen of `headway models`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group


def versions_screen(document: dict[str, Any]) -> Group:
    """What is printed of the trainings of a home, and what was done to them."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in ("training", "role", "made (UTC)", "MB", "coverage 95 %", "data", "code"):
        table.add_column(name, overflow="fold", no_wrap=name in ("training", "made (UTC)"))
    for row in document["trainings"]:
        made = datetime.fromtimestamp(row["created_s"], UTC).strftime("%Y-%m-%d %H:%M")
        metrics = row["metrics"]
        covered = [f"{name} {metrics[key]:.3f}" for name in ("runtime", "memory")
                   if (key := f"{name} coverage_95") in metrics]  # fmt: skip
        words = (row["version"], ", ".join(row["roles"]) or "-", made,
                 f"{row['size_bytes'] / 1e6:.1f}", ", ".join(covered) or "-",
                 row["data_version"] or "-", row["git_revision"] or "-")  # fmt: skip
        table.add_row(*map(Text, words))
    parts: list[Any] = [table]
    if document.get("removed"):
        parts.append(Text(f"Removed: {', '.join(document['removed'])}"))
    if document.get("mlflow"):
        told = document["mlflow"]
        parts.append(Text(f"MLflow {told['uri']}: {len(told['added'])} added, {told['aliases']}"))
    if not document["is_one_training"]:
        parts.append(Text("The current models are of several trainings; promote one of them."))
    for one in document["switches"][:1]:
        at = datetime.fromtimestamp(one["at_s"], UTC).strftime("%Y-%m-%d %H:%M:%S")
        text = f"Switch {one['number']}: {one['parts']['history']} at {at} by {one['by'] or '-'}"
        parts.append(Text(f"{text}. {one['why']}".rstrip(". ") + "."))
    return Group(*parts)
