"""Predictions of a report: runtimes and memory, their errors, coverage and calibration."""

from __future__ import annotations

from typing import Any, Final

from headway.report.cells import number_cell, share_cell, time_cell, why_not
from headway.report.markup import Html, paragraph, section, table, tag, text, unfold
from headway.report.numbers import (
    clean,
    count,
    digits,
    duration_unit,
    entries,
    known,
    money,
    part,
    share,
    things,
)
from headway.report.plots import Line, calibration_plot, line_plot
from headway.report.words import percent

METHODS: Final = {
    "headway": "Headway", "request": "The user's request", "last two": "Last two runs",
}  # fmt: skip


def runtime_prediction(document: dict[str, Any]) -> Html:
    """How well runtimes would have been predicted, from an empty engine on."""
    runtime = part(document, "prediction", "runtime")
    if known(runtime.get("tasks")) is None:
        return section("runtime", "Predicting runtimes", paragraph(why_not(runtime), "note"))
    months = entries(runtime, "months")
    covered = _points(months, "coverage_95")
    errors = line_plot(
        _error_lines(months)[0],
        label="Mean absolute error of runtimes by month; values in the table below",
        y_name=f"mean absolute error, {_error_lines(months)[1]}",
        value=lambda y: f"{y:g}" if y < 1e4 else digits(y),
    )
    coverage = line_plot(
        [Line(name="95% intervals that held", look="headway", points=covered)],
        label="Share of 95% intervals that held by month; values in the table below",
        y_name="share of 95% intervals that held (dashed: 95%)",
        value=lambda y: f"{100 * y:.3g}%",
        low=0.85,
        reference=0.95,
    )
    pieces = [
        _accuracy(runtime),
        _figure("Error month by month", errors, class_="wide"),
        tag(
            "div",
            _promises(runtime),
            _figure("Coverage month by month", coverage),
            class_="pair",
        ),
        _coverages(runtime),
        unfold("Month by month as a table", _runtime_months(months)) if months else Html(""),
    ]
    return section("runtime", "Predicting runtimes", paragraph(_asked_of(runtime)), *pieces)


def _promises(prediction: dict[str, Any]) -> Html:
    """Calibration with a word on how to read it."""
    label = "Share promised by each quantile against the share that came"
    plot = calibration_plot(_pairs(prediction), label=label)
    read = "On the dashed line a promise is kept exactly; above it less would have done."
    return (
        tag("div", tag("h3", text("Are promises kept?")), paragraph(read, "note"), plot)
        if plot
        else Html("")
    )


def _asked_of(prediction: dict[str, Any]) -> str:
    refused = known(prediction.get("refused_share"))
    said = (
        f"Each of {things(prediction.get('tasks'), 'task')} was predicted at its submission, from "
        "what had ended by then and nothing else, starting with an empty engine."
    )
    return said + (f" {share(refused)} were refused: not enough was known." if refused else "")


def _accuracy(prediction: dict[str, Any]) -> Html:
    """Headway beside the plain methods, on the same tasks."""
    rows = [
        [
            METHODS.get(str(m.get("method")), clean(m.get("method"), 40)),
            time_cell(m, "mae_s"),
            time_cell(m, "median_error_s"),
            number_cell(m, "min_max_accuracy"),
        ]
        for m in entries(prediction, "methods")
    ]
    if not rows:
        return Html("")
    heads = ["Method", "Mean absolute error", "Median error", "Min/max accuracy"]
    strong = [i for i, r in enumerate(rows) if r[0] == "Headway"]
    return table(heads, rows, caption="On tasks that every method could answer", strong=strong)


def _error_lines(months: list[dict[str, Any]]) -> tuple[list[Line], str]:
    """Errors by month in one unit of time, and its name."""
    keys = {
        "mae_s": ("Headway", "headway"),
        "request_mae_s": ("The user's request", "request"),
        "last_two_mae_s": ("Last two runs", "recent"),
    }
    values = [known(m.get(k)) for m in months for k in keys]
    per, sign = duration_unit(max((v for v in values if v is not None), default=0.0))
    lines = [
        Line(name=name, look=look, points=_points(months, key, per))
        for key, (name, look) in keys.items()
    ]
    names = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
    return [line for line in lines if any(y is not None for _, y in line.points)], names[sign]


def _runtime_months(months: list[dict[str, Any]]) -> Html:
    heads = ["Month", "Tasks", "Coverage of 95%", "Error", "Error of the request", "Of last two"]
    rows = [
        [
            count(m.get("month")),
            count(m.get("tasks")),
            share_cell(m, "coverage_95"),
            time_cell(m, "mae_s"),
            time_cell(m, "request_mae_s"),
            time_cell(m, "last_two_mae_s"),
        ]
        for m in months
    ]
    return table(heads, rows, caption="Months of 30 days from the first submission")


def memory_prediction(document: dict[str, Any]) -> Html:
    """How well memory would have been predicted and what it would have saved."""
    memory = part(document, "prediction", "memory")
    if known(memory.get("tasks")) is None:
        return section("memory", "Predicting memory", paragraph(why_not(memory), "note"))
    months = entries(memory, "months")
    lines = [
        Line(name="Headway", look="headway", points=_points(months, "wastage_gbh")),
        Line(
            name="The user's request", look="request", points=_points(months, "request_wastage_gbh")
        ),
    ]
    waste = line_plot(
        [line for line in lines if any(y is not None for _, y in line.points)],
        label="Memory reserved in vain by month; values in the table below",
        y_name="wastage, GB-hours",
        value=lambda y: f"{y:g}" if y < 1e4 else digits(y),
    )
    asked = known(memory.get("coverage_asked"))
    held = line_plot(
        [
            Line(
                name="First allocations that held",
                look="headway",
                points=_points(months, "first_attempt_coverage"),
            )
        ],
        label="Share of first allocations that held by month; values in the table below",
        y_name="share that held"
        if asked is None
        else f"share that held (dashed: {percent(asked)})",
        value=lambda y: f"{100 * y:.3g}%",
        low=0.85,
        reference=asked,
    )
    return section(
        "memory",
        "Predicting memory",
        paragraph(_asked_of(memory)),
        paragraph(_memory_story(document, memory)),
        _allocations(memory),
        _figure("Waste month by month", waste),
        tag(
            "div",
            _promises(memory),
            _figure("First allocations month by month", held),
            class_="pair",
        ),
        _coverages(memory),
        unfold("Month by month as a table", _memory_months(months)) if months else Html(""),
    )


def _memory_story(document: dict[str, Any], memory: dict[str, Any]) -> str:
    saved, covers = (
        known(memory.get("saved_gbh_against_request")),
        known(memory.get("first_attempt_coverage")),
    )
    asked, cost = known(memory.get("coverage_asked")), known(memory.get("saved_cost"))
    said = ""
    if covers is not None:
        said = f"{share(covers)} of first allocations would have been enough"
        said += f" ({percent(asked)} were asked for). " if asked is not None else ". "
    if saved is None:
        return said + "Whether that saves memory is not known: no request is recorded."
    currency = clean(part(document, "prices").get("currency"), 12)
    worth = f", worth {money(cost, currency)}" if cost and saved > 0.0 else ""
    if saved <= 0.0:
        return said + f"It would have wasted {digits(-saved)} GB-hours more than the requests did."
    return said + f"{digits(saved)} GB-hours less would have been reserved in vain{worth}."


def _allocations(memory: dict[str, Any]) -> Html:
    """Headway's first allocations beside the plain methods."""
    methods = entries(memory, "methods")
    if not methods:
        return Html("")
    rows = [
        [
            METHODS.get(str(m.get("method")), clean(m.get("method"), 40)),
            share_cell(m, "first_attempt_coverage"),
            number_cell(m, "wastage_gbh", " GB-hours"),
        ]
        for m in methods
    ]
    strong = [i for i, r in enumerate(rows) if r[0] == "Headway"]
    heads = ["Method", "First allocation was enough", "Wastage"]
    return table(heads, rows, caption="On tasks that every method could answer", strong=strong)


def _memory_months(months: list[dict[str, Any]]) -> Html:
    heads = ["Month", "Tasks", "First allocation was enough", "Wastage", "Wastage of requests"]
    rows = [
        [
            count(m.get("month")),
            count(m.get("tasks")),
            share_cell(m, "first_attempt_coverage"),
            number_cell(m, "wastage_gbh", " GB-hours"),
            number_cell(m, "request_wastage_gbh", " GB-hours"),
        ]
        for m in months
    ]
    return table(heads, rows, caption="Months of 30 days from the first submission")


def _coverages(prediction: dict[str, Any]) -> Html:
    """Promised intervals and what they covered."""
    came = {level: known(prediction.get(f"coverage_{level}")) for level in (50, 80, 90, 95, 99)}
    held = {level: x for level, x in came.items() if x is not None}
    if not held:
        return Html("")
    heads = ["Interval promised", *[f"{level}%" for level in held]]
    return table(heads, [["held for", *map(share, held.values())]], caption="Do intervals hold?")


def _pairs(prediction: dict[str, Any]) -> list[tuple[float, float]]:
    """Promised and came, where both are known, in order of what was promised."""
    pairs = [
        (known(p.get("promised")), known(p.get("came"))) for p in entries(prediction, "calibration")
    ]
    return sorted((p, c) for p, c in pairs if p is not None and c is not None)


def _points(
    months: list[dict[str, Any]], key: str, per: float = 1.0
) -> list[tuple[float, float | None]]:
    """(month, value / per) of one key; None where it is not known."""
    found = []
    for number, month in enumerate(months, start=1):
        x, y = known(month.get("month")), known(month.get(key))
        found.append((float(number) if x is None else x, None if y is None else y / per))
    return found


def _figure(title: str, plot: Html, class_: str = "") -> Html:
    return tag("div", tag("h3", text(title)), plot, class_=class_) if plot else Html("")
