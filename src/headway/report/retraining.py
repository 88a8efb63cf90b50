"""A retraining on a terminal: was it due, who won, and what was begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.constrain import Constrain
from rich.text import Text

from headway.report.numbers import clean, digits, known, part, share, things

if TYPE_CHECKING:
    from rich.console import RenderableType


_LOSSES: Final = {
    "runtime": "Runtimes, pinball loss of logs", "memory": "Memory, GB-hours in vain a task",
}  # fmt: skip


def retraining_screen(document: dict[str, Any]) -> RenderableType:
    """What became of it in one line, then what it rests on."""
    lines = [Text(headline(document), style="bold"), Text("")]
    lines += [Text(f"- {sentence}") for sentence in told(document)]
    return Constrain(Group(*lines), 100)


def headline(document: dict[str, Any]) -> str:
    """What became of it."""
    if rollout := clean(document.get("rollout_id"), 20):
        version = clean(document.get("challenger"), 20)
        return f"{version} is rolled out in shadow as {rollout}."
    if not document.get("is_due"):
        return f"Not retrained: {clean(document.get('why'), 300)}."
    return f"Nothing is rolled out: {clean(document.get('why'), 300)}."


def told(document: dict[str, Any]) -> list[str]:
    """Why it was due, and how both did on the newest tasks."""
    facts = part(document, "facts")
    age, new = known(facts.get("age_days")), known(facts.get("outcomes"))
    said = []
    if age is not None and new is not None:
        said.append(
            f"{clean(document.get('champion'), 20)} serves, trained {age:.1f} days ago;"
            f" {things(new, 'task')} came and ended since."
        )
    if document.get("is_due"):
        said.append(f"Due: {clean(document.get('due'), 300)}.")
    for name, what in _LOSSES.items():
        row = part(document, "verdict", name)
        mine, other = known(row.get("challenger")), known(row.get("champion"))
        if mine is None or other is None:
            continue
        low, high = known(row.get("gain_low")) or 0.0, known(row.get("gain_high")) or 0.0
        line = (
            f"{what}: {digits(other)} now, {digits(mine)} by the challenger, on"
            f" {things(row.get('tasks'), 'task')}; better by {low:.1%} to {high:.1%}"
        )
        covers = [known(row.get(f"{who}_coverage")) for who in ("champion", "challenger")]
        if covers[0] is not None and covers[1] is not None:
            line += f"; first attempts enough in {share(covers[0])} and {share(covers[1])}"
        said.append(f"{line}.")
    return said
