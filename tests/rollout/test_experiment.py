"""Verdicts hold however often they are asked for, and find what is there."""

import math

import numpy as np
import pytest

from headway.errors import ConfigError
from headway.rollout.experiment import ENOUGH, Metric, Moments, compare, judge, split_is_wrong

FAILED = Metric(name="failed", kind="share")
WASTE = Metric(name="waste", kind="ratio")
RUNTIME = Metric(name="runtime", kind="mean")


def moments(y, x=None, d=None):
    arm = Moments()
    for i in range(len(y)):
        arm.add(float(y[i]), 0.0 if x is None else float(x[i]), 1.0 if d is None else float(d[i]))
    return arm


def false_verdicts(draw, metric, experiments=150, looks=60, step=40):
    """Share of A/A experiments in which any of the looks says that the arms differ."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(experiments):
        arms = [Moments(), Moments()]
        for _ in range(looks):
            for arm in arms:
                rows = draw(rng, step)
                arm.n += step
                arm.sums += rows.sum(axis=0)
                arm.products += rows.T @ rows
            seen = compare(metric, *arms, alpha=0.05)
            if not seen.low <= 0.0 <= seen.high:
                wrong += 1
                break
    return wrong / experiments


def plain(draw_y):
    def draw(rng, k):
        return np.column_stack([draw_y(rng, k), np.zeros(k), np.ones(k)])

    return draw


@pytest.mark.parametrize(
    ("metric", "draw"),
    [
        (RUNTIME, plain(lambda rng, k: rng.normal(5, 2, k))),
        (RUNTIME, plain(lambda rng, k: rng.lognormal(0, 1, k))),
        (FAILED, plain(lambda rng, k: rng.random(k) < 0.05)),
        (FAILED, plain(lambda rng, k: rng.random(k) < 0.5)),
    ],
)
def test_equal_arms_looked_at_again_and_again_are_seldom_called_different(metric, draw):
    # benchmarks/rollout_verdicts.py asks 1,000 of each a hundred times.
    assert false_verdicts(draw, metric) <= 0.05


def test_equal_ratios_looked_at_again_and_again_are_seldom_called_different():
    def draw(rng, k):
        used = rng.lognormal(0, 0.7, k)
        return np.column_stack([used * rng.lognormal(0, 0.5, k), np.zeros(k), used])

    assert false_verdicts(draw, WASTE) <= 0.05


def test_a_test_at_every_look_would_be_wrong_far_more_often():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        a, b = rng.normal(size=(2, 4000))
        n = np.arange(40, 4001, 40)
        z = (np.cumsum(a)[n - 1] - np.cumsum(b)[n - 1]) / np.sqrt(2 * n)
        wrong += bool((np.abs(z) > 1.96).any())
    assert wrong / 200 > 0.25


def test_what_was_known_before_narrows_the_interval_and_keeps_the_difference():
    rng = np.random.default_rng(1)
    x = rng.lognormal(0, 1, (2, 2000))
    y = x + rng.normal(0, 0.3, (2, 2000)) + np.array([[0.0], [-0.2]])
    without = compare(RUNTIME, moments(y[0]), moments(y[1]), 0.05)
    adjusted = compare(RUNTIME, moments(y[0], x[0]), moments(y[1], x[1]), 0.05)
    assert adjusted.high - adjusted.low < 0.4 * (without.high - without.low)
    assert adjusted.low < -0.2 < adjusted.high
    assert adjusted.high < 0


def test_few_outcomes_say_nothing():
    few = moments(np.zeros(ENOUGH - 1))
    seen = compare(FAILED, few, moments(np.ones(1000)), 0.05)
    assert (seen.low, seen.high) == (-math.inf, math.inf)


def test_an_arm_that_never_failed_is_not_sure_never_to_fail():
    seen = compare(FAILED, moments(np.zeros(40)), moments(np.zeros(40)), 0.05)
    assert seen.low < -0.05
    assert seen.high > 0.05


def test_a_worse_guardrail_rolls_back_even_where_the_goal_is_better():
    guard = Metric(name="failed", kind="share", is_guardrail=True, margin=0.02)
    rng = np.random.default_rng(2)
    champion = {"waste": moments(rng.normal(5, 1, 500)), "failed": moments(np.zeros(500))}
    failed = moments((rng.random(500) < 0.25).astype(float))
    verdict = judge(
        [Metric(name="waste"), guard],
        champion,
        {"waste": moments(rng.normal(3, 1, 500)), "failed": failed},
    )
    assert verdict.verdict == "roll back"
    assert "failed is worse" in verdict.why


def test_verdicts_follow_the_metric_that_decides():
    rng = np.random.default_rng(3)
    champion = {"wait": moments(rng.normal(5, 1, 500))}
    for shift, said in ((-1.0, "promote"), (1.0, "roll back"), (0.0, "continue")):
        challenger = {"wait": moments(rng.normal(5 + shift, 1, 500))}
        assert judge([Metric(name="wait")], champion, challenger).verdict == said
    spent = judge([Metric(name="wait")], champion, challenger, is_spent=True)
    assert spent.verdict == "inconclusive"


def test_metrics_that_did_not_come_decide_nothing():
    assert judge([Metric(name="wait")], {}, {}).verdict == "continue"


def test_a_wrong_split_is_seen_and_a_right_one_is_not():
    rng = np.random.default_rng(4)
    right = [sum(split_is_wrong([(5000 - k, k, 0.05)]) for k in rng.binomial(5000, 0.05, 300))]
    assert right == [0]
    assert split_is_wrong([(4600, 400, 0.05)])
    assert split_is_wrong([(990, 10, 0.01), (2000, 2300, 0.5)])
    assert split_is_wrong([(10, 1, 0.0)])
    assert not split_is_wrong([(10, 0, 0.0)])


@pytest.mark.parametrize("metrics", [[], [RUNTIME, FAILED]])
def test_an_experiment_has_one_metric_that_decides(metrics):
    with pytest.raises(ConfigError, match="one metric"):
        judge(metrics, {}, {})


def test_an_outcome_that_is_no_number_is_refused():
    with pytest.raises(ConfigError, match="finite"):
        Moments().add(math.nan)
