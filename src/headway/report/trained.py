"""What training a scheduler brought, in a few lines."""

from __future__ import annotations

from typing import Any


def trained_screen(document: dict[str, Any]) -> str:
    """The sentence that counts first, then what it took."""
    validation = document["validation"]
    ratio = validation["ratio"]
    better = (
        f"{1.0 - ratio:.1%} lower" if ratio < 1.0 else f"{ratio - 1.0:.1%} higher: do not use it"
    )
    return "\n".join(
        [
            f"On {validation['windows']} later windows that it was not trained on, the mean "
            f"slowdown is {better} than that of {validation['against']}.",
            f"  algorithm        {document['algo']}",
            f"  decisions        {document['decisions']:,} in {document['seconds']:.0f} s",
            f"  policy           {document['policy']}",
            "What it does on the rest of the history: "
            f"headway simulate HISTORY --policy saf,learned:{document['policy']}",
        ]
    )
