"""The report of a history as one page that opens anywhere: the result first, then the"""

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
    entries,
    known,
    part,
    sentences,
    share,
    things,
)
from headway.report.predictions import memory_prediction, runtime_prediction
from headway.report.requests import requests
from headway.report.schedules import gain_bar, schedules
from headway.report.words import (
    GLOSSARY,
    advice_worth,
    chosen_story,
    headline,
    judged_story,
    period,
    share_story,
    silence,
    slowdown_story,
)

if TYPE_CHECKING:
    from pathlib import Path


def write_report(document: dict[str, Any], folder: Path) -> Path:
    """Write index.html and summary.json into a folder, each whole or not at all; the page's path.

    Any part of the document may be missing: the page then says what could not be judged.
    StoreError if the folder cannot be written.
    """
    return write_page(document, report_page(document), folder)


def report_page(document: dict[str, Any]) -> str:
    """The whole page."""
    pieces = [
        ("advice", "Recommendations", advice(document)),
        ("schedules", "Schedules", schedules(document)),
        ("requests", "Requests", requests(document)),
        ("runtime", "Runtimes", runtime_prediction(document)),
        ("memory", "Memory", memory_prediction(document)),
        ("records", "Records", records(document)),
        ("silence", "Not judged", unjudged(document)),
        ("method", "Method", method(document)),
        ("glossary", "Glossary", glossary()),
    ]
    links = [tag("a", text(name), href=f"#{at}") for at, name, html in pieces if html]
    body = join(
        [top(document), tag("nav", *links, aria_label="Parts of this report")]
        + [html for _, _, html in pieces]
        + [bottom(document)]
    )
    return whole_page(f"Headway: {headline(document)[0]}", body)


def top(document: dict[str, Any]) -> Html:
    """The result in a sentence, what it means, and on what it was judged."""
    files = sentences(document, "history", "files")
    named = ", ".join(clean(f, 80) for f in files[:3]) + (" .." if len(files) > 3 else "")
    over = tag("p", tag("b", text("Headway report")), text(f" {named}"), class_="over")
    what = tag("p", text(period(document)), class_="over")
    told, certainty = headline(document)
    lead = " ".join(filter(None, (slowdown_story(document), share_story(document))))
    chosen = chosen_story(document)
    return tag(
        "header",
        over,
        what,
        tag("h1", text(told), tag("small", text(f" {certainty}")) if certainty else Html("")),
        paragraph(lead, "lead"),
        gain_bar(document),
        paragraph(f"What was chosen: {chosen}." if chosen else "", "note"),
        paragraph(judged_story(document), "note"),
        tiles(document),
    )


def tiles(document: dict[str, Any]) -> Html:
    """The few figures that say most, each with what it is."""
    time, memory = part(document, "requests", "time"), part(document, "requests", "memory")
    runtime = part(document, "prediction", "runtime")
    sized = part(document, "prediction", "memory")
    facts = [
        (time.get("median_used_share"), share, "of the requested time is all that half of the "
         "tasks used"),
        (memory.get("median_used_share"), share, "of the requested memory is all that half of the "
         "tasks used"),
        (runtime.get("coverage_95"), share, "of the 95% intervals for runtimes held"),
        (sized.get("first_attempt_coverage"), share, "of first memory allocations would have "
         "been enough"),
        (sized.get("saved_gbh_against_request"), digits, "GB-hours less would have been reserved "
         "in vain than by request"),
    ]  # fmt: skip
    shown = [
        tag("div", tag("b", text(form(x))), tag("span", text(what)), class_="tile")
        for value, form, what in facts
        if (x := known(value)) is not None
    ]
    return tag("div", *shown, class_="tiles") if shown else Html("")


def advice(document: dict[str, Any]) -> Html:
    """What is worth doing, most valuable first."""
    found = [a for a in entries(document, "recommendations") if a.get("what")]
    if not found:
        sentence = "Nothing can be recommended from what could be judged."
        return section("advice", "What to do", paragraph(sentence))
    items = []
    for number, one in enumerate(found):
        words = tag("div", tag("h3", text(one["what"])), paragraph(clean(one.get("why"), 2000)))
        class_ = "advice first" if number == 0 else "advice"
        items.append(tag("li", words, _worth(one), class_=class_))
    title = "What to do" if len(items) == 1 else "What to do, most valuable first"
    return section("advice", title, tag("ol", *items, class_="advices"))


def _worth(one: dict[str, Any]) -> Html:
    """What a recommendation is worth, with its interval."""
    worth, unit = advice_worth(one)
    if not worth:
        return Html("")
    return tag("div", tag("b", text(worth)), tag("span", text(unit)), class_="worth")


def records(document: dict[str, Any]) -> Html:
    """What was read, kept and set aside, with examples of what was not believed."""
    told = part(document, "records")
    if not told:
        return Html("")
    bad = known(told.get("quarantined")) or 0.0
    said = (
        f"{things(told.get('read'), 'record')} read: {count(told.get('stored'))} stored, "
        f"{count(told.get('duplicate'))} known already, {count(told.get('quarantined'))} set aside."
    )
    reasons, examples = part(told, "reasons"), part(told, "examples")
    rows = [[clean(reason, 120), count(n)] for reason, n in reasons.items()]
    shown = [
        join([tag("h3", text(reason)), bullets([clean(e, 300) for e in lines], "examples")])
        for reason, lines in examples.items()
        if isinstance(lines, (list, tuple))
    ]
    return section(
        "records",
        "What was read",
        paragraph(said),
        paragraph("" if bad else "Every record could be believed."),
        table(["Reason for setting aside", "Records"], rows, caption="Set aside")
        if rows
        else Html(""),
        unfold("Examples of what was set aside", *shown) if shown else Html(""),
        bullets(sentences(told, "warnings"), "warn"),
        _distribution(told),
    )


def _distribution(told: dict[str, Any]) -> Html:
    """Columns that look unlike the earlier history."""
    rows = []
    for column in entries(told, "distribution"):
        psi, before, now = (known(column.get(k)) for k in ("psi", "missing_before", "missing_now"))
        rows.append(
            [
                clean(column.get("column"), 60),
                "-" if psi is None else digits(psi),
                "-" if before is None else share(before),
                "-" if now is None else share(now),
                "jump" if column.get("flagged") else "",
            ]
        )
    heads = ["Column", "PSI", "Missing before", "Missing now", ""]
    return table(heads, rows, caption="Unlike the earlier history") if rows else Html("")


def unjudged(document: dict[str, Any]) -> Html:
    """What the history does not allow to say, and why."""
    said = silence(document)
    return section("silence", "What could not be judged", bullets(said)) if said else Html("")


def method(document: dict[str, Any]) -> Html:
    """What the figures are and what they assume."""
    machine, gain = part(document, "machine"), part(document, "gain")
    said = [
        "Predictions: the history is lived through in order of submission. What a task turned "
        "out to take is learned when it ended, never before; nothing is tuned on later tasks.",
    ]
    if entries(document, "schedules"):
        cpus = known(machine.get("total_cpus"))
        of = "" if cpus is None else f" of {things(cpus, 'processor')}"
        said += [
            "Schedules: a simulation, not a measurement of the real cluster. The recorded tasks "
            f"are submitted at their recorded moments to an empty machine{of}, all alike, of "
            "which every task takes as many as it was recorded with; it runs as long as it did.",
            "Assumed: no failures of nodes, no priorities, quotas, queues or reservations beside "
            "the rule itself, and users who would have submitted the same tasks at the same "
            "moments under any schedule.",
        ]
    if gain:
        said.append(
            "The choice among the schedules looks at the first 30% of the time only, and the gain "
            "is judged on the rest. The interval comes from resampling whole weeks."
        )
    left = _left_out(machine)
    if left:
        said.append(left)
    said.append(
        "Memory: an allocation below the peak fails and is run again with the request or the "
        "double, at full cost. GB = 1,000,000,000 bytes; a month is 30 days."
    )
    return section("method", "How these figures came about", bullets(said))


def _left_out(machine: dict[str, Any]) -> str:
    """Tasks that were not simulated, in a sentence; empty if there are none."""
    reasons = (
        ("without_runtime", "without a runtime"),
        ("without_cpus", "without processors"),
        ("too_wide", "wider than the machine"),
    )
    left = [f"{count(n)} {why}" for key, why in reasons if (n := known(machine.get(key)))]
    simulated = known(machine.get("tasks_simulated"))
    if simulated is None or not left:
        return ""
    return f"{things(simulated, 'task')} were simulated; left out: {', '.join(left)}."


def glossary() -> Html:
    """Every term that the page uses."""
    terms = [join([tag("dt", text(term)), tag("dd", text(said, 2000))]) for term, said in GLOSSARY]
    return section("glossary", "What the words mean", tag("dl", *terms))


def bottom(document: dict[str, Any]) -> Html:
    """Where everything lies and what to run next."""
    models = ", ".join(
        f"{clean(k, 40)} {clean(v, 40)}" for k, v in part(document, "models").items()
    )
    home = clean(document.get("home"), 200)
    seconds = known(document.get("seconds"))
    said = [
        f"Models left behind: {models}." if models else "",
        f"Log and models: {home}." if home else "",
        f"Made in {digits(seconds)} s." if seconds is not None else "",
        "The same figures for programs: summary.json, beside this page.",
    ]
    return tag("footer", paragraph(" ".join(s for s in said if s)))
