"""Objectives by hand and by property."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.objectives import OBJECTIVES, Schedule, logs, measured
from headway.schedule.power import (
    ACTIVE_W,
    BOOT_S,
    IDLE_W,
    OFF_W,
    PRICE_HOUR,
    SLEEP_AFTER_S,
    power_of,
)


def schedule(rows, total_procs=4):
    """A schedule of rows (submit, runtime, request, processors, user, start)."""
    submit, runtime, request, procs, user, start = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    return Schedule(
        submit.astype(float), runtime.astype(float), request.astype(float), procs, user,
        start.astype(float), total_procs,
    )  # fmt: skip


BY_HAND = schedule(
    [
        (0, 100, 200, 3, 0, 0),
        (0, 100, 100, 2, 1, 100),  # waits 100 s, ends by twice its request
        (50, 50, 60, 1, 1, 200),  # waits 150 s, ends 200 s after submission: too late
    ]
)


def value(name, of=BY_HAND):
    return measured(of, [name])[0]


def test_wait_slowdown_and_tail_are_means_over_tasks():
    assert value("wait") == pytest.approx(250.0 / 3.0)
    assert value("slowdown") == pytest.approx((1.0 + 2.0 + 4.0) / 3.0)
    assert value("tail") == 150.0
    many = schedule([(0, 10, 10, 1, 0, wait) for wait in range(40)], 64)
    assert value("tail", many) == pytest.approx((39 + 38) / 2.0)


def test_a_deadline_is_twice_the_request_after_submission():
    assert value("deadlines") == pytest.approx(1.0 / 3.0)


def test_fairness_compares_the_mean_slowdowns_of_users():
    # user 0: 1, user 1: (2 + 4) / 2 = 3; Jain: (1 + 3)^2 / (2 (1 + 9)) = 0.8
    assert value("fairness") == pytest.approx(1.0 / 0.8)
    unknown = BY_HAND._replace(user=np.array([0, 1, -1]))
    assert value("fairness", unknown) == pytest.approx(2 * (1 + 4) / (1 + 2) ** 2)


@pytest.mark.parametrize("user", [np.full(3, -1), np.empty(0, np.int64)])
def test_fairness_between_nobody_is_refused(user):
    strangers = BY_HAND._replace(user=user[: len(user)])
    with pytest.raises(NotEnoughData, match="users are not known"):
        value("fairness", strangers)


def test_capacity_is_lost_only_where_something_waits_that_could_use_it():
    # 0-100: one idle, two or three wait; 100-200: two idle, one waits; then nothing waits
    assert value("utilisation") == pytest.approx((100.0 + 100.0) / 550.0)


def test_power_is_counted_by_hand():
    # three work 0-100, two of them 100-200, one of those 200-250; all then rest until they sleep
    used = power_of(BY_HAND.start_s, BY_HAND.runtime_s, BY_HAND.procs)
    assert used.busy_s == 550.0
    assert used.idle_s == 3 * SLEEP_AFTER_S
    assert used.boots == 3
    off_s = 4 * 250.0 - 550.0 - 3 * SLEEP_AFTER_S
    powered = ACTIVE_W * 550.0 + IDLE_W * 3 * SLEEP_AFTER_S + OFF_W * max(off_s, 0.0)
    assert value("energy") == pytest.approx((powered + ACTIVE_W * BOOT_S * 3) / 550.0)
    on_s = 550.0 + 3 * SLEEP_AFTER_S + 3 * BOOT_S
    assert value("cost") == pytest.approx(PRICE_HOUR * on_s / 550.0)


def test_a_processor_that_rests_for_long_sleeps_and_boots_again():
    short, long = (power_of(np.array([0.0, 100.0 + gap]), np.array([100.0, 50.0]), np.array([1, 1]))
                   for gap in (SLEEP_AFTER_S, 3 * SLEEP_AFTER_S))  # fmt: skip
    assert (short.boots, long.boots) == (1, 2)
    assert short.idle_s == long.idle_s == 2 * SLEEP_AFTER_S


def test_what_rested_last_works_first():
    # two rest from 100, one of them works 150-250: the other rests on
    used = power_of(np.array([0.0, 150.0]), np.array([100.0, 100.0]), np.array([2, 1]))
    assert used.boots == 2
    assert used.idle_s == 50.0 + 2 * SLEEP_AFTER_S


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"wait, slowdown, .*'speed'"):
        measured(BY_HAND, ["wait", "speed"])


@st.composite
def schedules(draw):
    """Some tasks on a machine wide enough for all of them, each with a wait."""
    seconds = st.integers(1, 5000)
    row = st.tuples(
        st.integers(0, 5000), seconds, seconds, st.integers(1, 8), st.integers(0, 3),
        st.integers(0, 5000),
    )  # fmt: skip
    rows = draw(st.lists(row, min_size=1, max_size=30))
    wide = sum(procs for *_, procs, _, _ in rows)
    return schedule([(s, r, q, p, u, s + w) for s, r, q, p, u, w in rows], wide)


@given(schedules(), st.randoms(use_true_random=False))
def test_the_order_in_which_tasks_are_listed_changes_nothing(one, random):
    order = list(range(len(one.submit_s)))
    random.shuffle(order)
    *columns, total_procs = one
    other = Schedule(*(column[order] for column in columns), total_procs)
    np.testing.assert_allclose(measured(other, list(OBJECTIVES)), measured(one, list(OBJECTIVES)))


@given(schedules())
def test_nothing_is_better_than_not_to_wait(one):
    names = ["wait", "slowdown", "tail", "deadlines", "utilisation"]
    at_once = one._replace(start_s=one.submit_s)
    assert (measured(at_once, names) <= measured(one, names) + 1e-9).all()
    assert value("wait", at_once) == value("utilisation", at_once) == 0.0
    assert value("slowdown", at_once) == 1.0
    assert np.isfinite(logs(at_once, list(OBJECTIVES))).all()


@given(schedules())
def test_no_work_is_done_without_power(one):
    assert value("energy", one) >= ACTIVE_W * (1 - 1e-9)
    assert value("cost", one) >= PRICE_HOUR * (1 - 1e-9)
    assert value("fairness", one) >= 1.0 - 1e-9
