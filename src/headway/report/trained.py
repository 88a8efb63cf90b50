"""What training a scheduler brought, in a few lines."""

from __future__ import annotations

from typing import Any


def trained_screen(document: dict[str, Any]) -> str:
    """The sentence that counts first, then what it took."""
    validation = document["validation"]
    lines = [line for proof in document["proof"] for line in _proved(proof)]
    return "\n".join(
        [
            *lines,
            _validated(validation, any(proof["is_proved"] for proof in document["proof"])),
            f"  algorithm        {document['algo']}",
            f"  decisions        {document['decisions']:,} in {document['seconds']:.0f} s",
            f"  policy           {document['policy']}",
            "What it does on the rest of the history: "
            f"headway simulate HISTORY --policy saf,learned:{document['policy']} "
            "--runtimes predicted",
        ]
    )


def _validated(validation: dict[str, Any], is_proved: bool) -> str:
    """What training brought on the windows that chose among weights."""
    ratio, n = validation["ratio"], validation["windows"]
    where = f"On {n} later window{'s' if n != 1 else ''} that chose among weights"
    than = f"than that of {validation['against']}"
    if abs(ratio - 1.0) < 0.0005:
        return f"{where}, training found nothing better than {validation['against']}."
    if ratio < 1.0:
        return f"{where}, {validation['of']} is {1.0 - ratio:.1%} lower {than}."
    advice = "" if is_proved else ": do not use it"
    return f"{where}, {validation['of']} is {ratio - 1.0:.1%} higher {than}{advice}."


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
