"""What `headway configure` suggests, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from headway.report.numbers import clean

if TYPE_CHECKING:
    from rich.console import RenderableType


def configuration_screen(document: dict[str, Any]) -> RenderableType:
    """The best configuration so far, what to run next, and what both rest on."""
    titles = [("Best so far", document["best"]), *(("Next", said) for said in document["next"])]
    lines = [line for title, said in titles for line in _lines(title, said, document)]
    lines.append(
        f"From {document['runs']:,} runs of {clean(document['task'], 80)} and"
        f" {document['runs_of_other_tasks']:,} of other tasks; {document['candidates']:,}"
        " configurations were weighed."
    )
    return Text("\n".join(lines))


def _lines(title: str, said: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """One suggestion."""
    memory, node = said["memory_bytes"], clean(said["node"], 40)
    given = f"{said['cpus']:g} cores" + ("" if memory is None else f", {memory / 1e9:.3g} GB")
    (fast, slow), (least, most) = said["runtime_90_s"], said["cost_90"]
    return [
        f"{title}: {node + ', ' if node else ''}{given}",
        f"  {said['runtime_s']:,.3g} s ({fast:,.3g} to {slow:,.3g} in 90 % of the runs),"
        f" {said['expected_cost']:.3g} {document['currency']} a run ({least:.3g} to {most:.3g}),"
        f" {said['miss_probability']:.1%} miss the deadline of {document['deadline_s']:g} s",
        f"  why: {said['why']}" + ("; nothing more to try" if said["is_final"] else ""),
    ]
