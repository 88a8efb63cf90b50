"""Probabilities corrected by what came, and how sure one can be of them."""

import numpy as np

from headway.predict.reliability import (
    beta,
    beta_quantiles,
    chance,
    corrected,
    log_odds,
    reliability_of,
)

RNG = np.random.default_rng(7)
LEVELS = np.array([0.05, 0.95])


def drawn(n=4_000, slope=1.0, shift=0.0):
    """Scores, and outcomes of what the scores would be after a correction."""
    score = RNG.uniform(0.05, 0.95, n)
    true = chance(slope * log_odds(score) + shift)
    return score, (RNG.uniform(size=n) < true) * 1.0, true


def interval(known, p):
    """The 90 % interval around a score that needs no correction."""
    a, b = beta(p, p, known)
    return beta_quantiles(np.array([a]), np.array([b]), LEVELS)[0]


def test_log_odds_and_chance_undo_each_other_away_from_certainty():
    p = np.array([0.01, 0.5, 0.99])
    np.testing.assert_allclose(chance(log_odds(p)), p)
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()


def test_scores_that_are_too_bold_are_drawn_back():
    score, y, true = drawn(slope=0.4, shift=-0.5)
    found = corrected(score, reliability_of(score, y))
    assert np.abs(found - true).mean() < 0.02 < np.abs(score - true).mean()


def test_honest_scores_stay():
    score, y, _ = drawn()
    assert np.abs(corrected(score, reliability_of(score, y)) - score).max() < 0.04


def test_a_few_outcomes_correct_nothing():
    none = reliability_of(np.zeros(0), np.zeros(0))
    np.testing.assert_allclose(corrected(np.array([0.2, 0.8]), none), [0.2, 0.8])
    low, high = interval(none, 0.2)
    assert low < 0.05
    assert high > 0.6


def test_intervals_hold_the_true_probability_as_often_as_they_say():
    """Five scores told apart by a unit of log odds, so that neighbours are alike; 90 % of 500."""
    at = chance(np.arange(-2.0, 3.0) * 1.5)
    held = []
    for _ in range(100):
        score = RNG.choice(at, 600)
        y = (RNG.uniform(size=600) < score) * 1.0
        known = reliability_of(score, y)
        low, high = np.array([interval(known, p) for p in at]).T
        held.append((low <= at) & (at <= high))
    assert 0.86 < np.mean(held) < 0.97  # its standard error is 1.3 points; design effect widens


def test_outcomes_that_cling_together_count_less():
    score = np.full(2_000, 0.3)
    alone = (RNG.uniform(size=2_000) < 0.3) * 1.0
    clinging = np.repeat((RNG.uniform(size=40) < 0.3) * 1.0, 50)
    widths = []
    for y in (alone, clinging):
        widths.append(np.ptp(interval(reliability_of(score, y), 0.3)))
    assert widths[1] > 3.0 * widths[0]
