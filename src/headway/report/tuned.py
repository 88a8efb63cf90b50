"""What a search for settings found and brought, in a few lines."""

from __future__ import annotations

from typing import Any


def tuned_screen(document: dict[str, Any]) -> str:
    """The sentence that counts first, then the settings.

    Losses are pinball losses of log(1 + target), the mean over the fitted levels.
    """
    judged, search = document["judged"], document["search"]
    low, high = judged["difference_95"]
    share = judged["difference"] / judged["defaults_pinball_log"]
    gain = "better than ours" if judged["is_gain"] else "not better than ours: keep the defaults"
    counts = ", ".join(f"{number} {state}" for state, number in document["trials"].items())
    lines = [
        f"On the {judged['tasks']:,} later tasks that the search never saw, the settings found are "
        f"{gain}.",
        f"  loss there       {judged['tuned_pinball_log']:.4f} against "
        f"{judged['defaults_pinball_log']:.4f} ({share:+.1%}; difference {low:+.4f} to "
        f"{high:+.4f} with 95 %)",
        f"  loss searched    {search['tuned_pinball_log']:.4f} against "
        f"{search['defaults_pinball_log']:.4f}",
        f"  trials           {counts}",
        f"  member           {document['member']}, {document['target']}",
    ]
    lines += [f"  {name:<16} {value:.6g}" for name, value in sorted(document["settings"].items())]
    return "\n".join(lines)
