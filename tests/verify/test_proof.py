import numpy as np
import pytest

from headway.simulate.workload import Workload
from headway.verify.proof import WEEK_S, prove


def history(weeks=10, per_week=50, seed=0):
    rng = np.random.default_rng(seed)
    submit_s = np.sort(rng.uniform(0.0, weeks * WEEK_S, weeks * per_week))
    n = len(submit_s)
    return Workload(
        submit_s=submit_s, runtime_s=rng.uniform(60.0, 3600.0, n), requested_s=np.full(n, 3600.0),
        procs=np.ones(n, np.int64), rows=np.arange(n), total_procs=4,
    )  # fmt: skip


def starts(workload, mean_wait_s, seed):
    wait_s = np.random.default_rng(seed).exponential(mean_wait_s, len(workload))
    return workload.submit_s + wait_s


def judged(workload):
    return np.ones(len(workload), np.bool_)


def test_a_much_better_schedule_is_proved():
    workload = history()
    slow_s, fast_s = starts(workload, 7200.0, 1), starts(workload, 600.0, 2)
    said = prove(workload, fast_s, slow_s, slow_s, judged(workload))
    assert said["is_proved"]
    assert said["difference_low_95"] < said["difference"] < said["difference_high_95"] < 0.0
    assert said["candidate"] < said["incumbent"]
    assert said["difference"] == pytest.approx(said["candidate"] - said["incumbent"])


def test_chance_is_not_proof():
    workload = history()
    proved = []
    for i in range(40):
        mine_s, other_s = (starts(workload, 600.0, seed) for seed in (2 * i, 2 * i + 1))
        said = prove(workload, mine_s, other_s, other_s, judged(workload))
        proved.append(said["is_proved"])
    assert np.mean(proved) <= 0.15  # 2.5 % each side, few weeks


def test_one_lucky_week_is_not_proof():
    workload = history()
    before_s = starts(workload, 600.0, 1)
    after_s = before_s.copy()
    week = (workload.submit_s // WEEK_S).astype(int)
    after_s[week == 3] = workload.submit_s[week == 3]
    assert not prove(workload, after_s, before_s, before_s, judged(workload))["is_proved"]


def test_the_worst_week_and_the_most_delayed_task_are_named():
    workload = history()
    before_s = starts(workload, 600.0, 1)
    after_s = before_s.copy()
    after_s[7] += 50_000.0
    said = prove(workload, after_s, before_s, before_s, judged(workload))
    assert said["starved_s"] == pytest.approx(50_000.0)
    assert said["worst_week"] > 0.0
    assert said["weeks_no_worse"] == pytest.approx(1.0 - 1.0 / said["weeks"])


def test_only_judged_tasks_count():
    workload = history()
    before_s = starts(workload, 600.0, 1)
    after_s = before_s.copy()
    late = workload.submit_s >= 5 * WEEK_S
    after_s[~late] += 1e6
    said = prove(workload, after_s, before_s, before_s, late)
    assert said["difference"] == 0.0
    assert said["tasks"] == late.sum()


def test_few_weeks_prove_nothing():
    workload = history(weeks=3)
    slow_s, fast_s = starts(workload, 7200.0, 1), starts(workload, 60.0, 2)
    said = prove(workload, fast_s, slow_s, slow_s, judged(workload))
    assert (said["difference_low_95"], said["difference_high_95"]) == (None, None)
    assert not said["is_proved"]
