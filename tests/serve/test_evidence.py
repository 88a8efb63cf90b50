"""What the log says of arms: in any order, once, stage by stage."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import ConfigError
from headway.rollout import Plan, begin
from headway.serve.evidence import METRICS, Evidence
from headway.serve.judging import document_of, held, metrics_of, verdict_of


def decision(number, *, is_challenger=False, stage=1, given=100, shadow=(), **fields):
    arm = "challenger" if is_challenger else "champion"
    return {
        "kind": "decision", "decision_id": f"d{number}", "at_s": float(number), "arm": arm,
        "rollouts": [["r000001", stage, is_challenger, f"k{number}"]], "shadow": list(shadow),
        "memory_bytes": given, "latency_s": 0.001,
    } | fields  # fmt: skip


def outcome(number, state="completed", *, peak=50, at_s=None, wait_s=1.0):
    return {
        "kind": "outcome", "decision_id": f"d{number}", "state": state, "wait_s": wait_s,
        "at_s": float(number) + 1.0 if at_s is None else at_s, "memory_peak_bytes": peak,
        "runtime_s": 3600.0,
    }  # fmt: skip


def told(records):
    evidence = Evidence("nowhere")
    for record in records:
        evidence.take(record, 1e9)
    return evidence


def sums(evidence, stage=1):
    found = evidence.stage("r000001", stage)
    return {
        arm: {name: m.sums.tolist() for name, m in found.moments(arm).items()}
        for arm in ("champion", "challenger")
    }


@given(st.integers(0, 10**6))
def test_the_order_and_repetition_of_records_change_nothing(seed):
    rng = random.Random(seed)
    records = []
    for number in range(20):
        records.append(decision(number, is_challenger=number % 3 == 0))
        records.append(outcome(number, "failed"))
        records.append(outcome(number, "completed", at_s=number + 5.0))  # the latest counts
    mixed = [*records, *rng.sample(records, 10)]
    rng.shuffle(mixed)
    assert sums(told(mixed)) == sums(told(records))
    assert sums(told(records))["champion"]["failures"][0] == 0.0


def test_a_stage_knows_its_own_answers_only():
    records = [decision(1, stage=1), outcome(1, "failed"), decision(2, stage=2), outcome(2)]
    assert sums(told(records), 1)["champion"]["failures"] == [1.0, 0.0, 1.0]
    assert sums(told(records), 2)["champion"]["failures"] == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("given", "state", "peak", "uncovered"),
    [(80, "completed", 50, 0.0), (40, "completed", 50, 1.0), (80, "out_of_memory", 100, 1.0),
     (200, "out_of_memory", 100, None), (80, "completed", None, None)],
)  # fmt: skip
def test_a_shadow_answer_is_held_against_what_came(given, state, peak, uncovered):
    shadow = [{"rollout_id": "r000001", "memory_bytes": given, "latency_s": 0.001}]
    evidence = told([decision(1, stage=0, shadow=shadow), outcome(1, state, peak=peak)])
    said = sums(evidence, 0)["challenger"]["uncovered"]
    assert said == ([0.0, 0.0, 0.0] if uncovered is None else [uncovered, 0.0, 1.0])


def test_answers_of_another_rollouts_challenger_are_of_neither_arm():
    entries = [["r000001", 1, False, "a"], ["r000002", 1, True, "b"]]
    evidence = told([decision(1, is_challenger=True, rollouts=entries), outcome(1, "failed")])
    assert sums(evidence) == {"champion": {}, "challenger": {}}
    assert evidence.stage("r000001", 1).split["champion"] == {"a"}  # for the test of the split
    assert evidence.stage("r000002", 1).outcomes["challenger"] == 1


def a_rollout(**plan):
    return begin("r000001", "home", "v1", "v2", Plan(shares=(0.0, 0.5), **plan), 0.0)


def test_what_looks_worse_is_not_raised_and_what_is_surely_worse_is_taken_back():
    records = []
    for number in range(600):
        ours = number % 2 == 0
        state = "failed" if ours and number % 3 == 0 else "completed"
        records += [decision(number, is_challenger=ours, stage=0), outcome(number, state)]
    few, many, rollout = told(records[:160]), told(records), a_rollout()
    assert verdict_of(rollout, few).verdict == "continue"
    assert "failures looks worse" in held(rollout.plan, verdict_of(rollout, few))
    assert verdict_of(rollout, many).verdict == "roll back"
    assert document_of(rollout, many)["verdict"] == "roll back"


def test_outcomes_that_were_cancelled_say_nothing():
    records = [decision(1), outcome(1, "cancelled")]
    assert sums(told(records))["champion"]["failures"] == [0.0, 0.0, 0.0]


def test_a_metric_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="beauty"):
        metrics_of(Plan(metric="beauty"))
    assert {m.name for m in metrics_of(Plan(metric="waste"))} == set(METRICS)
