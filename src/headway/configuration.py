"""What a history says of how to configure one of its recurring tasks: `headway configure`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from headway.errors import ConfigError, NotEnoughData
from headway.predict.configure import Configuration, Configurer, Run, Suggestion, shared_effects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headway.optimize import Prices
    from headway.predict.configure import Prior

NODE_FIELDS: Final = ("queue", "node", "none")
_MOST_CANDIDATES: Final = 60
_MOST_OTHERS: Final = 5_000  # runs of other tasks, the latest
_POWER: Final = 0.7  # of the input's size by which a runtime grows, before any run says


def configure_task(
    tasks: pl.DataFrame,
    task: str,
    deadline_s: float,
    prices: Prices,
    *,
    node_prices: Mapping[str, float] | None = None,
    node_field: str = "queue",
    input_bytes: float | None = None,
    trials: int = 1,
) -> dict[str, Any]:
    """The document of `headway configure`: the best configuration so far and what to try next.

    A configuration is what the history holds of node type (`node_field`), cores and memory asked
    for; an hour costs `node_prices` of its node type, else `prices` of cores and memory. Runs of
    other tasks tell how configurations differ, runs of the task itself its own level and size.
    """
    if node_field not in NODE_FIELDS:
        raise ConfigError(f"node-by must be one of {', '.join(NODE_FIELDS)}, got {node_field!r}")
    runs = _runs(tasks, prices, node_prices or {}, node_field)
    own = [run for name, run in runs if name == task]
    others = [(name, run) for name, run in runs if name != task][-_MOST_OTHERS:]
    if not own:
        known = sorted({name for name, _ in runs})
        shown = ", ".join(known[:10]) + (", .." if len(known) > 10 else "")
        raise NotEnoughData(f"no run of task {task!r} is known with its end; known are {shown}")
    candidates = _candidates(own, runs)
    prior = _prior(shared_effects(others), deadline_s, own) if others else None
    tuner = Configurer(candidates, deadline_s, prior=prior)
    for run in own:
        tuner.learn(run)
    return {
        "task": task,
        "deadline_s": deadline_s,
        "input_bytes": input_bytes,
        "currency": prices.currency,
        "runs": len(own),
        "runs_of_other_tasks": len(others),
        "candidates": len(candidates),
        "best": _said(tuner.best(input_bytes)),
        "next": [_said(s) for s in tuner.suggest(input_bytes, n=trials)],
    }


def _runs(
    tasks: pl.DataFrame, prices: Prices, node_prices: Mapping[str, float], node_field: str
) -> list[tuple[str, Run]]:
    """(task, run) of all that completed, or failed for want of memory, in order of their end."""
    is_told = pl.col("state").is_in(["completed", "out_of_memory"])
    has_all = pl.col("name").is_not_null() & pl.col("started_s").is_not_null()
    ended = tasks.filter(is_told & has_all & pl.col("ended_s").is_not_null()).sort("ended_s")
    node = pl.lit("") if node_field == "none" else pl.col(node_field).fill_null("")
    rows = ended.select(
        "name",
        node.alias("node_type"),
        pl.coalesce("cpus_requested", "cpus_allocated", pl.lit(1.0)),
        "memory_requested_bytes",
        "input_bytes",
        pl.col("ended_s") - pl.col("started_s"),
        pl.col("state") == "out_of_memory",
    )
    found = []
    for name, kind, cpus, memory, size, took_s, has_failed in rows.iter_rows():
        hour = node_prices.get(kind)
        if hour is None:
            hour = prices.core_hour * cpus + prices.gb_hour * (memory or 0) / 1e9
        asked = Configuration(node=kind, cpus=cpus, memory_bytes=memory, price_hour=hour)
        run = Run(
            configuration=asked, input_bytes=size, runtime_s=max(took_s, 0.0), has_failed=has_failed
        )
        found.append((name, run))
    return found


def _candidates(own: Sequence[Run], runs: Sequence[tuple[str, Run]]) -> list[Configuration]:
    """What the task ran with, then what others ran with most often."""
    counts: dict[Configuration, int] = {run.configuration: len(runs) for run in own}
    for _, run in runs:
        counts[run.configuration] = counts.get(run.configuration, 0) + 1
    return sorted(counts, key=lambda c: -counts[c])[:_MOST_CANDIDATES]


def _prior(
    effects: Mapping[tuple[str, float, int | None], float], deadline_s: float, own: Sequence[Run]
) -> Prior:
    """Log seconds before the task itself has said anything: the effects seen on other tasks."""
    sizes = [np.log(run.input_bytes) for run in own if run.input_bytes]
    middle = float(np.mean(sizes)) if sizes else 0.0

    def prior(configurations: Sequence[Configuration], size: float | None) -> Any:
        grown = _POWER * (np.log(size) - middle) if size and sizes else 0.0
        known = np.array([effects.get(c.key, 0.0) for c in configurations])
        return np.log(deadline_s) + grown + known

    return prior


def _said(s: Suggestion) -> dict[str, Any]:
    """A suggestion as the document tells it."""
    return {
        "node": s.configuration.node,
        "cpus": s.configuration.cpus,
        "memory_bytes": s.configuration.memory_bytes,
        "price_hour": s.configuration.price_hour,
        "runtime_s": s.runtime_s,
        "runtime_90_s": s.runtime_90_s,
        "expected_cost": s.expected_cost,
        "cost_90": s.cost_90,
        "miss_probability": s.miss_probability,
        "expected_saving": s.expected_saving,
        "is_final": s.is_final,
        "why": s.why,
    }
