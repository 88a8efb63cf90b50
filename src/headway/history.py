"""Histories in files: opened, taken into a store once, read back as tasks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from headway.observe.ingest import Ingested, ingest
from headway.observe.trace import Trace, read
from headway.observe.workflows import is_tpch, read_tpch, workflow_of_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from headway.observe.workflows import Workflow
    from headway.protocols import Store
    from headway.records import ClusterFacts

    Progress = Callable[[str, float], None]  # what is being done, share done in [0, 1]

EARLIER_S: Final = 90 * 86400.0


def open_traces(
    paths: Sequence[Path],
    *,
    format: str = "",
    column_map: Mapping[str, str] | None = None,
    total_cpus: float | None = None,
    cluster: str = "",
) -> list[Trace]:
    """The files of a history, recognised; `cluster` names what all of them belong to."""
    traces = [read(path, format, column_map, total_cpus) for path in paths]
    for trace in traces:
        trace.cluster = cluster or trace.cluster
    return traces


def take_in(
    traces: Sequence[Trace], store: Store, now_s: float, progress: Progress
) -> dict[str, Any]:
    """Keep a history in the store, once; how many records were read, stored, known, set aside."""
    total: dict[str, Any] = {"read": 0, "stored": 0, "duplicate": 0, "quarantined": 0}
    total |= {"reasons": {}, "examples": {}, "warnings": [], "distribution": []}
    earlier = _earlier(store)
    for trace in traces:
        name = f"Reading {trace.path.name}"
        progress(name, 0.0)
        done = ingest(trace, store, now_s, earlier, partial(_show, progress, name))
        progress(name, 1.0)
        _add(total, done, trace)
    return total


def history_of(traces: Sequence[Trace], store: Store) -> tuple[pl.DataFrame, list[ClusterFacts]]:
    """All tasks that the store holds of the clusters of these traces, and their facts."""
    facts = [trace.facts for trace in traces]
    tasks = store.read("task", float("-inf"), float("inf"))
    names = pl.Series([f.cluster for f in facts]).unique()
    return tasks.filter(pl.col("cluster").is_in(names.implode())), facts


def tasks_of(
    traces: Sequence[Trace], progress: Progress, *, in_order: bool = True
) -> tuple[pl.DataFrame, list[ClusterFacts]]:
    """All tasks of some traces and their facts; nothing is kept.

    in_order: by submission, else as they stand in the files.
    """
    frames = []
    for trace in traces:
        name = f"Reading {trace.path.name}"
        progress(name, 0.0)
        frames += [tasks for tasks, _ in trace]
        progress(name, 1.0)
    tasks = pl.concat(frames).unique(["cluster", "id", "attempt"], keep="last", maintain_order=True)
    if in_order:
        tasks = tasks.sort("submitted_s", maintain_order=True)
    return tasks, [trace.facts for trace in traces]


def workflows_of(
    paths: Sequence[Path], progress: Progress, *, format: str = "",
    column_map: Mapping[str, str] | None = None,
) -> dict[str, list[Workflow]]:  # fmt: skip
    """The kinds of workflows in some files by cluster, one for each execution with a graph.

    paths: TPC-H queries as an archive or folder, each a cluster of its own, and histories whose
    tasks name their parents, which are one cluster together.
    """
    found: dict[str, list[Workflow]] = {}
    others = [path for path in paths if not is_tpch(path)]
    name = ", ".join(path.name for path in others[:1])
    name += f" and {len(others) - 1} more" if len(others) > 1 else ""
    for path in paths:
        if path not in others:
            progress(f"Reading {path.name}", 0.0)
            found[path.name] = read_tpch(path)
            continue
        tasks, _ = tasks_of(open_traces([path], format=format, column_map=column_map), progress)
        kinds = found.setdefault(name, [])
        if tasks["parents"].list.len().max():
            executed = tasks.partition_by("workflow", maintain_order=True)
            kinds += [workflow_of_tasks(f"{path.name} {i}", part) for i, part in enumerate(executed)
                      if part["ended_s"].is_not_null().any()]  # fmt: skip
    return found


def _earlier(store: Store) -> pl.DataFrame | None:
    """The first EARLIER_S of the newest source in the store, to see whether new records look alike.

    A part, so that a long log does not have to fit into memory.
    """
    known = store.read("cluster", float("-inf"), float("inf"))
    if known.is_empty():
        return None
    newest_s = known["at_s"][-1]
    tasks = store.read("task", newest_s, newest_s + EARLIER_S)
    return tasks if tasks.height else None


def _add(total: dict[str, Any], done: Ingested, trace: Trace) -> None:
    """Add what became of one file to the sums."""
    for name in ("read", "stored", "duplicate", "quarantined"):
        total[name] += getattr(done, name)
    for reason, count in done.reasons.items():
        total["reasons"][reason] = total["reasons"].get(reason, 0) + count
        kept = total["examples"].setdefault(reason, [])
        kept += [f"{trace.path.name}, {text}" for text in done.examples[reason]][: 3 - len(kept)]
    total["warnings"] += [f"{trace.path.name}: {warning}" for warning in done.warnings]
    total["distribution"] += [x for x in done.distribution if x["flagged"]]


def _show(progress: Progress, name: str, done_bytes: int, total_bytes: int) -> None:
    progress(name, done_bytes / max(total_bytes, 1))
