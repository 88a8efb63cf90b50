import numpy as np

from headway.train.advantages import DISCOUNT, TRACE, advantages


def test_advantages_are_the_rewards_that_were_not_expected():
    rewards, is_over = np.array([[1.0], [2.0], [3.0]]), np.array([[False], [True], [False]])
    found = advantages(rewards, is_over, np.array([[0.0], [0.0], [0.0], [10.0]]))
    fade = DISCOUNT * TRACE
    np.testing.assert_allclose(found[:, 0], [1.0 + 2.0 * fade, 2.0, 3.0 + 10.0 * DISCOUNT])
