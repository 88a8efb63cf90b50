import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from headway.errors import ConfigError
from headway.schedule.observation import COMMON, FEATURES
from headway.simulate.batch import VISIBLE
from headway.simulate.env import BACKFILLS, ID, QueueEnv


def smallest(env, shown):
    columns = [FEATURES.index("log_runtime"), FEATURES.index("log_procs")]
    area = shown["tasks"][:, columns].sum(axis=1)
    return int(np.argmin(np.where(env.action_masks(), area, np.inf)))


def episode(env, choose, seed=None):
    shown, _ = env.reset(seed=seed)
    total, steps, is_over = 0.0, 0, False
    while not is_over:
        shown, reward, is_over, _, _ = env.step(choose(env, shown))
        total, steps = total + reward, steps + 1
    return total, steps


@pytest.mark.parametrize("backfill", BACKFILLS)
def test_gymnasiums_own_checker_passes(backfill):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Box observation space.*infinity")  # it has none
        check_env(gymnasium.make(ID, jobs=40, backfill=backfill).unwrapped, skip_render_check=True)


def test_the_registered_name_shows_what_the_page_says():
    env = gymnasium.make("headway.simulate.env:" + ID, jobs=60)
    shown, _ = env.reset(seed=1)
    assert shown["tasks"].shape == (VISIBLE, len(FEATURES))
    assert shown["common"].shape == (len(COMMON),)
    mask = env.unwrapped.action_masks()
    assert mask[0]
    assert (shown["tasks"][~mask] == 0.0).all()


def test_smallest_area_first_is_paid_about_minus_one():
    env = QueueEnv(jobs=100, backfill="none")
    totals = [episode(env, smallest, seed)[0] for seed in range(5)]
    assert np.median(totals) == pytest.approx(-1.0, abs=1e-6)


def test_the_same_seed_repeats_and_the_next_episode_differs():
    env = QueueEnv(jobs=100)
    first, then = episode(env, smallest, 7), episode(env, smallest)
    assert episode(env, smallest, 7) == first
    assert episode(env, smallest) == then
    assert first != then


def test_a_slot_that_may_not_be_chosen_counts_as_the_oldest():
    mine, other = QueueEnv(jobs=80), QueueEnv(jobs=80)
    last = episode(mine, lambda env, shown: VISIBLE - 1, 3)
    assert last == episode(other, lambda env, shown: 0, 3)


def test_after_the_end_there_is_nothing_to_see_or_do():
    env = QueueEnv(jobs=40)
    episode(env, smallest, 0)
    assert not env.action_masks().any()
    with pytest.raises(ConfigError, match="call reset"):
        env.step(0)


def test_an_unknown_backfill_is_refused():
    with pytest.raises(ConfigError, match="backfill must be one of easy, reserve, none"):
        QueueEnv(backfill="some").reset()
