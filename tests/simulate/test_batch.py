import numpy as np
import pytest

from headway.errors import ConfigError
from headway.schedule.network import network_of, smallest_area_first
from headway.schedule.observation import FEATURES
from headway.schedule.siblings import nobody, siblings_of
from headway.simulate.batch import OLDEST, VISIBLE, Batch, Course
from headway.simulate.episode import COMMIT, EASY, RESERVE
from headway.simulate.lublin import lublin
from headway.simulate.play import play
from headway.simulate.structures import Jobs

MODES = (EASY, RESERVE, COMMIT)


def course(seed, jobs=400, procs=64, load=1.2, users=5, window=100):
    rng = np.random.default_rng(seed)
    workload = lublin(rng, jobs, procs, load=load)
    asked_s = workload.requested_s
    tasks = Jobs(
        workload.submit_s, workload.runtime_s, workload.procs, asked_s, asked_s, asked_s, asked_s,
        workload.submit_s,
    )  # fmt: skip
    siblings = nobody()
    if users:
        siblings = siblings_of(rng.integers(0, users, jobs), workload.procs, asked_s, asked_s)
    return Course(tasks, siblings, procs, np.arange(0, jobs - window, 7))


def smallest(seen):
    area = seen.x[:, :, FEATURES.index("log_runtime")] + seen.x[:, :, FEATURES.index("log_procs")]
    return np.argmin(np.where(seen.is_allowed, area, np.inf), axis=1)


def oldest(seen):
    return np.zeros(len(seen.common), np.int64)


@pytest.mark.parametrize("mode", MODES)
def test_a_window_sums_to_minus_one_under_the_usual_rule(mode):
    batch = Batch([course(0)], n_envs=8, jobs=100, mode=mode, seed=0)
    seen, totals, ended = batch.reset(), np.zeros(8), []
    for _ in range(2000):
        seen, rewards, is_over = batch.step(smallest(seen))
        totals += rewards
        ended += list(totals[is_over])
        totals[is_over] = 0.0
    assert len(ended) > 50
    # windows in which next to nothing waits are divided by LEAST_COST and sum to more than -1
    assert np.median(ended) == pytest.approx(-1.0, abs=1e-6)
    assert np.quantile(ended, 0.05) > -1.02  # ties of area may be broken differently


def test_a_better_order_is_paid_more():
    def mean(choose):
        batch = Batch([course(1)], n_envs=8, jobs=100, mode=EASY, seed=1)
        seen, total, windows = batch.reset(), 0.0, 0
        for _ in range(1500):
            seen, rewards, is_over = batch.step(choose(seen))
            total, windows = total + rewards.sum(), windows + is_over.sum()
        return total / windows

    assert mean(smallest) > mean(oldest)


def test_the_same_seed_and_choices_show_the_same():
    def run():
        batch = Batch([course(2), course(3, users=0)], n_envs=4, jobs=100, mode=EASY, seed=5)
        seen, shown = batch.reset(), []
        for _ in range(300):
            seen, rewards, _ = batch.step(smallest(seen))
            shown.append(
                np.concatenate([seen.x.sum(axis=(1, 2)), seen.common.sum(axis=1), rewards])
            )
        return np.array(shown)

    np.testing.assert_array_equal(run(), run())


def test_slots_that_hold_no_task_are_zero_and_what_is_shown_is_finite():
    batch = Batch([course(4)], n_envs=8, jobs=100, mode=EASY, seed=2)
    seen = batch.reset()
    for _ in range(500):
        assert (seen.x[~seen.is_allowed] == 0.0).all()
        assert np.isfinite(seen.x).all()
        assert np.isfinite(seen.common).all()
        assert seen.is_allowed.any(axis=1).all()
        seen, _, _ = batch.step(smallest(seen))


def test_of_a_long_queue_the_oldest_and_the_smallest_are_shown():
    batch = Batch(
        [course(6, jobs=900, load=20.0, window=600)], n_envs=2, jobs=600, mode=EASY, seed=0
    )
    seen, longest = batch.reset(), 0
    for _ in range(700):
        shown = seen.is_allowed.sum(axis=1)
        longest = max(longest, shown.max())
        for row in np.flatnonzero(shown == VISIBLE):
            places = seen.place[row]
            assert (np.diff(places) > 0).all()
            if places[OLDEST - 1] == OLDEST - 1:  # all of the oldest may be chosen
                assert places[-1] >= VISIBLE - 1
        seen, _, _ = batch.step(smallest(seen))
    assert longest == VISIBLE


def test_every_window_of_a_batch_ends_where_play_ends():
    mine = course(8, jobs=100)
    mine = Course(mine.jobs, mine.siblings, mine.total_procs, np.array([0]))
    batch = Batch([mine], n_envs=1, jobs=100, mode=EASY, seed=0)
    seen, steps, is_over = batch.reset(), 0, np.array([False])
    while not is_over[0]:
        seen, _, is_over = batch.step(smallest(seen))
        steps += 1
    jobs, siblings = mine.window(0, 100)
    _, decisions = play(jobs, siblings, 5, 64, EASY, network_of(smallest_area_first()))
    assert abs(steps - decisions) <= 2  # equal areas may be taken in another order


def test_what_cannot_be_played_is_refused():
    with pytest.raises(ConfigError, match="fewer, got 500"):
        Batch([course(0)], n_envs=1, jobs=500, mode=EASY, seed=0)
    with pytest.raises(ConfigError, match="n_envs"):
        Batch([course(0)], n_envs=0, jobs=50, mode=EASY, seed=0)
