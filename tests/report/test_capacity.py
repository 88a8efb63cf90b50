"""What a person sees of a capacity plan."""

import copy
from io import StringIO

import pytest
from rich.console import Console
from tests.report.pages import Page

from headway.report.capacity import headline, plan_page, plan_screen, some_sizes, told, write_plan


def size(procs, wait_s):
    return {
        "procs": procs, "expected_wait_s": wait_s, "wait_s_at_level": 1.5 * wait_s,
        "cost": 100.0 * procs,
    }  # fmt: skip


SIZES = [size(procs, 72000.0 / procs) for procs in range(40, 400, 20)]
DOCUMENT = {
    "history": "made.swf", "tasks": 400, "policy": "fcfs", "wait_s": 600.0, "level": 0.8,
    "days": 90, "horizon_days": 3, "from": "2026-01-10T00:00:00Z", "procs": 100,
    "needed_procs": 180, "is_enough": True, "add_procs": 80, "add_by_day": 2,
    "full_after_days": 3, "now": size(100, 720.0), "needed": size(180, 400.0),
    "cost_of_steps": 15000.0, "windows": 16,
    "tested": {"plans": 12, "kept_share": 0.75, "wait_s": 900.0, "high_wait_s": 1800.0},
    "made_by": "theta 0.70+naive 0.30", "sized_by": "mean of all 1.00",
    "currency": "EUR", "report": "report/index.html",
    "past": [{"at": f"2026-01-0{day}T00:00:00Z", "value": 50.0 + day} for day in range(1, 10)],
    "demand": [
        {"at": f"2026-01-1{day}T00:00:00Z", "value": 60.0, "low_80": 40.0, "high_80": 90.0,
         "low_95": 30.0, "high_95": 120.0}
        for day in range(3)
    ],
    "capacity": [100.0, 180.0, 171.0], "sizes": SIZES,
}  # fmt: skip


def screened(document):
    text = StringIO()
    Console(file=text, width=100).print(plan_screen(document))
    return text.getvalue()


def test_the_headline_says_how_many_by_when_and_for_what():
    assert headline(DOCUMENT) == (
        "Add 80 processors by day 2, to 180, for a mean wait of at most 10.0 min in 80 % of what"
        " may come in 3 days."
    )
    assert "Add 80 processors now," in headline(DOCUMENT | {"add_by_day": 1})
    assert "1 processor can go" in headline(DOCUMENT | {"add_procs": -1})
    assert "suffice" in headline(DOCUMENT | {"add_procs": 0})
    assert headline(DOCUMENT | {"is_enough": False}).startswith("No size up to 180 processors has")


def test_what_it_rests_on_is_told():
    said = " ".join(told(DOCUMENT))
    for words in ("18,000 EUR", "15,000 EUR", "12.0 min", "passes the machine there is on day 3",
                  "theta 0.70+naive 0.30", "sized by mean of all 1.00", "16 windows",
                  "12 plans made so", "in 75.0%", "15.0 min", "at most 30.0 min"):  # fmt: skip
        assert words in said
    assert "too short to say" in told(DOCUMENT | {"tested": {"plans": 0}})[-1]


def test_the_screen_holds_the_size_advised_and_the_one_there_is():
    text = screened(DOCUMENT)
    for words in ("Add 80 processors by day 2", "18,000 EUR", "Report: report/index.html"):
        assert words in text
    shown = [row["procs"] for row in some_sizes(DOCUMENT)]
    assert {100, 180} <= set(shown)
    assert len(shown) <= 12


def test_the_page_draws_past_band_and_steps():
    page = plan_page(DOCUMENT)
    assert "svg" in [name for name, _ in Page(page).elements]
    for piece in ("band wide", "band narrow", "stroke thin true", "stroke thin request",
                  "Forecast by theta", "2026-01-12", "What waiting costs"):  # fmt: skip
        assert piece in page


def test_files_are_written_whole(tmp_path):
    page = write_plan(DOCUMENT, tmp_path / "deep" / "report")
    assert page.read_text().startswith("<!doctype html>")
    assert (page.parent / "summary.json").read_text().startswith("{")


@pytest.mark.parametrize("key", sorted(DOCUMENT))
@pytest.mark.parametrize("value", [None, float("nan"), "x<script>", [], {}])
def test_whatever_is_missing_or_wrong_both_are_made(key, value):
    document = copy.deepcopy(DOCUMENT)
    document[key] = value
    assert screened(document)
    page = plan_page(document)
    assert Page(page).words
    assert "<script" not in page
