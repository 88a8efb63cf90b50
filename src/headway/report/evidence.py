"""The evidence of a report: schedules, requests against use, predictions, each with its plot."""

from __future__ import annotations

from typing import Any, Final

from headway.report.markup import Html, paragraph, section, table, tag, text, unfold
from headway.report.numbers import (
    clean,
    count,
    digits,
    duration,
    duration_unit,
    entries,
    known,
    money,
    part,
    share,
    things,
)
from headway.report.plots import (
    Line,
    Mark,
    calibration_plot,
    dot_plot,
    legend,
    line_plot,
    share_bar,
    use_bar,
)
from headway.report.words import RUNTIMES, percent, policy_name, schedule_value, sorted_schedules

UNKNOWN: Final = "-"
LOOKS: Final = {"requested": "request", "predicted": "headway", "true": "true"}
METHODS: Final = {
    "headway": "Headway",
    "request": "The user's request",
    "last two": "Last two runs",
}


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
    if not rows:
        return Html("")
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
    return section(
        "schedules",
        "What the cluster would have done under other rules",
        paragraph(
            f"{what}, on a logarithmic scale: 1 is no waiting, left is better. "
            "All with EASY backfilling."
        ),
        legend(named),
        plot,
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
    heads += ["Utilisation", "Makespan", "Core-hours"]
    body = []
    for row in rows:
        first = [policy_name(row.get("policy")), clean(row.get("runtimes"), 40) or UNKNOWN]
        if judged:
            first.append(_number(row, "judged_mean_bounded_slowdown"))
        body.append(
            [
                *first,
                _number(row, "mean_bounded_slowdown"),
                _number(row, "p95_bounded_slowdown_60s"),
                _time(row, "mean_wait_s"),
                _time(row, "mean_turnaround_s"),
                _share(row, "utilisation"),
                _time(row, "makespan_s"),
                _number(row, "core_hours"),
            ]
        )
    strong = [i for i, r in enumerate(rows) if r.get("policy") == "headway"]
    return table(heads, body, caption="Schedules, best first", strong=strong)


def requests(document: dict[str, Any]) -> Html:
    """What was asked for against what was used: time, cores, memory."""
    asked = part(document, "requests")
    shown = [_time_use(asked), _core_use(document), _memory_use(document)]
    if not asked:
        return Html("")
    missing = [
        paragraph(f"{name}: {_why(part(asked, key))}", "note")
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


def runtime_prediction(document: dict[str, Any]) -> Html:
    """How well runtimes would have been predicted, from an empty engine on."""
    runtime = part(document, "prediction", "runtime")
    if not runtime:
        return Html("")
    if known(runtime.get("tasks")) is None:
        return section("runtime", "Predicting runtimes", paragraph(_why(runtime), "note"))
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
    read = "On the dashed line a promise is kept exactly; above it, more than was promised."
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
            _time(m, "mae_s"),
            _time(m, "median_error_s"),
            _number(m, "min_max_accuracy"),
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
            _share(m, "coverage_95"),
            _time(m, "mae_s"),
            _time(m, "request_mae_s"),
            _time(m, "last_two_mae_s"),
        ]
        for m in months
    ]
    return table(heads, rows, caption="Months of 30 days from the first submission")


def memory_prediction(document: dict[str, Any]) -> Html:
    """How well memory would have been predicted and what it would have saved."""
    memory = part(document, "prediction", "memory")
    if not memory:
        return Html("")
    if known(memory.get("tasks")) is None:
        return section("memory", "Predicting memory", paragraph(_why(memory), "note"))
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
            _share(m, "first_attempt_coverage"),
            _number(m, "wastage_gbh", " GB-hours"),
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
            _share(m, "first_attempt_coverage"),
            _number(m, "wastage_gbh", " GB-hours"),
            _number(m, "request_wastage_gbh", " GB-hours"),
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


def _why(prediction: dict[str, Any]) -> str:
    why = clean(prediction.get("why"))
    return f"Could not be judged: {why}." if why else "Could not be judged: the history lacks it."


def _of(use: dict[str, Any], key: str, sentence: str) -> str:
    x = known(use.get(key))
    return "" if x is None else sentence.format(share(x))


def _number(row: dict[str, Any], key: str, unit: str = "") -> str:
    x = known(row.get(key))
    return UNKNOWN if x is None else digits(x) + unit


def _share(row: dict[str, Any], key: str) -> str:
    x = known(row.get(key))
    return UNKNOWN if x is None else share(x)


def _time(row: dict[str, Any], key: str) -> str:
    x = known(row.get(key))
    return UNKNOWN if x is None else duration(x)
