from dataclasses import replace

import numpy as np
import pytest

from headway.history import open_traces, tasks_of
from headway.simulate.workload import workload_from
from headway.verify import recommend
from headway.verify.offer import offer
from headway.verify.replay import replay


@pytest.fixture(scope="module")
def judged(data):
    """A busy stretch of a real trace, replayed: its workload, what was predicted, two plans."""
    path = data / "scheduling/swf/CTC-SP2-1996-3.1-cln.swf.gz"
    tasks, facts = tasks_of(open_traces([path]), lambda what, share: None)
    tasks = tasks[:3000]
    workload = workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))
    estimate = replay(tasks, "runtime_s", orders=True).estimate
    first_come = recommend.judge(workload, recommend.requested_plans(workload)[0])
    best = recommend.judge(workload, recommend.clairvoyant_plan(workload))
    return workload, estimate, first_come, best


def test_a_policy_is_held_against_what_was_chosen_on_the_time_that_did_not_choose(judged):
    workload, estimate, first_come, best = judged
    row, proof = offer(workload, estimate, best, first_come)
    assert (row["policy"], row["runtimes"]) == ("learned:default", "predicted")
    assert proof["tasks"] == int((~recommend.is_early(workload)).sum())
    assert proof["candidate"] == pytest.approx(row["judged_mean_bounded_slowdown"])
    assert proof["rule"] == "areaxt, true runtimes"
    assert not proof["is_proved"]  # nobody beats knowing every runtime


def test_tasks_without_users_or_predictions_are_ordered_all_the_same(judged):
    workload, estimate, first_come, _ = judged
    unknown = estimate.value.copy()
    unknown[::3] = np.nan
    quantiles = estimate.quantiles.copy()
    quantiles[::3] = np.nan
    anonymous = replace(workload, user=np.empty(0, np.int64))
    row, proof = offer(
        anonymous, replace(estimate, value=unknown, quantiles=quantiles), first_come, first_come
    )
    assert np.isfinite(row["mean_bounded_slowdown"])
    assert proof["candidate"] < proof["incumbent"]
