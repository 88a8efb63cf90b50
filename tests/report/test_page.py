"""The page of a history: complete, safe with hostile records, and honest where nothing is known."""

import copy
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.pages import Page
from tests.report.sample_documents import document

from headway.errors import StoreError
from headway.report.page import report_page, write_report

SECTIONS = [
    "advice", "schedules", "requests", "runtime", "memory", "records", "silence", "method",
    "glossary",
]  # fmt: skip
UNSAID = re.compile(r"\b(None|nan|NaN|inf|null)\b")


def places(value, path=()):
    """The path of every value inside a document; of a list the first item stands for all."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inside = enumerate(value[:1])
    for key, item in inside:
        yield from places(item, (*path, key))


PLACES = list(places(document()))


def with_value(path, value):
    changed = copy.deepcopy(document())
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def test_the_page_has_every_part_and_each_link_leads_to_one():
    page = Page(report_page(document()))
    assert page.open == []
    assert page.sections() == SECTIONS
    links = [str(a["href"]) for tag, a in page.elements if tag == "a"]
    assert links == [f"#{name}" for name in SECTIONS]


def test_the_headline_says_what_would_have_been_saved_and_how_certain_it_is():
    words = Page(report_page(document())).text()
    assert "Waiting would have slowed tasks down 58% less" in words
    assert "90% interval: 41% to 69%" in words
    assert "62.0% of that possible gain" in words
    assert "A simulation of the recorded tasks over 33,700 tasks" in words


def test_the_page_asks_nothing_of_any_network_and_runs_no_script():
    source = report_page(document())
    page = Page(source)
    assert [a for a in page.addresses() if not a.startswith(("#", "data:"))] == []
    assert not {"script", "iframe", "img", "object"} & {tag for tag, _ in page.elements}
    assert "@import" not in source
    assert "url(" not in source
    assert "default-src 'none'" in source


def test_the_page_is_small():
    assert len(report_page(document())) < 200_000


HOSTILE = '"><script>alert(1)</script>\x1b[31m\ud800\u202e' + "x" * 5_000


def test_hostile_text_anywhere_is_shown_and_never_obeyed():
    for path in PLACES:
        page = Page(report_page(with_value(path, HOSTILE)))
        assert page.open == []
        assert "script" not in {tag for tag, _ in page.elements}, path
        assert not {"\x1b", "\u202e"} & set(page.text()), path


def test_hostile_names_of_reasons_are_escaped():
    changed = document()
    changed["records"]["reasons"] = {HOSTILE: 3}
    changed["records"]["examples"] = {HOSTILE: [HOSTILE]}
    page = Page(report_page(changed))
    assert "script" not in {tag for tag, _ in page.elements}
    assert "<script>alert(1)</script>" in page.text()


def test_anything_may_be_missing():
    for path in PLACES:
        page = Page(report_page(with_value(path, None)))
        assert page.open == [], path
        assert not UNSAID.search(page.text()), path


@pytest.mark.parametrize("value", [math.nan, {}, [], "", 0, -1.0, "7", [None], True])
def test_any_part_may_be_senseless(value):
    for path in PLACES:
        if len(path) <= 2:
            page = Page(report_page(with_value(path, value)))
            assert page.open == [], path
            assert not UNSAID.search(page.text()), path


def test_an_empty_document_says_that_nothing_could_be_judged():
    words = Page(report_page({})).text()
    assert "This history does not show what could be saved" in words
    assert not UNSAID.search(words)


numbers = st.one_of(
    st.none(),
    st.floats(-1e100, 1e100),
    st.just(math.nan),
    st.just(math.inf),
    st.integers(-(10**20), 10**20),
    st.booleans(),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), numbers), min_size=1, max_size=12))
def test_no_numbers_break_the_page(changes):
    changed = document()
    for path, value in changes:
        at = changed
        for key in path[:-1]:
            at = at[key] if isinstance(at, (dict, list)) else None
        if isinstance(at, (dict, list)):
            at[path[-1]] = value
    page = Page(report_page(changed))
    assert page.open == []
    assert not UNSAID.search(page.text())


def test_what_could_not_be_judged_is_said_with_its_reason():
    changed = document()
    changed["prediction"]["memory"] = {"why": "the peak memory of no task is known"}
    changed["requests"]["memory"] = {"known_tasks": 0, "why": "no task has used memory"}
    words = Page(report_page(changed)).text()
    assert "Could not be judged: the peak memory of no task is known." in words
    assert "Memory: Could not be judged: no task has used memory." in words


@pytest.mark.parametrize(
    ("reduction", "low", "said"),
    [
        (0.0, -0.1, "A better order of the queue would have gained nothing here"),
        (-0.2, -0.4, "A better order of the queue would have gained nothing here"),
        (0.05, -0.03, "or it is chance"),
        (0.4, 0.3, "slowed tasks down 40% less"),
    ],
)
def test_the_headline_never_promises_more_than_was_found(reduction, low, said):
    changed = document()
    changed["gain"] |= {"reduction": reduction, "reduction_low_90": low}
    assert said in Page(report_page(changed)).text()


def test_a_gain_that_was_not_possible_is_no_share():
    changed = document()
    changed["gain"]["share_of_possible"] = None
    assert "there was nothing to gain" in Page(report_page(changed)).text()


def test_without_schedules_memory_makes_the_headline():
    changed = document() | {"gain": {}, "schedules": []}
    words = Page(report_page(changed)).text()
    assert "3.38 million GB-hours of memory need not have been reserved" in words


def test_both_files_are_written_whole_and_the_summary_is_the_document(tmp_path):
    given = document() | {"seconds": np.float64(1.5), "extra": math.nan}
    page = write_report(given, tmp_path / "a" / "report")
    assert page == tmp_path / "a" / "report" / "index.html"
    assert sorted(p.name for p in page.parent.iterdir()) == ["index.html", "summary.json"]
    summary = json.loads((page.parent / "summary.json").read_text())
    assert summary["seconds"] == 1.5
    assert summary["extra"] is None
    assert summary["schedules"] == document()["schedules"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"could not be written .* --report"):
        write_report(document(), tmp_path / "file")


def test_a_disk_that_is_full_leaves_the_old_report_whole(tmp_path, monkeypatch):
    page = write_report(document(), tmp_path)
    before = page.read_text()

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(StoreError, match="No space left"):
        write_report({}, tmp_path)
    assert page.read_text() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index.html", "summary.json"]
