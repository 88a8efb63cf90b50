"""Schedules of a report: how much was gained, and every rule on one axis."""

from __future__ import annotations

from typing import Any, Final

from headway.report.cells import UNKNOWN, number_cell, share_cell, time_cell, why_not
from headway.report.markup import Html, paragraph, section, table, tag, text, unfold
from headway.report.numbers import clean, digits, known, part, share
from headway.report.plots import Mark, dot_plot, legend, share_bar
from headway.report.words import (
    RUNTIMES,
    policy_name,
    proof_said,
    schedule_value,
    silence,
    sorted_schedules,
)

LOOKS: Final = {"requested": "request", "predicted": "headway", "true": "true"}


def gain_bar(document: dict[str, Any]) -> Html:
    """How much of the possible gain was reached, as a bar between its two ends."""
    gain = part(document, "gain")
    reached, best = known(gain.get("share_of_possible")), known(gain.get("clairvoyant"))
    before, after = known(gain.get("incumbent")), known(gain.get("chosen"))
    if reached is None or best is None or before is None or after is None:
        return Html("")
    said = f"{share(reached)} of the possible gain was reached"
    ends = tag(
        "p",
        tag("span", text("Usual practice: "), tag("b", text(digits(before)))),
        tag("span", text("All runtimes known: "), tag("b", text(digits(best)))),
        class_="ends",
    )
    title = tag("p", tag("b", text(f"{said}: slowdown {digits(after)}")), class_="over")
    return tag("div", title, share_bar(reached, label=said), ends)


def schedules(document: dict[str, Any]) -> Html:
    """Every schedule on one axis, and in a table."""
    rows = sorted_schedules(document)
    title = "What the cluster would have done under other rules"
    if not rows:
        why = [s for s in silence(document) if s.startswith("schedules")]
        words = why[0].removeprefix("schedules: ") if why else ""
        return section("schedules", title, paragraph(why_not({"why": words}), "note"))
    by_policy: dict[str, list[Mark]] = {}
    for row in rows:
        value, kind = schedule_value(row), clean(row.get("runtimes"), 40)
        if value is not None and value > 0.0 and kind != "true":
            name = policy_name(row.get("policy"))
            tip = f"{name}, {RUNTIMES.get(kind, kind)}: {digits(value)}"
            by_policy.setdefault(name, []).append(
                Mark(look=LOOKS.get(kind, "recent"), value=value, tip=tip)
            )
    plot = dot_plot(
        list(by_policy.items()),
        label="Mean bounded slowdown of each schedule, lower is better; values in the table below",
        references=_references(rows),
        strong=policy_name(part(document, "gain").get("policy")),
    )
    kinds = {str(r.get("runtimes")) for r in rows}
    named = [(LOOKS[k], RUNTIMES[k]) for k in ("requested", "predicted") if k in kinds]
    judged = any(known(r.get("judged_mean_bounded_slowdown")) is not None for r in rows)
    what = "Mean bounded slowdown of the judged tasks" if judged else "Mean bounded slowdown"
    proved = proof_said(document)
    return section(
        "schedules",
        title,
        paragraph(
            f"{what}, on a logarithmic scale: 1 is no waiting, left is better. "
            "All with EASY backfilling."
        ),
        legend(named),
        plot,
        *([paragraph(proved, "note")] if proved else []),
        unfold("All schedules as a table", _schedule_table(rows)),
    )


def _references(rows: list[dict[str, Any]]) -> list[tuple[float, str, str]]:
    """The usual practice and the clairvoyant reference: (value, name, look)."""
    found = []
    for row in rows:
        value = schedule_value(row)
        kind = (str(row.get("policy")), str(row.get("runtimes")))
        if value is None or value <= 0.0:
            continue
        if kind == ("fcfs", "requested"):
            found.append((value, "usual practice", "request"))
        elif kind[1] == "true":
            found.append((value, "clairvoyant", "true"))
    return found


def _schedule_table(rows: list[dict[str, Any]]) -> Html:
    judged = any(known(r.get("judged_mean_bounded_slowdown")) is not None for r in rows)
    heads = ["Policy", "Runtimes"] + (["Slowdown, judged part"] if judged else [])
    heads += ["Slowdown, all", "p95 slowdown (60 s)", "Mean wait", "Mean turnaround"]
    heads += ["Utilisation", "Makespan"]
    body = []
    for row in rows:
        first = [policy_name(row.get("policy")), clean(row.get("runtimes"), 40) or UNKNOWN]
        if judged:
            first.append(number_cell(row, "judged_mean_bounded_slowdown"))
        body.append(
            [
                *first,
                number_cell(row, "mean_bounded_slowdown"),
                number_cell(row, "p95_bounded_slowdown_60s"),
                time_cell(row, "mean_wait_s"),
                time_cell(row, "mean_turnaround_s"),
                share_cell(row, "utilisation"),
                time_cell(row, "makespan_s"),
            ]
        )
    caption = "Schedules, best first"
    work = {number_cell(row, "core_hours") for row in rows} - {UNKNOWN}
    if len(work) == 1:
        caption += f"; each does the same work, {work.pop()} core-hours"
    strong = [i for i, r in enumerate(rows) if r.get("policy") == "headway"]
    return table(heads, body, caption=caption, strong=strong)
