"""What training a scheduler of workflows brought, in a few lines."""

from __future__ import annotations

from typing import Any


def trained_workflows_screen(document: dict[str, Any]) -> str:
    """Whether to use it first, then the evidence and what it took."""
    use, path = document["use"], document["policy"]
    is_offered = use == f"learned:{path}"
    verdict = (
        "The policy finishes workflows sooner than every rule, on arrivals that it never saw."
        if is_offered
        else f"The policy is not proved to be better than a rule: take the rule {use!r}."
    )
    better = 1.0 - document["validation"]["ratio"]
    lines = [line for proof in document["proof"] for line in _proved(proof)]
    said = [
        verdict,
        *lines,
        f"  validation       {better:.1%} sooner than {document['validation']['against']}",
        f"  decisions        {document['decisions']:,} in {document['seconds']:.0f} s",
        f"  policy           {path}",
    ]
    if is_offered:
        said.append(f"Play it: headway simulate HISTORY --policy fair,weighted,learned:{path}")
    return "\n".join(said)


def _proved(proof: dict[str, Any]) -> list[str]:
    """What it did on new arrivals, against the rule that was best before."""
    low, high = proof["difference_low_95"], proof["difference_high_95"]
    rules = ", ".join(f"{name} {seconds:.1f}" for name, seconds in proof["rules"].items())
    return [
        f"Kinds {proof['on']} ({proof['kinds']}): {proof['candidate']:.1f} s on average against "
        f"{proof['incumbent']:.1f} s of {proof['rule']} at its best, {proof['difference']:+.1%} "
        f"(95 %: {low:+.1%} to {high:+.1%}; worst of {proof['sequences']} sequences "
        f"{proof['worst_sequence']:+.1%})",
        f"  rules, s         {rules}",
    ]
