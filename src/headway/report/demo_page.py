"""The report of the demo: the same tasks run both ways on this machine, and what differed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headway.report.markup import (
    Html,
    bullets,
    join,
    paragraph,
    section,
    table,
    tag,
    text,
    unfold,
    whole_page,
    write_page,
)
from headway.report.numbers import (
    clean,
    count,
    digits,
    duration,
    entries,
    known,
    part,
    sentences,
    share,
    size,
    things,
)
from headway.report.plots import legend
from headway.report.timeline import Bar, gantt, memory_plot, most_held
from headway.report.words import demo_headline, demo_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WAYS = {"user": "As a user: first come, guessed requests", "headway": "With Headway"}
COLOURS = 6
GB = 1e9


def write_demo_report(document: dict[str, Any], folder: Path) -> Path:
    """Write index.html and summary.json into a folder, each whole or not at all; the page's path.

    StoreError if the folder cannot be written.
    """
    return write_page(document, demo_page(document), folder)


def demo_page(document: dict[str, Any]) -> str:
    """The whole page."""
    told = demo_headline(document)
    body = [
        tag(
            "header",
            tag(
                "p",
                tag("b", text("Headway demo")),
                text(" real tasks of this machine"),
                class_="over",
            ),
            tag("h1", text(told)),
            paragraph(_story(document), "lead"),
        ),
        _differences(document),
        _ways(document),
        _kinds(document),
        _attempts(document),
        _method(document),
        tag("footer", paragraph("Next: headway optimize HISTORY, with a history of your own.")),
    ]
    return whole_page(f"Headway demo: {told}", join(body))


def _story(document: dict[str, Any]) -> str:
    tasks = known(part(document, "after").get("tasks"))
    learned = known(part(document, "learned_from").get("tasks"))
    if tasks is None:
        return ""
    first = f"Headway watched {things(learned, 'task')} run first; then " if learned else ""
    said = (
        f"{first}{things(tasks, 'fresh task')} of the same kinds ran both ways, one after another"
    )
    workers = known(document.get("workers"))
    budget = known(document.get("budget_gb"))
    where = f" on {things(workers, 'processor')}" if workers else ""
    room = f" with {digits(budget)} GB of memory for all" if budget else ""
    return f"{said}{where}{room}."


def _differences(document: dict[str, Any]) -> Html:
    rows = demo_rows(part(document, "before"), part(document, "after"))
    if not rows:
        why = "Nothing was measured, so there is nothing to compare."
        return section("difference", "The difference", paragraph(why))
    heads = ["Measured", "As a user", "With Headway", "Change"]
    return section(
        "difference",
        "The difference",
        table(heads, rows, caption="Less is better"),
        bullets([clean(w) for w in sentences(document, "words")]),
    )


def _ways(document: dict[str, Any]) -> Html:
    """Who ran when, and what memory was held, for each way on the same axes."""
    attempts = entries(document, "attempts")
    kinds = {k: i for i, k in enumerate(sorted({clean(a.get("kind"), 40) for a in attempts}))}
    bars = {way: _bars(attempts, way, kinds) for way in WAYS}
    until_s = max((b.end_s for way in bars.values() for b in way[0]), default=0.0)
    if until_s <= 0.0:
        return Html("")
    most = max(most_held(found) for found, _ in bars.values())
    budget = known(document.get("budget_gb"))
    panels = [
        tag(
            "div",
            tag("h3", text(name)),
            gantt(found, until_s=until_s, splits_s=splits, label=f"{name}: when each task ran"),
            tag("p", text("memory of all running tasks, GB"), class_="axis-name"),
            memory_plot(
                found, until_s=until_s, budget=budget, most=most, label=f"{name}: memory over time"
            ),
            class_="way",
        )
        for way, name in WAYS.items()
        if (found := bars[way][0]) and ((splits := bars[way][1]) is not None)
    ]
    dashed = f"; dashed: the {digits(budget)} GB that all may take" if budget else ""
    note = (
        "Each bar is one attempt; hatched bars failed for want of memory and ran again. A dashed "
        f"upright line parts the two halves of the batch. Below, memory reserved and used{dashed}."
    )
    return section(
        "ways",
        "Both ways, second by second",
        legend([(f"k{i % COLOURS}", kind) for kind, i in kinds.items()]),
        legend([("asked", "memory reserved"), ("used", "memory used")]),
        *panels,
        paragraph(note, "note"),
    )


def _bars(
    attempts: Sequence[dict[str, Any]], way: str, kinds: Mapping[str, int]
) -> tuple[list[Bar], list[float]]:
    """The attempts of one way, its halves one after another, and where they are parted."""
    mine = [a for a in attempts if a.get("way") == way and _ends(a) is not None]
    found, splits, offset_s = [], [], 0.0
    for half in sorted({known(a.get("half")) or 0.0 for a in mine}):
        ends = []
        for attempt in mine:
            times = _ends(attempt)
            if (known(attempt.get("half")) or 0.0) == half and times is not None:
                found.append(_bar(attempt, times, offset_s, kinds))
                ends.append(times[1])
        offset_s += max(ends)
        splits.append(offset_s)
    return found, splits[:-1]


def _ends(attempt: dict[str, Any]) -> tuple[float, float] | None:
    start, end = known(attempt.get("started_s")), known(attempt.get("ended_s"))
    return None if start is None or end is None or end < start else (start, end)


def _bar(
    attempt: dict[str, Any], times: tuple[float, float], offset_s: float, kinds: Mapping[str, int]
) -> Bar:
    kind = clean(attempt.get("kind"), 40)
    held, used = known(attempt.get("allocated_bytes")), known(attempt.get("peak_bytes"))
    memory = "" if held is None else f", {'?' if used is None else size(used)} of {size(held)} used"
    is_lost = attempt.get("state") not in (None, "completed")
    lost = f", {clean(attempt.get('state'), 20).replace('_', ' ')}" if is_lost else ""
    return Bar(
        start_s=times[0] + offset_s,
        end_s=times[1] + offset_s,
        held=None if held is None else held / GB,
        used=None if used is None else used / GB,
        look=f"k{kinds[kind] % COLOURS}" + (" lost" if is_lost else ""),
        tip=f"{kind}: {duration(times[1] - times[0])}{memory}{lost}",
    )


def _kinds(document: dict[str, Any]) -> Html:
    """Each kind of task both ways."""
    rows = []
    for kind in entries(document, "kinds"):
        before, after = part(kind, "before"), part(kind, "after")
        guess = known(kind.get("guess_bytes"))
        rows.append(
            [
                clean(kind.get("kind"), 40),
                count(before.get("tasks")),
                "-" if guess is None else size(guess),
                *[_memory(side) for side in (before, after)],
                *[_form(side, "mean_completion_s") for side in (before, after)],
                count(after.get("retries")),
            ]
        )
    heads = ["Kind", "Tasks", "Guessed request", "Reserved that was used, as a user"]
    heads += ["with Headway", "Done after, as a user", "with Headway", "Retries with Headway"]
    inner = table(heads, rows, caption="Each kind of task") if rows else Html("")
    return section("kinds", "Kind by kind", inner)


def _memory(side: dict[str, Any]) -> str:
    held, used = known(side.get("reserved_gb_s")), known(side.get("used_gb_s"))
    return "-" if not held or used is None else share(used / held)


def _form(side: dict[str, Any], key: str) -> str:
    x = known(side.get(key))
    return "-" if x is None else duration(x)


def _attempts(document: dict[str, Any]) -> Html:
    """Every attempt, for those who want to check."""
    rows = []
    for attempt in entries(document, "attempts"):
        amounts = (attempt.get(k) for k in ("input_bytes", "peak_bytes", "allocated_bytes"))
        rows.append(
            [
                clean(attempt.get("kind"), 40),
                clean(attempt.get("way"), 20),
                *["-" if (x := known(a)) is None else size(x) for a in amounts],
                *[_form(attempt, k) for k in ("runtime_s", "started_s", "ended_s")],
                clean(attempt.get("state"), 20).replace("_", " "),
                clean(attempt.get("made_by"), 40),
            ]
        )
    if not rows:
        return Html("")
    heads = ["Kind", "Way", "Input", "Peak", "Reserved", "Runtime", "Start", "End", "State"]
    heads.append("Sized by")
    inner = unfold(f"All {things(len(rows), 'attempt')}", table(heads, rows, caption="Attempts"))
    return section("attempts", "Every attempt", inner)


def _method(document: dict[str, Any]) -> Html:
    seconds = known(document.get("seconds"))
    took = "" if seconds is None else f" All of it took {duration(seconds)}."
    said = [
        "Nothing is simulated: the tasks compress, sort, multiply, hash and parse on this "
        f"machine, and every figure was measured in this run.{took}",
        "As a user: tasks start in their order, each with a round guess of its memory, as people "
        "ask for it. With Headway: sized and ordered by what was learned from the tasks before.",
        "Both ways are held to the same memory for all tasks together. A task that needs more "
        "than it was given is stopped and run again with more, at its full cost.",
        "The batch is run in two halves with the ways in turn, so that neither profits from a "
        "warm machine. It is one run on a machine that may do other things: differences of a few "
        "percent are chance.",
    ]
    return section("method", "How this was measured", bullets(said))
