"""WfFormat: one executed workflow as JSON, with its graph and the sizes of its files.

Where tasks carry no times of their own, each is submitted and started when the last of its
parents has ended, the first at the workflow's own time: what it would be on free machines.
Source: Coleman et al. (2022), "WfCommons: A framework for enabling scientific workflow research".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

import polars as pl

from headway.errors import InputError
from headway.observe.source import Chunk, Claims, Source

MOST_BYTES: Final = 1 << 28
_DATES: Final = ("%Y%m%dT%H%M%S%z", "%m-%d-%yT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z")


def read_wfformat(source: Source, claims: Claims) -> Iterator[Chunk]:
    """The tasks of an instance, parents before children."""
    instance = _instance(source)
    workflow = instance["workflow"]
    specification, execution = workflow["specification"], workflow.get("execution") or {}
    if not isinstance(specification, dict) or not isinstance(execution, dict):
        raise InputError(f"{source.path}: specification and execution must be objects")
    tasks, runs = _by_id(source, specification), _by_id(source, execution)
    files = _objects(specification.get("files"))
    sizes = {_text(f.get("id")): f.get("sizeInBytes") for f in files}
    zero = _moment(execution.get("executedAt")) or _moment(instance.get("createdAt")) or 0.0
    _claim(claims, execution)
    claims.is_timed = any(_moment(run.get("executedAt")) is not None for run in runs.values())
    line = {name: i for i, name in enumerate(tasks, start=1)}
    ends: dict[str, float] = {}
    rows = []
    for name in _order(source, tasks):
        row = _row(name, tasks[name], runs.get(name, {}), sizes, ends, zero)
        ends[name] = row["ended_s"] if row["ended_s"] is not None else row["submitted_s"]
        rows.append({**row, "workflow": _text(instance.get("name")), "line": line[name]})
    rows.sort(key=lambda row: (row["submitted_s"], row["line"]))
    texts = {line[n]: json.dumps({**t, **runs.get(n, {})})[:2000] for n, t in tasks.items()}
    if rows:
        table = pl.DataFrame(rows, schema=_SCHEMA, strict=False)
        yield Chunk(table, lambda lines: [texts[n] for n in lines])


_SCHEMA: Final[dict[str, Any]] = {
    "line": pl.Int64, "reason": pl.String, "id": pl.String, "workflow": pl.String,
    "name": pl.String, "tag": pl.String, "node": pl.String, "parents": pl.List(pl.String),
    "submitted_s": pl.Float64, "started_s": pl.Float64, "ended_s": pl.Float64,
    "cpus_requested": pl.Float64, "cpus_allocated": pl.Float64, "memory_peak_bytes": pl.Float64,
    "cpu_s": pl.Float64, "read_bytes": pl.Float64, "input_bytes": pl.Float64, "state": pl.String,
}  # fmt: skip


def _instance(source: Source) -> dict[str, Any]:
    try:
        instance = json.loads(source.whole(MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source.path} is not JSON: {error}; export it again") from error
    workflow = instance.get("workflow") if isinstance(instance, dict) else None
    if not isinstance(workflow, dict) or "specification" not in workflow:
        version = instance.get("schemaVersion") if isinstance(instance, dict) else None
        raise InputError(
            f"{source.path} has no workflow.specification (schemaVersion {version!r}):"
            " WfFormat 1.4 or 1.5 is read"
        )
    return dict(instance)


def _objects(found: Any) -> list[dict[str, Any]]:
    return [x for x in found if isinstance(x, dict)] if isinstance(found, list) else []


def _by_id(source: Source, part: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Tasks by id; two of one id cannot be told apart by their children."""
    found: dict[str, dict[str, Any]] = {}
    for task in _objects(part.get("tasks")):
        name = _text(task.get("id") or task.get("name"))
        if name in found:
            raise InputError(f"{source.path} has two tasks of id {name!r}; make ids unique")
        found[name] = task
    return found


def _order(source: Source, tasks: Mapping[str, dict[str, Any]]) -> list[str]:
    graph = {name: [p for p in _parents(task) if p in tasks] for name, task in tasks.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise InputError(f"{source.path}: tasks wait for each other: {error.args[1]}") from error


def _parents(task: Mapping[str, Any]) -> list[str]:
    return [_text(p) for p in _list(task.get("parents"))]


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _text(found: Any) -> str:
    """What stands where a text should, as one that can be stored."""
    return "" if found is None else str(found).encode("utf-8", "replace").decode("utf-8")


def _row(
    name: str,
    task: Mapping[str, Any],
    run: Mapping[str, Any],
    sizes: Mapping[Any, Any],
    ends: Mapping[str, float],
    zero: float,
) -> dict[str, Any]:
    """One task as columns; what is no number has a reason instead of a value."""
    measured = ("runtimeInSeconds", "memoryInBytes", "avgCPU", "coreCount", "readBytes")
    raw = {n: run.get(n) for n in measured}
    value = {n: _number(x) for n, x in raw.items()}
    unread = next((n for n, x in raw.items() if x is not None and value[n] is None), None)
    runtime, share = value["runtimeInSeconds"], value["avgCPU"]
    began = _moment(run.get("executedAt"))
    ready = max((ends[p] for p in _parents(task) if p in ends), default=zero)
    started = ready if began is None else began
    inputs = [_number(sizes.get(_text(x))) for x in _list(task.get("inputFiles"))]
    kind, tag = _kind(_text(task.get("name") or name))
    return {
        "id": name,
        "reason": None if unread is None else f"cannot read {unread}",
        "name": kind,
        "tag": tag,
        "node": next((_text(m) for m in _list(run.get("machines"))), None),
        "parents": _parents(task),
        "submitted_s": min(ready, started),
        "started_s": started if runtime is not None else None,
        "ended_s": None if runtime is None else started + runtime,
        "cpus_requested": value["coreCount"],
        "cpus_allocated": value["coreCount"],
        "memory_peak_bytes": value["memoryInBytes"] or None,
        "cpu_s": None if share is None or runtime is None else share / 100 * runtime,
        "read_bytes": value["readBytes"],
        "input_bytes": sum(x for x in inputs if x) if any(x is not None for x in inputs) else None,
        "state": "unknown" if runtime is None else "completed",
    }


def _kind(name: str) -> tuple[str, str | None]:
    """A task's name without what tells it from its siblings, and that.

    >>> _kind("mProject_ID0000012")
    ('mProject', 'ID0000012')
    """
    found = re.fullmatch(r"(.+?)_((?:ID)?\d+)", name)
    kind, tag = (found[1], found[2]) if found else (name, None)
    twice = re.match(r"([A-Za-z0-9]+)_(\1_.*)", kind)  # Pegasus: fastqSplit_fastqSplit_<sample>
    return (twice[1], twice[2]) if twice else (kind, tag)


def _number(found: Any) -> float | None:
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and abs(found) < 1e300 else None


def _moment(found: Any) -> float | None:
    """Epoch seconds of one of the ways in which tracers write a date; UTC where none is said."""
    if not isinstance(found, str):
        return None
    for form in _DATES:
        try:
            at = datetime.strptime(found, form)
        except ValueError:
            continue
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    try:
        at = datetime.fromisoformat(found)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _claim(claims: Claims, execution: Mapping[str, Any]) -> None:
    """The machines: counted, with their cores in all."""
    machines = _objects(execution.get("machines"))
    cores = [_number((m.get("cpu") or {}).get("coreCount")) for m in machines
             if isinstance(m.get("cpu") or {}, dict)]  # fmt: skip
    claims.nodes = len(machines) or None
    claims.total_cpus = sum(x for x in cores if x) or None
