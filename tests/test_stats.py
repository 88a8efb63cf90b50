import numpy as np
import pytest

from headway.stats import (
    interval_coverage,
    mase,
    share_below,
    smape,
    weighted_quantile_loss,
)

PAST = np.array([[0.0, 5.0], [2.0, 5.0], [1.0, 5.0], [4.0, np.nan]])
LEVELS = np.array([0.1, 0.5, 0.9])


def test_mase_is_in_units_of_the_error_of_the_season_before():
    y, forecast = np.array([[3.0, 1.0], [5.0, 1.0]]), np.array([[4.0, 1.0], [2.0, 1.0]])
    scaled = mase(y, forecast, PAST, 2)  # |1 - 0| and |4 - 2|: 1.5
    assert scaled[0] == pytest.approx(2.0 / 1.5)
    assert np.isnan(scaled[1])  # a constant past has no scale


def test_mase_leaves_out_what_was_not_observed():
    y, forecast = np.array([[3.0], [np.nan]]), np.array([[4.0], [2.0]])
    assert mase(y, forecast, PAST[:, :1], 2)[0] == pytest.approx(1.0 / 1.5)


def test_smape_is_between_0_and_200():
    y = np.array([[1.0, 0.0, 0.0]])
    assert smape(y, np.array([[3.0, 0.0, 2.0]])).tolist() == [100.0, 0.0, 200.0]


def test_quantile_loss_of_the_median_alone_is_the_relative_absolute_error():
    y, q = np.array([[10.0], [30.0]]), np.array([[[12.0]], [[25.0]]])
    assert weighted_quantile_loss(y, q, np.array([0.5]))[0] == pytest.approx(7.0 / 40.0)


def test_quantile_loss_is_least_for_the_true_quantiles():
    rng = np.random.default_rng(0)
    y = 50.0 + rng.normal(0.0, 1.0, (4000, 1))
    true = np.broadcast_to(50.0 + np.array([-1.2816, 0.0, 1.2816]), (4000, 1, 3))
    best = weighted_quantile_loss(y, true, LEVELS)[0]
    for other in (true + 0.3, 50.0 + 0.5 * (true - 50.0), 50.0 + 2.0 * (true - 50.0)):
        assert weighted_quantile_loss(y, other, LEVELS)[0] > best


def test_coverage_counts_the_outcomes_that_are_known():
    y = np.array([[0.0], [1.0], [2.0], [np.nan]])
    quantiles = np.broadcast_to(np.array([0.5, 1.0, 1.5]), (4, 1, 3))
    np.testing.assert_allclose(share_below(y, quantiles), [1 / 3, 2 / 3, 2 / 3])
    assert interval_coverage(y, quantiles, LEVELS, 0.8) == pytest.approx(1 / 3)
