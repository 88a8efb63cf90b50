import numpy as np
import pytest

pytest.importorskip("pettingzoo")

from pettingzoo.test import parallel_api_test, parallel_seed_test
from tests.simulate.merges import DAY_S, crowded

from headway.errors import ConfigError
from headway.schedule.routing import FEATURES
from headway.schedule.routing_network import LANES, MIDDLE
from headway.simulate.clusters_env import ClustersEnv

C = 2


def env_of(seed=0):
    return ClustersEnv(crowded(seed, jobs=60), DAY_S)


def episode(env, choose, seed=None):
    """Sum of rewards, and what every step asked for."""
    shown, _ = env.reset(seed=seed)
    total, masks = 0.0, []
    while env.agents:
        asked = [agent for agent in env.agents if shown[agent]["is_mine"][0]]
        assert len(asked) == 1
        masks.append(shown[asked[0]]["action_mask"])
        actions = dict.fromkeys(env.agents, 0)
        actions[asked[0]] = choose(shown[asked[0]])
        shown, rewards, _, _, _ = env.step(actions)
        assert len(set(rewards.values())) == 1
        total += next(iter(rewards.values()))
    return total, masks


def shortest(seen):
    """Shortest expected wait, the home cluster of equals; the middle lane."""
    n = len(seen["clusters"])
    if not seen["action_mask"][1 : 1 + n].any():
        return 1 + n + MIDDLE
    wait = seen["clusters"][:, FEATURES.index("log_wait")].astype(float)
    wait -= 1e-9 * seen["clusters"][:, FEATURES.index("is_home")]
    return 1 + int(np.where(seen["action_mask"][1 : 1 + n], wait, np.inf).argmin())


def test_pettingzoos_own_checkers_pass():
    parallel_api_test(ClustersEnv(), num_cycles=100)
    parallel_seed_test(ClustersEnv)


def test_the_standard_gains_nothing_on_itself():
    total, _ = episode(env_of(), shortest, 0)
    assert total == pytest.approx(0.0, abs=1e-9)


def test_random_choices_cost_more_than_the_standard():
    rng = np.random.default_rng(0)
    totals = [
        episode(env_of(), lambda seen: int(rng.choice(np.flatnonzero(seen["action_mask"]))), s)[0]
        for s in range(5)
    ]
    assert np.mean(totals) < -0.05


def test_every_task_is_sent_and_then_given_a_lane():
    _, masks = episode(env_of(), shortest, 1)
    for send, lane in zip(masks[::2], masks[1::2], strict=True):
        assert send[1 : 1 + C].any()
        assert not send[1 + C :].any()
        assert lane[1 + C :].sum() == len(LANES)
        assert not lane[: 1 + C].any()


def test_what_is_not_allowed_counts_as_keeping_in_the_middle_lane():
    def keep(seen):
        homes = np.flatnonzero(seen["clusters"][:, FEATURES.index("is_home")])
        is_send = seen["action_mask"][1 : 1 + C].any()
        return 1 + int(homes[0]) if is_send else 1 + C + MIDDLE

    mine, other = episode(env_of(), lambda seen: 0, 3)[0], episode(env_of(), keep, 3)[0]
    assert mine == other


def test_the_same_seed_repeats_and_the_next_episode_differs():
    env = env_of()
    first, _ = episode(env, lambda seen: 0, 7)
    then, _ = episode(env, lambda seen: 0)
    assert episode(env, lambda seen: 0, 7)[0] == first
    assert episode(env, lambda seen: 0)[0] == then
    assert first != then


def test_after_the_end_nothing_can_be_done():
    env = env_of()
    episode(env, shortest, 0)
    with pytest.raises(ConfigError, match="call reset"):
        env.step({})


def test_a_central_critic_sees_all_clusters():
    env = env_of()
    shown, _ = env.reset(seed=0)
    state = env.state()
    assert state.shape == env.state_space.shape
    np.testing.assert_array_equal(
        state[: C * len(FEATURES)], shown["cluster_0"]["clusters"].ravel()
    )
