"""What training the controller of an elastic cluster brought, in a few lines."""

from __future__ import annotations

from typing import Any


def trained_elastic_screen(document: dict[str, Any]) -> str:
    """Whether to use it first, then the evidence and what it took."""
    proof, rule = document["proof"], document["rule"]
    settings = ", ".join(f"{name} {value:g}" for name, value in rule["settings"].items())
    if proof["weeks"] == 0:
        lines = [f"{document['history']}: the time after training is no whole week: not proved."]
    else:
        verdict = "is cheaper" if proof["is_proved"] else "is not proved to be cheaper"
        low, high = proof["difference_low_95"], proof["difference_high_95"]
        interval = "too few weeks for an interval" if low is None else f"{low:+.1%} to {high:+.1%}"
        kinds = "; ".join(f"{kind} {cost:,.2f}" for kind, cost in document["weekly"].items())
        lines = [
            f"{document['history']}: the controller {verdict} than the tuned thresholds "
            f"({settings}) on {proof['weeks']} later weeks, which it never saw.",
            f"  a week           {proof['candidate']:,.2f} against {proof['incumbent']:,.2f} for "
            f"idle and booting nodes and waiting, {proof['difference']:+.1%} (95 %: {interval})",
            f"  no worse in      {proof['weeks_no_worse']:.0%} of weeks",
            f"  tuned, a week    {kinds}",
        ]
    terms = document["terms"]
    return "\n".join(
        [
            *lines,
            f"  nodes            {terms['least']} to {terms['most']}, booting "
            f"{terms['boot_s']:g} s, decided every {terms['every_s']:g} s",
            f"  decisions        {document['decisions']:,} in {document['seconds']:.0f} s",
            f"  policy           {document['policy']}",
        ]
    )
