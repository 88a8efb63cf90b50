"""The page of the demo: both ways side by side, and no gain where there was none."""

import math

import pytest
from tests.report.pages import Page
from tests.report.sample_documents import demo_document

from headway.report.demo_page import demo_page, write_demo_report
from headway.report.timeline import Bar, most_held
from headway.report.words import demo_headline

SECTIONS = ["difference", "ways", "kinds", "attempts", "method"]


def test_the_page_has_every_part_and_asks_nothing_of_any_network():
    page = Page(demo_page(demo_document()))
    assert page.open == []
    assert page.sections() == SECTIONS
    assert [a for a in page.addresses() if not a.startswith(("#", "data:"))] == []
    assert "b" not in {tag for tag, a in page.elements if a.get("class") == "parse"}
    assert "<b>parse</b>" in page.text()


def test_the_headline_says_what_was_gained_and_what_was_lost():
    found = demo_document()
    assert demo_headline(found) == (
        "Tasks were done 46% sooner on average, the batch took 50% less and "
        "85% less memory was reserved"
    )
    found["after"]["makespan_s"] = 40.0
    assert demo_headline(found).endswith("but the batch took 11% longer")


def test_the_headline_says_if_nothing_was_gained():
    found = demo_document()
    found["after"] = dict(found["before"])
    assert demo_headline(found).startswith("Nothing was gained and nothing lost")
    found["after"]["makespan_s"] = 72.0
    assert demo_headline(found) == "Nothing was gained this time: the batch took 100% longer"


@pytest.mark.parametrize("value", [None, math.nan, {}, [], "", 0, "7", [None], [{}]])
def test_any_part_may_be_missing_or_senseless(value):
    for key in demo_document():
        page = Page(demo_page(demo_document() | {key: value}))
        assert page.open == [], key
        assert "None" not in page.text()
        assert "nan" not in page.text().split()
    for key in demo_document()["attempts"][0]:
        changed = demo_document()
        changed["attempts"][30][key] = value
        page = Page(demo_page(changed))
        assert "None" not in page.text()


def test_an_empty_document_says_that_nothing_was_measured():
    assert "Nothing was measured" in Page(demo_page({})).text()


def test_both_files_are_written(tmp_path):
    page = write_demo_report(demo_document(), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index.html", "summary.json"]
    assert page.name == "index.html"


def test_memory_held_together_is_the_sum_over_bars_that_overlap():
    def bar(start_s, end_s, held):
        return Bar(start_s=start_s, end_s=end_s, held=held, used=None, look="k0", tip="")

    assert most_held([bar(0, 2, 1.0), bar(1, 3, 0.5), bar(3, 4, 1.2)]) == 1.5
