"""Kinds of workflows as flat arrays that compiled functions read, and how jobs of them arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.observe.workflows import Workflow

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

WAVES = 3


class Catalog(NamedTuple):
    """k kinds with s stages in all; stages are counted through all kinds."""

    first: Ints  # (k + 1,) of the stages of each kind
    tasks: Ints  # (s,)
    parents: Ints  # (s,) how many
    child_at: Ints  # (s + 1,) where its children stand in `child`
    child: Ints  # (e,)
    levels: Ints  # (l,) executors that jobs had when durations were seen, ascending
    place: Ints  # (s, l, 3) where the durations of a level and wave stand
    seen: Ints  # (s, l, 3) how many
    duration_s: Floats  # (d,)
    mean_s: Floats  # (s,) of a task: what schedulers know
    path_s: Floats  # (s,) work on the longest way from a stage to the end, its own included
    work_s: Floats  # (k,) expected in all
    floor_s: Floats  # (s,) the longest way to the end if every stage is one task
    level_s: Floats  # (s, l) mean of a task with as many executors, not its executor's first


class Arrivals(NamedTuple):
    """n jobs in order of arrival."""

    kind: Ints  # (n,)
    submit_s: Floats  # (n,)


def catalog_of(workflows: Sequence[Workflow]) -> Catalog:
    """The arrays of some kinds of workflows, numbered as they stand."""
    levels = np.array(sorted({e for w in workflows for d in w.durations_s for e in d}))
    first = np.concatenate([[0], np.cumsum([len(w.tasks) for w in workflows])])
    tasks = np.concatenate([w.tasks for w in workflows])
    edges = np.concatenate([w.edges + at for w, at in zip(workflows, first, strict=False)])
    edges = edges[np.argsort(edges[:, 0], kind="stable")]
    place, seen = np.zeros((2, len(tasks), len(levels), WAVES), np.int64)
    pieces, length = [], 0
    for stage, durations in enumerate(d for w in workflows for d in w.durations_s):
        for i, level in enumerate(levels):
            known = min(level, max(durations))
            for wave in range(WAVES):
                pieces.append(durations[known][wave])
                place[stage, i, wave], seen[stage, i, wave] = length, len(pieces[-1])
                length += len(pieces[-1])
    mean_s = _means(workflows)
    work_s = np.add.reduceat(tasks * mean_s, first[:-1])
    return Catalog(
        first, tasks, np.bincount(edges[:, 1], minlength=len(tasks)),
        np.searchsorted(edges[:, 0], np.arange(len(tasks) + 1)), edges[:, 1].copy(), levels, place,
        seen, np.concatenate(pieces), mean_s, _paths(edges, tasks * mean_s), work_s,
        _paths(edges, mean_s), _means_at(workflows, levels),
    )  # fmt: skip


def _means(workflows: Sequence[Workflow]) -> Floats:
    """Mean duration (s,) of all tasks of a stage that were seen, as Decima tells its schedulers."""
    stages = [d for w in workflows for d in w.durations_s]
    return np.array([np.mean(np.concatenate([np.concatenate(x) for x in d.values()]))
                     for d in stages])  # fmt: skip


def _means_at(workflows: Sequence[Workflow], levels: Ints) -> Floats:
    """Mean duration (s, l) of a task that is not its executor's first in the job."""
    stages = [d for w in workflows for d in w.durations_s]
    return np.array([[np.mean(np.concatenate(d[min(level, max(d))][1:])) for level in levels]
                     for d in stages])  # fmt: skip


def _paths(edges: Ints, work_s: Floats) -> Floats:
    path_s = work_s.copy()
    for parent, child in edges[::-1]:  # parents stand before children
        path_s[parent] = max(path_s[parent], work_s[parent] + path_s[child])
    return path_s


def arrivals(rng: np.random.Generator, kinds: Ints, n: int, interval_s: float) -> Arrivals:
    """A Poisson process of n jobs of kinds drawn evenly, the first at 0; interval_s on average."""
    gaps_s = rng.exponential(interval_s, n)
    gaps_s[:1] = 0.0
    return Arrivals(rng.choice(kinds, n), np.cumsum(gaps_s))
