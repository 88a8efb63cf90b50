"""What a person sees of what was strange in series."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.pages import Page

from headway.alerts import iso
from headway.detecting import Detected
from headway.records import Alert
from headway.report.detections_page import ROWED, SERIES, detections_page, write_detections
from headway.report.over_time import MOST, outline, thinned

BEGIN_S, STEP_S = 1_700_000_000.0, 300.0


def alert(name, t, ended=None, **known):
    given = {
        "alert_id": f"{name}@{t}", "at_s": BEGIN_S + STEP_S * t, "cluster": "load.csv",
        "about": "series", "subject": name, "kind": "series", "since_s": BEGIN_S + STEP_S * (t - 2),
        "ended_s": None if ended is None else BEGIN_S + STEP_S * ended, "severity": "critical",
        "score": 0.9999, "value": 90.0, "expected_low": 40.0, "expected_high": 60.0,
        "dimensions": (name,), "causes": ("its level moved",),
    }  # fmt: skip
    return Alert(**(given | known))


def detected(name="a<b>", n=200, alerts=(), **known):
    y = np.random.default_rng(0).normal(50.0, 2.0, n)
    scores = np.full(n, 0.9)
    given = {
        "series": name, "detector": "ensemble", "at_s": BEGIN_S + STEP_S * np.arange(n), "y": y,
        "scores": scores, "low": np.full(n, 44.0), "high": np.full(n, 56.0), "alerts": alerts,
    }  # fmt: skip
    return Detected(**(given | known))


def drawn(*found):
    return detections_page("load.csv", found)


def test_a_page_has_a_timeline_and_for_each_series_its_band_its_rarity_and_its_alerts(tmp_path):
    alerts = [
        alert("a<b>", 50, ended=60),
        alert("a<b>", 150, severity="info", dimensions=("a<b>", "c")),
    ]
    page = write_detections(
        "load.csv", [detected(alerts=alerts), detected("c")], tmp_path
    ).read_text()
    parsed = Page(page)
    assert parsed.sections() == ["timeline", "series-0", "series-1"]
    for words in (
        "2 incidents in 2 series", "expected 40 to 60, came 90; its level moved", "still on",
        "with 1 series more", "1 in 10", "No alert.", "400 points were scored by ensemble",
    ):  # fmt: skip
        assert words in parsed.text()
    assert "a<b>" not in page
    assert parsed.addresses() == [next(a for a in parsed.addresses() if a.startswith("data:"))]
    assert (page.count("band wide"), page.count("stroke thin headway")) == (2, 2)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [len(one["alerts"]) for one in summary["series"]] == [2, 0]
    assert summary["series"][0]["alerts"][0]["end"] == iso(BEGIN_S + STEP_S * 60)


def test_a_bar_is_as_long_as_its_incident_and_one_that_is_on_reaches_the_end():
    page = drawn(detected(n=201, alerts=[alert("a<b>", 52, ended=100), alert("a<b>", 152)]))
    bars = re.findall(r'incident critical [^"]*" style="left:([\d.]+)%;width:([\d.]+)%"', page)
    assert [(float(a), float(b)) for a, b in bars] == [(25.0, 25.0), (75.0, 25.0)]


def test_a_dot_lies_where_its_alert_was_raised():
    page = drawn(detected(n=201, alerts=[alert("a<b>", 50, ended=60)]))
    lefts = re.findall(r'class="dot request[^"]*" style="left:([\d.]+)%', page)
    assert [float(x) for x in lefts] == [25.0, 25.0]


def test_a_line_and_a_band_are_broken_where_nothing_is_known():
    one = detected()
    one.y[50:60] = one.low[100:110] = one.scores[150:160] = np.nan
    page = drawn(one)
    assert page.count('class="stroke thin true"') == 2
    assert page.count('class="band wide"') == 2
    assert page.count('class="stroke thin headway"') == 2


@pytest.mark.parametrize(
    "known",
    [{"y": np.full(200, np.nan), "low": np.full(200, np.nan), "high": np.full(200, np.nan),
      "scores": np.full(200, np.nan)},
     {"at_s": np.full(200, np.nan)}, {"alerts": None},
     {"y": np.full(200, 7.0), "low": np.full(200, 7.0), "high": np.full(200, 7.0)},
     {"y": np.full(200, 1e140)}, {"scores": np.ones(200)}, {"at_s": np.full(200, BEGIN_S)}],
)  # fmt: skip
def test_series_that_are_odd_are_drawn_or_said_to_be_without_points(known):
    page = drawn(detected(**known))
    Page(page)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    assert 'class="plot"' in page or "no two points" in page


def test_of_many_series_the_loudest_are_drawn():
    quiet = [detected(f"s{i}", 60, [alert(f"s{i}", 50, severity="info")]) for i in range(40)]
    loud = detected("loud", 60, [alert("loud", 50)])
    page = Page(drawn(*quiet, loud))
    assert len(page.sections()) == 1 + SERIES
    assert page.sections()[-1] == "series-40"
    assert f"{41 - ROWED} series more had alerts" in page.text()


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 4 * MOST), seed=st.integers(0, 99))
def test_long_series_are_drawn_by_few_points_that_keep_every_extreme(n, seed):
    rng = np.random.default_rng(seed)
    at_s, y = np.arange(n, dtype=float), rng.normal(size=n)
    y[rng.random(n) < 0.2] = np.nan
    y[seed % n] = 100.0
    line, tops = outline(at_s, y), thinned(at_s, y, np.nanmax)
    assert len(line) <= 2 * MOST
    assert len(tops) <= MOST
    for points in (line, tops):
        assert max(v for _, v in points if np.isfinite(v)) == 100.0
    assert min(v for _, v in line if np.isfinite(v)) == np.nanmin(y)
    assert [s for s, _ in line] == sorted(s for s, _ in line)


def test_the_command_writes_the_page_and_prints_its_answer(tmp_path):
    y = np.random.default_rng(1).normal(50.0, 2.0, 120)
    y[100] = 150.0
    rows = [f"{iso(BEGIN_S + STEP_S * t)},{x:.4f}" for t, x in enumerate(y)]
    (tmp_path / "load.csv").write_text("\n".join(["time,cpu", *rows]) + "\n")
    run = subprocess.run(
        [sys.executable, "-m", "headway.cli", "detect", "load.csv", "--report", "page", "--json"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    (row,) = json.loads(run.stdout)
    summary = json.loads((tmp_path / "page" / "summary.json").read_text())
    assert summary["series"][0]["alerts"] == row["alerts"]
    assert "came 150" in Page((tmp_path / "page" / "index.html").read_text()).text()
