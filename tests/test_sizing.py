"""A machine is sized by the ways that would have been cheapest in the past, for a wait."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import NotEnoughData
from headway.plan import DAY_S
from headway.sizing import LEAST, WAYS, Replay, levels_of, outcomes_of, replay, sized
from tests.test_plan import silent, workload

SIZES = np.unique(np.geomspace(20, 4000, 60).astype(np.int64))


def made(demand, guess, now):
    """Windows that wait 100 s times (2 demand / size) ** 4; `guess` (k, ways) of their demand."""
    wait_s = 100.0 * (2.0 * demand[:, None] / SIZES) ** 4
    return Replay(
        DAY_S * np.arange(len(demand)), DAY_S, np.full(len(demand), 10), SIZES, wait_s, guess, now
    )


def swinging(seed, ways):
    """Demand that swings, foretold by the first way, by the others only on the whole."""
    rng = np.random.default_rng(seed)
    demand = 200.0 * np.exp(rng.normal(0.0, 0.5, 40))
    guess = 200.0 * np.exp(rng.normal(0.0, 0.5, (40, ways)))
    guess[:, 0] = demand
    return made(demand, guess, np.append(300.0, np.full(ways - 1, 100.0)))


def test_the_way_that_foretold_demand_counts_and_is_multiplied_as_needed():
    known = swinging(0, 3)
    found = sized(known, 100.0)
    assert found.shares[0] > 0.9
    assert found.waits.size_for(100.0) == pytest.approx(600, rel=0.1)
    assert WAYS[0] in found.made_by


def test_ways_that_are_alike_count_alike():
    demand = np.full(10, 200.0)
    known = made(demand, np.column_stack([demand, 2.0 * demand]), np.array([200.0, 400.0]))
    assert sized(known, 100.0).shares == pytest.approx([0.5, 0.5])
    assert sized(known, 100.0).waits.size_for(100.0) == pytest.approx(400, rel=0.03)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(20.0, 5000.0), st.floats(1.1, 3.0))
def test_who_waits_less_needs_no_less_and_units_of_levels_do_not_count(seed, wait_s, times):
    known = swinging(seed, 3)
    size = sized(known, wait_s).waits.size_for(wait_s)
    assert sized(known, times * wait_s).waits.size_for(times * wait_s) <= size
    other = replace(known, levels=known.levels * times, now=known.now * times)
    assert sized(other, wait_s).waits.size_for(wait_s) == pytest.approx(size, rel=0.03)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(20.0, 1000.0))
def test_the_mean_wait_of_the_past_is_what_was_asked(seed, wait_s):
    found = sized(swinging(seed, 2), wait_s)
    waits = found.waits
    at = np.searchsorted(waits.sizes, waits.size_for(wait_s))
    assert 0.9 * wait_s <= waits.expected()[at] <= wait_s


def test_what_came_later_changes_no_plan_of_the_past():
    known = swinging(3, 2)
    other = replace(known, wait_s=known.wait_s.copy(), levels=known.levels.copy())
    other.wait_s[20:] *= 50.0
    other.levels[20:] *= 3.0
    came, changed = (outcomes_of(one, 100.0, None) for one in (known, other))
    assert len(came) == 40 - LEAST
    np.testing.assert_array_equal(came[: 20 - LEAST], changed[: 20 - LEAST])
    assert (came[20 - LEAST :, 0] != changed[20 - LEAST :, 0]).all()


def test_windows_of_the_past_are_played_and_wait_less_on_larger_machines():
    known = replay(workload(120), 120 * DAY_S, 14, policy="fcfs", progress=silent)
    assert known.levels.shape == (len(known.tasks), len(WAYS))
    assert (known.begin_s >= 2 * 14 * DAY_S).all()
    assert known.begin_s[-1] == 106 * DAY_S
    assert (known.wait_s[:, 0] > known.wait_s[:, len(known.sizes) // 2]).all()
    assert known.wait_s[:, -1] == pytest.approx(0.0)


def test_what_is_submitted_after_the_end_is_not_known():
    whole = workload(120)
    end_s = 80 * DAY_S
    part = whole.part(0, int(np.searchsorted(whole.submit_s, end_s)))
    one, other = (replay(x, end_s, 14, policy="fcfs", progress=silent) for x in (whole, part))
    np.testing.assert_array_equal(one.wait_s, other.wait_s)
    np.testing.assert_allclose(one.now, other.now)


def test_levels_are_of_the_past_as_their_names_say():
    daily, hourly = np.append(np.full(105, 10.0), np.full(5, 40.0)), np.arange(110 * 24.0)
    found = dict(zip(WAYS, levels_of(daily, hourly, 10), strict=True))
    assert found["mean of all"] == pytest.approx(1250 / 110)
    assert found["mean of last 1"] == hourly[-240:].mean()
    assert found["one size"] == 1.0
    assert found["80 % of days, last 1"] == 40.0
    assert found["80 % of days, last 4"] == 10.0
    assert found["mean, half-life 1"] == pytest.approx(18.8, rel=0.02)
    assert found["last week 95 %"] == pytest.approx(np.quantile(hourly[-168:], 0.95))


def test_a_short_history_is_refused_with_what_it_needs():
    with pytest.raises(NotEnoughData, match="needs 63 days of history with tasks, got 29"):
        replay(workload(31), 30 * DAY_S + 100.0, 14, policy="fcfs", progress=silent)
