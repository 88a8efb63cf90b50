"""What standard rules make of a window, told the same runtimes as the policy that is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.schedule.rules import order_by, rule_named
from headway.simulate.kernel import simulate
from headway.simulate.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.train.judge import Window

    Floats = NDArray[np.float64]

RIVALS: Final = ("saf", "sjf", "areaxt", "f1", "f2", "unicep", "wfp3")
TRUSTED: Final = ("request", "quantile")
"""By what a task may jump the queue: what was requested, or what learned policies trust."""


def rival_starts(
    window: Window, rules: Sequence[str] = RIVALS, trusted: Sequence[str] = TRUSTED
) -> dict[str, Floats]:
    """Start of each task (n,) under textbook EASY by "rule, what is trusted"; room is reserved by
    requests.
    """
    jobs = window.jobs
    workload = Workload(
        submit_s=jobs.submit_s, runtime_s=jobs.runtime_s, requested_s=jobs.limit_s,
        procs=jobs.procs, rows=np.arange(len(jobs.procs)), total_procs=window.total_procs,
    )  # fmt: skip
    backfill_s = {"request": jobs.limit_s, "quantile": jobs.backfill_s}
    found = {}
    for name in rules:
        order = order_by(rule_named(name), jobs.order_s, jobs.procs, jobs.submit_s)
        for kind in trusted:
            found[f"{name}, {kind}"] = simulate(
                workload, order, jobs.reserve_s, backfill_s=backfill_s[kind]
            )
    return found
