"""Scores on cases that can be done by hand."""

import numpy as np
import pytest

from headway.predict.conformal import LEVELS
from headway.records import Estimate
from headway.verify.baselines import last_two, memory_allocations
from headway.verify.score import (
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


def test_baselines_know_only_what_has_ended():
    kinds, rows = np.array([0, 0, 1, 0, 1, 0]), np.array([0, 1, 0, 2, 1, 3])
    y = np.array([10.0, 30.0, 0.0, 0.0])
    value = last_two(kinds, rows, ["a"] * 4, y)
    assert np.isnan(value[:2]).all()
    assert value[2:].tolist() == [10.0, 20.0]
    given = memory_allocations(kinds, rows, ["t"] * 4, y, np.full(4, 100.0))
    assert given["running max + 15 %"].tolist() == pytest.approx([100.0, 100.0, 100.0, 34.5])
    assert given["max of last two"][3] == 30.0
    assert given["p95 of history"][3] == pytest.approx(29.0)
