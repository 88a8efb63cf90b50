"""What standard rules make of a window, told the same runtimes as the policy that is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from headway.schedule.rules import order_by, rule_named
from headway.simulate.batch import FLOOR_S
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


def costs(window: Window, start_s: Floats, at_s: Sequence[float] | Floats = ()) -> Floats:
    """What waiting has cost by some moments (t,), and in all, (t + 1,): seconds over runtime."""
    jobs = window.jobs
    until_s = np.append(at_s, np.inf)[:, None]
    waited_s = np.maximum(np.minimum(start_s, until_s) - jobs.submit_s, 0.0)
    paid: Floats = (waited_s / np.maximum(jobs.runtime_s, FLOOR_S)).sum(axis=1)
    return paid


def best_rival(window: Window) -> Floats:
    """Start of each task (n,) under the standard rule under which waiting costs least."""
    starts = rival_starts(window).values()
    return min(starts, key=lambda start_s: float(costs(window, start_s)[0]))
