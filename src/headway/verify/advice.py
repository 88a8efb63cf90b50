"""What is worth doing, in words, most valuable first, each with its evidence and uncertainty."""

from __future__ import annotations

from typing import Any


def recommendations(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Recommendations from the parts of a summary: {what, why, worth, unit, low, high} each.

    Worth is in the currency of the prices where there is one (unit 'USD'), else in the share by
    which mean bounded slowdown falls ('share of slowdown'). Those with a price come first, by
    worth; what would not help is left out.
    """
    found = [_memory(summary), _schedule(summary), _learned(summary), _cores(summary)]
    useful = [advice for advice in found if advice]
    priced = summary["prices"]["currency"]
    return sorted(useful, key=lambda a: (_rank(a, priced), -a["worth"]))


def _rank(advice: dict[str, Any], currency: str) -> int:
    """Order first what saves slowdown for certain, then money, then what is uncertain."""
    is_sure = advice["low"] is not None and advice["low"] > 0.0
    if not is_sure:
        return 2
    return 0 if advice["unit"] != currency else 1


def _schedule(summary: dict[str, Any]) -> dict[str, Any] | None:
    gain = summary["gain"]
    if not gain or gain["reduction"] <= 0.0:
        return None
    name = "Headway's own order" if gain["policy"] == "headway" else _named(gain["policy"])
    how = f"{name} with {gain['runtimes']} runtimes"
    share = gain["share_of_possible"]
    reached = "" if share is None else f", {share:.0%} of what knowing every runtime would give"
    return {
        "what": f"Order the queue by {how} instead of first come, first served.",
        "why": (
            f"Mean bounded slowdown falls from {gain['incumbent']:.1f} to {gain['chosen']:.1f}"
            f"{reached}, over {gain['tasks']:,} tasks that the choice never saw."
        ),
        "worth": gain["reduction"],
        "unit": "share of slowdown",
        "low": gain["reduction_low_90"],
        "high": gain["reduction_high_90"],
    }


def _learned(summary: dict[str, Any]) -> dict[str, Any] | None:
    proof = summary["learned"]
    if not proof or not proof["is_proved"]:
        return None
    before = proof["incumbent"]
    return {
        "what": f"Let the policy that Headway ships order the queue ({proof['policy']}).",
        "why": (
            f"On {proof['tasks']:,} tasks of {proof['weeks']} weeks, mean bounded slowdown falls "
            f"further, from {before:.1f} to {proof['candidate']:.1f}; in the worst week it is "
            f"{abs(proof['worst_week']):.1f} {'higher' if proof['worst_week'] > 0 else 'lower'}."
        ),
        "worth": -proof["difference"] / before,
        "unit": "share of slowdown",
        "low": -proof["difference_high_95"] / before,
        "high": -proof["difference_low_95"] / before,
    }


def _named(policy: str) -> str:
    return "AREAxT" if policy == "areaxt" else policy.upper()


def _memory(summary: dict[str, Any]) -> dict[str, Any] | None:
    memory = summary["prediction"]["memory"]
    saved = memory.get("saved_gbh_against_request")
    covers = memory.get("first_attempt_coverage")
    if not saved or saved <= 0.0 or covers is None:
        return None
    monthly = [
        m["request_wastage_gbh"] - m["wastage_gbh"]
        for m in memory["months"]
        if m["request_wastage_gbh"] is not None
    ]
    rivals = [
        m
        for m in memory.get("methods", [])
        if m["method"] not in ("headway", "request")
        and m["first_attempt_coverage"] >= memory["coverage_asked"]
        and m["wastage_gbh"] < memory["wastage_gbh"]
    ]
    best = min(rivals, key=lambda m: m["wastage_gbh"], default=None)
    plainer = (
        f" A plain rule would do better here: {best['method']} wastes "
        f"{best['wastage_gbh']:,.0f} GB-hours, Headway {memory['wastage_gbh']:,.0f}."
        if best
        else ""
    )
    spread = 1.645 * _standard_error(monthly) * summary["prices"]["gb_hour"]
    worth = memory["saved_cost"]
    return {
        "what": "Reserve memory by prediction instead of by request.",
        "why": (
            f"{saved:,.0f} GB-hours less are reserved in vain, and {covers:.1%} of first "
            f"allocations suffice ({memory['coverage_asked']:.0%} were asked for); retries are "
            f"counted at full cost.{plainer}"
        ),
        "worth": worth,
        "unit": summary["prices"]["currency"],
        "low": worth - spread if len(monthly) > 1 else None,
        "high": worth + spread if len(monthly) > 1 else None,
    }


def _cores(summary: dict[str, Any]) -> dict[str, Any] | None:
    cores = summary["requests"]["cores"]
    if not cores["known_tasks"] or cores["median_used_share"] > 0.5:
        return None
    return {
        "what": "Look at tasks that hold cores and leave them idle.",
        "why": (
            f"Half of the tasks use at most {100 * cores['median_used_share']:.2g}% of the cores "
            f"they hold; {cores['wasted_core_h']:,.0f} core-hours were held and not used. Not all "
            "of that can be had back: waiting for data is idle time too."
        ),
        "worth": cores["cost"],
        "unit": summary["prices"]["currency"],
        "low": 0.0,
        "high": cores["cost"],
    }


def _standard_error(monthly: list[float]) -> float:
    """Of the sum of months, from their spread."""
    n = len(monthly)
    if n < 2:
        return 0.0
    mean = sum(monthly) / n
    return float((sum((x - mean) ** 2 for x in monthly) / (n - 1) * n) ** 0.5)
