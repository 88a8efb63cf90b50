"""Policies beside each other on one workload: the rows of `headway simulate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.rules import RULES, order_by, rule_named
from headway.simulate.kernel import simulate
from headway.simulate.metrics import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]

STARTS: Final = (1981, 2756, 4299, 8850, 3316, 2714, 5228, 7762, 4022, 7085)
SEQUENCE: Final = 1024
"""The sequences of RLScheduler (Zhang et al. (2020)): first task and length of each."""
RUNTIMES: Final = ("requested", "predicted", "true")
BACKFILLS: Final = {"whole": ("easy",), "rlscheduler": ("none", "reserve")}
"""The kinds of backfilling that a protocol compares where none is named."""


def rows(
    workload: Workload,
    policies: Sequence[str],
    runtimes: Sequence[str] = ("requested",),
    *,
    clock: Callable[[], float],
    protocol: str = "whole",
    backfills: Sequence[str] = (),
    predicted_s: Floats | None = None,
    reserve_s: Floats | None = None,
    start: int = 0,
    jobs: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> list[dict[str, Any]]:
    """One row for each policy, kind of runtimes and kind of backfilling.

    policies: names of rules, or "all"; backfills: easy, reserve, none, or () = those of the
    protocol. With "predicted" runtimes the rule orders by predicted_s (n,) and room is reserved by
    reserve_s (n,; None = as requested). The protocol "rlscheduler" gives means over its ten
    sequences, each on an empty machine; jobs > 0 simulates that many from `start` instead.
    clock: seconds; what it takes to compile is not counted.
    """
    names = list(RULES) if "all" in policies else [rule_named(name).name for name in policies]
    backfills = _checked(protocol, runtimes, backfills)
    parts = _parts(workload, protocol, start, jobs)
    if "predicted" in runtimes and predicted_s is None:
        raise NotEnoughData("runtimes were not predicted: leave predicted out of runtimes")
    order_s = {"requested": workload.requested_s, "true": workload.runtime_s}
    kept_s = dict(order_s)
    if predicted_s is not None:
        order_s["predicted"] = predicted_s
        kept_s["predicted"] = workload.requested_s if reserve_s is None else reserve_s
    wanted = [(b, kind, name) for b in backfills for kind in runtimes for name in names]
    found = []
    for done, (backfill, kind, name) in enumerate(wanted):
        if progress is not None:
            progress(f"simulate {name}", done / len(wanted))
        measured = _measure(
            workload, parts, name, order_s[kind], kept_s[kind], _mode(protocol, backfill), clock
        )
        found.append(
            {"policy": name, "runtimes": kind, "protocol": protocol, "backfill": backfill}
            | measured
        )
    return found


def _checked(protocol: str, runtimes: Sequence[str], backfills: Sequence[str]) -> Sequence[str]:
    """The kinds of backfilling to compare; ConfigError if a name is not one."""
    if protocol not in BACKFILLS:
        raise ConfigError(f"protocol must be whole or rlscheduler, got {protocol}")
    for kind in runtimes:
        if kind not in RUNTIMES:
            raise ConfigError(f"runtimes must be of {', '.join(RUNTIMES)}, got {kind}")
    for backfill in backfills:
        if backfill not in ("easy", "reserve", "none"):
            raise ConfigError(f"backfill must be easy, reserve or none, got {backfill}")
    return backfills or BACKFILLS[protocol]


def _mode(protocol: str, backfill: str) -> str:
    """The kernel's name for a kind of backfilling: RLScheduler's "none" commits to its choice."""
    return "commit" if (protocol, backfill) == ("rlscheduler", "none") else backfill


def _parts(workload: Workload, protocol: str, start: int, jobs: int) -> list[slice]:
    """The tasks of each simulation."""
    n = len(workload)
    if jobs < 0 or start < 0 or start + max(jobs, 1) > n:
        raise ConfigError(f"start and jobs must name tasks of 0..{n - 1}, got {start} and {jobs}")
    if jobs > 0 or start > 0:
        return [slice(start, start + jobs if jobs > 0 else n)]
    if protocol == "whole":
        return [slice(0, n)]
    if n < max(STARTS) + SEQUENCE:
        raise NotEnoughData(f"rlscheduler needs {max(STARTS) + SEQUENCE} tasks, there are {n}")
    return [slice(at, at + SEQUENCE) for at in STARTS]


def _measure(
    workload: Workload,
    parts: Sequence[slice],
    policy: str,
    order_s: Floats,
    reserve_s: Floats,
    mode: str,
    clock: Callable[[], float],
) -> dict[str, Any]:
    """Means over the parts, and how fast they were simulated."""

    def run(part: slice) -> tuple[Workload, Floats]:
        tasks = workload.part(part.start, part.stop - part.start)
        order = order_by(rule_named(policy), order_s[part], tasks.procs, tasks.submit_s)
        return tasks, simulate(tasks, order, reserve_s[part], backfill=mode)

    run(slice(0, 1))  # so that it is compiled
    began_s = clock()
    simulated = [run(part) for part in parts]
    took_s = clock() - began_s
    each = [metrics(tasks, start_s) for tasks, start_s in simulated]
    jobs = sum(len(tasks) for tasks, _ in simulated)
    row: dict[str, Any] = {"jobs": jobs}
    row |= {key: float(np.mean([m[key] for m in each])) for key in each[0]}
    if len(parts) > 1:
        row["mean_bounded_slowdown_each"] = [m["mean_bounded_slowdown"] for m in each]
    return row | {"jobs_per_s": jobs / max(took_s, 1e-9)}
