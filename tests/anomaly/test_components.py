"""Principal components agree with scikit-learn and see what breaks a habit of several series."""

import numpy as np
import pytest

from headway.anomaly import detector
from headway.anomaly.components import left_over
from headway.errors import ConfigError


@pytest.mark.parametrize("explained", [0.5, 0.9, 0.99])
def test_what_is_left_over_is_that_of_scikit_learn(explained):
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(400, 8))
    x -= x.mean(axis=0)
    pca = PCA(n_components=explained, svd_solver="full").fit(x)
    left = x - pca.inverse_transform(pca.transform(x))
    np.testing.assert_allclose(x @ left_over(x, explained, 3), left[:, -3:], atol=1e-9)


@pytest.mark.parametrize("name", ["components", "autoencoder"])
def test_a_value_that_is_usual_alone_is_strange_against_the_others(name):
    rng = np.random.default_rng(0)
    load = np.cumsum(rng.normal(size=1100))
    load = np.sin(load / 5.0)
    y = load[:, None] * np.array([1.0, -2.0, 3.0]) + 0.02 * rng.normal(size=(1100, 3))
    y[-1, 1] = -y[-1, 1] + 1.0 * (abs(y[-1, 1]) < 0.3)  # well inside what it was before
    one = detector(name)
    for t, row in enumerate(y[:-1]):
        one.learn(300.0 * t, row)
    scores = one.score(300.0 * len(y), y[-1])
    assert np.abs(y[-1, 1]) <= np.abs(y[:-1, 1]).max()
    assert scores[1] > 0.99


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="explained must be in"):
        detector("components", explained=1.0)
    with pytest.raises(ConfigError, match="window must be in"):
        detector("components", window=0)
    with pytest.raises(ConfigError, match="code, steps and every at least 1"):
        detector("autoencoder", code=0)
