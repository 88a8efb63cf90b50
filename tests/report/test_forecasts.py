"""What a person sees of forecasts."""

from tests.report.pages import Page

from headway.report.forecasts import DRAWN, forecasts_page, write_forecasts


def row(series, step, refused=""):
    numbers = dict.fromkeys(("value", "low_80", "high_80", "low_95", "high_95"))
    if not refused:
        numbers = {"value": 5.0, "low_80": 4.0, "high_80": 6.0, "low_95": 3.0, "high_95": 7.0}
    at = None if refused else f"2026-01-02T0{step}:00:00Z"
    return {"series": series, "at": at, "made_by": "theta 1.00", "refused": refused} | numbers


PAST = [{"at": f"2026-01-01T0{step}:00:00Z", "value": 4.0 + step % 2} for step in range(10)]
ROWS = [row("a<b>", step) for step in range(3)] + [row("c", 0, "2 observed points")]


def test_a_series_has_its_fan_and_a_refused_one_its_reason(tmp_path):
    page = write_forecasts("load.csv", ROWS, {"a<b>": PAST, "c": []}, tmp_path).read_text()
    text = Page(page).text()
    for words in ("a<b>", "Forecast by theta 1.00", "Refused: 2 observed points", "4 and 6"):
        assert words in text
    assert page.count('class="band wide"') == 1
    assert "a<b>" not in page


def test_many_series_are_not_all_drawn():
    rows = [row(f"series {i}", step) for i in range(DRAWN + 5) for step in range(3)]
    page = forecasts_page("load.csv", rows, {})
    assert len(Page(page).sections()) == DRAWN
    assert f"The first {DRAWN} are drawn" in page
