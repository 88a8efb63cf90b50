"""Month by month: no month is changed by what comes later, and gaps are what they say."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from typer.testing import CliRunner

import headway.months
from headway.cli import app
from headway.errors import ConfigError, NotEnoughData
from headway.history import open_traces, tasks_of
from headway.months import months_of, replay_months
from headway.predict import predictor_for
from headway.report.months import months_page, months_screen, told
from headway.verify.answers import seen_of
from headway.verify.months import (
    limits_by_month,
    month_of,
    replay_by_month,
    seconds_in_vain,
    sizes_by_month,
)
from headway.verify.score import MONTH_S
from tests.made_history import swf_text

TASKS = 1200  # of our own making, a new one every quarter of an hour: more than twelve days


def silent(_what, _share):
    pass


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    path = tmp_path_factory.mktemp("history") / "made.swf"
    path.write_text(stretched())
    return path


def stretched(tasks=TASKS, seconds=12):
    """A made history over months: `seconds` times as long, with requests of memory."""
    lines = []
    for line in swf_text(tasks, 3).splitlines():
        cells = line.split()
        if cells[0] != ";":
            cells[1] = str(int(cells[1]) * seconds)
        lines.append(" ".join(cells))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def rows(trace):
    return replay_months(open_traces([trace]), progress=silent)


@pytest.fixture(scope="module")
def table(trace):
    return tasks_of(open_traces([trace]), silent)[0]


def by(rows, **wanted):
    return [row for row in rows if all(row.get(k) == v for k, v in wanted.items())]


def test_every_month_has_memory_time_and_slowdown_of_every_way(rows):
    months = {row["month"] for row in rows if "month" in row}
    assert len(months) >= 3
    assert months == set(range(1, max(months) + 1))
    for target in ("memory_bytes", "limit_s", "slowdown"):
        for month in months:
            methods = {row["method"] for row in by(rows, target=target, month=month)}
            assert {"headway", "monthly", "static", "request", "hindsight"} <= methods
    assert rows[-1]["workflow"] == "all"
    assert "month" not in rows[-1]


def test_the_first_month_has_no_model_but_the_engine_that_learns_on(rows):
    for way in ("monthly", "static"):
        mine, asked = (by(rows, target="limit_s", month=1, method=m)[0] for m in (way, "request"))
        assert mine["wasted_core_h"] == asked["wasted_core_h"]
    static, monthly = (
        by(rows, target="limit_s", month=2, method=m)[0] for m in ("static", "monthly")
    )
    assert static["wasted_core_h"] == monthly["wasted_core_h"] < asked["wasted_core_h"] * 1e9
    later = [by(rows, target="limit_s", month=3, method=m)[0] for m in ("static", "monthly")]
    assert later[0]["wasted_core_h"] != later[1]["wasted_core_h"]


def test_no_method_wastes_less_than_the_bound_on_time(rows):
    for month in {row["month"] for row in rows if "month" in row}:
        bound = by(rows, target="limit_s", month=month, method="hindsight")[0]["wasted_core_h"]
        asked = by(rows, target="limit_s", month=month, method="request")[0]["wasted_core_h"]
        assert 0.0 <= bound <= asked + 1e-9


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A shorter table, and what a replay of each target makes of it."""
    path = tmp_path_factory.mktemp("small") / "made.swf"
    path.write_text(stretched(400, 30))
    table = tasks_of(open_traces([path]), silent)[0]
    return table, {t: replay_by_month(table, t) for t in ("runtime_s", "memory_bytes")}


@settings(max_examples=4, deadline=None)
@given(seed=some.integers(0, 10**6), end=some.integers(2, 3), is_cut=some.booleans())
def test_what_is_submitted_later_changes_no_earlier_month(small, seed, end, is_cut):
    """Later tasks are dropped, or all that they are is drawn anew: earlier answers stay."""
    table, known = small
    rng = np.random.default_rng(seed)
    is_late = pl.Series(month_of(table) > end)
    assert 0 < is_late.sum() < table.height
    early, late = table.filter(~is_late), table.filter(is_late)
    factor = pl.Series(rng.uniform(0.1, 20.0, late.height))
    redrawn = late.with_columns(
        ended_s=pl.col("started_s") + (pl.col("ended_s") - pl.col("started_s")) * factor,
        memory_peak_bytes=(pl.col("memory_peak_bytes") * factor).cast(pl.Int64),
        user=pl.Series(rng.permutation(late["user"].to_numpy())),
        limit_s=pl.col("limit_s") * factor,
    )
    other = early if is_cut else pl.concat([early, redrawn])
    for target, mine in known.items():
        changed = replay_by_month(other, target)
        pairs = [(mine.replayed.estimate, changed.replayed.estimate)]
        pairs += [(mine.by_way[way], changed.by_way[way]) for way in ("monthly", "static")]
        for one, two in pairs:
            kept = slice(0, early.height)
            np.testing.assert_array_equal(one.quantiles[kept], two.quantiles[kept])
        given_memory = [_given(kept_, t) for kept_, t in ((mine, table), (changed, other))]
        for way, first in given_memory[0].items():
            np.testing.assert_array_equal(first[kept], given_memory[1][way][kept], err_msg=way)


def _given(kept, table):
    """What each way gives each task: memory, or a time limit."""
    seen, month = seen_of(kept.replayed, table), month_of(table)
    if kept.replayed.target == "memory_bytes":
        said = sizes_by_month(kept, table, seen, 0.95)["given"]
        return {way: given.first for way, given in said.items()}
    return limits_by_month(kept, seen, month, np.ones(table.height), 0.95)


def test_an_end_after_a_month_began_is_unknown_to_the_model_of_that_month(table):
    """A model of a month is one that was taught, from empty, what ended before it and no more."""
    start_s = float(table["submitted_s"].min()) + MONTH_S
    month = month_of(table)
    kept = replay_by_month(table, "runtime_s")
    before = table.filter(pl.col("ended_s") < start_s)
    assert 50 <= before.height < (month == 1).sum() + 1
    known = kept.replayed
    predictor = predictor_for("runtime_s", known.features.names, orders=True)
    place = int(np.searchsorted(_moments(known, table), start_s))
    outcome = known.outcome.copy()
    is_later = table["ended_s"].to_numpy() >= start_s
    outcome[is_later] = 1e9  # must not be looked at
    predictor.follow(
        known.features,
        known.kinds[:place],
        known.rows[:place],
        outcome,
        np.zeros(len(outcome), bool),
    )
    rows = np.flatnonzero(month == 2)
    again = predictor.predict(known.features.take(rows))
    np.testing.assert_array_equal(again.quantiles, kept.by_way["monthly"].quantiles[rows])


def _moments(replayed, table):
    ended, submitted = table["ended_s"].to_numpy(), table["submitted_s"].to_numpy()
    rows = replayed.rows
    return np.where(replayed.kinds == 0, submitted[rows], np.maximum(ended, submitted)[rows])


def test_pausing_changes_no_answer(table):
    from headway.verify.replay import replay

    plain = replay(table, "memory_bytes", orders=True)
    paused = replay_by_month(table, "memory_bytes").replayed
    np.testing.assert_array_equal(plain.estimate.quantiles, paused.estimate.quantiles)


def test_a_limit_that_cuts_runs_in_vain_and_then_holds_the_request():
    limit, runtime, request = np.array([50.0, 200.0]), np.array([100.0, 100.0]), np.full(2, 300.0)
    assert seconds_in_vain(limit, runtime, request).tolist() == [250.0, 100.0]


def test_the_gap_is_between_practice_and_bound():
    def row(month, method, waste):
        return {"month": month, "target": "limit_s", "method": method, "waste_per_used": waste}

    ways = ("request", "static", "headway", "hindsight")
    wasted = {1: (4.0, 4.0, 4.0, 0.0), 2: (4.0, 3.0, 2.0, 0.0), 7: (2.0, 1.0, 0.5, 0.0)}
    made = [row(m, way, x) for m, each in wasted.items() for way, x in zip(ways, each, strict=True)]
    said = months_of(made, "limit_s", "headway", 2)
    assert said["gap_closed"] == {1: 0.0, 2: 0.5, 7: 0.75}
    assert said["gap_of_first_later"] == 0.875
    assert (said["better_than_request"], said["better_than_static"]) == (1.0, 1.0)
    assert said["months_half_closed_later"] == 1.0


def test_a_history_of_one_month_is_refused(tmp_path):
    path = tmp_path / "short.swf"
    path.write_text(swf_text(40))
    with pytest.raises(NotEnoughData, match="30 days"):
        replay_months(open_traces([path]), progress=silent)


def test_the_page_draws_each_target_and_says_what_limits_it(rows):
    page = months_page(rows)
    assert page.count("<svg") == 3
    assert "What Headway still wastes" in page
    assert "month" in str(months_screen(rows).renderable.renderables[1].columns[0].header)


def test_a_target_without_data_says_why(trace, monkeypatch):
    plain = headway.months.tasks_of

    def without_memory(traces, progress):
        tasks, facts = plain(traces, progress)
        return tasks.with_columns(memory_peak_bytes=pl.lit(None, pl.Int64)), facts

    monkeypatch.setattr(headway.months, "tasks_of", without_memory)
    found = replay_months(open_traces([trace]), progress=silent)
    assert "peak memory of no task is known" in told(found, "memory_bytes")[0]
    assert by(found, target="limit_s", month=2)


def test_the_command_prints_the_rows_and_writes_a_page(trace, tmp_path, rows):
    asked = ["replay", str(trace), "--months", "--json", "--report", str(tmp_path)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert [row.get("month") for row in said] == [row.get("month") for row in rows]
    assert json.loads((tmp_path / "summary.json").read_text())["rows"] == said
    assert "Headway replay" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("more", [["--report", "x"], ["--months", "--probes", "2"]])
def test_what_does_not_go_with_months_is_said(trace, more):
    done = CliRunner().invoke(app, ["replay", str(trace), *more])
    assert isinstance(done.exception, ConfigError)
