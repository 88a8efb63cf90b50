"""What a person sees of tradeoffs."""

import copy
from io import StringIO

import pytest
from rich.console import Console
from tests.report.pages import Page

from headway.report.plots import scatter_plot
from headway.report.tradeoffs import point_name, told, tradeoffs_page, tradeoffs_screen

NAMES = ["wait", "slowdown", "utilisation"]


def point(policy, prefer, values, *, is_on_front=True):
    return {
        "policy": policy, "runtimes": "predicted", "prefer": prefer, "is_on_front": is_on_front,
        "values": dict(zip([*NAMES, "energy"], [*values, 10.5], strict=True)),
    }  # fmt: skip


DOCUMENT = {
    "history": "made.swf", "tasks": 400, "report": "report/index.html",
    "objectives": [{"name": name, "is_axis": True} for name in NAMES]
    + [{"name": "energy", "is_axis": False}],
    "points": [
        point("fcfs", None, [7200.0, 40.0, 0.3], is_on_front=False),
        point("saf", None, [3600.0, 20.0, 0.4]),
        point("learned", {name: 1 / 3 for name in NAMES}, [3000.0, 15.0, 0.2]),
        point("learned", {"utilisation": 1.0}, [5400.0, 30.0, 0.1]),
    ],
    "hypervolume": {"rules": 0.25, "preferences": 0.5, "together": 0.55},
    "moves": [
        {
            "to": "utilisation", "gives": -0.5, "weeks": 4, "weeks_better": 3,
            "costs": {"wait": 0.8, "slowdown": 1.0, "energy": 0.0001},
        },
    ],
}  # fmt: skip


def screen(document):
    text = StringIO()
    Console(file=text, width=100).print(tradeoffs_screen(document))
    return text.getvalue()


def test_what_a_move_gives_and_costs_comes_first():
    shown = screen(DOCUMENT)
    assert shown.index("3 are beaten by no other; 2 of them are one policy") < shown.index("Moving")
    said = "Moving from equal preferences to utilisation alone: capacity lost -50.0% "
    more = "(better in 3 of 4 weeks); mean slowdown +100%, mean wait +80.0%."
    assert told(DOCUMENT) == [said + more]
    assert "1.50 h" in shown
    assert "preferences 50.0%" in shown
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_a_point_is_named_by_what_is_preferred():
    names = [point_name(one) for one in DOCUMENT["points"]]
    assert names == [
        "First come, first served, predicted",
        "Smallest area first (SAF), predicted",
        "prefer all alike",
        "prefer utilisation",
    ]
    pair = point("learned", {"wait": 0.5, "tail": 0.5}, [1.0, 1.0, 1.0])
    most = point("learned", {"wait": 0.6, "tail": 0.4}, [1.0, 1.0, 1.0])
    assert (point_name(pair), point_name(most)) == ("prefer wait and tail", "prefer wait most")


def test_the_page_draws_every_point_and_asks_no_network():
    page = Page(tradeoffs_page(DOCUMENT))
    assert page.sections() == ["front", "points"]
    dots = [a for tag, a in page.elements if tag == "i" and "dot" in str(a.get("class"))]
    assert len(dots) == 2 * len(DOCUMENT["points"])
    assert all(address.startswith("data:") for address in page.addresses())
    assert "10.5" in page.text()


@pytest.mark.parametrize("missing", ["points", "moves", "hypervolume", "objectives", "history"])
def test_what_is_missing_or_hostile_does_not_break_the_page(missing):
    document = copy.deepcopy(DOCUMENT)
    del document[missing]
    document["moves" if missing != "moves" else "history"] = [{"to": "<script>", "gives": 0.1}]
    assert "<script>" not in tradeoffs_page(document)
    assert screen(document)


def test_the_line_of_a_scatter_passes_no_point_above():
    points = [("headway", 1.0, 3.0, "a"), ("headway", 2.0, 1.0, "b"), ("request", 3.0, 2.0, "c")]
    plot = scatter_plot(
        points, label="", x_name="x", y_name="y", x_value=str, y_value=str
    )  # fmt: skip
    (line,) = [a["points"] for tag, a in Page(plot).elements if tag == "polyline"]
    assert len(line.split()) == 3  # down and then right to b; c lies above
    assert not scatter_plot(points[:1], label="", x_name="", y_name="", x_value=str, y_value=str)
