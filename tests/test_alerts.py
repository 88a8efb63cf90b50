"""Alerts that a home keeps, what a person says of them, and what that changes."""

import json
import subprocess
import sys
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from headway.alerts import alerts_of, judge_alert, keep, kept, seen_until_s, store_of, verdicts_of
from headway.detecting import detect_file, iso
from headway.errors import ConfigError, StoreError
from headway.report.alerts import SHOWN, alerts_screen
from headway.report.numbers import plain
from tests.respond.made_up import alert as made_up

STEP_S = 300.0
BEGIN_S = 1_700_000_000.0
ODD = (300, 420, 660)
MILD = 550


@pytest.fixture
def series(tmp_path):
    """A noisy series with jumps that are far apart, one of them mild."""
    y = np.random.default_rng(7).normal(50.0, 2.0, 720)
    y[list(ODD)] += 30.0
    y[MILD] = 60.0
    path = tmp_path / "load.csv"
    rows = [f"{iso(BEGIN_S + STEP_S * t)},{value:.4f}" for t, value in enumerate(y)]
    path.write_text("\n".join(["time,cpu", *rows]) + "\n")
    return path


def detected(path, home, rows=None):
    """The alerts of the first rows of a file, kept in a home, by when they were raised."""
    part = path.parent / "part" / path.name
    part.parent.mkdir(exist_ok=True)
    lines = path.read_text().splitlines()
    part.write_text("\n".join(lines[: None if rows is None else rows + 1]) + "\n")
    (found,) = detect_file(part, home=home, detectors=("shewhart",), progress=lambda *_: None)
    return {alert.at_s: alert for alert in found.alerts}


def shown(screen):
    text = StringIO()
    Console(file=text, width=200).print(screen)
    return text.getvalue()


def at_s(t):
    return BEGIN_S + STEP_S * t


def test_alerts_are_listed_the_newest_first_once_however_often_they_are_found(series, tmp_path):
    home = tmp_path / "home"
    detected(series, home, rows=400)
    found = detected(series, home)
    detected(series, home, rows=500)
    document = alerts_of(home)
    assert [row["start"] for row in document["alerts"]] == [iso(s) for s in sorted(found)[::-1]]
    assert at_s(ODD[-1]) in found
    assert document["open"] + document["closed"] == len(found)
    row = next(row for row in document["alerts"] if row["start"] == iso(at_s(ODD[-1])))
    low, high = row["expected"]
    assert low < 50.0 < high < row["came"]
    assert row["causes"][0] == "a point far from what is usual at this time"
    assert (row["subject"], row["cluster"], row["would_do"]) == ("cpu", "load.csv", ["webhook"])
    assert seen_until_s(home, "load.csv") == at_s(719)


def test_noise_raises_the_bar_for_what_comes_after_it_and_changes_nothing_before(series, tmp_path):
    home = tmp_path / "home"
    before = detected(series, home, rows=500)
    for one in before.values():
        for _ in range(2):  # the second time says nothing new
            judge_alert(home, one.alert_id, "noise", by="ann", now_s=0.0)
    assert len(verdicts_of(store_of(home), "load.csv")) == len(before) > 1
    after, plain_ones = detected(series, home), detected(series, tmp_path / "other")
    assert {s: a.score for s, a in after.items() if s < at_s(500)} == {
        s: a.score for s, a in before.items()
    }
    assert set(plain_ones) - set(after) == {at_s(MILD)}
    assert at_s(ODD[-1]) in after
    said = {row["start"]: row["verdict"] for row in alerts_of(home)["alerts"]}
    assert said[iso(min(before))] == "noise"
    assert said[iso(max(after))] is None


def test_what_is_said_last_of_an_alert_counts(series, tmp_path):
    home = tmp_path / "home"
    first = next(iter(detected(series, home).values()))
    for word in ("noise", "real"):
        judge_alert(home, first.alert_id, word, now_s=0.0 if word == "noise" else 1.0)
    (row,) = [row for row in alerts_of(home)["alerts"] if row["id"] == first.alert_id]
    assert row["verdict"] == "real"


def test_alerts_of_tasks_say_their_advice_and_what_a_rule_would_do(tmp_path):
    slow = made_up("slow_node", "n1", "node", at_s=1000.0)
    assert keep(store_of(tmp_path), [slow]) == 1
    assert kept(store_of(tmp_path)) == [slow]
    document = alerts_of(tmp_path)
    assert document["alerts"][0]["would_do"] == ["drain"]
    text = shown(alerts_screen(document))
    for words in ("slow node: node n1", "would do: drain", slow.alert_id, "still on"):
        assert words in text
    json.dumps(plain(document), allow_nan=False)


def test_many_alerts_are_not_all_shown_and_an_empty_home_says_how_to_get_some(tmp_path):
    assert "headway watch" in shown(alerts_screen(alerts_of(tmp_path)))
    keep(store_of(tmp_path), [made_up("stuck", str(i), at_s=float(i)) for i in range(SHOWN + 5)])
    text = shown(alerts_screen(alerts_of(tmp_path)))
    assert "and 5 earlier ones" in text
    assert f"task {SHOWN + 4}" in text
    assert "task 4," not in text


@pytest.mark.parametrize(
    ("word", "alert_id", "says"),
    [("perhaps", "x", "must be real or noise"), ("real", "", "id of one alert"),
     ("noise", "x", "no alert 'x' is kept")],
)  # fmt: skip
def test_a_verdict_that_is_about_nothing_is_refused(tmp_path, word, alert_id, says):
    with pytest.raises(ConfigError, match=says):
        judge_alert(tmp_path, alert_id, word, now_s=0.0)


def test_a_home_that_cannot_be_written_is_said(series, tmp_path):
    home = tmp_path / "home"
    home.write_text("a file")
    with pytest.raises(StoreError):
        detected(series, home)


def test_the_commands_find_list_and_judge(series, tmp_path):
    def headway(*words):
        command = [sys.executable, "-m", "headway.cli", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    run = headway("detect", series.name, "--detector", "shewhart", "--alerts", "--home", ".headway")
    assert run.returncode == 0, run.stderr
    found = alerts_of(tmp_path / ".headway")["alerts"]
    run = headway("alerts", "real", found[0]["id"], "--by", "ann", "--open", "--json")
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert len(document["alerts"]) == document["open"] < len(found)
    assert alerts_of(tmp_path / ".headway")["alerts"][0]["verdict"] == "real"
    run = headway("alerts", "noise", "nothing")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("headway: no alert 'nothing' is kept")
