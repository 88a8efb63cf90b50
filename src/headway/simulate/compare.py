"""Policies beside each other on one workload: the rows of `headway simulate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.errors import ConfigError, NotEnoughData
from headway.schedule.learned import PREFIX, learned_named
from headway.schedule.rules import RULES, order_by, rule_named
from headway.simulate.kernel import simulate
from headway.simulate.metrics import metrics
from headway.simulate.steered import simulate_learned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from headway.simulate.workload import Workload

    Floats = NDArray[np.float64]
    Believed = tuple[Floats, Floats, Floats]  # runtimes to order, to reserve and to backfill by
    Starter = Callable[[Workload, Believed, str], Floats]

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
    backfill_s: Floats | None = None,
    start: int = 0,
    jobs: int = 0,
    prefer: Mapping[str, float] | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> list[dict[str, Any]]:
    """One row for each policy, kind of runtimes and kind of backfilling.

    policies: names of rules, learned:PATH, learned:default or "all" rules; backfills: easy,
    reserve, none, or () = those of the protocol. With "predicted" runtimes the rule orders by
    predicted_s (n,) and room is reserved by
    reserve_s (n,; None = as requested); a learned policy backfills by backfill_s (n,; None = as
    reserved). The protocol "rlscheduler" gives means over its ten
    sequences, each on an empty machine; jobs > 0 simulates that many from `start` instead.
    prefer: how much each objective counts to the learned policies; ConfigError if one takes none.
    clock: seconds; what it takes to compile is not counted.
    """
    ordered, backfills = checked(policies, runtimes, protocol, backfills, prefer)
    names = list(ordered)
    parts = _parts(workload, protocol, start, jobs)
    if "predicted" in runtimes and predicted_s is None:
        raise NotEnoughData("runtimes were not predicted: leave predicted out of runtimes")
    asked_s, true_s = workload.requested_s, workload.runtime_s
    believed = {
        kind: (known_s, known_s, known_s)
        for kind, known_s in (("requested", asked_s), ("true", true_s))
    }
    if predicted_s is not None:
        kept_s = asked_s if reserve_s is None else reserve_s
        believed["predicted"] = (predicted_s, kept_s, kept_s if backfill_s is None else backfill_s)
    wanted = [(b, kind, name) for b in backfills for kind in runtimes for name in names]
    found = []
    for done, (backfill, kind, name) in enumerate(wanted):
        if progress is not None:
            progress(f"simulate {name}", done / len(wanted))
        measured = _measure(
            workload, parts, ordered[name], believed[kind], _mode(protocol, backfill), clock
        )
        found.append(
            {"policy": name, "runtimes": kind, "protocol": protocol, "backfill": backfill}
            | ({"prefer": dict(prefer)} if prefer and name.startswith(PREFIX) else {})
            | measured
        )
    return found


def checked(
    policies: Sequence[str],
    runtimes: Sequence[str],
    protocol: str,
    backfills: Sequence[str],
    prefer: Mapping[str, float] | None = None,
) -> tuple[dict[str, Starter], Sequence[str]]:
    """The policies by their names and the kinds of backfilling; ConfigError if a name is not one.

    InputError if a file holds no policy.
    """
    names = list(RULES) if "all" in policies else list(policies)
    if prefer and not any(name.startswith(PREFIX) for name in names):
        raise ConfigError("prefer needs a learned policy: add learned:preferences to policy")
    ordered = {name: _starter(name, prefer) for name in names}
    if protocol not in BACKFILLS:
        raise ConfigError(f"protocol must be whole or rlscheduler, got {protocol}")
    for kind in runtimes:
        if kind not in RUNTIMES:
            raise ConfigError(f"runtimes must be of {', '.join(RUNTIMES)}, got {kind}")
    for backfill in backfills:
        if backfill not in ("easy", "reserve", "none"):
            raise ConfigError(f"backfill must be easy, reserve or none, got {backfill}")
    return ordered, backfills or BACKFILLS[protocol]


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


def _starter(name: str, prefer: Mapping[str, float] | None) -> Starter:
    """What simulates a policy by its name: a rule or a learned order."""
    if name.startswith(PREFIX):
        learned = learned_named(name, prefer)

        def by_learned(tasks: Workload, believed: Believed, mode: str) -> Floats:
            order_s, reserve_s, backfill_s = believed
            return simulate_learned(
                tasks, learned, order_s, reserve_s, backfill_s=backfill_s, backfill=mode
            )

        return by_learned
    rule = rule_named(name)

    def by_rule(tasks: Workload, believed: Believed, mode: str) -> Floats:
        order_s, reserve_s, _ = believed
        order = order_by(rule, order_s, tasks.procs, tasks.submit_s)
        return simulate(tasks, order, reserve_s, backfill=mode)

    return by_rule


def _measure(
    workload: Workload,
    parts: Sequence[slice],
    starts: Callable[[Workload, Believed, str], Floats],
    believed: Believed,
    mode: str,
    clock: Callable[[], float],
) -> dict[str, Any]:
    """Means over the parts, and how fast they were simulated."""

    def run(part: slice) -> tuple[Workload, Floats]:
        tasks = workload.part(part.start, part.stop - part.start)
        order_s, reserve_s, backfill_s = (values[part] for values in believed)
        return tasks, starts(tasks, (order_s, reserve_s, backfill_s), mode)

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
