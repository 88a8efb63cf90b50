"""A fan chart: what is before, what may come, and what stands beside it."""

import re

from headway.report.fans import Fan, fan_plot

PAST = [{"at": f"day {i}", "value": float(i)} for i in range(4)]
AHEAD = [
    {"at": f"day {i}", "value": 4.0, "low_80": 3.0, "high_80": 6.0, "low_95": 2.0, "high_95": 8.0}
    for i in range(4, 7)
]


def drawn(**changed):
    fan = Fan(**({"past": PAST, "ahead": AHEAD} | changed))
    return fan_plot(fan, label="load", y_name="cores", reference=5.0)


def places(html, class_):
    """The points of a line or an area."""
    (found,) = re.findall(rf'class="{class_}" points="([^"]*)"', html)
    return [tuple(map(float, pair.split(","))) for pair in found.split()]


def test_the_past_ends_where_the_band_begins():
    html = drawn()
    assert places(html, "stroke thin true")[-1][0] == 50.0
    wide = places(html, "band wide")
    assert min(x for x, _ in wide) == 66.67
    assert len(wide) == 6


def test_the_narrow_band_lies_within_the_wide_one():
    html = drawn()
    wide, narrow = ([y for _, y in places(html, f"band {w}")] for w in ("wide", "narrow"))
    assert min(wide) < min(narrow) < max(narrow) < max(wide)


def test_steps_are_named_only_where_there_are_some():
    assert "capacity advised" not in drawn()
    assert "capacity advised" in drawn(steps=[5.0, 5.0, 6.0])


def test_gaps_of_the_past_break_its_line():
    html = drawn(past=[*PAST, {"at": "day x", "value": None}, *PAST])
    assert html.count("stroke thin true") == 2


def test_hours_are_named_by_the_hour_and_days_by_the_day():
    hours = [row | {"at": f"2026-01-01T0{i}:00:00Z"} for i, row in enumerate(AHEAD * 3)]
    days = [row | {"at": f"2026-01-0{i + 1}T06:05:17Z"} for i, row in enumerate(AHEAD * 3)]
    assert "<b>2026-01-01 02:00</b>" in drawn(past=[], ahead=hours)
    assert "<b>2026-01-03</b>" in drawn(past=[], ahead=days)


def test_nothing_ahead_is_no_chart():
    assert drawn(ahead=[]) == ""
    assert drawn(past=[], ahead=AHEAD[:1]) == ""
