"""Branches: choices that are compared by what they alone have done."""

from dataclasses import replace

import numpy as np
import pytest

from headway.schedule.network import network_of, smallest_area_first
from headway.simulate.batch import course_of
from headway.simulate.branch import branches, cost_until
from headway.simulate.episode import EASY, RESERVE
from headway.simulate.lublin import lublin
from headway.simulate.play import play

RULE = network_of(smallest_area_first())
JOBS, USERS = 80, 5


def course(seed):
    rng = np.random.default_rng(seed)
    workload = replace(lublin(rng, JOBS, 64, load=1.2), user=rng.integers(0, USERS, JOBS))
    return course_of(workload, workload.requested_s, workload.requested_s, np.array([0]))


def grown(seed, *, mode=EASY, ahead=np.inf, keeps=False, many=24, choices=3):
    rng = np.random.default_rng(seed)
    jobs, siblings = course(seed).window(0, JOBS)
    at = np.sort(rng.uniform(size=many))
    luck = rng.gumbel(size=(many, choices - 1, JOBS))
    return jobs, branches(
        jobs, siblings, USERS, 64, mode, RULE, at, luck, 20.0, ahead, keeps
    )  # fmt: skip


@pytest.mark.parametrize("mode", [EASY, RESERVE])
def test_the_path_is_that_of_the_network(mode):
    jobs, found = grown(0, mode=mode)
    siblings = course(0).window(0, JOBS)[1]
    start_s, decisions = play(jobs, siblings, USERS, 64, mode, RULE)
    np.testing.assert_array_equal(found.start_s, start_s)
    assert found.decisions > decisions


def test_the_first_choice_saves_nothing_and_others_are_other_tasks():
    _, found = grown(1)
    assert (found.gain[:, 0] == 0.0).all()
    assert (found.gain != 0.0).any()
    asked = np.flatnonzero(found.counts)
    assert (found.counts[asked] > 1).all()
    for b in asked:
        rows = found.x[b, : found.counts[b]]
        assert len(np.unique(rows, axis=0)) == len(rows)


def test_what_is_kept_makes_the_path_as_much_better_as_was_said():
    jobs, left = grown(2)
    _, kept = grown(2, keeps=True)
    before, after = (cost_until(jobs, one.start_s, np.inf) for one in (left, kept))
    saved = kept.gain.max(axis=1).clip(0.0).sum()
    assert saved > 0.0
    assert before - after == pytest.approx(saved)


def test_nothing_is_gained_before_the_horizon_is_reached():
    _, near = grown(3, ahead=1e-9)
    _, far = grown(3, ahead=1.0)
    assert np.abs(near.gain).max() < 1e-6
    assert np.abs(far.gain).max() > 0.0
    assert near.decisions < far.decisions


def test_cost_counts_waiting_up_to_a_time():
    jobs, found = grown(4)
    half_s = float(np.median(found.start_s))
    some, all_of_it = (cost_until(jobs, found.start_s, t) for t in (half_s, np.inf))
    waited = (found.start_s - jobs.submit_s) / np.maximum(jobs.runtime_s, 10.0)
    assert all_of_it == pytest.approx(waited.sum())
    assert 0.0 <= some <= all_of_it
