import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.predict.gaussian import Gaussian, surface
from headway.protocols import Features


def features(names, sizes):
    values = np.column_stack([names, sizes]).astype(float).reshape(-1, 2)
    return Features(("name", "input_bytes"), values, ("name",), np.zeros(len(values)), "1")


def made(n, seed=0, names=2):
    """Tasks whose log runtime is a wave over the log of their input's size."""
    rng = np.random.default_rng(seed)
    name, size = rng.integers(0, names, n), np.exp(rng.uniform(10.0, 20.0, n))
    y = np.exp(4.0 + name + np.sin(np.log(size)) + rng.normal(0.0, 0.1, n))
    return features(name, size), y, np.zeros(n, dtype=bool)


def test_a_surface_is_that_of_scikit_learn():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    theta = np.log([2.0, 0.7, 3.0, 0.2])
    kernel = ConstantKernel(2.0) * Matern([0.7, 3.0], nu=2.5) + WhiteKernel(0.2)
    expected = GaussianProcessRegressor(kernel, optimizer=None).fit(x, y)
    asked = rng.normal(size=(10, 2))
    mean, spread = expected.predict(asked, return_std=True)
    ours = surface(x, y, theta=theta).at(asked)
    np.testing.assert_allclose(ours[0], mean, rtol=1e-6)
    np.testing.assert_allclose(ours[1], spread, rtol=1e-6)  # its noise is in the spread


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_the_unit_of_y_does_not_matter(center, unit):
    rng = np.random.default_rng(1)
    x, y = rng.uniform(size=(12, 1)), rng.normal(size=12)
    theta = np.log([1.0, 0.5, 0.1])
    mean, spread = surface(x, y, theta=theta).at(x)
    other_mean, other_spread = surface(x, center + unit * y, theta=theta).at(x)
    np.testing.assert_allclose(other_mean, center + unit * mean, atol=1e-6 * (1.0 + abs(center)))
    np.testing.assert_allclose(other_spread, unit * spread, rtol=1e-4)


def test_the_search_finds_how_noisy_measurements_are():
    rng = np.random.default_rng(2)
    x = rng.uniform(0.0, 6.0, (80, 1))
    found = surface(x, np.sin(x[:, 0]) + rng.normal(0.0, 0.2, 80))
    mean, spread = found.at(np.array([[1.5], [np.nan]]))
    assert abs(mean[0] - np.sin(1.5)) < 0.15
    assert spread[0] == pytest.approx(0.2, rel=0.3)  # 80 draws know it to 8 %
    assert np.isfinite(mean[1])  # a size that is not known is taken to be as usual


def test_a_column_that_never_changes_does_not_count():
    x = np.column_stack([np.arange(10.0), np.full(10, 7.0), np.full(10, np.nan)])
    y, theta = np.arange(10.0), np.log([1.0, 1.0, 1.0, 1.0, 0.01])
    same = surface(x, y, theta=theta)
    asked = np.array([[4.5, 7.0, np.nan], [4.5, 9.0, 3.0]])
    np.testing.assert_allclose(*same.at(asked)[0])


def test_it_learns_the_law_of_each_kind_and_covers_what_it_says():
    x, y, free = made(400)
    member = Gaussian(["input_bytes"])
    member.learn(x.take(slice(0, 150)), y[:150], free[:150])
    answer = member.predict(x.take(slice(150, 400)))
    assert np.mean(np.abs(np.log(answer.value / y[150:]))) < 0.13  # noise alone gives 0.08
    covered = np.mean(y[150:, None] <= answer.quantiles, axis=0)
    np.testing.assert_allclose(covered, member.levels, atol=0.1)


def test_a_kind_with_three_outcomes_is_refused_and_one_with_four_is_answered():
    x, y, free = made(4, names=1)
    member = Gaussian(["input_bytes"])
    member.learn(x.take(slice(0, 3)), y[:3], free[:3])
    assert "fewer than 4" in member.predict(x).refused[0]
    member.learn(x.take(slice(3, 4)), y[3:], free[3:])
    assert member.predict(x).refused.tolist() == [""] * 4
    assert member.predict(features([5], [1e6])).refused[0] != ""


def test_blocks_wait_until_they_are_full():
    x, y, free = made(40, names=1)
    member = Gaussian(["input_bytes"], every=16)
    member.learn(x.take(slice(0, 15)), y[:15], free[:15])
    assert member.rows_to_refit() == 1
    assert member.predict(x).refused[0] != ""
    member.learn(x.take(slice(15, 40)), y[15:], free[15:])
    assert member.predict(x).refused[0] == ""


def test_a_bound_teaches_only_where_it_exceeds_what_was_believed():
    x, y, free = made(30, names=1)
    member, bound = Gaussian(["input_bytes"]), np.ones(1, dtype=bool)
    member.learn(x, y, free)
    before = member.save()["gaussian.json"]
    member.learn(x.take(slice(0, 1)), y[:1] / 100.0, bound)
    assert member.save()["gaussian.json"] == before
    member.learn(x.take(slice(0, 1)), y[:1] * 100.0, bound)
    assert member.save()["gaussian.json"] != before


def test_only_the_latest_outcomes_of_a_kind_are_kept():
    x, y, free = made(120, names=1)
    member = Gaussian(["input_bytes"], most=32)
    member.learn(x, y, free)
    assert 32 <= len(member._kinds[0.0].rows) < 32 + 33
