"""Scores on cases that can be done by hand."""

import numpy as np
import pytest

from headway.predict.conformal import LEVELS
from headway.records import Estimate
from headway.verify.score import (
    bucket_scores,
    by_month,
    calibration,
    expectations,
    point_scores,
    scores,
    wastage_gbh,
)


def uniform(n, low, high, refused=""):
    """Quantiles of a log-uniform distribution, the same for each of n tasks."""
    levels = np.array(LEVELS)
    quantiles = np.tile(np.expm1(np.log1p(low) + levels * np.log(high / low)), (n, 1))
    return Estimate(
        value=quantiles[:, 5].copy(), levels=levels, quantiles=quantiles,
        made_by=np.full(n, "test"), refused=np.full(n, refused),
    )  # fmt: skip


def test_outcomes_inside_and_outside_are_counted():
    y = np.array([0.0, 31.0, 1e9, np.nan])
    found = scores(y, uniform(4, 10.0, 100.0))
    assert found["tasks"] == 3
    assert found["interval_coverage"]["50"] == pytest.approx(1 / 3)
    assert found["winkler"]["50"] > 1e8


def test_nothing_to_judge_is_said_and_does_not_fail():
    found = scores(np.zeros(0), uniform(0, 1.0, 2.0))
    assert found["tasks"] == 0
    assert found["mae_s"] is None
    assert by_month(np.zeros(0), uniform(0, 1.0, 2.0), np.zeros(0)) == []
    assert calibration(np.zeros(0), uniform(0, 1.0, 2.0)) == []
    assert point_scores(np.ones(2), np.full(2, np.nan))["tasks"] == 0


def test_months_are_thirty_days_from_the_first_submission():
    at_s = np.array([0.0, 29.9, 30.0, 95.0]) * 86400.0 + 1e9
    months = by_month(np.ones(4), uniform(4, 0.5, 2.0), at_s)
    assert [m["month"] for m in months] == [0, 1, 3]
    assert [m["tasks"] for m in months] == [2, 1, 1]


def test_a_sufficient_allocation_wastes_what_is_over_it():
    wasted = wastage_gbh(np.array([3e9]), np.array([2e9]), np.array([9e9]), np.array([3600.0]))
    assert wasted.tolist() == [1.0]


def test_a_failed_attempt_is_wasted_whole_and_retried_at_the_request():
    wasted = wastage_gbh(np.array([1e9]), np.array([2e9]), np.array([9e9]), np.array([3600.0]))
    assert wasted.tolist() == [1.0 + 7.0]


def test_without_a_larger_request_the_retry_gets_the_double():
    nan = np.array([np.nan])
    wasted = wastage_gbh(np.array([1e9]), np.array([3e9]), nan, np.array([3600.0]))
    assert wasted.tolist() == [1.0 + 2.0 + 1.0]


def test_expectations_of_a_log_uniform_are_its_integrals():
    estimate = uniform(1, 100.0, 10_000.0)
    mean, inverse = expectations(estimate)
    exact_mean = (10_000.0 - 100.0) / np.log(100.0)
    exact_inverse = (1 / 100.0 - 1 / 10_000.0) / np.log(100.0)
    assert mean[0] == pytest.approx(exact_mean, rel=0.03)
    assert inverse[0] == pytest.approx(exact_inverse, rel=0.03)


def test_runs_below_ten_seconds_count_as_ten():
    _, inverse = expectations(uniform(1, 0.1, 0.2))
    assert inverse[0] == pytest.approx(0.1)


def test_buckets_are_powers_of_two_and_their_ends_belong_to_them():
    found = bucket_scores(np.array([4.0, 4.0, 5.0, 0.0]), np.array([3.0, 5.0, 33.0, 1.0]))
    assert found == {"bucket_exact": 0.5, "bucket_within_one": 0.75}
    assert bucket_scores(np.array([np.nan]), np.array([1.0]))["bucket_exact"] is None
