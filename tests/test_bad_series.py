"""Series that are broken, short or strange: an answer within their range, or a clear refusal."""

from concurrent.futures import Future

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway.errors import InputError
from headway.forecasting import FAST, forecast_series, iso, members_of, panel_of
from tests.test_forecasting import silent

BEGIN_S = 1.7e9 - 1.7e9 % 86400.0
HORIZON = 24
BOUNDS = ("low_95", "low_80", "value", "high_80", "high_95")
STEPS_S = {"five minutes": (300.0, 288), "hour": (3600.0, 24), "day": (86400.0, 7)}


class Here:
    """A pool that does at once what it is asked, in this process."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, function, *arguments):
        done = Future()
        done.set_result(function(*arguments))
        return done


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    monkeypatch.setattr("headway.verify.backtest.ProcessPoolExecutor", Here)


def shapes(n, season, seed=0):
    """Everything that a series may be, by what it is called."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    wave = 50.0 + 10.0 * np.sin(2.0 * np.pi * t / season) + rng.normal(0.0, 1.0, n)
    one, ten = np.full((2, n), np.nan)
    one[n // 2] = 3.0
    ten[-10:] = wave[-10:]
    return {
        "wave": wave,
        "constant": np.full(n, 7.0),
        "zero": np.zeros(n),
        "one_point": one,
        "ten_points": ten,
        "gaps": np.where((t > n // 4) & (t < n // 2), np.nan, wave),
        "silent_end": np.where(t > n - n // 6, np.nan, wave),
        "late_shift": wave + 500.0 * (t > 0.9 * n),
        "shift_now": wave + 500.0 * (t > n - 3),
        "spike": np.where(t == n // 3, 1e9, wave),
        "falling_total": -100.0 + np.cumsum(rng.normal(-5.0, 1.0, n)),
        "jobs_total": np.cumsum(rng.normal(0.0, 5.0, n)) - 100.0,
        "huge": wave * 1e100,
        "tiny": wave * 1e-100,
    }


def written(path, at_s, columns):
    """A CSV of columns {name: (n,)} at times (n,); NaN = an empty cell."""
    lines = [",".join(["time", *columns])]
    for i, at in enumerate(at_s):
        cells = ["" if np.isnan(y[i]) else repr(float(y[i])) for y in columns.values()]
        lines.append(",".join([iso(at), *cells]))
    path.write_text("\n".join(lines) + "\n")
    return path


def assert_honest(rows, panel):
    """Each series is refused in one row with its reason, or answered within three ranges."""
    for i, name in enumerate(panel.names):
        own = [row for row in rows if row["series"] == name]
        if own[0]["refused"]:
            assert len(own) == 1
            assert all(own[0][key] is None for key in BOUNDS)
            continue
        known = panel.y[np.isfinite(panel.y[:, i]), i]
        low, high = known.min(), known.max()
        slack = 1e-9 * (abs(low) + abs(high))
        said = np.array([[row[key] for key in BOUNDS] for row in own])
        assert said.shape == (HORIZON, len(BOUNDS))
        assert np.isfinite(said).all()
        assert (np.diff(said, axis=1) >= 0.0).all()
        assert said.min() >= low - (high - low) - slack
        assert said.max() <= high + (high - low) + slack
        assert low < 0.0 or said.min() >= 0.0
        assert all(row["made_by"] for row in own)


@pytest.mark.parametrize("step", sorted(STEPS_S))
@pytest.mark.filterwarnings("error")
def test_every_shape_of_series_is_answered_within_its_range_or_refused(tmp_path, step):
    step_s, season = STEPS_S[step]
    n = min(2 * season, 100) + 20
    columns = shapes(n, season)
    path = written(tmp_path / "load.csv", BEGIN_S + step_s * np.arange(n), columns)
    rows = forecast_series(path, HORIZON, progress=silent)
    panel = panel_of(path, time="", value="", seasons=())
    assert panel.step_s == step_s
    assert_honest(rows, panel)
    refused = {row["series"]: row["refused"] for row in rows if row["refused"]}
    assert refused == {"one_point": "1 observed points: at least 3 are needed"}
    first = {row["series"]: row for row in reversed(rows)}
    assert (first["constant"]["low_95"], first["zero"]["high_95"]) == (7.0, 0.0)
    assert first["late_shift"]["high_95"] > 500.0
    assert set(members_of(["auto"])) == set(FAST)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.data(),
    step_s=st.sampled_from([60.0, 300.0, 3600.0, 86400.0]),
    n=st.integers(2, 90),
    seed=st.integers(0, 1000),
)
def test_shuffled_and_repeated_rows_change_no_forecast(tmp_path, data, step_s, n, seed):
    rng = np.random.default_rng(seed)
    size = st.floats(-1e6, 1e6) | st.just(0.0) | st.just(np.nan) | st.floats(-1.0, 1.0)
    y = np.array(data.draw(st.lists(size, min_size=n, max_size=n)))
    y[:2] = np.where(np.isnan(y[:2]), 1.0, y[:2])  # a step that can be told
    at_s = BEGIN_S + step_s * np.arange(n)
    order = rng.permutation(np.append(np.arange(n), rng.integers(0, n, n // 3)))
    asked = {"models": ("naive", "seasonal_naive", "theta"), "progress": silent}
    plain = written(tmp_path / "plain.csv", at_s, {"a": y})
    mixed = written(tmp_path / "mixed.csv", at_s[order], {"a": y[order]})
    said = forecast_series(plain, HORIZON, **asked)
    assert_honest(said, panel_of(plain, time="", value="", seasons=()))
    other = forecast_series(mixed, HORIZON, **asked)
    assert [row["at"] for row in other] == [row["at"] for row in said]
    for key in BOUNDS:
        one, two = (np.array([row[key] for row in rows], float) for rows in (said, other))
        np.testing.assert_allclose(two, one, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("at_s", "says"), [([0.0], "one point only"), ([0.0] * 9, "several rows for each time")]
)
def test_what_has_no_step_is_refused_in_a_sentence(tmp_path, at_s, says):
    path = written(tmp_path / "load.csv", BEGIN_S + np.array(at_s), {"a": np.ones(len(at_s))})
    with pytest.raises(InputError, match=says):
        forecast_series(path, HORIZON, progress=silent)
