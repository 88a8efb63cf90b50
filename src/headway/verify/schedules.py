"""What a cluster would have done with its history under each order of the queue.

Every standard rule and Headway's plans are played on the same tasks; the plan is chosen on the
first part of the time, and the shipped policy is held against it on the rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.errors import NotEnoughData
from headway.simulate.workload import Workload, workload_from
from headway.verify import recommend
from headway.verify.offer import offer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headway.records import ClusterFacts
    from headway.verify.replay import Replayed

    Progress = Callable[[str, float], None]  # what is being done, share done in [0, 1]

LEAST_TASKS: Final = 50  # fewer cannot be split into a part to choose on and one to judge on
GRAPHLESS: Final = (
    "schedules: this format does not say which task waits for which, so tasks are simulated as if "
    "none did; the gain of another order is doubtful"
)


def compare_schedules(
    tasks: pl.DataFrame,
    facts: Sequence[ClusterFacts],
    runtimes: Replayed | None,
    silent: list[str],
    progress: Progress,
) -> dict[str, Any]:
    """What the cluster would have done under each rule, and what Headway would have made of it.

    {schedules, gain, learned, machine}; why a part is empty is added to silent.
    """
    empty: dict[str, Any] = {"schedules": [], "gain": {}, "learned": {}, "machine": {}}
    workload, reason = workload_of(tasks, facts)
    if workload is None:
        silent.append(reason)
        return empty
    if reason:
        silent.append(reason)
    requested = recommend.requested_plans(workload)
    clairvoyant = recommend.clairvoyant_plan(workload)
    learned = []
    if runtimes is not None:
        learned = recommend.predicted_plans(workload, runtimes.estimate)
        user = runtimes.features.column("user")[workload.rows].astype(np.int64)
        learned += recommend.headway_plans(workload, runtimes.estimate, user)
    else:
        silent.append("schedules with predicted runtimes: no runtime could be predicted")
    steps, what = _Steps(progress, 2 * len(requested) + len(learned) + 3), "Simulating schedules"
    chosen = recommend.choose(workload, [*requested, *learned], progress=lambda: steps.next(what))
    plans = [*requested, *[p for p in learned if p.policy != "headway" or p is chosen], clairvoyant]
    judged = []
    for plan in plans:
        judged.append(recommend.judge(workload, plan))
        steps.next(what)
    taken = next(j for j in judged if j.plan is chosen)
    rows = [recommend.row(workload, j) for j in judged]
    proof: dict[str, Any] = {}
    if runtimes is not None:
        row, proof = offer(workload, runtimes.estimate, taken, judged[0])
        rows.insert(-1, row)
    machine = {
        "total_cpus": workload.total_procs,
        "tasks_simulated": len(workload),
        "without_runtime": workload.without_runtime,
        "without_cpus": workload.without_procs,
        "too_wide": workload.too_wide,
    }
    return {
        "schedules": rows,
        "gain": recommend.gain(workload, judged[0], taken, judged[-1]),
        "learned": proof,
        "machine": machine,
    }


def workload_of(tasks: pl.DataFrame, facts: Sequence[ClusterFacts]) -> tuple[Workload | None, str]:
    """The largest cluster's tasks as a workload; else None. The reason says what was left out."""
    clusters = tasks["cluster"].value_counts(sort=True)["cluster"]
    first = clusters[0]
    mine_facts = [f for f in facts if f.cluster == first]
    fact = max(mine_facts, key=lambda f: f.total_cpus or 0.0)
    zero_s = min(f.zero_s for f in mine_facts)
    reason = f"only {first} was simulated of {len(clusters)} clusters" if len(clusters) > 1 else ""
    if fact.total_cpus is None:
        return None, "schedules: no column says how many processors tasks took"
    mine = tasks.with_row_index("row").filter(
        (pl.col("cluster") == first) & (pl.col("ended_s").is_not_null())
    )
    if mine.is_empty():
        return None, "schedules: no column says when tasks started or how long they ran"
    if mine["parents"].list.len().max():
        reason = "schedules: tasks that wait for others (a workflow graph) are not simulated yet"
        return None, reason
    try:
        workload = workload_from(mine, zero_s, int(fact.total_cpus))
    except NotEnoughData as error:
        return None, f"schedules: {error}"
    if len(workload) < LEAST_TASKS or workload.submit_s[-1] <= workload.submit_s[0]:
        return None, f"schedules: {len(workload)} tasks are too few, {LEAST_TASKS} are needed"
    workload, guessed = _without_foresight(workload, mine)
    reasons = [reason, guessed, GRAPHLESS if fact.format == "nextflow" else ""]
    reason = "; ".join(sentence for sentence in reasons if sentence)
    at = mine["row"].to_numpy().astype(np.int64)[workload.rows]
    left_out = int((tasks["cluster"] == first).sum()) - mine.height
    return replace(workload, rows=at, without_runtime=workload.without_runtime + left_out), reason


def _without_foresight(workload: Workload, tasks: pl.DataFrame) -> tuple[Workload, str]:
    """The workload with a request for each task that made none, and a sentence if there are any.

    Such a task is taken to ask for the longest runtime of the first part of the history: its own
    runtime, which the simulator would take, is what nobody knew.
    """
    asked = tasks["limit_s"].fill_null(0.0).to_numpy()[workload.rows]
    is_silent = asked <= 0.0
    if not is_silent.any():
        return workload, ""
    longest_s = float(workload.runtime_s[recommend.is_early(workload)].max())
    requested_s = np.where(is_silent, longest_s, workload.requested_s)
    sentence = (
        f"requested runtimes of {is_silent.sum():,} simulated tasks: none is known, so each is "
        f"taken to ask for {longest_s:,.0f} s, the longest of the first {recommend.SHARE:.0%}"
    )
    return replace(workload, requested_s=requested_s), sentence


class _Steps:
    """Counts steps of a known number for a progress bar."""

    def __init__(self, progress: Progress, of: int) -> None:
        self._progress, self._of, self._done = progress, of, 0

    def next(self, what: str) -> None:
        self._done += 1
        self._progress(what, min(1.0, self._done / self._of))
