"""Series in files, scored and alerted on as the command line does it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from headway.detecting import detect_file, iso, rows_of
from headway.errors import ConfigError, InputError

STEP_S = 300.0
BEGIN_S = 1_700_000_000.0
POINTS = 600
ODD = 450  # the point at which series b jumps


def silent(what, share):
    assert 0.0 <= share <= 1.0


@pytest.fixture
def series(tmp_path):
    """Two noisy series, b with an outlier; two points at one moment, one missing, one unreadable
    time, and the last two rows in the wrong order.
    """
    rng = np.random.default_rng(7)
    a, b = rng.normal(10, 1, POINTS), rng.normal(50, 2, POINTS)
    b[ODD] = 120.0
    at = [iso(BEGIN_S + STEP_S * t) for t in range(POINTS)]
    at[100] = at[99]
    at[200] = "never"
    rows = [f"{when},{x:.4f},{y:.4f}" for when, x, y in zip(at, a, b, strict=True)]
    rows[300] = f"{at[300]},,{b[300]:.4f}"
    rows[-2:] = rows[:-3:-1]
    path = tmp_path / "load.csv"
    path.write_text("\n".join(["time,a,b", *rows]) + "\n")
    return path


def detected(path, *detectors, **options):
    found = detect_file(path, detectors=detectors or ("auto",), progress=silent, **options)
    return rows_of(found)


def test_every_point_of_the_file_has_a_row_in_its_order(series):
    a, b = detected(series)
    assert [a["series"], b["series"]] == ["a", "b"]
    assert len(a["points"]) == len(b["points"]) == POINTS
    assert a["points"][0] == {"at": iso(BEGIN_S), "score": None}
    assert a["points"][100]["at"] == a["points"][99]["at"]
    assert a["points"][200] == {"at": None, "score": None}
    assert a["points"][300]["score"] is None
    assert b["points"][300]["score"] is not None
    assert a["points"][-1]["at"] < a["points"][-2]["at"]
    assert a["alerts"] is None


def test_the_outlier_is_the_strangest_point_of_its_series_alone(series):
    a, b = (
        np.array([p["score"] if p["score"] is not None else np.nan for p in row["points"]])
        for row in detected(series, "shewhart")
    )
    assert np.nanargmax(b) == ODD
    assert a[ODD] < 0.99


def test_an_alert_says_when_what_was_expected_what_came_and_why(series):
    (row,) = detected(series, "shewhart", value="b", with_alerts=True)
    (alert,) = [x for x in row["alerts"] if x["start"] == iso(BEGIN_S + STEP_S * ODD)]
    low, high = alert["expected"]
    assert 35.0 < low < 50.0 < high < 65.0
    assert alert["came"] == 120.0
    assert alert["severity"] == "critical"
    assert alert["causes"] == [
        "a point far from what is usual at this time", "more than was expected"
    ]  # fmt: skip


def test_what_comes_later_changes_no_score(series, tmp_path):
    lines = series.read_text().splitlines()
    cut = tmp_path / "cut.csv"
    cut.write_text("\n".join(lines[:400]) + "\n")
    for whole, part in zip(detected(series), detected(cut), strict=True):
        assert whole["points"][:399] == part["points"]


def test_a_counter_is_watched_by_what_it_rises_and_may_begin_anew(tmp_path):
    rng = np.random.default_rng(1)
    total = np.cumsum(rng.poisson(100, POINTS))
    total[ODD:] -= total[ODD - 1]
    path = tmp_path / "requests.csv"
    rows = [f"{iso(BEGIN_S + STEP_S * t)},{n}" for t, n in enumerate(total)]
    path.write_text("\n".join(["time,requests_total", *rows]) + "\n")
    (row,) = detected(path, with_alerts=True, value="requests_total")
    (plain,) = detected(renamed(path), with_alerts=True)
    assert row["points"][0]["score"] is None
    assert row["points"][ODD]["score"] < 0.99
    assert plain["points"][ODD]["score"] > row["points"][ODD]["score"]


def renamed(path):
    """The same file, its column not named as a counter is."""
    other = path.with_name("plain.csv")
    other.write_text(path.read_text().replace("requests_total", "plain"))
    return other


def test_a_long_file_has_series_of_times_of_their_own(tmp_path):
    rng = np.random.default_rng(2)
    rows = ["time,series,value"]
    for t in range(200):
        rows.append(f"{iso(BEGIN_S + STEP_S * t)},a,{rng.normal():.4f}")
        if t % 2:
            rows.append(f"{iso(BEGIN_S + STEP_S * t + 7)},b,{rng.normal():.4f}")
    path = tmp_path / "long.csv"
    path.write_text("\n".join(rows) + "\n")
    found = {row["series"]: row for row in detected(path)}
    assert [len(row["points"]) for row in found.values()] == [200, 100]
    assert found["b"]["points"][-1]["score"] is not None


def test_several_names_are_an_ensemble_and_unknown_ones_an_error(series):
    (row, _) = detected(series, "ewma", "bands")
    assert row["detector"] == "ensemble"
    with pytest.raises(ConfigError, match="must be one of ensemble, points, shewhart"):
        detected(series, "clairvoyant")
    with pytest.raises(ConfigError, match="ensembles already"):
        detected(series, "auto", "ewma")
    with pytest.raises(ConfigError, match="no column 'c'"):
        detected(series, value="c")
    with pytest.raises(InputError, match="cannot be opened"):
        detected(series.with_name("none.csv"))


def test_the_command_prints_one_document_and_progress_elsewhere(series):
    headway = [str(Path(sys.executable).parent / "headway"), "detect", str(series)]
    run = subprocess.run([*headway, "--json", "--alerts"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert {"series", "points", "alerts"} <= set(json.loads(run.stdout)[0])
    run = subprocess.run([*headway, "--alerts"], capture_output=True, text=True)
    assert "strangest at" in run.stdout
    run = subprocess.run([*headway, "--detector", ","], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("headway: ")
