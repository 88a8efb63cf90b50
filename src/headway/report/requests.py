"""Requests of a report: what was asked for against what was used, and what that cost."""

from __future__ import annotations

from typing import Any

from headway.report.cells import why_not
from headway.report.markup import Html, paragraph, section, tag, text
from headway.report.numbers import clean, digits, known, money, part, share, things
from headway.report.plots import legend, use_bar


def requests(document: dict[str, Any]) -> Html:
    """What was asked for against what was used: time, cores, memory."""
    asked = part(document, "requests")
    shown = [_time_use(asked), _core_use(document), _memory_use(document)]
    missing = [
        paragraph(f"{name}: {why_not(part(asked, key))}", "note")
        for (key, name), html in zip(
            (("time", "Time"), ("cores", "Cores"), ("memory", "Memory")), shown, strict=True
        )
        if not html
    ]
    return section(
        "requests",
        "What was asked for, and what was used",
        legend([("asked", "asked for"), ("used", "used")]) if any(shown) else Html(""),
        *shown,
        *missing,
    )


def _use(
    title: str, use: dict[str, Any], keys: tuple[str, str], unit: str, verb: str, more: list[str]
) -> Html:
    """One resource: a bar and its figures in words; nothing if neither is known."""
    asked, used = known(use.get(keys[0])), known(use.get(keys[1]))
    if not known(use.get("known_tasks")) or asked is None or used is None:
        return Html("")
    part_used = f" ({share(used / asked)})" if asked > 0.0 else ""
    said = f"{digits(asked)} {unit} {verb}, {digits(used)} {unit} used{part_used}."
    return tag(
        "div",
        tag("h3", text(title)),
        use_bar(asked, used, label=said),
        paragraph(said),
        paragraph(" ".join(m for m in more if m), "note"),
        class_="use",
    )


def _time_use(asked: dict[str, Any]) -> Html:
    time = part(asked, "time")
    over = known(time.get("over_requested_core_h"))
    more = [
        _of(time, "median_used_share", "Half of the tasks ran for less than {} of their request."),
        _of(time, "share_under_a_tenth", "{} ran for less than a tenth of it."),
        _of(time, "share_over", "{} ran for longer than they asked."),
        ""
        if over is None
        else f"In plans, {digits(over)} core-hours were blocked for nothing; "
        "time that is asked for and not used costs nothing by itself, but it makes others wait.",
        f"Known of {things(time.get('known_tasks'), 'task')}.",
    ]
    keys = ("requested_core_h", "used_core_h")
    return _use("Time", time, keys, "core-hours", "requested", more)


def _core_use(document: dict[str, Any]) -> Html:
    cores = part(document, "requests", "cores")
    waste = known(cores.get("wasted_core_h"))
    more = [
        _of(cores, "median_used_share", "Half of the tasks kept less than {} of their cores busy."),
        ""
        if waste is None
        else f"{digits(waste)} core-hours were held and idle"
        f"{_cost(document, cores, 'core_hour', 'core-hour')}.",
        f"Known of {things(cores.get('known_tasks'), 'task')}.",
    ]
    return _use("Cores", cores, ("held_core_h", "used_core_h"), "core-hours", "held", more)


def _memory_use(document: dict[str, Any]) -> Html:
    memory = part(document, "requests", "memory")
    waste = known(memory.get("wasted_gb_h"))
    more = [
        _of(memory, "median_used_share", "Half of the tasks used less than {} of their request."),
        _of(memory, "share_over", "{} used more than they asked for."),
        ""
        if waste is None
        else f"{digits(waste)} GB-hours were reserved in vain"
        f"{_cost(document, memory, 'gb_hour', 'GB-hour')}.",
        f"Known of {things(memory.get('known_tasks'), 'task')}.",
    ]
    keys = ("requested_gb_h", "used_gb_h")
    return _use("Memory", memory, keys, "GB-hours", "requested", more)


def _cost(document: dict[str, Any], use: dict[str, Any], price_of: str, unit: str) -> str:
    """', which cost ..' at the price of a unit; empty where there is no price."""
    prices = part(document, "prices")
    price, cost = known(prices.get(price_of)), known(use.get("cost"))
    if not price or cost is None:
        return ""
    currency = clean(prices.get("currency"), 12)
    return f", worth {money(cost, currency)} at {price:g} {currency} a {unit}"


def _of(use: dict[str, Any], key: str, sentence: str) -> str:
    x = known(use.get(key))
    return "" if x is None else sentence.format(share(x))
