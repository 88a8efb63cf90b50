"""Series in files, forecast and judged as the command line does it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from headway.errors import ConfigError
from headway.forecasting import backtest_series, forecast_series, iso, members_of, past_of
from tests.forecast.test_mixture import daily

FAST = ("naive", "seasonal_naive")


@pytest.fixture
def series(tmp_path):
    """Three series of twenty days, hourly, as a table."""
    at_s, y = daily(20)
    lines = ["time,a,b,c"]
    lines += [
        f"{iso(t)},{','.join(f'{v:.3f}' for v in row)}" for t, row in zip(at_s, y, strict=True)
    ]
    path = tmp_path / "load.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def silent(what, share):
    assert 0.0 <= share <= 1.0


def test_every_series_and_step_has_a_row_with_its_intervals(series):
    rows = forecast_series(series, 24, models=FAST, progress=silent)
    assert [row["series"] for row in rows[::24]] == ["a", "b", "c"]
    assert rows[0]["at"] == "1970-01-21T00:00:00Z"
    for row in rows:
        ends = [row[k] for k in ("low_95", "low_80", "value", "high_80", "high_95")]
        assert ends == sorted(ends)
        assert row["made_by"]


def test_the_past_beside_a_forecast_ends_where_that_begins(series):
    past = past_of(series, 48, value="b")
    assert list(past) == ["b"]
    assert len(past["b"]) == 48
    assert past["b"][-1]["at"] == "1970-01-20T23:00:00Z"


def test_one_column_alone_and_a_season_that_is_named(series):
    rows = forecast_series(series, 3, value="b", seasons=(24,), models=FAST, progress=silent)
    assert {row["series"] for row in rows} == {"b"}


def test_a_backtest_has_a_row_for_each_series_and_model(series):
    rows = backtest_series(series, 24, 3, models=FAST, progress=silent)
    assert {row["model"] for row in rows} == {*FAST, "median", "headway"}
    assert np.isfinite([row["mase"] for row in rows]).all()


def test_models_are_named_or_sets_of_them():
    assert set(FAST) < set(members_of(["auto"])) < set(members_of(["all"]))
    assert members_of(["naive", "auto"])[0] == "naive"


def test_sets_leave_out_what_is_not_installed(monkeypatch):
    monkeypatch.setattr("headway.forecast.statistical.find_spec", lambda name: None)
    assert members_of(["auto"]) == ("naive", "seasonal_naive", "boosted")


def test_a_model_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match="model must be auto, all or some of"):
        members_of(["crystal_ball"])


@pytest.mark.parametrize("extra", [[], ["--backtest", "3"]])
def test_the_command_prints_one_document(series, extra):
    words = ["forecast", series.name, "--horizon", "24", "--model", ",".join(FAST), "--json"]
    run = subprocess.run(
        [sys.executable, "-m", "headway.cli", *words, *extra],
        cwd=series.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    keys = ("series", "model", "mase", "quantile_loss", "coverage_80", "coverage_95", "cpu_s")
    if not extra:
        keys = ("series", "at", "value", "low_80", "high_80", "low_95", "high_95", "made_by")
    assert all(set(keys) <= set(row) for row in json.loads(run.stdout))


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    Path(tmp_path / "empty.csv").write_text("")
    run = subprocess.run(
        [sys.executable, "-m", "headway.cli", "forecast", "empty.csv", "--horizon", "3"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert run.stderr.startswith("headway: ")
