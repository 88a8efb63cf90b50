"""What a task is given is enough, cheap, and known when it is given."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.predict.made_up import history

from headway.errors import ConfigError
from headway.features import History
from headway.predict.sizing import _wasted, sizes
from headway.records import Estimate
from headway.verify.replay import replay
from headway.verify.score import wastage_gbh

BYTES = st.floats(1.0, 1e12)


def believed(n, middle=1e8):
    """An Estimate whose levels are all the same around `middle`."""
    levels = np.array([0.05, 0.5, 0.95, 0.99])
    quantiles = middle * np.tile([0.5, 1.0, 2.0, 3.0], (n, 1))
    return Estimate(
        value=quantiles[:, 1].copy(), levels=levels, quantiles=quantiles,
        made_by=np.full(n, "made up"), refused=np.full(n, ""),
    )  # fmt: skip


def given_to(table, peak, coverage=0.95):
    """Sizes for tasks of one kind that end before the next is submitted."""
    n = table.height
    kinds, rows = np.tile([0, 1], n), np.repeat(np.arange(n), 2)
    x = History().replay(table)
    return sizes(believed(n), x, kinds, rows, peak, np.full(n, 3600.0), coverage)


@settings(deadline=None)  # the first call compiles
@given(BYTES, BYTES, st.one_of(BYTES, st.just(np.nan)), st.floats(0.0, 1e6))
def test_waste_of_one_task_is_that_of_the_score(size, peak, request, runtime_s):
    told = wastage_gbh(*(np.array([v]) for v in (size, peak, request, runtime_s)))
    assert _wasted(size, peak, request, runtime_s) == pytest.approx(told[0], rel=1e-9)


def test_a_task_without_history_gets_its_request():
    table = history(1)
    assert given_to(table, np.full(1, 5e9))[0] == 8e9


def test_a_candidate_that_wastes_less_is_chosen_once_it_has_proved_itself():
    table = history(1)
    n = 200
    at = 1e9 + 7200.0 * np.arange(n)
    table = pl.concat([table] * n).with_columns(
        id=pl.Series([str(i) for i in range(n)]), submitted_s=at, started_s=at,
        ended_s=at + 3600.0, memory_peak_bytes=pl.lit(10**9),
    )  # fmt: skip
    given_bytes = given_to(table, np.full(n, 1e9))
    assert given_bytes[10] == pytest.approx(1e9 * (1.0 + 0.15 * 1.1))
    assert given_bytes[-1] == pytest.approx(1e9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 120))
def test_outcomes_after_a_submission_change_nothing(seed, cut):
    rng = np.random.default_rng(seed)
    n = 150
    x = History().replay(history(n))
    order = rng.permutation(n)
    kinds = np.repeat([0, 1], n)[(mixed := rng.permutation(2 * n))]
    rows = np.concatenate([order, order])[mixed]
    peak = rng.uniform(1e6, 1e9, n)
    known = rows[:cut][kinds[:cut] == 1]
    other = np.where(np.isin(np.arange(n), known), peak, rng.uniform(1e6, 1e9, n))
    served = rows[:cut][kinds[:cut] == 0]
    both = [sizes(believed(n), x, kinds, rows, y, np.ones(n), 0.95)[served] for y in (peak, other)]
    np.testing.assert_array_equal(*both)


def test_real_looking_tasks_have_enough_and_waste_less_than_their_requests():
    table = history(2_000)
    replayed = replay(table, "memory_bytes")
    runtime_s = (table["ended_s"] - table["started_s"]).to_numpy()
    request = table["memory_requested_bytes"].to_numpy().astype(float)
    size = sizes(
        replayed.estimate, replayed.features, replayed.kinds, replayed.rows, replayed.outcome,
        runtime_s, 0.95,
    )  # fmt: skip
    assert np.mean(size >= replayed.outcome) >= 0.95
    wasted = [wastage_gbh(s, replayed.outcome, request, runtime_s).sum() for s in (size, request)]
    assert wasted[0] < 0.5 * wasted[1]


@pytest.mark.parametrize("coverage", [0.0, 0.999, 1.0, -1.0])
def test_a_coverage_that_nobody_serves_is_refused(coverage):
    with pytest.raises(ConfigError, match="coverage must be in"):
        given_to(history(3), np.ones(3), coverage)


def test_no_tasks_are_sized():
    assert len(given_to(history(0), np.zeros(0))) == 0
