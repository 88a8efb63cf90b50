"""What `headway demo` does: real tasks, run as a user would and with Headway, and measured.

Batch A runs first come, first served with guessed memory requests, and is learned from. Batch B,
fresh tasks of the same kinds, runs both ways in two halves, the second in reverse order (ABBA), so
that a machine that slows down or warms up favours neither way. Both ways go through the same
Executor, and both enforce allocations: a task that takes more is stopped and run again with twice
the memory, at its full cost in time and reserved memory.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headway.demo.tasks import GB, KINDS, warm_up
from headway.executor import Executor
from headway.observe.machine import available_cpus, available_memory_bytes
from headway.store.history import ended_tasks
from headway.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from headway.records import Task

BUDGET_BYTES = 3 * GB // 2
"""Memory that the tasks may take together: scarce, as on a cluster that is used well."""
FEWEST_BYTES = 2 * GB
"""With less than this free the demo shrinks its tasks, requests and budget alike."""
CLUSTER = "demo"
NUMERIC_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Piece:
    """One task of a batch."""

    kind: str
    input_bytes: int
    seed: int
    guess_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What the demo uses; scale < 1 where there is little memory."""

    workers: int
    budget_bytes: int
    scale: float


def run_demo(
    home: Path | None = None,
    report_dir: Path | None = None,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
    *,
    tasks_a: int = 90,
    tasks_b: int = 100,
    seconds: float = 90.0,
    size_scale: float = 1.0,
) -> dict[str, Any]:
    """Run both batches and say what was measured: before (as a user), after (with Headway).

    tasks_b is cut so that all is done within about `seconds`, judged by what came before. Sizes
    are those of KINDS times size_scale. With a home, what happened is kept in its log.
    """
    show = progress or (lambda what, share: None)
    began_s, rng = time.monotonic(), np.random.default_rng(seed)
    machine = _machine(size_scale)
    learned, rows = MemoryStore(), []
    with _one_thread_each():
        batch = _batch(rng, tasks_a, machine)
        rows += _run(batch, "learn", learned, machine, (), _share(show, "batch A as a user"))
        per_task_s = 2.0 * (time.monotonic() - began_s) / max(tasks_a, 1)
        known = list(ended_tasks(learned, CLUSTER))
        log = {"user": MemoryStore(), "headway": MemoryStore()}
        for half, ways in enumerate((("user", "headway"), ("headway", "user"))):
            left_s = (seconds - (time.monotonic() - began_s)) / (2 - half)
            fewest = min(tasks_b // 2, 5)
            batch = _batch(rng, max(min(tasks_b // 2, int(left_s / per_task_s)), fewest), machine)
            half_began_s = time.monotonic()
            for way in ways:
                told = known + list(ended_tasks(log[way], CLUSTER)) if way == "headway" else ()
                name = f"batch B {half + 1}/2 " + ("as a user" if way == "user" else "with Headway")
                for row in _run(batch, way, log[way], machine, told, _share(show, name)):
                    rows.append({**row, "half": half})
            per_task_s = (time.monotonic() - half_began_s) / max(len(batch), 1)
    if home is not None:
        _keep(home, [learned, *log.values()])
    document = _document(rows, machine, time.monotonic() - began_s)
    return {**document, "report": str(report_dir / "index.html") if report_dir else None}


def _machine(size_scale: float) -> Machine:
    free = available_memory_bytes()
    budget = min(BUDGET_BYTES, int(0.6 * free))
    shrunk = min(budget / BUDGET_BYTES, free / FEWEST_BYTES, 1.0)
    scale = size_scale * shrunk
    return Machine(min(available_cpus(), 8), int(BUDGET_BYTES * shrunk), scale)


def _batch(rng: np.random.Generator, n: int, machine: Machine) -> list[Piece]:
    """Tasks of all kinds in a random order, their sizes lognormal with a cut tail."""
    pieces = []
    for i in range(n):
        name = list(KINDS)[i % len(KINDS)]
        kind = KINDS[name]
        size = min(kind.median_bytes * rng.lognormal(0.0, 1.0), kind.largest_bytes)
        shrunk = min(machine.budget_bytes / BUDGET_BYTES, 1.0)
        guess = int(kind.guess_bytes * shrunk)
        pieces.append(Piece(name, int(size * machine.scale), int(rng.integers(2**31)), guess))
    return [pieces[i] for i in rng.permutation(n)]


def _run(
    batch: Sequence[Piece],
    way: str,
    store: MemoryStore,
    machine: Machine,
    known: Sequence[Task],
    show: Callable[[float], None],
) -> list[dict[str, Any]]:
    """Run a batch one way; one row an attempt."""
    with Executor(
        machine.workers,
        multiprocessing.get_context("spawn"),
        warm_up,
        memory_bytes=machine.budget_bytes,
        order="shortest" if way == "headway" else "first",
        is_memory_enforced=True,
        store=store,
        cluster=CLUSTER,
    ) as executor:
        executor.learn(known)
        for ready in [executor.submit_task(os.getpid, name="warm-up") for _ in range(4)]:
            ready.result()
        began_s, done = time.time(), itertools.count(1)
        for piece in batch:
            future = executor.submit_task(
                KINDS[piece.kind].work,
                piece.input_bytes,
                piece.seed,
                name=piece.kind,
                input_bytes=piece.input_bytes,
                memory_bytes=None if way == "headway" else piece.guess_bytes,
                is_retryable=True,
            )
            future.add_done_callback(lambda _: show(next(done) / len(batch)))
    return _rows(store, way, began_s)


def _rows(store: MemoryStore, way: str, began_s: float) -> list[dict[str, Any]]:
    """Attempts since a moment with their allocations, times counted from it."""
    tasks = store.read("task").filter(
        pl.col("name").is_in(list(KINDS)), pl.col("submitted_s") >= began_s
    )
    decided = store.read("decision").select(
        "id", "attempt", "made_by", allocated_bytes="memory_bytes"
    )
    joined = tasks.join(decided, on=["id", "attempt"]).sort("ended_s")
    return [
        {
            "kind": row["name"],
            "id": row["id"],
            "attempt": row["attempt"],
            "input_bytes": row["input_bytes"],
            "runtime_s": row["ended_s"] - row["started_s"],
            "peak_bytes": row["memory_peak_bytes"],
            "allocated_bytes": row["allocated_bytes"],
            "submitted_s": row["submitted_s"] - began_s,
            "started_s": row["started_s"] - began_s,
            "ended_s": row["ended_s"] - began_s,
            "state": row["state"],
            "made_by": row["made_by"],
            "way": way,
            "half": 0,
        }
        for row in joined.iter_rows(named=True)
        if row["started_s"] is not None
    ]


def _side(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What one way took, over its halves; used is None where peaks cannot be measured."""
    last = {(r["half"], r["id"]): r for r in rows}  # rows are in order of their ends
    halves = {r["half"] for r in rows}
    is_measured = all(r["peak_bytes"] is not None for r in rows)
    completions = [r["ended_s"] - r["submitted_s"] for r in last.values()]
    used = sum((r["peak_bytes"] or 0) * r["runtime_s"] for r in rows) / GB
    short = [r for r in rows if _is_short(r)]
    return {
        "makespan_s": sum(max(r["ended_s"] for r in rows if r["half"] == h) for h in halves),
        "mean_completion_s": sum(completions) / max(len(completions), 1),
        "reserved_gb_s": sum(r["allocated_bytes"] * r["runtime_s"] for r in rows) / GB,
        "used_gb_s": used if is_measured else None,
        "tasks": len(last),
        "not_fitting": len({(r["half"], r["id"]) for r in short}),
        "retries": len(rows) - len(last),
        "failed": sum(r["state"] != "completed" for r in last.values()),
        "busy_s": sum(r["runtime_s"] for r in rows),
    }


def _is_short(row: dict[str, Any]) -> bool:
    over = row["peak_bytes"] is not None and row["peak_bytes"] > row["allocated_bytes"]
    return over or row["state"] == "out_of_memory"


def _document(rows: list[dict[str, Any]], machine: Machine, seconds: float) -> dict[str, Any]:
    """All that is shown: both sides, kinds, every attempt, and the result in words."""
    of = {way: [r for r in rows if r["way"] == way] for way in ("learn", "user", "headway")}
    before, after = _side(of["user"]), _side(of["headway"])
    kinds = [
        {
            "kind": kind,
            "guess_bytes": int(KINDS[kind].guess_bytes * machine.budget_bytes / BUDGET_BYTES),
            "before": _side([r for r in of["user"] if r["kind"] == kind]),
            "after": _side([r for r in of["headway"] if r["kind"] == kind]),
        }
        for kind in KINDS
        if any(r["kind"] == kind for r in of["user"])
    ]
    return {
        "before": before,
        "after": after,
        "learned_from": _side(of["learn"]),
        "kinds": kinds,
        "workers": machine.workers,
        "budget_gb": machine.budget_bytes / GB,
        "size_scale": machine.scale,
        "seconds": seconds,
        "words": _words(before, after, machine),
        "attempts": rows,
    }


def _words(before: dict[str, Any], after: dict[str, Any], machine: Machine) -> list[str]:
    """The result in plain sentences, good or bad."""
    said = []
    if machine.budget_bytes < BUDGET_BYTES:
        said.append(
            f"Little memory is free: tasks, requests and the budget "
            f"({machine.budget_bytes / GB:.2f} GB) were made smaller."
        )
    for key, what in (
        ("makespan_s", "The whole batch took"),
        ("mean_completion_s", "A task was done on average after"),
        ("reserved_gb_s", "Memory reserved over time came to"),
    ):
        unit = "GB s" if key.endswith("gb_s") else "s"
        old, new = before[key], after[key]
        share = (old - new) / old if old > 0 else 0.0
        change = f"{abs(share):.0%} {'less' if share > 0 else 'more'}"
        is_gain = "" if share > 0.02 else "; nothing was gained"
        said.append(f"{what} {old:.1f} {unit} before, {new:.1f} {unit} after: {change}{is_gain}.")
    if after["used_gb_s"] is None:
        said.append("This system does not tell the peak memory of a task: sizes were not learned.")
    said.append(
        f"Of {after['tasks']} tasks {after['not_fitting']} did not fit into what Headway gave them "
        f"at first and {before['not_fitting']} into what was guessed; they ran again, and that "
        "time and memory is counted."
    )
    return said


def _keep(home: Path, stores: Sequence[MemoryStore]) -> None:
    """Append what happened to the log of a home."""
    from headway.store.delta import DeltaStore

    log = DeltaStore(str(home / "log"))
    for kind in ("task", "prediction", "decision", "outcome"):
        log.append(kind, [store.read(kind) for store in stores])


def _share(show: Callable[[str, float], None], what: str) -> Callable[[float], None]:
    show(what, 0.0)
    return lambda share: show(what, share)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Numeric libraries of new processes use one thread: a task is given one processor."""
    before = {name: os.environ.get(name) for name in NUMERIC_THREADS}
    os.environ.update(dict.fromkeys(NUMERIC_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
