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
    lines = [line for proof in document["proof"] for line in _proved(proof)]
    return "\n".join(
        [
            *lines,
            f"On {validation['windows']} later windows that it was not trained on, "
            f"{validation['of']} is {better} than that of {validation['against']}.",
            f"  algorithm        {document['algo']}",
            f"  decisions        {document['decisions']:,} in {document['seconds']:.0f} s",
            f"  policy           {document['policy']}",
            "What it does on the rest of the history: "
            f"headway simulate HISTORY --policy saf,learned:{document['policy']}",
        ]
    )


def _proved(proof: dict[str, Any]) -> list[str]:
    """What the policy did on time that it was not trained on, against the best rule."""
    low, high = proof["difference_low_95"], proof["difference_high_95"]
    interval = "too few weeks for an interval" if low is None else f"{low:+.2f} to {high:+.2f}"
    verdict = "is better" if proof["is_proved"] else "is not proved to be better"
    return [
        f"{proof['history']}: the policy {verdict} than {proof['rule']} on the last "
        f"{proof['tasks']:,} tasks, which it never saw.",
        f"  mean slowdown    {proof['candidate']:.2f} against {proof['incumbent']:.2f} "
        f"(95 %: {interval})",
        f"  worst week       {proof['worst_week']:+.2f}; no worse in "
        f"{proof['weeks_no_worse']:.0%} of {proof['weeks']} weeks",
        f"  longest delay    {proof['starved_s'] / 3600.0:.1f} h after first come; bound to a day, "
        f"the mean slowdown is {proof['bound']['candidate']:.2f}",
    ]
