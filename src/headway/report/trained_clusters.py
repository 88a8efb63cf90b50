"""What training several clusters together brought, in a few lines."""

from __future__ import annotations

from typing import Any


def trained_clusters_screen(document: dict[str, Any]) -> str:
    """The sentence that counts first, then what it took."""
    proof, validation = document["proof"], document["validation"]
    verdict = "is better" if proof["is_proved"] else "is not proved to be better"
    advice = "" if proof["is_proved"] else ": do not use it"
    low, high = proof["ratio_low_95"], proof["ratio_high_95"]
    return "\n".join(
        [
            f"On {proof['windows']} later windows, which it never saw, the policy {verdict} than "
            f"{proof['rule']}{advice}.",
            f"  mean slowdown    {proof['candidate']:.2f} against {proof['incumbent']:.2f}",
            f"  ratio            {proof['ratio']:.3f} (95 %: {low:.3f} to {high:.3f}); worst "
            f"window {proof['worst_window']:.2f}",
            f"  validation       {validation['ratio']:.3f} on {validation['windows']} windows",
            f"  algorithm        {document['algo']}",
            f"  decisions        {document['decisions']:,} in {document['seconds']:.0f} s",
            f"  policy           {document['policy']}",
        ]
    )
