import numpy as np
import pytest

from headway.schedule.observation import FEATURES
from headway.simulate.batch import VISIBLE
from headway.simulate.env import QueueEnv

sb3 = pytest.importorskip("stable_baselines3")


def envs(**settings):
    from headway.train.vec_env import QueueVecEnv

    return QueueVecEnv(**{"n_envs": 4, "jobs": 60, "seed": 3, **settings})


def smallest(env, shown):
    columns = [FEATURES.index("log_runtime"), FEATURES.index("log_procs")]
    area = shown["tasks"][:, :, columns].sum(axis=2)
    return np.argmin(np.where(env.action_masks(), area, np.inf), axis=1)


def test_all_simulations_step_in_one_call():
    env = envs()
    shown, ended = env.reset(), 0
    for _ in range(200):
        shown, rewards, is_over, told = env.step(smallest(env, shown))
        assert shown["tasks"].shape == (4, VISIBLE, len(FEATURES))
        assert rewards.shape == is_over.shape == (4,)
        for i in np.flatnonzero(is_over):
            assert told[i]["episode"]["l"] > 0
            ended += 1
    assert ended > 3


def test_one_simulation_shows_what_the_single_environment_shows():
    many, one = envs(n_envs=1), QueueEnv(jobs=60)
    first = many.reset()
    shown, _ = one.reset(seed=0)
    assert first.keys() == shown.keys()
    assert first["tasks"][0].dtype == shown["tasks"].dtype
    assert one.observation_space == many.observation_space


def test_the_same_seed_gives_the_same_rewards():
    def run():
        env = envs()
        shown, paid = env.reset(), []
        for _ in range(100):
            shown, rewards, _, _ = env.step(smallest(env, shown))
            paid.append(rewards)
        return np.array(paid)

    np.testing.assert_array_equal(run(), run())


def test_masked_ppo_of_sb3_learns_on_it_and_never_chooses_an_empty_slot():
    from sb3_contrib import MaskablePPO

    env = envs()
    model = MaskablePPO("MultiInputPolicy", env, n_steps=16, batch_size=32, n_epochs=1, seed=0)
    model.learn(64)
    assert model.num_timesteps == 64
    masks = np.stack(env.env_method("action_masks"))
    shown = env._shown()
    actions, _ = model.predict(shown, action_masks=masks)
    assert masks[np.arange(4), actions].all()
