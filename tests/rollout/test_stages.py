"""A rollout rises step by step, and falls back at once."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import ConfigError
from headway.rollout.experiment import Verdict
from headway.rollout.stages import Plan, advance, begin, pause, promote, resume, roll_back

PLAN = Plan(dwell_s=10.0, dwell_outcomes=5, budget_s=1000.0, silent_s=100.0)
GO_ON = Verdict(verdict="continue", why="too early")


def rollout(plan=PLAN):
    return begin("r1", "memory", "v1", "v2", plan, 0.0)


def look(state, now_s, verdict=GO_ON, outcomes=5, last_s=None, wrong=False):
    return advance(
        state, verdict, challenger_outcomes=outcomes,
        last_outcome_s=now_s if last_s is None else last_s, is_split_wrong=wrong, now_s=now_s,
    )  # fmt: skip


def test_shares_rise_with_time_and_outcomes_only():
    state = rollout()
    assert state.share == 0.0
    assert look(state, 9.0) is state
    assert look(state, 10.0, outcomes=4) is state
    shares = []
    for now_s in range(10, 70, 10):
        state = look(state, float(now_s))
        shares.append(state.share)
    assert shares == [0.01, 0.05, 0.25, 0.5, 0.5, 0.5]


def test_a_better_one_is_promoted_only_from_the_last_share():
    better = Verdict(verdict="promote", why="better")
    state = look(rollout(), 10.0, better)
    assert (state.status, state.share) == ("running", 0.01)
    for now_s in (20.0, 30.0, 40.0, 50.0):
        state = look(state, now_s, better)
    assert (state.status, state.share) == ("promoted", 1.0)


@pytest.mark.parametrize("stage", range(5))
def test_a_worse_one_is_taken_back_at_every_stage_without_dwelling(stage):
    state = look(replace(rollout(), stage=stage), 0.1, Verdict(verdict="roll back", why="worse"))
    assert (state.status, state.share, state.why) == ("rolled back", 0.0, "worse")


def test_silence_takes_it_back():
    state = look(rollout(), 101.0, last_s=0.5)
    assert state.status == "rolled back"
    assert "no outcome" in state.why


def test_a_wrong_split_takes_it_back():
    assert look(rollout(), 1.0, wrong=True).status == "rolled back"


def test_an_equal_one_ends_inconclusive_with_the_champion_in_place():
    state = look(rollout(), 1000.0)
    assert (state.status, state.share) == ("inconclusive", 0.0)


def test_a_paused_one_stays_but_is_still_taken_back():
    state = pause(rollout(), "holiday")
    assert look(state, 50.0) is state
    assert look(state, 50.0, Verdict(verdict="roll back", why="x")).status == "rolled back"
    assert resume(state, "back", 60.0).stage_since_s == 60.0


@pytest.mark.parametrize("end", [promote, roll_back])
def test_what_has_ended_stays_ended(end):
    state = end(rollout(), "a person said so", 5.0)
    assert look(state, 5000.0, Verdict(verdict="roll back", why="x")) is state
    with pytest.raises(ConfigError, match="has ended"):
        promote(state, "again", 6.0)


@given(
    st.lists(st.tuples(st.sampled_from(["continue", "promote"]), st.integers(0, 9)), max_size=60)
)
def test_a_share_never_falls_while_a_rollout_runs(looks):
    state, shares = rollout(), [0.0]
    for i, (verdict, outcomes) in enumerate(looks):
        state = look(state, 4.0 * i, Verdict(verdict=verdict, why="w"), outcomes=outcomes)
        shares.append(state.share)
    assert shares == sorted(shares)


def test_nothing_is_rolled_out_over_itself():
    with pytest.raises(ConfigError, match="in use already"):
        begin("r1", "memory", "v1", "v1", PLAN, 0.0)


@pytest.mark.parametrize("shares", [(), (0.5, 0.1), (0.0, 1.5), (-0.1,)])
def test_shares_must_rise_within_0_and_1(shares):
    with pytest.raises(ConfigError, match="shares must rise"):
        Plan(shares=shares)
