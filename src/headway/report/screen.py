"""What a command shows on a terminal: at most 80 columns, plain words, readable when piped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

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
from headway.report.words import (
    RUNTIMES,
    advice_worth,
    demo_headline,
    demo_rows,
    headline,
    period,
    policy_name,
    proof_said,
    schedule_value,
    share_story,
    silence,
    slowdown_story,
    sorted_schedules,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

WIDTH: Final = 80
HEADS: Final = {
    "month": "month",
    "workflow": "workflow",
    "method": "method",
    "policy": "policy",
    "runtimes": "runtimes",
    "protocol": "protocol",
    "backfill": "backfill",
    "target": "target",
    "mean_bounded_slowdown": "slowdown",
    "first_attempt_coverage": "enough",
    "wastage_gbh": "GB-hours wasted",
    "log_loss": "log loss",
    "f1": "F1",
    "accuracy": "accuracy",
    "auc": "AUC",
    "brier": "Brier",
    "precision": "precision",
    "recall": "recall",
    "mean_wait_s": "wait",
    "p95_bounded_slowdown_60s": "p95 slowdown",
    "mae_s": "mean error",
    "min_max_accuracy": "min/max",
    "interval_coverage": "95% held",
    "utilisation": "utilisation",
    "tasks": "tasks",
    "failed_share": "failed",
    "jobs": "jobs",
    "us_per_prediction": "us each",
    "mean_turnaround_s": "turnaround",
    "jobs_per_s": "jobs/s",
    "makespan_s": "makespan",
    "core_hours": "core-hours",
}
"""Columns that a table may show and their heads, those first that are kept where room is short."""
SHARES: Final = ("first_attempt_coverage", "utilisation", "refused_share", "failed_share")


def summary_screen(document: dict[str, Any]) -> RenderableType:
    """One screen of a history: the result, its evidence, the advice, and where to go on."""
    report = clean(document.get("report"), 200)
    lead = " ".join(filter(None, (slowdown_story(document), share_story(document))))
    blocks: list[RenderableType] = [
        Text(" ".join(filter(None, headline(document))) + ".", style="bold"),
        Text(lead) if lead else Text(period(document)),
        Text(""),
        _facts(
            [
                ("Records", _records_line(part(document, "records"))),
                ("History", period(document)),
                ("Requests", _requests_line(document)),
                ("Runtimes", _runtime_line(document)),
                ("Memory", _memory_line(document)),
            ]
        ),
        *_schedules(document),
        *_advice(document),
        *_silence(document),
        Text(""),
        _facts(
            [
                ("Report", report),
                ("Next", "headway replay HISTORY --target runtime --months"),
                ("", "headway simulate HISTORY --runtimes requested,true"),
            ]
        ),
    ]
    return Constrain(Group(*blocks), WIDTH)


def records_screen(records: dict[str, Any]) -> RenderableType:
    """What became of the records of an import, with examples of what was set aside."""
    blocks: list[RenderableType] = [Text(_records_line(records) + ".", style="bold")]
    examples = part(records, "examples")
    for reason, n in part(records, "reasons").items():
        blocks.append(Text(f"  {count(n)} x {clean(reason, 100)}"))
        lines = examples.get(reason)
        for line in lines[:2] if isinstance(lines, (list, tuple)) else ():
            blocks.append(Text(f"      {clean(line, 65)}", style="dim"))
    blocks += [Text(f"  Warning: {clean(w, 200)}") for w in sentences(records, "warnings")[:8]]
    if not known(records.get("read")):
        blocks.append(Text("  Nothing was read: is this the right file?"))
    return Constrain(Group(*blocks), WIDTH)


def table_screen(rows: list[dict[str, Any]]) -> RenderableType:
    """Rows of results as a table; what is the same in all is said once above it."""
    rows = [row for row in rows if isinstance(row, dict)]
    if not rows:
        return Text("Nothing to show.")
    keys = [k for k in HEADS if any(_cell(row, k) != "-" for row in rows)]
    same = [k for k in keys if len(rows) > 1 and len({_cell(row, k) for row in rows}) == 1]
    shown = [k for k in keys if k not in same]
    columns = {k: [HEADS[k], *[_cell(row, k) for row in rows]] for k in shown}
    kept = _fitting(columns)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for key in kept:
        is_word = all(known(row.get(key)) is None for row in rows) and key != "interval_coverage"
        table.add_column(Text(HEADS[key]), justify="left" if is_word else "right", overflow="fold")
    for i in range(len(rows)):
        table.add_row(*[Text(columns[key][i + 1]) for key in kept])
    blocks: list[RenderableType] = []
    if same:
        said = ", ".join(f"{HEADS[k]} {_cell(rows[0], k)}" for k in same)
        blocks += [Text(f"All rows: {said}"), Text("")]
    blocks.append(table)
    if len(kept) < len(shown):
        left = ", ".join(HEADS[k] for k in shown if k not in kept)
        blocks.append(Text(f"Not shown for want of room: {left} (--json has all)", style="dim"))
    return Constrain(Group(*blocks), WIDTH)


def demo_screen(document: dict[str, Any]) -> RenderableType:
    """What the demo measured on this machine: both ways side by side, in words, and what next."""
    before, after = part(document, "before"), part(document, "after")
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(Text("Measured on this machine"))
    for head in ("as a user", "with Headway", "change"):
        table.add_column(Text(head), justify="right")
    for name, old, new, change in demo_rows(before, after):
        table.add_row(Text(name), Text(old), Text(new), Text(change))
    words = [Text(f"- {clean(w, 300)}") for w in sentences(document, "words")]
    report = clean(document.get("report"), 200)
    blocks: list[RenderableType] = [
        Text(demo_headline(document) + ".", style="bold"),
        Text(""),
        table,
        Text(""),
        *words,
        Text(""),
        _facts([("Report", report), ("Next", "headway optimize HISTORY (your own history)")]),
    ]
    return Constrain(Group(*blocks), WIDTH)


def _facts(rows: Sequence[tuple[str, str]]) -> Table:
    """Names and what is said of each; what has nothing to say is left out."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=8)
    table.add_column(overflow="fold")
    for name, said in rows:
        if said:
            table.add_row(Text(name, style="bold"), Text(said))
    return table


def _records_line(records: dict[str, Any]) -> str:
    if not records:
        return ""
    said = ", ".join(
        f"{count(records.get(key))} {name}"
        for key, name in (("stored", "stored"), ("duplicate", "known already"))
    )
    aside = f"{count(records.get('quarantined'))} set aside"
    return f"{things(records.get('read'), 'record')} read: {said}, {aside}"


def _requests_line(document: dict[str, Any]) -> str:
    said = []
    for name, key in (("time", "requested"), ("cores", "held"), ("memory", "requested")):
        use = part(document, "requests", name)
        unit = "gb_h" if name == "memory" else "core_h"
        asked, used = known(use.get(f"{key}_{unit}")), known(use.get(f"used_{unit}"))
        if asked and used is not None:
            sign = "GB-hours" if name == "memory" else "core-hours"
            said.append(f"{name}: {share(used / asked)} of {digits(asked)} {sign} {key} was used")
    return "; ".join(said)


def _runtime_line(document: dict[str, Any]) -> str:
    runtime = part(document, "prediction", "runtime")
    errors = {str(m.get("method")): known(m.get("mae_s")) for m in entries(runtime, "methods")}
    own, others = errors.get("headway"), []
    for name, words in (("request", "the request"), ("last two", "last two runs")):
        if (error := errors.get(name)) is not None:
            others.append(f"{duration(error)} of {words}")
    if own is None:
        return ""
    than = f" against {' and '.join(others)}" if others else ""
    covers = known(runtime.get("coverage_95"))
    held = "" if covers is None else f"; of 95% intervals {share(covers)} held"
    return f"mean error {duration(own)}{than}{held}"


def _memory_line(document: dict[str, Any]) -> str:
    memory = part(document, "prediction", "memory")
    covers, saved = (
        known(memory.get(k)) for k in ("first_attempt_coverage", "saved_gbh_against_request")
    )
    said = []
    if covers is not None:
        said.append(f"{share(covers)} of first allocations were enough")
    if saved is not None:
        what = "less" if saved >= 0.0 else "more"
        said.append(f"{digits(abs(saved))} GB-hours {what} wasted than by request")
    return "; ".join(said)


def _schedules(document: dict[str, Any]) -> list[RenderableType]:
    """The most telling schedules: usual practice, best rules, what was chosen, the bound."""
    rows = _telling(document)
    if not rows:
        return []
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for head, side in (
        ("Schedule (EASY backfilling)", "left"),
        ("runtimes", "left"),
        ("slowdown", "right"),
        ("mean wait", "right"),
        ("used", "right"),
    ):
        table.add_column(Text(head), justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        wait = known(row.get("judged_mean_wait_s"))
        wait = known(row.get("mean_wait_s")) if wait is None else wait
        used = known(row.get("utilisation"))
        table.add_row(
            Text(policy_name(row.get("policy"))),
            Text(RUNTIMES.get(str(row.get("runtimes")), "?").split()[0]),
            Text(digits(schedule_value(row) or 0.0)),
            Text("-" if wait is None else duration(wait)),
            Text("-" if used is None else share(used)),
        )
    judged = any(known(r.get("judged_mean_bounded_slowdown")) is not None for r in rows)
    note = "Slowdown and wait are means over the judged part." if judged else ""
    note = " ".join(said for said in (note, proof_said(document)) if said)
    return [Text(""), table, *([Text(note, style="dim")] if note else [])]


def _telling(document: dict[str, Any]) -> list[dict[str, Any]]:
    """At most six schedules, best first."""
    rows = sorted_schedules(document)
    gain, learned = part(document, "gain"), part(document, "learned").get("policy")

    def first(policy: object, runtimes: object) -> list[dict[str, Any]]:
        named = (str(policy), str(runtimes))
        return [r for r in rows if (str(r.get("policy")), str(r.get("runtimes"))) == named][:1]

    wanted = [
        *first("fcfs", "requested"),
        *[r for r in rows if r.get("runtimes") == "requested"][:1],
        *[
            r
            for r in rows
            if r.get("runtimes") == "predicted" and r.get("policy") not in ("headway", learned)
        ][:1],
        *first(gain.get("policy"), gain.get("runtimes")),
        *first(learned, "predicted"),
        *[r for r in rows if r.get("runtimes") == "true"][:1],
    ]
    return [r for r in rows if any(r is w for w in wanted)]


def _advice(document: dict[str, Any]) -> list[RenderableType]:
    """The most valuable recommendation, and how many more there are."""
    found = [a for a in entries(document, "recommendations") if a.get("what")]
    if not found:
        return [Text(""), Text("Nothing can be recommended from what could be judged.")]
    first = found[0]
    worth, what = advice_worth(first)
    value = f" [{worth} {what}]" if worth else ""
    said: list[RenderableType] = [
        Text(""),
        Text(f"Worth most: {clean(first['what'], 200)}{value}", style="bold"),
    ]
    if first.get("why"):
        said.append(Text(clean(first["why"], 300)))
    if len(found) > 1:
        said.append(Text(f"Next: {clean(found[1]['what'], 160)}"))
    return said


def _silence(document: dict[str, Any]) -> list[RenderableType]:
    said = silence(document)
    shown = [Text(f"- {clean(s, 150)}", style="dim") for s in said[:3]]
    if len(said) > 3:
        shown.append(Text(f"- and {len(said) - 3} more, see the report", style="dim"))
    return [Text(""), Text("Could not be judged:"), *shown] if shown else []


def _fitting(columns: dict[str, list[str]]) -> list[str]:
    """The columns, by their weight in HEADS, whose widths fit side by side."""
    kept, room = [], WIDTH
    for key, cells in columns.items():
        wide = min(max(map(len, cells)), 30) + 2
        if wide <= room + 2:
            kept.append(key)
            room -= wide
    return kept


def _cell(row: dict[str, Any], key: str) -> str:
    """One value as a person reads it."""
    value = row.get(key)
    if key == "interval_coverage":
        held = known(part(row, key).get("95"))
        return "-" if held is None else share(held)
    x = known(value)
    if x is None:
        return clean(value, 30) or "-"
    if key in SHARES:
        return share(x)
    if key == "mae_s" and row.get("target") == "memory_bytes":
        return size(x)
    if key.endswith("_s") and not key.endswith(("60s", "per_s")):
        return duration(x)
    return count(x) if key in ("month", "tasks", "jobs", "jobs_per_s") else digits(x)
