import numpy as np

from headway.schedule.rules import order_by, rule_named
from headway.simulate.kernel import simulate
from headway.simulate.workload import Workload


def workload(submit, run, requested, procs, total):
    n = len(submit)
    return Workload(
        submit_s=np.array(submit, float),
        runtime_s=np.array(run, float),
        requested_s=np.array(requested, float),
        procs=np.array(procs, np.int64),
        rows=np.arange(n),
        total_procs=total,
    )


def test_a_short_task_goes_before_a_wide_one_that_must_wait():
    w = workload([0, 1, 2, 3], [10, 10, 5, 50], [10, 10, 5, 50], [3, 4, 1, 1], 4)
    order = order_by(rule_named("fcfs"), w.requested_s, w.procs, w.submit_s)
    start_s = simulate(w, order, w.requested_s)
    assert start_s.tolist() == [0.0, 10.0, 2.0, 20.0]
