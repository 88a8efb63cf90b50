"""What may be behind an anomaly of tasks, the likeliest first, from what is known beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.anomaly.slow_nodes import nodes_of

if TYPE_CHECKING:
    from headway.anomaly.expected import Band
    from headway.anomaly.leaks import Leak
    from headway.anomaly.slow_nodes import SlowNodes
    from headway.records import Task

SLOW: float = 1.3  # times slower from which a node is named as a cause


def of_lateness(task: Task, band: Band, nodes: SlowNodes) -> tuple[str, ...]:
    """Why a task may run for so long."""
    slower = sorted(((nodes.times_slower(name), name) for name in nodes_of(task)), reverse=True)
    found = [f"node {n}: tasks run {t:.1f} times as long there" for t, n in slower if t >= SLOW]
    if task.attempt > 1:
        found.append(f"attempt {task.attempt}: an earlier one did not succeed either")
    found.append("it hangs: nothing else explains it")
    if band.made_by.startswith("recent"):
        found.append(f"it is another kind of work than the {band.made_by[7:]} before it")
    if task.input_bytes is not None:
        found.append(f"its input of {task.input_bytes / 1e9:.3g} GB is larger than usual")
    return tuple(found)


def of_leak(leak: Leak, task: Task) -> tuple[str, ...]:
    """Why memory may rise."""
    grown = f"memory is not given back: it grows by {leak.bytes_per_s * 3600.0 / 1e9:.3g} GB/h"
    larger = "its input is larger than usual"
    return (grown, larger) if task.input_bytes is None else (larger, grown)


def of_size(task: Task) -> tuple[str, ...]:
    """Why a task may have taken so much memory."""
    known = task.input_bytes is not None
    return ("its input is larger than usual", "memory was not given back")[: 2 if known else 1]


def of_slow_node(times: float) -> tuple[str, ...]:
    """Why a node may be slow."""
    throttled = "its processors are throttled or shared with something that is not seen here"
    return (throttled, "its disk or network is slow") if times < 2.0 else (
        "its disk or network is slow, or it swaps", throttled
    )  # fmt: skip


def of_failing(task: Task) -> tuple[str, ...]:
    """Why tasks may fail one after another, from how the latest one ended."""
    if task.state == "out_of_memory":
        return ("they need more memory than they are given",)
    if task.state == "timeout":
        return ("their limit is too short, or what they wait for does not come",)
    code = "" if task.exit_code is None else f" (exit code {task.exit_code})"
    return (f"a change in the program or its input{code}", "something they all need is gone")
