"""What a terminal shows: at most 80 columns, one screen, and nothing obeyed that a record says."""

import io
import math

import pytest
from rich.console import Console
from tests.report.sample_documents import demo_document, document

from headway.report.screen import demo_screen, records_screen, summary_screen, table_screen


def shown(renderable, width=80, **settings):
    out = io.StringIO()
    Console(file=out, width=width, **settings).print(renderable)
    return out.getvalue()


SCREENS = {
    "summary": lambda: summary_screen(document()),
    "demo": lambda: demo_screen(demo_document()),
    "records": lambda: records_screen(document()["records"]),
    "table": lambda: table_screen(document()["schedules"]),
}


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("width", [80, 200])
def test_no_line_is_wider_than_80_columns(name, width):
    lines = shown(SCREENS[name](), width).splitlines()
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", SCREENS)
def test_a_piped_screen_is_plain_text(name):
    text = shown(SCREENS[name]())
    assert "\x1b" not in text
    assert text.isascii()


def test_the_summary_is_one_screen_with_the_result_first():
    lines = shown(summary_screen(document())).splitlines()
    assert len(lines) <= 40
    assert lines[0].startswith("Waiting would have slowed tasks down 58% less (90% interval")


def test_the_summary_names_records_schedules_advice_report_and_the_next_command():
    text = " ".join(shown(summary_screen(document())).split())
    for said in (
        "48,412 records read: 48,211 stored, 180 known already, 21 set aside",
        "First come, first served requested 81.3",
        "Worth most: Order the queue by headway with predicted runtimes.",
        "only cluster-2025 was simulated of 2 clusters",
        "report/index.html",
        "headway replay HISTORY",
    ):
        assert said in text


@pytest.mark.parametrize("value", [None, math.nan, {}, [], "", 0, "7"])
def test_any_part_may_be_missing(value):
    for key in document():
        text = shown(summary_screen(document() | {key: value}))
        assert "None" not in text
        assert "nan" not in text.split()
    for key in demo_document():
        assert "None" not in shown(demo_screen(demo_document() | {key: value}))


def test_an_empty_document_still_gives_a_screen():
    assert "does not show what could be saved" in shown(summary_screen({}))
    assert "Nothing to show" in shown(table_screen([]))
    assert "Nothing was read" in shown(records_screen({}))


def test_markup_and_escapes_in_records_are_shown_and_not_obeyed():
    hostile = "[bold red]boo[/] \x1b[31m [link=http://x]"
    records = {
        "read": 1, "stored": 0, "duplicate": 0, "quarantined": 1,
        "reasons": {hostile: 1}, "examples": {hostile: [hostile]}, "warnings": [hostile],
    }  # fmt: skip
    text = shown(records_screen(records), force_terminal=True, color_system="standard")
    assert text.count("[bold red]boo[/] \\x1b[31m [link=http://x]") == 3
    assert "\x1b[31m" not in text


def test_a_table_says_once_what_is_the_same_in_all_rows():
    rows = [
        {"policy": name, "runtimes": "requested", "protocol": "whole", "backfill": "easy",
         "jobs": 5000, "mean_bounded_slowdown": 3.1 + i, "p95_bounded_slowdown_60s": 9.0 + i,
         "mean_wait_s": 900.0 * i, "mean_turnaround_s": 5000.0 * (i + 1), 
         "utilisation": 0.7 + 0.1 * i,
         "makespan_s": 1e6 * (i + 1), "core_hours": 1e5, "jobs_per_s": 123456.7 + i}
        for i, name in enumerate(("fcfs", "sjf"))
    ]  # fmt: skip
    text = shown(table_screen(rows))
    assert "All rows: runtimes requested, protocol whole, backfill easy" in text
    assert "15.0 min" in text
    assert "80.0%" in text


def test_a_table_of_a_memory_replay_is_in_bytes_and_shares():
    rows = [
        {"workflow": w, "method": m, "target": "memory_bytes", "first_attempt_coverage": 0.957,
         "wastage_gbh": 48.5, "interval_coverage": {"95": held}, "mae_s": 1.5e8 + i,
         "min_max_accuracy": None, "us_per_prediction": math.nan, "tasks": 1000 + i}
        for i, (w, m, held) in enumerate([("chipseq", "headway", 0.951), ("all", "request", None)])
    ]  # fmt: skip
    text = shown(table_screen(rows))
    assert "95.1%" in text
    assert "150 MB" in text
    assert "nan" not in text
