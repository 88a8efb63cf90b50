import dataclasses

import numpy as np
import pytest

from headway.records import Estimate
from headway.simulate.workload import Workload
from headway.verify import recommend
from headway.verify.advice import recommendations


def workload(n=300, seed=0):
    rng = np.random.default_rng(seed)
    submit_s = np.sort(rng.uniform(0, n * 400, n))
    runtime_s = np.where(rng.random(n) < 0.5, 20.0, rng.uniform(1000, 5000, n))
    return Workload(
        submit_s=submit_s,
        runtime_s=runtime_s,
        requested_s=np.full(n, 10_000.0),
        procs=rng.integers(1, 9, n).astype(np.int64),
        rows=np.arange(n),
        total_procs=16,
    )


def foresight(w):
    """An estimate that knows the truth, with a refused first row."""
    quantiles = np.stack([w.runtime_s * 0.9, w.runtime_s, w.runtime_s * 1.1], axis=1)
    quantiles[0] = np.nan
    refused = np.full(len(w), "", dtype="U8")
    refused[0] = "new"
    return Estimate(
        value=quantiles[:, 1],
        levels=np.array([0.1, 0.5, 0.9]),
        quantiles=quantiles,
        made_by=np.full(len(w), "truth"),
        refused=refused,
    )


def test_a_refused_prediction_keeps_the_request():
    w = workload()
    median_s = recommend.value_of(w, foresight(w))
    assert median_s[0] == w.requested_s[0]
    assert np.allclose(median_s[1:], w.runtime_s[1:])


def test_knowing_more_is_chosen_and_reaches_a_share_of_the_possible():
    w = workload()
    user = np.zeros(len(w), dtype=np.int64)
    plans = recommend.requested_plans(w)
    learned = recommend.headway_plans(w, foresight(w), user)
    chosen = recommend.choose(w, [*plans, *learned])
    assert chosen.runtimes == "predicted"
    judged = [recommend.judge(w, p) for p in (plans[0], chosen, recommend.clairvoyant_plan(w))]
    gain = recommend.gain(w, *judged)
    assert gain["incumbent"] > gain["chosen"]
    expected = (gain["incumbent"] - gain["chosen"]) / (gain["incumbent"] - gain["clairvoyant"])
    assert gain["share_of_possible"] == pytest.approx(expected)
    assert gain["reduction_low_90"] is None  # a day and a half says nothing of other weeks


def test_the_interval_comes_from_whole_weeks():
    w = workload()
    slow = dataclasses.replace(w, submit_s=w.submit_s * 60.0)
    wait_s = np.random.default_rng(1).uniform(0, 9000, len(w))
    plan = recommend.clairvoyant_plan(slow)
    judged = [
        recommend.Judged(plan=plan, start_s=slow.submit_s + wait_s * factor)
        for factor in (1.0, 0.5, 0.0)
    ]
    gain = recommend.gain(slow, *judged)
    assert 0.0 < gain["reduction_low_90"] < gain["reduction"] < gain["reduction_high_90"] < 1.0


def test_the_choice_sees_only_the_first_part():
    w = workload()
    late = ~recommend.is_early(w)
    changed_s = np.where(late, w.runtime_s[::-1], w.runtime_s)
    other = Workload(
        submit_s=w.submit_s, runtime_s=changed_s, requested_s=w.requested_s, procs=w.procs,
        rows=w.rows, total_procs=w.total_procs,
    )  # fmt: skip
    first = recommend.choose(w, recommend.requested_plans(w))
    second = recommend.choose(other, recommend.requested_plans(other))
    assert first.policy == second.policy


def summary(reduction, saved_cost):
    month = {"request_wastage_gbh": 10.0, "wastage_gbh": 4.0}
    return {
        "prices": {"core_hour": 1.0, "gb_hour": 1.0, "currency": "EUR"},
        "gain": {
            "policy": "headway", "runtimes": "predicted", "share_of_possible": 0.5,
            "incumbent": 10.0, "chosen": 10.0 * (1 - reduction), "clairvoyant": 2.0, "tasks": 9,
            "reduction": reduction, "reduction_low_90": reduction - 0.1,
            "reduction_high_90": reduction + 0.1,
        },
        "learned": {},
        "requests": {"cores": {"known_tasks": 0}},
        "prediction": {
            "memory": {
                "saved_gbh_against_request": saved_cost, "first_attempt_coverage": 0.96,
                "coverage_asked": 0.95, "saved_cost": saved_cost, "months": [month, month],
            }
        },
    }  # fmt: skip


def test_a_gain_that_may_be_chance_comes_last():
    sure = recommendations(summary(0.5, 12.0))
    assert [a["unit"] for a in sure] == ["share of slowdown", "EUR"]
    unsure = recommendations(summary(0.05, 12.0))
    assert [a["unit"] for a in unsure] == ["EUR", "share of slowdown"]


def test_the_shipped_policy_is_recommended_only_if_it_is_proved():
    proof = {
        "policy": "learned:default", "tasks": 9, "weeks": 5, "candidate": 4.0, "incumbent": 5.0,
        "difference": -1.0, "difference_low_95": -1.5, "difference_high_95": -0.5,
        "worst_week": 2.0, "is_proved": True,
    }  # fmt: skip
    told = recommendations(summary(0.5, -3.0) | {"learned": proof})
    assert [a["worth"] for a in told] == pytest.approx([0.5, 0.2])
    assert (told[1]["low"], told[1]["high"]) == pytest.approx((0.1, 0.3))
    assert "worst week it is 2.0 higher" in told[1]["why"]
    unproved = proof | {"is_proved": False}
    assert len(recommendations(summary(0.5, -3.0) | {"learned": unproved})) == 1


def test_what_would_not_help_is_not_recommended():
    assert recommendations(summary(-0.1, -3.0)) == []


def test_a_small_share_is_not_rounded_to_nothing():
    idle = summary(-0.1, -3.0)
    idle["requests"]["cores"] = {
        "known_tasks": 9, "median_used_share": 0.00042, "wasted_core_h": 7.0, "cost": 1.0,
    }  # fmt: skip
    assert "use at most 0.042% of the cores" in recommendations(idle)[0]["why"]
