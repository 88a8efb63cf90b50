"""What training a scheduler of workflows brought, in a few lines."""

from __future__ import annotations

from typing import Any


def trained_workflows_screen(document: dict[str, Any]) -> str:
    """Whether to use it first, then the evidence and what it took."""
    path = document["policy"]
    verdicts = [
        f"{name}: the policy finishes workflows sooner than every rule, on arrivals it never saw."
        if use == f"learned:{path}"
        else f"{name}: the policy is not proved to be better than a rule; take the rule {use!r}."
        for name, use in document["use"].items()
    ]
    better = 1.0 - document["validation"]["ratio"]
    lines = [line for proof in document["proof"] for line in _proved(proof)]
    said = [
        *verdicts,
        *lines,
        f"  validation       {better:.1%} sooner than {document['validation']['against']}",
        f"  decisions        {document['decisions']:,} in {document['seconds']:.0f} s",
        f"  policy           {path}",
    ]
    if f"learned:{path}" in document["use"].values():
        said.append(f"Play it: headway simulate HISTORY --policy fair,weighted,learned:{path}")
    return "\n".join(said)


def _proved(proof: dict[str, Any]) -> list[str]:
    """What it did on new arrivals, against the rule that was best before."""
    low, high = proof["difference_low_95"], proof["difference_high_95"]
    rules = ", ".join(f"{name} {seconds:.1f}" for name, seconds in proof["rules"].items())
    change = f"{proof['difference']:+.1%} (95 %: {low:+.1%} to {high:+.1%})"
    return [
        f"{proof['history']}, kinds {proof['on']} ({proof['kinds']}): {proof['candidate']:.1f} s "
        f"on average against {proof['incumbent']:.1f} s of {proof['rule']} at its best, {change}; "
        f"worst of {proof['sequences']} sequences {proof['worst_sequence']:+.1%}",
        f"  rules, s         {rules}",
    ]
