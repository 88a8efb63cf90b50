"""What a schedule was worth: slowdown, wait, utilisation, makespan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headway.stats import bounded_slowdown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.simulate.workload import Workload


def metrics(workload: Workload, start_s: NDArray[np.float64]) -> dict[str, float]:
    """Means over the tasks of a workload that started at start_s (n,).

    mean_bounded_slowdown (floor 10 s), p95_bounded_slowdown_60s (floor 60 s), mean_wait_s,
    mean_turnaround_s, utilisation (share of the processors used from the first submission to the
    last end), makespan_s, core_hours.
    """
    wait_s = start_s - workload.submit_s
    end_s = start_s + workload.runtime_s
    makespan_s = float(end_s.max() - workload.submit_s.min())
    used = float(np.dot(workload.runtime_s, workload.procs))
    return {
        "mean_bounded_slowdown": float(bounded_slowdown(wait_s, workload.runtime_s).mean()),
        "p95_bounded_slowdown_60s": float(
            np.quantile(bounded_slowdown(wait_s, workload.runtime_s, 60.0), 0.95)
        ),
        "mean_wait_s": float(wait_s.mean()),
        "mean_turnaround_s": float((end_s - workload.submit_s).mean()),
        "utilisation": used / (workload.total_procs * makespan_s),
        "makespan_s": makespan_s,
        "core_hours": used / 3600.0,
    }
