"""Axes and lines of plots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.pages import Page

from headway.report.plots import Line, Mark, dot_plot, line_plot, log_ticks, ticks


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_enclose_the_values_and_are_few(low, span):
    at = ticks(low, low + span)
    least = 1e-6 * max(span, abs(low))
    assert at[0] <= low + least
    assert at[-1] >= low + span - least
    assert 2 <= len(at) <= 8
    assert at == sorted(set(at))


@given(st.floats(1e-6, 1e12), st.floats(1.0, 1e12))
def test_log_ticks_enclose_the_values_and_are_few(low, factor):
    at = log_ticks(low, low * factor)
    assert at[0] <= low * 1.001
    assert at[-1] >= low * factor * 0.999
    assert 2 <= len(at) <= 10
    assert at == sorted(set(at))


def test_a_missing_month_breaks_the_line():
    points = [(1, 2.0), (2, 3.0), (3, None), (4, 2.0), (5, 2.5)]
    plot = line_plot(
        [Line(name="a", look="headway", points=points)], label="", y_name="y", value=str
    )
    page = Page(plot)
    assert [tag for tag, _ in page.elements].count("polyline") == 2
    assert "a, month 4: 2.0" in page.text()


@pytest.mark.parametrize("points", [[], [(1, None)], [(3, 2.0)]])
def test_less_than_two_months_are_no_plot(points):
    line = Line(name="a", look="headway", points=points)
    assert line_plot([line], label="", y_name="y", value=str) == ""
    assert dot_plot([], label="") == ""


def test_every_dot_lies_within_its_axis():
    marks = [Mark(look="headway", value=v, tip="t") for v in (1.0, 7.0, 3e4)]
    page = Page(dot_plot([("rule", marks)], label="l", references=[(2.0, "r", "true")]))
    styles = [str(a["style"]) for tag, a in page.elements if tag == "i"]
    assert all(0.0 <= float(s.removeprefix("left:").rstrip("%")) <= 100.0 for s in styles)
