"""Members are believed by what they did, and the mixture is as wide as it needed to be."""

import numpy as np
import pytest

from headway.forecast.answer import LEVELS
from headway.forecast.combination import losses, mixed, weights_of, widened, widths

MIDDLE = LEVELS.index(0.5)


def normal_quantiles(spread=1.0):
    from scipy.stats import norm

    return spread * norm.ppf(np.array(LEVELS))


def said_by(centres, came, spread):
    """Quantiles (m, o, h, n, q) of members that say the outcome plus an error of theirs."""
    rng = np.random.default_rng(0)
    errors = [size * rng.normal(size=came.shape) for size in centres]
    return np.stack([(came + error)[..., None] + normal_quantiles(spread) for error in errors])


@pytest.fixture
def came():
    return np.random.default_rng(1).normal(size=(6, 24, 5))


def test_the_better_member_gets_more_and_a_bad_one_nothing(came):
    loss = losses(came, said_by([0.5, 0.6, 5.0], came, 1.0), np.ones(5))
    weights = weights_of(loss)
    assert np.allclose(weights.sum(axis=0), 1.0)
    assert (weights[0] > weights[1]).all()
    assert (weights[2] == 0.0).all()


def test_a_member_that_did_not_answer_has_no_share(came):
    quantiles = said_by([0.5, 0.5], came, 1.0)
    quantiles[0, 2, :, 3] = np.nan
    weights = weights_of(losses(came, quantiles, np.ones(5)))
    assert weights[0, 3] == 0.0
    assert (weights[0, :3] > 0.0).all()


def test_a_series_without_outcomes_takes_the_shares_of_all(came):
    loss = losses(came, said_by([0.5, 0.55], came, 1.0), np.ones(5))
    loss[:, :, 4] = np.nan
    weights = weights_of(loss)
    assert weights[0, 4] > 0.5
    assert np.allclose(weights.sum(axis=0), 1.0)


def test_without_origins_all_are_alike():
    assert (weights_of(np.empty((4, 0, 3))) == 0.25).all()


def test_mixing_leaves_out_who_is_silent():
    quantiles = np.stack([np.full((2, 1, 3), 1.0), np.full((2, 1, 3), np.nan)])
    assert (mixed(quantiles, np.array([[0.1], [0.9]])) == 1.0).all()
    assert np.isnan(mixed(np.full((2, 2, 1, 3), np.nan), np.full((2, 1), 0.5))).all()


@pytest.mark.parametrize("spread", [0.4, 2.5])
def test_widths_make_levels_hold(spread):
    rng = np.random.default_rng(2)
    came = rng.normal(size=(6, 24, 40))
    quantiles = np.broadcast_to(normal_quantiles(spread), (1, 6, 24, 40, len(LEVELS)))
    factors = widths(came, quantiles, losses(came, quantiles, np.ones(40)))
    later = rng.normal(size=(6, 24, 40))
    made = widened(np.broadcast_to(normal_quantiles(spread), (6, 24, 40, len(LEVELS))), factors)
    below = (later[..., None] <= made).mean(axis=(0, 1, 2))
    assert np.abs(below - np.array(LEVELS)).max() < 0.02
    assert (np.diff(made, axis=-1) >= 0.0).all()


def test_one_origin_changes_no_width(came):
    quantiles = said_by([0.5], came[:1], 1.0)
    assert (widths(came[:1], quantiles, np.ones((1, 1, 5))) == 1.0).all()


def test_unknown_outcomes_count_for_nothing(came):
    quantiles = said_by([0.5, 0.7], came, 1.0)
    holed = came.copy()
    holed[:, ::3] = np.nan
    loss = losses(holed, quantiles, np.ones(5))
    assert np.isfinite(loss).all()
    assert np.isfinite(widths(holed, quantiles, loss)).all()


def test_equal_shares_give_the_plain_median():
    quantiles = np.sort(np.random.default_rng(4).normal(size=(5, 3, 7, 2, len(LEVELS))), axis=-1)
    for members in (4, 5):
        said = mixed(quantiles[:members], np.ones((members, 2)))
        assert np.allclose(said, np.median(quantiles[:members], axis=0))
